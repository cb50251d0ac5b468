"""Layers that hold a SavedModel are opened: counted, explained, their preprocessing shown."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import has_keras, needs_keras
from tests.kerases import load_keras

pytestmark = needs_keras

if has_keras():
    from pytest_layercount import count_layers, explain, plan_fold, read_graph
    from pytest_layercount.checks.foldable import foldability

    keras = load_keras()
    layers = keras.layers


def backbone() -> Any:
    return keras.Sequential(
        [
            keras.Input((8, 8, 3)),
            layers.Rescaling(1 / 255),
            layers.Conv2D(4, 3, use_bias=False),
            layers.BatchNormalization(),
            layers.GlobalAveragePooling2D(),
        ]
    )


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path: Path = tmp_path_factory.mktemp("saved") / "backbone"
    backbone().export(str(path))
    return path


def saved_model_layer() -> Any:
    """The class, which Keras 2 keeps to itself."""
    if hasattr(layers, "TFSMLayer"):
        return layers.TFSMLayer
    library = importlib.import_module(f"{keras.__name__}.src.export.export_lib")
    return library.TFSMLayer if hasattr(library, "TFSMLayer") else library.ReloadedLayer


@pytest.fixture(scope="module", params=["serve", "serving_default"])
def model(request: pytest.FixtureRequest, exported: Path) -> Any:
    held = saved_model_layer()(str(exported), call_endpoint=request.param, name="held")
    image = keras.Input((8, 8, 3))
    out = held(image)
    out = next(iter(out.values())) if isinstance(out, dict) else out
    return keras.Model(image, layers.Dense(2)(out))


def test_what_is_inside_is_counted(model: Any) -> None:
    assert len(model.layers) == 3
    counted = count_layers(model)
    assert counted.by_type == {
        "BatchNormalization": 1,
        "Conv2D": 1,
        "Dense": 1,
        "GlobalAveragePooling2D": 1,
        "InputLayer": 1,
        "Rescaling": 1,
    }
    assert counted.parameters == 3 * 3 * 3 * 4 + 16 + 10
    assert count_layers(model, count="top").total == 3
    assert all(
        layer.path.startswith("held/") == (layer.type not in ("Dense", "InputLayer"))
        for layer in read_graph(model).layers
    )


def test_it_is_explained_against_the_same_layers_in_keras(model: Any) -> None:
    image = keras.Input((8, 8, 3))
    flat = keras.Model(image, layers.Dense(2)(backbone()(image)))
    assert explain(flat, model).same
    whole = explain(flat, model, count="top")
    assert {cause.code for cause in whole.causes} <= {"nesting"}


def test_nothing_folds_in_it(model: Any) -> None:
    plan = plan_fold(model)
    assert not plan.folds
    # What is inside runs as it is: nothing in it can be said to be gone.
    assert foldability(plan, ["BatchNormalization"], {}).unseen == ("held",)
    assert not read_graph(model).layers[1].closed


def test_a_layer_of_tensorflow_hub(exported: Path, tmp_path: Path) -> None:
    import tensorflow as tf

    hub = pytest.importorskip("tensorflow_hub")
    model = backbone()
    module = tf.Module()
    module.model = model
    spec = tf.TensorSpec((None, 8, 8, 3))
    module.__call__ = tf.function(lambda x: model(x, training=False), input_signature=[spec])
    tf.saved_model.save(module, str(tmp_path))
    signed = hub.KerasLayer(str(exported), signature="serving_default", output_key="output_0")
    for held in (signed, hub.KerasLayer(str(tmp_path))):
        image = keras.Input((8, 8, 3))
        counted = count_layers(keras.Model(image, layers.Dense(2)(held(image))))
        assert counted.by_type["Rescaling"] == counted.by_type["BatchNormalization"] == 1
