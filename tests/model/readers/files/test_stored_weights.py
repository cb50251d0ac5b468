"""Which weights a file holds, in every format: those of the model that was saved, and no more."""

from __future__ import annotations

import builtins
import json
import os
import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pytest_layercount.errors import ModelError
from pytest_layercount.model.readers.files.stored_weights import read_weights
from pytest_layercount.model.stored import StoredWeights
from tests.conftest import has_keras, needs_keras
from tests.kerases import generation, load_keras

h5py = pytest.importorskip("h5py")

KERNEL, BIAS = np.arange(6, dtype="float32").reshape(2, 3), np.ones(3, "float32")
PLACES = {
    "layers/conv2d": "stem",
    "layers/conv2d_1": "conv2d_1",
    "layers/conv2d_10": "conv2d_10",
    "layers/functional/layers/dense": "backbone/inner",
}


def network() -> Any:
    """A model with a model inside, a layer made of layers, and an optimizer that has learnt."""
    keras = load_keras()
    layers = keras.layers
    entry = keras.Input((4, 4, 6))
    inner = layers.Dense(2, name="inner")(layers.Dropout(0.5)(layers.Conv2D(3, 1)(entry)))
    image = keras.Input((6, 6, 3))
    x = layers.BatchNormalization()(layers.Conv2D(6, 3, name="stem")(image))
    x = keras.Model(entry, inner, name="backbone")(x)
    x = layers.Bidirectional(layers.LSTM(3))(layers.Reshape((16, 2))(x))
    model = keras.Model(image, layers.Dense(5, name="head")(x), name="net")
    model.compile("adam", "mse")
    model.fit(np.ones((2, 6, 6, 3)), np.zeros((2, 5)), verbose=0)
    return model


@pytest.fixture(scope="module")
def model() -> Any:
    return network()


def formats() -> list[str]:
    if not has_keras():
        return []
    if generation(load_keras()) == 3:
        sharded = (
            [".weights.json"] if "json" in (load_keras().Model.save_weights.__doc__ or "") else []
        )
        return [".weights.h5", ".keras", ".h5", *sharded]
    return [".weights.h5", ".keras", ".h5", "-weights.h5", "", "-folder"]


def saved(model: Any, path: Path) -> Path:
    """The model in the format that the name asks for."""
    if path.name.endswith(".weights.json"):
        model.save_weights(path, max_shard_size=1e-6)
    elif "weights" in path.name:
        model.save_weights(path)
    elif path.suffix or path.name.endswith("-folder"):
        model.save(path)
    else:
        model.save_weights(path)
    return path


@needs_keras
@pytest.mark.parametrize("suffix", formats())
def test_all_that_the_model_has_and_nothing_else(model: Any, suffix: str, tmp_path: Path) -> None:
    stored = read_weights(saved(model, tmp_path / f"net{suffix}"))
    assert stored.parameters == model.count_params()
    assert stored.bytes == 4 * stored.parameters
    assert any("ptimizer" in state.place or "adam" in state.place for state in stored.states) or (
        stored.format == "hdf5"
    )
    read = [stored.read(weight) for layer in stored.layers for weight in layer.weights]
    assert sorted(map(repr, map(np.ravel, read))) == sorted(
        map(repr, map(np.ravel, model.get_weights()))
    )
    # A SavedModel lists the cells of recurrent layers one by one, without the layers around.
    assert len(stored.layers) == (7 if suffix == "-folder" else 6)


@needs_keras
@pytest.mark.parametrize("suffix", [".h5", "-weights.h5"])
def test_the_order_and_the_names_are_those_of_the_model(
    model: Any, suffix: str, tmp_path: Path
) -> None:
    if generation(load_keras()) == 3 and suffix != ".h5":
        pytest.skip("Keras 3 writes no such file")
    stored = read_weights(saved(model, tmp_path / f"net{suffix}"))
    norm, inside, birnn = (
        layer.name
        for layer in (model.layers[2], model.get_layer("backbone").layers[1], model.layers[-2])
    )
    paths = [layer.path for layer in stored.layers]
    assert paths == ["stem", norm, f"backbone/{inside}", "backbone/inner", birnn, "head"]
    assert [weight.name for weight in stored.layers[0].weights] == ["kernel", "bias"]
    assert stored.saved == 5  # as Keras counts: the backbone is one
    assert stored.writer == f"Keras {load_keras().__version__}"


@needs_keras
def test_the_number_is_that_of_keras_own_message(model: Any, tmp_path: Path) -> None:
    keras = load_keras()
    path = saved(model, tmp_path / "net.h5")
    other = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
    with pytest.raises(ValueError, match="found") as raised:
        other.load_weights(path)
    (found,) = re.findall(r"found (\d+)", str(raised.value))
    assert read_weights(path).saved == int(found)


@needs_keras
def test_two_bytes_a_number(tmp_path: Path) -> None:
    keras = load_keras()
    if generation(keras) == 2:
        pytest.skip("Keras 2 saves no bfloat16 in HDF5")
    layer = keras.layers.Dense(2, dtype="bfloat16")
    model = keras.Sequential([keras.Input((3,)), layer])
    model.save_weights(tmp_path / "net.weights.h5")
    stored = read_weights(tmp_path / "net.weights.h5")
    kernel = stored.layers[0].weights[0]
    assert (kernel.dtype, stored.bytes) == ("bfloat16", 16)
    expected = np.asarray(keras.ops.cast(layer.kernel, "float32"))
    np.testing.assert_array_equal(stored.read(kernel), expected)


def by_place(path: Path, *, names: bool = True) -> Path:
    """A file as Keras 3 writes it."""
    with h5py.File(path, "w") as file:
        for place, name in PLACES.items():
            group = file.create_group(f"{place}/vars")
            group["0"], group["1"] = KERNEL, BIAS
            if names:
                group.attrs["name"] = name.rpartition("/")[2]
        file.create_group("layers/functional/vars").attrs["name"] = "backbone"
        file["optimizer/vars/0"] = file["layers/dropout/seed_generator/vars/0"] = np.ones(2)
    return path


def by_name(path: Path, layers: dict[str, list[str]], version: str | None = "2.15.0") -> Path:
    """A file of weights as Keras 1 and 2 write it."""
    with h5py.File(path, "w") as file:
        file.attrs["layer_names"] = [name.encode() for name in layers]
        if version:
            file.attrs["keras_version"] = version
        for layer, weights in layers.items():
            group = file.create_group(layer)
            group.attrs["weight_names"] = [name.encode() for name in weights]
            for name in weights:
                group[name] = KERNEL
    return path


def paths(stored: StoredWeights) -> list[str]:
    return [layer.path for layer in stored.layers]


def test_places_of_keras_3_are_ordered_as_numbers(tmp_path: Path) -> None:
    stored = read_weights(by_place(tmp_path / "net.weights.h5"))
    assert paths(stored) == ["stem", "conv2d_1", "conv2d_10", "backbone/inner"]
    assert [layer.type for layer in stored.layers] == ["conv2d", "conv2d", "conv2d", "dense"]
    assert (stored.saved, len(stored.states)) == (None, 2)


def test_places_stand_for_names_that_are_not_there(tmp_path: Path) -> None:
    stored = read_weights(by_place(tmp_path / "net.weights.h5", names=False))
    assert paths(stored) == ["conv2d", "conv2d_1", "conv2d_10", "backbone/dense"]


def test_keras_1(tmp_path: Path) -> None:
    layers = {"dense_1": ["dense_1_W", "dense_1_b"], "flatten_1": []}
    stored = read_weights(by_name(tmp_path / "w.hdf5", layers, version=None))
    assert (paths(stored), stored.saved, stored.writer) == (["dense_1"], 1, "Keras 1")


def test_lists_of_names_that_are_too_long_for_one_attribute(tmp_path: Path) -> None:
    path = by_name(tmp_path / "w.h5", {"a": ["a/kernel:0"], "b": ["b/kernel:0"]})
    with h5py.File(path, "a") as file:
        del file.attrs["layer_names"]
        file.attrs["layer_names0"], file.attrs["layer_names1"] = [b"a"], [b"b"]
    assert paths(read_weights(path)) == ["a", "b"]


def shards(folder: Path, *, first: str = "a.weights.h5") -> Path:
    by_place(folder / "a.weights.h5")
    with h5py.File(folder / "b.weights.h5", "w") as file:
        file["layers/dense/vars/0"] = KERNEL
    where = {"/layers/conv2d/vars": first, "/layers/dense/vars": ["b.weights.h5"]}
    path = folder / "net.weights.json"
    path.write_text(json.dumps({"metadata": {}, "weight_map": where}))
    return path


def test_several_files(tmp_path: Path) -> None:
    stored = read_weights(shards(tmp_path))
    assert paths(stored) == ["stem", "conv2d_1", "conv2d_10", "dense", "backbone/inner"]
    np.testing.assert_array_equal(stored.read(stored.layers[3].weights[0]), KERNEL)


@pytest.mark.parametrize("first", ["../a.weights.h5", "/etc/passwd", "sub/a.weights.h5", 3])
def test_files_elsewhere_are_not_opened(first: Any, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="names a file elsewhere"):
        read_weights(shards(tmp_path, first=first))


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"weight_map": 3}', "[" * 100_000])
def test_json_that_lists_no_files(content: str, tmp_path: Path) -> None:
    (tmp_path / "net.weights.json").write_text(content)
    with pytest.raises(ModelError, match="lists no files of weights"):
        read_weights(tmp_path / "net.weights.json")


@pytest.mark.parametrize("kind", ["group", "weights"])
def test_other_files_are_not_followed(kind: str, tmp_path: Path) -> None:
    secret = by_place(tmp_path / "secret.weights.h5")
    path = by_name(tmp_path / "w.h5", {"a": ["a/kernel:0"]})
    with h5py.File(path, "a") as file:
        place = "a" if kind == "group" else "a/a/kernel:0"
        del file[place]
        file[place] = h5py.ExternalLink(secret.name, "layers/conv2d/vars/0")
    with pytest.raises(ModelError, match="does not have it"):
        read_weights(path)


@pytest.mark.parametrize("make", [by_place, lambda path: by_name(path, {"a": ["a/kernel:0"]})])
def test_a_file_cut_off_anywhere_is_an_error_of_ours(make: Any, tmp_path: Path) -> None:
    path = make(tmp_path / "w.h5")
    raw = path.read_bytes()
    for end in range(0, len(raw) // 2, max(1, len(raw) // 60)):
        path.write_bytes(raw[:end])
        with pytest.raises(ModelError, match=r"w.h5: "):
            read_weights(path)


def test_what_is_no_file_of_weights(tmp_path: Path) -> None:
    (tmp_path / "text.h5").write_text("not HDF5")
    with pytest.raises(ModelError, match=r"text.h5: holds no weights"):
        read_weights(tmp_path / "text.h5")
    with pytest.raises(ModelError, match=r"missing.h5: no such file"):
        read_weights(tmp_path / "missing.h5")
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["table"] = KERNEL
    with pytest.raises(ModelError, match=r"other.h5: holds no weights"):
        read_weights(tmp_path / "other.h5")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_a_pipe_is_not_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "w.h5")
    with pytest.raises(ModelError, match="not a regular file"):
        read_weights(tmp_path / "w.h5")


def test_without_h5py(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    load = builtins.__import__

    def missing(name: str, *args: Any, **kwargs: Any) -> Any:
        if name == "h5py":
            raise ModuleNotFoundError("No module named 'h5py'", name="h5py")
        return load(name, *args, **kwargs)

    path = by_place(tmp_path / "net.weights.h5")
    monkeypatch.setattr(builtins, "__import__", missing)
    with pytest.raises(ModelError, match="reading HDF5 needs h5py"):
        read_weights(path)


@needs_keras
def test_a_copy_of_a_folder_is_read_alike(model: Any, tmp_path: Path) -> None:
    if generation(load_keras()) == 3:
        pytest.skip("Keras 3 writes no SavedModel of layers")
    first = saved(model, tmp_path / "a-folder")
    second = shutil.copytree(first, tmp_path / "b")
    assert read_weights(first).layers == read_weights(second).layers
