"""Models that nobody here wrote, against themselves in other forms: nothing is unexplained."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from pytest_layercount import explain, fold, read_graph
from pytest_layercount.model.edit import GraphEdit
from tests.conftest import needs_keras
from tests.kerases import load_keras
from tests.test_applications import MODELS

pytestmark = [needs_keras, pytest.mark.timeout(900)]

FOLDED = {"affine-folded", "batch-norms-folded", "no-ops"}


@pytest.fixture(scope="module", params=MODELS)
def name(request: pytest.FixtureRequest) -> str:
    return request.param


def built(name: str, **how: Any) -> Any:
    size = MODELS[name].size
    applications = load_keras().applications
    return getattr(applications, name)(weights=None, input_shape=(size, size, 3), **how)


@pytest.fixture(scope="module")
def model(name: str) -> Any:
    return built(name)


@pytest.fixture(scope="module")
def graph(model: Any) -> Any:
    return read_graph(model)


def explained(one: Any, two: Any, count: Any = "layers") -> dict[str, int]:
    """The causes in both directions, all of them causes and summing."""
    for model, other in ((two, one), (one, two)):
        explanation = explain(model, other, count=count)
        assert not explanation.unexplained
        assert not explanation.changed
        assert sum(cause.delta for cause in explanation.causes) == explanation.delta
    return {cause.code: cause.delta for cause in explanation.causes}


def test_built_against_folded(graph: Any, model: Any) -> None:
    result = fold(model)
    found = explained(graph, read_graph(result.model))
    assert set(found) <= FOLDED
    folds = [one for one in result.folds if one.type == "BatchNormalization"]
    assert found["batch-norms-folded"] == -len(folds)


def test_with_and_without_top(graph: Any, name: str) -> None:
    headless = read_graph(built(name, include_top=False))
    assert explained(graph, headless) == {"head": len(headless.layers) - len(graph.layers)}


def test_nested_against_flat(graph: Any, model: Any) -> None:
    keras = load_keras()
    x = keras.Input(model.input_shape[1:])
    nested = read_graph(keras.Model(x, model(x)))
    assert explained(graph, nested) == {}
    assert explained(graph, nested, "nodes") == {}
    assert explained(graph, nested, "top") == {"nesting": 2 - len(graph.top)}


def test_with_a_side_head(graph: Any, model: Any) -> None:
    keras = load_keras()
    kinds = (keras.layers.Activation, keras.layers.ReLU)
    middle = [layer.output for layer in model.layers if isinstance(layer, kinds)]
    x = keras.layers.Conv2D(8, 1, use_bias=False)(middle[len(middle) // 2])
    x = keras.layers.BatchNormalization()(x)
    x = keras.layers.GlobalAveragePooling2D()(keras.layers.ReLU()(x))
    side = keras.layers.Dense(10, activation="softmax")(x)
    headed = keras.Model(model.input, [model.output, side])
    assert explained(read_graph(headed), graph) == {"auxiliary-outputs": -5}


def test_without_preprocessing(graph: Any) -> None:
    types = ("Rescaling", "Normalization")
    wiring = GraphEdit(graph)
    inside = [n for n in range(len(graph.nodes)) if graph.layer_of(n).type in types]
    for node in inside:
        wiring.bypass(node)
    found = explained(graph, wiring.finished()[0])
    assert found == ({"preprocessing": -len(inside)} if inside else {})


def test_renamed(graph: Any) -> None:
    layers = tuple(
        replace(layer, path=f"layer_{number}") for number, layer in enumerate(graph.layers)
    )
    assert explain(graph, replace(graph, layers=layers, name="other")).same
