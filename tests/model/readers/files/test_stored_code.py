"""Python code that is stored in a model's file runs only where the user trusts the file."""

import base64
import json
import marshal
import os
import pickle
import zipfile

import pytest

from pytest_layercount import (
    ModelError,
    check_equivalence,
    check_fold,
    count_layers,
    fold,
    plan_fold,
    read_graph,
    record,
)
from pytest_layercount.cli import main
from pytest_layercount.model.readers.files.stored_code import (
    check_stored_code,
    endless_file,
    stored_code,
)
from tests.conftest import needs_keras
from tests.kerases import generation, load_keras

pytest_plugins = ["pytester"]

CODE = base64.b64encode(marshal.dumps((lambda x: x).__code__)).decode()


def layer(kind, name="scale", **config):
    return {"class_name": kind, "config": {"name": name, **config}}


def model_of(*layers):
    return {"class_name": "Functional", "config": {"name": "m", "layers": list(layers)}}


def function(name, module="builtins"):
    return {"class_name": "function", "module": module, "config": name}


def called(entry, **settings):
    config = {"name": "scale"}
    if entry["class_name"] == "function":
        config = entry["config"]
    return {**entry, "config": config, "name": "scale", "inbound_nodes": [], **settings}


BYTECODE = {"class_name": "__lambda__", "config": {"code": CODE, "defaults": None}}
LAMBDA = layer("Lambda", function=[CODE, None, None], function_type="lambda")

HELD = {
    "a lambda of Keras 2": LAMBDA,
    "a lambda of Keras 3": layer("Lambda", function=BYTECODE),
    "bytecode that is not in base64": layer("Lambda", function=["\x1f"], function_type="lambda"),
    "an output shape": layer("Lambda", output_shape_type="lambda", output_shape=[CODE]),
    "a subclass of the user's own": layer("my>Scale", function_type="lambda"),
    "an activation": layer("Dense", activation=BYTECODE),
    "an activation without its class": layer("Dense", activation={"value": [CODE, None, None]}),
    "in a layer": layer("Dense", kernel_initializer={"class_name": "Mine", "config": {"f": CODE}}),
    "a function of the system": layer("Lambda", function=function("system", "os")),
    "a builtin function": layer("Lambda", function=function("exec")),
    "a function of Keras": layer("Lambda", function=function("get_file", "keras.utils")),
    "what turns safe mode off": layer(
        "Lambda", function=function("enable_unsafe_deserialization", "keras.config")
    ),
    "another's file": layer("TFSMLayer", filepath="/elsewhere"),
    "a builtin function by its other name": layer(
        "Lambda", function={**function("nothing"), "registered_name": "exec"}
    ),
    "a function of the system for a class": layer(
        "Dense", activation={"class_name": "popen", "module": "os", "config": {}}
    ),
    "another's file by its other name": {
        **layer("Other", filepath="/elsewhere"),
        "registered_name": "TFSMLayer",
    },
    "a wrapper around a cell": layer(
        "RNN", cell={"residual_fn": CODE, "residual_fn_type": "lambda"}
    ),
    "bytecode behind what is passed over": layer("Mine", function="!" * 99 + CODE),
    "a function in the place of a layer": called(function("runstring", "numpy.testing")),
    "a function for a class of a layer": called(layer("runstring"), module="numpy.testing"),
    "a model that downloads": called(layer("ResNet50"), module="keras.applications"),
    "a file of an operation": layer("ClassMethod", cls_symbol="data.TFRecordDataset"),
    "a library": layer("TFOpLambda", function="load_op_library"),
    "a folder": layer("TFOpLambda", function="io.gfile.rmtree"),
}


@pytest.mark.parametrize("held", HELD.values(), ids=HELD)
@pytest.mark.parametrize("wrapper", ["", "TimeDistributed", "Functional"])
def test_what_runs_is_found_wherever_it_is(held, wrapper):
    if wrapper == "Functional":
        held = layer(wrapper, "inner", layers=[layer("Dense", "dense"), held])
    elif wrapper:
        held = layer(wrapper, "outer", layer=held)

    assert "layer 'scale'" in stored_code(model_of(layer("Dense", "dense"), held))


@pytest.mark.parametrize(
    "plain",
    [
        layer("Lambda", function=function("my_scale")),
        layer("Lambda", function="my_scale", function_type="function", module="__main__"),
        layer("Lambda", function=function("scale", "my_models.layers")),
        layer("Dense", activation=function("silu", "keras.activations")),
        layer("Dense", activation=function("swish", "my_models.utils")),
        layer("Lambda", function=function("preprocess_input", "keras.applications.resnet")),
        called(layer("Scale"), module="my_models.data.layers"),
        {**layer("Scale"), "module": "builtins", "registered_name": "mine>Scale"},
        layer("TFOpLambda", function="math.reduce_sum"),
        layer("TFOpLambda", function="io.decode_jpeg"),
        layer("Dense", name="Y" * 80),
        layer("Dense", name="4w" + "A" * 10),
        layer("Mine", table="4w" + "x" * 70),
    ],
)
def test_nothing_else_is(plain):
    assert stored_code(model_of(plain)) is None


def test_what_a_model_was_trained_with_is_not_loaded():
    assert stored_code({**model_of(), "compile_config": {"loss": BYTECODE}}) is None


@pytest.fixture
def canary(tmp_path):
    return tmp_path / "CANARY"


@pytest.fixture
def build(canary):
    """A model that makes the file CANARY when its code runs."""
    keras = load_keras()
    layers = keras.layers
    touch = eval(f"lambda x: [open({str(canary)!r}, 'w').close(), x][1]", {})

    def build(wrap=lambda inner: inner):
        image = keras.Input((3, 4))
        x = layers.BatchNormalization()(layers.Dense(4)(image))
        return keras.Model(image, wrap(layers.Lambda(touch, name="scale"))(x))

    return build


def saved(model, canary, name):
    file = canary.parent / name
    model.save(str(file))
    canary.unlink(missing_ok=True)
    return file


def kept():
    """The names of files that this Keras stores a lambda in and loads again."""
    return ["m.h5", "m.keras", "m_tf"] if generation(load_keras()) == 2 else ["m.h5", "m.keras"]


WAYS = {
    "fold": fold,
    "check_fold": check_fold,
    "check_equivalence": lambda file, **trust: check_equivalence(file, file, **trust),
    "record": record,
}


@pytest.mark.parametrize("name", ["m.h5", "m.keras", "m_tf"])
def test_code_in_a_file_runs_in_no_way(build, canary, name):
    if name not in kept():
        pytest.skip("Keras 3 saves no SavedModel of its own")
    file = saved(build(), canary, name)

    for way in WAYS.values():
        with pytest.raises(ModelError, match=r"layer 'scale' holds .*trust_stored_code=True"):
            way(file)
    plan_fold(file, resolve=True)
    read_graph(file)

    assert not canary.exists()


def test_code_in_a_wrapped_layer_does_not_run(build, canary):
    wrapped = build(load_keras().layers.TimeDistributed)
    file = saved(wrapped, canary, "m.h5")

    with pytest.raises(ModelError, match="layer 'scale' holds"):
        fold(file)

    assert not canary.exists()


@needs_keras
def test_the_code_of_an_activation_is_code_too(canary):
    keras = load_keras()
    model = keras.Sequential(
        [keras.Input((4,)), keras.layers.Dense(3, activation=lambda x: x * 2, name="dense")]
    )
    file = saved(model, canary, "m.h5")

    with pytest.raises(ModelError, match="layer 'dense' holds the bytecode"):
        fold(file)


@pytest.mark.parametrize("way", WAYS)
def test_a_file_that_is_trusted_is_loaded(build, canary, way):
    file = saved(build(), canary, "m.keras")

    assert WAYS[way](file, trust_stored_code=True)


def test_an_archive_behind_other_data_hides_nothing(build, canary):
    keras = load_keras()
    plain = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3)])
    harmless = saved(plain, canary, "plain.h5")
    evil = saved(build(), canary, "m.keras")
    both = canary.parent / "both.keras"
    both.write_bytes(harmless.read_bytes())
    with zipfile.ZipFile(both, "a") as archive, zipfile.ZipFile(evil) as source:
        for member in source.namelist():
            archive.writestr(member, source.read(member))

    with pytest.raises(ModelError, match="layer 'scale' holds"):
        fold(both)


class Touching:
    """What makes the file CANARY when it is unpickled."""

    def __init__(self, canary):
        self.canary = canary

    def __reduce__(self):
        return open, (str(self.canary), "w")


def other_weights(file, name, content):
    """The same model, its weights kept otherwise."""
    other = file.with_name("other.keras")
    with zipfile.ZipFile(file) as source, zipfile.ZipFile(other, "w") as archive:
        for member in source.namelist():
            if member != "model.weights.h5":
                archive.writestr(member, source.read(member))
        archive.writestr(name, content, zipfile.ZIP_DEFLATED)
    return other


@needs_keras
def test_pickled_weights_are_code(canary):
    keras = load_keras()
    plain = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3)])
    file = saved(plain, canary, "plain.keras")
    evil = other_weights(file, "model.weights.npz", pickle.dumps(Touching(canary)))

    with pytest.raises(ModelError, match=r"model\.weights\.npz may hold pickled objects"):
        fold(evil)

    assert not canary.exists()
    assert read_graph(evil).layers


@needs_keras
def test_members_that_keras_would_unpack_without_end_are_left_alone(canary):
    keras = load_keras()
    plain = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3)])
    file = saved(plain, canary, "plain.keras")
    bomb = other_weights(file, "model.weights.h5", bytes(1 << 21))

    with pytest.raises(ModelError, match=r"model\.weights\.h5 is compressed more than 200 to one"):
        fold(bomb)


def test_what_one_keras_refuses_as_unsafe_no_other_is_asked(monkeypatch, tmp_path):
    from pytest_layercount.model.keras import load

    asked = []

    class Keras:
        __name__, __version__ = "keras", "3.99"

        class models:  # noqa: N801
            @staticmethod
            def load_model(path, **options):
                asked.append(options)
                raise ValueError("disallowed by default, pass `safe_mode=False`")

    monkeypatch.setattr(load, "_installed", lambda path: [Keras, Keras])
    file = tmp_path / "m.keras"
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("config.json", json.dumps(model_of()))

    with pytest.raises(ModelError, match="disallowed by default"):
        load.load_model(file, check_stored_code)

    assert asked == [{"compile": False, "safe_mode": True}]


def test_the_command_runs_no_code(build, canary, capsys):
    file, out = saved(build(), canary, "m.h5"), str(canary.parent / "out.keras")

    assert main(["fold", str(file), out]) == 2
    assert "layer 'scale' holds" in capsys.readouterr().err
    assert not canary.exists()


def test_the_command_can_be_told_to(build, canary):
    file, out = saved(build(), canary, "m.keras"), str(canary.parent / "out.keras")

    assert main(["fold", str(file), out, "--trust-stored-code"]) == 0


@pytest.mark.parametrize("option", [[], ["--layercount-trust-stored-code"]])
def test_so_can_pytest(build, canary, pytester, option):
    file = saved(build(), canary, "m.keras")
    pytester.makepyfile(
        f"def test(assert_equivalent_after_fold): assert_equivalent_after_fold({str(file)!r})"
    )

    result = pytester.runpytest(*option)

    result.assert_outcomes(passed=len(option), failed=1 - len(option))
    assert canary.exists() == bool(option)


@needs_keras
@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
@pytest.mark.parametrize("kind", ["StringLookup", "TextVectorization"])
@pytest.mark.parametrize("name", ["m.h5", "m.keras"])
def test_a_vocabulary_that_may_never_end_is_not_read(kind, name, tmp_path):
    keras = load_keras()
    pipe, words, file = tmp_path / "pipe", tmp_path / "words.txt", tmp_path / name
    os.mkfifo(pipe)
    words.write_text("one\ntwo\n", encoding="utf-8")
    text = keras.Input((1,), dtype="string")
    layer = getattr(keras.layers, kind)(vocabulary=["one", "two"], name="words")
    keras.Model(text, layer(text)).save(str(file))
    _tell(file, str(pipe))
    assert count_layers(file).total == 2
    for trusted in (False, True):
        with pytest.raises(ModelError, match=r"'words' reads the file .*pipe, which is not a"):
            fold(file, trust_stored_code=trusted)


def _tell(file, vocabulary):
    """Have every layer in a file take its vocabulary from another."""
    if file.suffix == ".h5":
        import h5py

        with h5py.File(file, "r+") as group:
            group.attrs["model_config"] = _telling(group.attrs["model_config"], vocabulary)
        return
    with zipfile.ZipFile(file) as archive:
        held = {name: archive.read(name) for name in archive.namelist()}
    held["config.json"] = _telling(held["config.json"], vocabulary)
    with zipfile.ZipFile(file, "w") as archive:
        for name, data in held.items():
            archive.writestr(name, data)


def _telling(config, vocabulary):
    def told(entry):
        return {name: vocabulary if name == "vocabulary" else item for name, item in entry.items()}

    return json.dumps(json.loads(config, object_hook=told))


@pytest.mark.parametrize("wrapper", ["", "TimeDistributed"])
def test_only_a_vocabulary_that_is_no_file_is_endless(wrapper, tmp_path):
    def model(vocabulary):
        words = layer("StringLookup", "words", vocabulary=vocabulary)
        return model_of(layer(wrapper, "outer", layer=words) if wrapper else words)

    file = tmp_path / "words.txt"
    file.touch()
    for plain in (None, ["/dev/null"], str(file), "nowhere.txt", "\0"):
        assert endless_file(model(plain)) is None
    assert endless_file(model("/dev/null")) == "layer 'words' reads the file /dev/null"


def metadata_of(config):
    """``keras_metadata.pb`` of one object."""

    def field(number, content):
        length = [len(content) & 0x7F | 0x80, len(content) >> 7]  # in two bytes, if need be or not
        return bytes([number << 3 | 2, *length]) + content

    return field(1, field(5, json.dumps(config).encode()))


@pytest.mark.parametrize("place", ["keras_metadata.pb", "config.json"])
def test_a_folder_that_is_both_kinds_is_searched_as_both(place, tmp_path):
    plain, held = layer("Dense", "d"), layer("Lambda", function=function("exec"))
    (tmp_path / "config.json").write_text(json.dumps(held if place == "config.json" else plain))
    (tmp_path / "keras_metadata.pb").write_bytes(
        metadata_of(plain if place == "config.json" else held)
    )
    with pytest.raises(ModelError, match=r"'scale' calls builtins\.exec"):
        check_stored_code(tmp_path, trusted=False)
