"""Files of Keras 2 against what Keras 2 said of their models, without any Keras.

``tests/model/record_keras2.py`` wrote both down.
"""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from pytest_layercount import ModelError, count_layers, read_graph
from pytest_layercount.model.graph import ModelGraph, values_in
from pytest_layercount.model.readers.files.container import Saved
from pytest_layercount.model.readers.files.keras_metadata import configurations, saved_configuration
from pytest_layercount.model.readers.files.open import graph_of
from tests.model.recorded import of_keras2

MODELS: Mapping[str, Any] = of_keras2()["models"]
NOT_IN_THE_FILE: Mapping[tuple[str, str], list[Any]] = {
    ("embedding_lookup", "tf.compat.v1.nn.embedding_lookup"): [[[None, 3, 7], ""]],
    ("fill", "tf.fill"): [[[None, None, None], ""]],
    ("ones", "tf.ones"): [[[None, None, None], "float32"]],
    ("repeat each", "tf.repeat"): [[[None, 6, None], "float32"]],
    ("reshape to another's", "tf.reshape"): [[[None, None, None, None], "float32"]],
}
"""Calls whose results a file does not tell, or not in plain numbers, and what is known of them."""


def opened(name: str) -> ModelGraph:
    said = of_keras2()
    return graph_of(Saved(Path(f"{name}.json"), said["models"][name]["config"], said["keras"]))


def outputs_of(graph: ModelGraph, path: str) -> list[list[Any]]:
    """The shapes and data types that the calls of a layer return."""
    return [
        [[list(shape or ()), dtype] for shape, dtype in zip(node.shapes, node.dtypes, strict=True)]
        for number, node in enumerate(graph.nodes)
        if graph.layer_of(number).path == path
    ]


@pytest.mark.parametrize("name", MODELS)
def test_a_file_says_what_keras_said(name: str) -> None:
    graph, said = opened(name), MODELS[name]
    found = {layer.path: layer for layer in graph.layers}
    for path, layer in said["layers"].items():
        if layer["type"] in ("Functional", "Sequential"):
            continue
        ours = found[path]
        assert ours.weighed
        assert (ours.type, ours.parameters, ours.trainable_parameters) == (
            layer["type"],
            layer["parameters"],
            layer["trainable"],
        )
        unknown = NOT_IN_THE_FILE.get((name, path))
        outputs = layer["outputs"] if unknown is None else [unknown]
        assert sorted(outputs_of(graph, path), key=str) == sorted(outputs, key=str)


@pytest.mark.parametrize("name", sorted(MODELS.keys() - {model for model, _ in NOT_IN_THE_FILE}))
def test_a_model_returns_and_weighs_what_keras_said(name: str) -> None:
    graph, said = opened(name), MODELS[name]
    nodes = [(graph.nodes[value.node], value.index) for value in values_in(graph.outputs)]
    outputs = [[list(node.shapes[n] or ()), node.dtypes[n]] for node, n in nodes]
    assert outputs == said["outputs"]
    counted = count_layers(graph)
    assert (counted.parameters, counted.trainable_parameters) == (
        said["parameters"],
        said["trainable"],
    )
    assert graph.top == tuple(
        layer["type"]
        for layer in said["layers"].values()
        if layer["type"] != "InputLayer" or not graph.sequential
    )


def saved_model(folder: Path, name: str, raw: bytes | None = None) -> Path:
    """A folder with one file of a SavedModel, the recorded one unless another is given."""
    (folder / "saved_model.pb").touch()
    (folder / name).write_bytes(b64decode(of_keras2()["files"][name]) if raw is None else raw)
    return folder


@pytest.mark.parametrize("name", ["keras_metadata.pb", "saved_model.pb"])
def test_a_saved_model_keeps_its_configuration(name: str, tmp_path: Path) -> None:
    graph = read_graph(saved_model(tmp_path, name))
    assert graph.seen == "graph"
    assert (
        graph.keras == {"keras_metadata.pb": "Keras 2.15.0", "saved_model.pb": "Keras 2.15.0"}[name]
    )
    assert graph.top == ("InputLayer", "Dense", "BatchNormalization", "Add")
    assert count_layers(graph).parameters == 3 * (4 + 1) + 4 * 3
    assert [node.shapes for node in graph.nodes] == [((None, 6, 4),), *[((None, 6, 3),)] * 3]


def test_every_object_of_a_saved_model_is_told(tmp_path: Path) -> None:
    """A Lambda may stand in any of them."""
    classes = [
        entry.get("class_name")
        for entry in configurations(saved_model(tmp_path, "keras_metadata.pb"))
    ]
    assert classes[:5] == ["Functional", "InputLayer", "Dense", "BatchNormalization", "Add"]


@pytest.mark.parametrize(
    "raw",
    [
        b"\x0b",  # a field of a kind that there is not
        b"\xff" * 11,  # a number without end
        b"\x0a\x7f",  # a text longer than the file
        b"\x0a\x03\x2a\x01{",  # a text that is no JSON
    ],
)
def test_what_is_no_protocol_buffer(raw: bytes, tmp_path: Path) -> None:
    path = saved_model(tmp_path, "keras_metadata.pb", raw)
    assert saved_configuration(path) is None
    with pytest.raises(ModelError, match=r"keras_metadata.pb: cannot be read \(.+\)"):
        list(configurations(path))


def test_only_the_object_that_holds_all_others_is_the_model(tmp_path: Path) -> None:
    """Fields of other numbers and kinds stand before it and after it."""

    def field(number: int, content: bytes) -> bytes:
        return bytes([number << 3 | 2, len(content)]) + content

    def node(path: bytes, text: bytes) -> bytes:
        return field(1, b"\x10\x01" + field(3, path) + field(5, text))

    config = b'{"class_name": "Model", "config": {"name": "%s"}, "keras_version": "2.4.0"}'
    others = b"\x08\x05" + b"\x21" + bytes(8) + b"\x1d" + bytes(4) + field(2, b"root")
    raw = others + node(b"root.layer", config % b"inner") + node(b"root", config % b"outer")
    saved = saved_configuration(saved_model(tmp_path, "keras_metadata.pb", raw))
    assert saved is not None
    assert (saved.config["config"], saved.version) == ({"name": "outer"}, "2.4.0")
    raw = node(b"root", b'{"class_name": "Model", "config": {"name": "old"}}')
    saved = saved_configuration(saved_model(tmp_path, "keras_metadata.pb", raw))
    assert saved is not None
    assert saved.version == "2"
    assert saved_configuration(saved_model(tmp_path, "keras_metadata.pb", others)) is None
