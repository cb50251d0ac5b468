"""What can be wrong with a file, and reading one where there is no Keras at all."""

from __future__ import annotations

import itertools
import json
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pytest_layercount import ModelError, count_layers, plan_fold, read_graph
from pytest_layercount.model.count import require_parameters
from pytest_layercount.model.layers.operations import operation_output
from pytest_layercount.model.readers.files.saved_layer import SavedLayer, SavedTensor
from tests.model.recorded import configuration, recorded


def entry(name: str, **more: Any) -> dict[str, Any]:
    """An InputLayer of Keras 3."""
    config = {"batch_shape": [None, 4], "dtype": "float32", "name": name}
    return {"class_name": "InputLayer", "module": "keras.layers", "config": config, "name": name}


def tensor(layer: str, call: int = 0) -> dict[str, Any]:
    history = {"shape": [None, 4], "dtype": "float32", "keras_history": [layer, call, 0]}
    return {"class_name": "__keras_tensor__", "config": history}


def dense(name: str, *calls: Any) -> dict[str, Any]:
    """A Dense of Keras 3, called on the outputs of other layers."""
    return {
        "class_name": "Dense",
        "module": "keras.layers",
        "config": {"name": name, "units": 4, "activation": "linear", "trainable": True},
        "registered_name": None,
        "name": name,
        "inbound_nodes": [
            {"args": [call if isinstance(call, dict) else tensor(call)], "kwargs": {}}
            for call in calls
        ],
    }


def functional(*layers: Any, ends: tuple[str, str] = ("in", "out"), name: str = "net") -> Any:
    return {
        "class_name": "Functional",
        "module": "keras.src.models.functional",
        "registered_name": "Functional",
        "config": {
            "name": name,
            "layers": list(layers),
            "input_layers": [ends[0], 0, 0],
            "output_layers": [ends[1], 0, 0],
        },
    }


def archive(tmp_path: Path, config: Any, **members: bytes) -> Path:
    """A ``.keras`` file with this configuration."""
    path = tmp_path / "x.keras"
    raw = config if isinstance(config, bytes) else json.dumps(config).encode()
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("metadata.json", json.dumps({"keras_version": "3.15.1"}))
        file.writestr("config.json", raw)
        for name, content in members.items():
            file.writestr(name, content)
    return path


def refused(path: Path) -> str:
    """What reading ``path`` says, which is one line that names the file."""
    with pytest.raises(ModelError) as caught:
        read_graph(path)
    said = str(caught.value)
    assert said.startswith(f"{path}: ")
    assert "\n" not in said
    assert len(said) < len(str(path)) + 300
    return said


def test_a_model_is_read(tmp_path: Path) -> None:
    graph = read_graph(archive(tmp_path, functional(entry("in"), dense("out", "in"))))
    assert [layer.path for layer in graph.layers] == ["in", "out"]
    assert (graph.name, graph.keras, graph.top) == ("net", "Keras 3.15.1", ("InputLayer", "Dense"))
    assert (graph.layers[1].parameters, graph.nodes[1].shapes) == (20, ((None, 4),))


def test_a_file_of_keras_4_is_newer_than_is_known(tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    model = functional(entry("in"), dense("out", "in"))
    path.write_text(json.dumps({**model, "keras_version": "3.99.1"}))
    assert read_graph(path).keras == "Keras 3.99.1"
    path.write_text(json.dumps({**model, "keras_version": "4.0.0"}))
    assert "saved by Keras 4.0.0, which is newer than this plugin knows" in refused(path)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"nothing", "neither a zip archive"),
        (b"", "empty"),
        (b"PK\x03\x04 and no more", "damaged"),
    ],
)
def test_what_is_no_archive(content: bytes, said: str, tmp_path: Path) -> None:
    (tmp_path / "x.keras").write_bytes(content)
    assert said in refused(tmp_path / "x.keras")


def test_a_truncated_archive(tmp_path: Path) -> None:
    path = archive(tmp_path, functional(entry("in"), dense("out", "in")))
    path.write_bytes(path.read_bytes()[:-30])
    assert "damaged" in refused(path)


def test_a_member_with_wrong_content(tmp_path: Path) -> None:
    path = archive(tmp_path, functional(entry("in"), dense("out", "in")))
    raw = bytearray(path.read_bytes())
    raw[len(raw) // 2] ^= 0xFF
    path.write_bytes(bytes(raw))
    assert "damaged" in refused(path) or "JSON" in refused(path)


def test_an_archive_of_something_else(tmp_path: Path) -> None:
    path = tmp_path / "x.keras"
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("readme.txt", "hello")
    assert "without config.json" in refused(path)


def test_an_archive_bomb(tmp_path: Path) -> None:
    path = archive(tmp_path, b'{"class_name": "' + b"x" * (1 << 24) + b'"}')
    assert "compressed more than 200 to one" in refused(path)


def test_an_archive_of_too_many_members(tmp_path: Path) -> None:
    path = tmp_path / "x.keras"
    with zipfile.ZipFile(path, "w") as file:
        for number in range(10_001):
            file.writestr(str(number), b"")
    assert "more than 10,000 members" in refused(path)


def test_names_that_lead_elsewhere_do_no_harm(tmp_path: Path) -> None:
    config = functional(entry("in"), dense("out", "in"))
    path = archive(tmp_path, config, **{"../../evil": b"x", "/etc/evil": b"x"})
    assert len(read_graph(path).layers) == 2
    assert sorted(item.name for item in tmp_path.iterdir()) == ["x.keras"]


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        (b"[" * 200_000, "nested too deeply"),
        (b'{"class_name": ', "not valid JSON"),
        (b"\xff\xfe", "not valid JSON"),
        (b"[1, 2]", "does not describe a Keras model"),
        (b'{"class_name": 5}', "the class '5'"),
        (b'{"class_name": "Functional", "config": {"name": "x"}}', "subclassed model"),
        (b'{"class_name": "Sequential", "config": {"layers": [5]}}', "not a valid configuration"),
        (b'{"class_name": "Sequential", "config": {"layers": []}}', "without an input shape"),
    ],
)
def test_hostile_json(raw: bytes, said: str, tmp_path: Path) -> None:
    assert said in refused(archive(tmp_path, raw))


@pytest.mark.parametrize(
    ("layers", "said"),
    [
        ([dense("out", "nowhere")], "'nowhere', which is not there"),
        ([dense("a", "out"), dense("out", "a")], "needs its own result"),
        ([dense("out", "out")], "needs its own result"),
        ([dense("out", "in"), dense("out", "in")], "two layers are called 'out'"),
        ([dense("a", "in", "in"), dense("out", tensor("a", 7))], "call 7 of 'a', which has 2"),
        ([{**dense("out"), "inbound_nodes": [3]}], "has the argument '3'"),
        ([{**dense("out"), "inbound_nodes": {"a": 1}}], "not a valid configuration"),
        ([{**dense("out", "in"), "class_name": ["x"]}], "a layer has the class"),
    ],
)
def test_graphs_that_contradict_themselves(layers: Any, said: str, tmp_path: Path) -> None:
    assert said in refused(archive(tmp_path, functional(entry("in"), *layers)))


def test_settings_of_the_wrong_kind_make_shapes_unknown(tmp_path: Path) -> None:
    broken = dense("out", "in")
    broken["config"]["units"] = {"a": [1]}
    graph = read_graph(archive(tmp_path, functional(entry("in"), broken)))
    assert (graph.nodes[1].shapes, graph.layers[1].parameters) == ((None,), 0)


def test_models_in_models_that_multiply(tmp_path: Path) -> None:
    model = functional(entry("in"), dense("out", "in"))
    for depth in range(40):
        inner = {**model, "name": f"inner{depth}"}
        inner["inbound_nodes"] = [
            {"args": [tensor("in")], "kwargs": {}},
            {"args": [tensor(f"inner{depth}")], "kwargs": {}},
        ]
        model = functional(entry("in"), inner, dense("out", tensor(f"inner{depth}", 1)))
        model["config"]["layers"][1]["config"]["name"] = f"inner{depth}"
    # Two to the power of forty calls would never be made.
    assert "more than 200,000 calls" in refused(archive(tmp_path, model))


@pytest.mark.parametrize("depth", [240, 5000])
def test_models_nested_without_end(depth: int, tmp_path: Path) -> None:
    model = functional(entry("in"), "INNER", dense("out", "inner"))
    model.update(name="inner", inbound_nodes=dense("inner", "in")["inbound_nodes"])
    before, _, after = json.dumps(model).partition('"INNER"')
    raw = before * depth + json.dumps(dense("inner", "in")) + after * depth
    assert "nested too deeply" in refused(archive(tmp_path, raw.encode()))


def test_a_long_chain_is_no_deep_recursion(tmp_path: Path) -> None:
    names = ["in", *(f"d{number}" for number in range(5000)), "out"]
    chain = [dense(name, before) for before, name in itertools.pairwise(names)]
    assert count_layers(archive(tmp_path, functional(entry("in"), *chain))).total == 5002


def test_code_in_a_file_is_not_run(tmp_path: Path) -> None:
    layer = dense("out", "in")
    code = {"class_name": "__lambda__", "config": {"value": ["4wEAAAA=", None, None]}}
    layer.update(class_name="Lambda", config={"name": "out", "function": code, "module": "os"})
    graph = read_graph(archive(tmp_path, functional(entry("in"), layer)))
    assert (graph.layers[1].type, graph.layers[1].config) == ("Lambda", {})


def test_a_module_named_in_a_file_is_not_imported(tmp_path: Path) -> None:
    layer = {**dense("out", "in"), "module": "antigravity", "registered_name": "own>Dense"}
    graph = read_graph(archive(tmp_path, functional(entry("in"), layer)))
    assert "antigravity" not in sys.modules
    assert not graph.layers[1].builtin


def test_a_directory_with_the_same_files(tmp_path: Path) -> None:
    path = tmp_path / "x.keras"
    path.mkdir()
    (path / "config.json").write_text(json.dumps(functional(entry("in"), dense("out", "in"))))
    (path / "metadata.json").write_text('{"keras_version": "2.12.0"}')
    graph = read_graph(path)
    assert (graph.keras, len(graph.layers)) == ("Keras 2.12.0", 2)


def test_a_directory_of_something_else(tmp_path: Path) -> None:
    path = tmp_path / "x.keras"
    path.mkdir()
    assert "a directory without saved_model.pb or config.json" in refused(path)


OLD = {
    "class_name": "Sequential",
    "config": [
        {
            "class_name": "Convolution2D",
            "config": {
                "name": "conv",
                "batch_input_shape": [None, 8, 8, 3],
                "filters": 4,
                "kernel_size": [3, 3],
                "strides": [1, 1],
                "padding": "valid",
                "data_format": "channels_last",
                "activation": "linear",
                "use_bias": True,
            },
        },
        {
            "class_name": "BatchNormalization",
            "config": {"name": "norm", "axis": -1, "epsilon": 1e-3, "center": True, "scale": True},
        },
    ],
}


def test_an_old_sequential_whose_configuration_is_a_list(tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    path.write_text(json.dumps({**OLD, "keras_version": "2.1.6"}))
    graph = read_graph(path)
    assert [layer.type for layer in graph.layers] == ["InputLayer", "Conv2D", "BatchNormalization"]
    assert (graph.keras, count_layers(graph).total) == ("Keras 2.1.6", 2)
    assert graph.nodes[1].shapes == ((None, 6, 6, 4),)
    assert [fold.into for fold in plan_fold(path).folds] == [("conv",)]


def test_hdf5_without_h5py(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "h5py", None)
    (tmp_path / "x.h5").write_bytes(b"\x89HDF\r\n\x1a\n")
    assert "pip install h5py" in refused(tmp_path / "x.h5")


@pytest.mark.parametrize("attribute", [None, "not JSON"])
def test_hdf5_without_a_model(attribute: str | None, tmp_path: Path) -> None:
    h5py = pytest.importorskip("h5py")
    with h5py.File(tmp_path / "x.h5", "w") as file:
        if attribute is not None:
            file.attrs["model_config"] = attribute
    said = refused(tmp_path / "x.h5")
    assert ("without a model_config" if attribute is None else "not valid JSON") in said


def test_an_old_sequential_in_hdf5(tmp_path: Path) -> None:
    h5py = pytest.importorskip("h5py")
    with h5py.File(tmp_path / "x.keras", "w") as file:
        file.attrs["model_config"], file.attrs["keras_version"] = json.dumps(OLD), b"2.2.4"
    assert read_graph(tmp_path / "x.keras").keras == "Keras 2.2.4"


@pytest.mark.parametrize(
    ("name", "generation", "layers", "nodes", "top", "parameters"),
    [
        ("mobilenet_v3_small", "keras2", 239, 238, 239, 2_554_968),
        ("mobilenet_v3_small", "keras3", 164, 181, 164, 2_554_968),
        ("convnext_tiny", "keras2", 157, 156, 153, 28_589_128),
        ("convnext_tiny", "keras3", 139, 156, 135, 28_589_128),
    ],
)
def test_what_other_versions_saved(
    name: str, generation: str, layers: int, nodes: int, top: int, parameters: int
) -> None:
    graph = recorded(name, generation)
    counted = [count_layers(graph, count=how).total for how in ("layers", "nodes", "top")]  # type: ignore[arg-type]
    assert counted == [layers, nodes, top]
    assert count_layers(graph).parameters == parameters
    assert all(None not in node.shapes and "" not in node.dtypes for node in graph.nodes)


def test_nothing_heavy_is_imported(tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    path.write_text(json.dumps(configuration("mobilenet_v3_small", "keras3")))
    code = (
        "import sys; from pytest_layercount import count_layers; count_layers(sys.argv[1]); "
        "before = 'numpy' in sys.modules; "
        "from pytest_layercount import plan_fold; plan_fold(sys.argv[1]); "
        "print(before, sorted({'keras', 'tensorflow', 'tf_keras', 'h5py'} & set(sys.modules)))"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=True
    )
    assert ran.stdout.split() == ["False", "[]"]


def own_layer(name: str, *calls: Any) -> dict[str, Any]:
    return {**dense(name, *calls), "class_name": "Mine", "module": "mine", "registered_name": "x>M"}


def test_parameters_that_the_file_does_not_tell(tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    path.write_text(
        json.dumps(functional(entry("in"), own_layer("mine", "in"), dense("out", "in")))
    )
    counted = count_layers(path)
    assert counted.unweighed == ()  # nothing that the outputs need is unknown
    path.write_text(json.dumps(functional(entry("in"), own_layer("out", "in"))))
    counted = count_layers(path)
    assert (counted.parameters, counted.unweighed) == (0, ("out",))
    with pytest.raises(ModelError, match="does not tell how many parameters out has"):
        require_parameters(counted)


def test_parameters_behind_an_unknown_shape_are_those_in_the_file(tmp_path: Path) -> None:
    unknown = tensor("mine")
    unknown["config"]["shape"] = None
    layers = functional(entry("in"), own_layer("mine", "in"), dense("out", unknown))
    path = archive(tmp_path, layers)
    assert count_layers(path).unweighed == ("mine", "out")
    h5py = pytest.importorskip("h5py")
    with h5py.File(tmp_path / "weights.h5", "w") as file:
        file["layers/mine/vars/0"] = np.zeros(7)
        file["layers/dense/vars/0"] = np.zeros((3, 2))
    with zipfile.ZipFile(path, "a") as whole:
        whole.write(tmp_path / "weights.h5", "model.weights.h5")
    counted = count_layers(path)
    assert (counted.parameters, counted.unweighed) == (13, ())


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        (b'{"class_name": "Functional", "config": {"units": 1' + b"0" * 5000 + b"}}", "valid JSON"),
        (b'{"class_name": "Functional", "config": {"units": NaN}}', "subclassed model"),
        (b"\x00" * 100, "not valid JSON"),
    ],
)
def test_huge_and_odd_numbers(raw: bytes, said: str, tmp_path: Path) -> None:
    assert said in refused(archive(tmp_path, raw))


@pytest.mark.parametrize("units", [10**17, -(10**30), float("inf"), float("nan"), "4"])
def test_sizes_that_no_layer_has(units: Any, tmp_path: Path) -> None:
    broken = dense("out", "in")
    broken["config"]["units"] = units
    path = archive(tmp_path, functional(entry("in"), broken))
    assert count_layers(path).total == 2
    assert count_layers(path).parameters >= 0


@pytest.mark.parametrize("units", [10**20, 10**4000, 1e308])
def test_more_parameters_than_any_model(units: Any, tmp_path: Path) -> None:
    broken = dense("out", "in")
    broken["config"]["units"] = units
    said = refused(archive(tmp_path, functional(entry("in"), broken)))
    assert "the layer 'out' has more parameters than any model" in said


def test_links(tmp_path: Path) -> None:
    path = archive(tmp_path, functional(entry("in"), dense("out", "in")))
    (tmp_path / "good.keras").symlink_to(path)
    (tmp_path / "lost.keras").symlink_to(tmp_path / "nowhere")
    (tmp_path / "loop.keras").symlink_to(tmp_path / "loop.keras")
    (tmp_path / "null.keras").symlink_to("/dev/zero")
    (tmp_path / "saved").mkdir()
    (tmp_path / "saved" / "saved_model.pb").symlink_to("/dev/zero")
    assert len(read_graph(tmp_path / "good.keras").layers) == 2
    assert "no such file" in refused(tmp_path / "lost.keras")
    assert "loop.keras" in refused(tmp_path / "loop.keras")
    assert "not a regular file" in refused(tmp_path / "null.keras")
    assert "a directory without saved_model.pb" in refused(tmp_path / "saved")


def test_names_that_no_file_has(tmp_path: Path) -> None:
    for name in ("x" * 5000 + ".keras", "x\0y.keras"):
        with pytest.raises(ModelError) as caught:
            read_graph(tmp_path / name)
        assert len(str(caught.value)) < 6000
        assert "\n" not in str(caught.value)


def test_a_saved_model_without_tensorflow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in {"tensorflow", *sys.modules}:
        if name.partition(".")[0] == "tensorflow":
            monkeypatch.setitem(sys.modules, name, None)
    (tmp_path / "saved_model.pb").write_bytes(b"anything")
    assert "reading a SavedModel needs TensorFlow" in refused(tmp_path)


def hdf5(tmp_path: Path, fill: Any) -> Path:
    """A model in HDF5 with a layer of a user's own, whose weights ``fill`` writes."""
    h5py = pytest.importorskip("h5py")
    path = tmp_path / "x.h5"
    with h5py.File(path, "w") as file:
        file.attrs["model_config"] = json.dumps(functional(entry("in"), own_layer("out", "in")))
        fill(file.create_group("model_weights/out"), h5py)
    return path


def test_weights_of_a_layer_of_a_users_own(tmp_path: Path) -> None:
    def fill(group: Any, h5py: Any) -> None:
        group.create_dataset("out/kernel:0", data=[[1.0, 2.0]])

    counted = count_layers(hdf5(tmp_path, fill))
    assert (counted.parameters, counted.unweighed) == (2, ())


def test_weights_in_a_circle_elsewhere_or_nowhere(tmp_path: Path) -> None:
    (tmp_path / "raw").write_bytes(b"x" * 80)

    def fill(group: Any, h5py: Any) -> None:
        group.create_dataset("kernel", data=[1.0, 2.0, 3.0])
        group["again"] = group
        group["soft"] = h5py.SoftLink("/model_weights")
        group["other"] = h5py.ExternalLink("/etc/passwd", "/x")
        group.create_dataset("outside", (10,), "f8", external=[(str(tmp_path / "raw"), 0, 80)])
        group.create_dataset("hollow", (1 << 30,), "f8", chunks=(1 << 20,))

    assert count_layers(hdf5(tmp_path, fill)).parameters == 3


@pytest.mark.parametrize(
    ("operation", "shape"), [("reduce_sum", (None, 8, 4)), ("relu", (2, None, 8, 4))]
)
def test_tensorflow_stacks_a_list_of_tensors(operation: str, shape: Any) -> None:
    layer = SavedLayer("mine", "Mine", {})
    pair = [SavedTensor(layer, (None, 8, 4), "float32") for _ in range(2)]
    assert operation_output(operation, (pair,), {"axis": 0}) == shape
