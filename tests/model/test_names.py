"""Names that do not depend on what was built before."""

from __future__ import annotations

import dataclasses

import pytest

from pytest_layercount.model.graph import Layer
from pytest_layercount.model.names import model_name, stable_paths
from tests.graphs import chain


def layer(path, type_, **settings):
    return Layer(path=path, type=type_, **settings)


@pytest.mark.parametrize("first", [0, 7])
def test_generated_names_are_numbered_anew(first):
    def numbered(name, number):
        return f"{name}_{number}" if number else name

    graph = chain(
        layer(numbered("input_layer", first), "InputLayer", kind="input"),
        layer(numbered("re_lu", first), "ReLU"),
        layer(numbered("re_lu", first + 1), "ReLU"),
        layer("stem", "ReLU"),
        layer(f"functional_{first}/{numbered('conv2d', first)}", "Conv2D"),
        layer(f"functional_{first}/conv2d_{first + 1}", "Conv2D"),
        layer(f"functional_{first + 1}/conv2d_{first + 2}", "Conv2D"),
        layer(f"block_1/conv2d_{first + 3}", "Conv2D"),
        layer(f"tf.math.add_{first}", "TFOpLambda", operation="add"),
        layer(f"conv_{first}", "Conv2D"),
    )
    assert list(stable_paths(graph).values()) == [
        "input",
        "re_lu",
        "re_lu_1",
        "stem",
        "functional/conv2d",
        "functional/conv2d_1",
        "functional_1/conv2d",
        "block_1/conv2d",
        "add",
        f"conv_{first}",
    ]


@pytest.mark.parametrize(
    ("name", "own"),
    [("detector", "detector"), ("model", ""), ("functional_3", ""), ("model_v3", "model_v3")],
)
def test_a_model_that_keras_named_has_no_name(name, own):
    assert model_name(dataclasses.replace(chain("Dense"), name=name)) == own
