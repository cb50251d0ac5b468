"""What a file says of a model is what the live model says."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pytest_layercount import count_layers, plan_fold, read_graph
from pytest_layercount.model.graph import Layer, ModelGraph
from tests.conftest import needs_keras
from tests.kerases import load_keras
from tests.model.readers.files.saved_models import APPLICATIONS, BUILDERS, build, is_keras3

pytestmark = needs_keras

FORMATS = (".keras", ".h5", ".json")
UNSAVED = ("output_padding", "rms_scaling")
"""Keras 3.3 leaves these out."""


@pytest.fixture(scope="module", params=[*BUILDERS, *APPLICATIONS])
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def model(name: str) -> Any:
    return build(name)


@pytest.fixture(scope="module")
def live(model: Any) -> ModelGraph:
    return read_graph(model)


@pytest.fixture(scope="module", params=FORMATS)
def path(
    request: pytest.FixtureRequest, model: Any, name: str, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    target: Path = tmp_path_factory.mktemp("saved") / f"{name}{request.param}"
    if request.param == ".json":
        target.write_text(model.to_json())
    else:
        model.save(str(target))
    return target


@pytest.fixture(scope="module")
def saved(path: Path, name: str) -> ModelGraph:
    if name == "custom" and path.suffix != ".keras" and not is_keras3():
        pytest.skip("what a user's own layer returns is in no such file")
    return read_graph(path)


def as_known(live: Layer, saved: Layer, path: Path) -> Layer:
    """A live layer without what its file leaves out, as JSON does a user's own weights."""
    if not live.builtin and path.suffix == ".json":
        unknown = replace(live, parameters=0, trainable_parameters=0, stored_bytes=None)
        return replace(unknown, weighed=False)
    unsaved = [name for name in UNSAVED if saved.config.get(name, 0) is None]
    return replace(live, config={**live.config, **dict.fromkeys(unsaved)})


def test_layers(live: ModelGraph, saved: ModelGraph, path: Path) -> None:
    assert [layer.path for layer in saved.layers] == [layer.path for layer in live.layers]
    for ours, theirs in zip(saved.layers, live.layers, strict=True):
        assert ours == as_known(theirs, ours, path)


def test_calls(live: ModelGraph, saved: ModelGraph) -> None:
    assert [(node.layer, node.inputs, node.training) for node in saved.nodes] == [
        (node.layer, node.inputs, node.training) for node in live.nodes
    ]
    assert (saved.inputs, saved.outputs) == (live.inputs, live.outputs)


def test_tensors(live: ModelGraph, saved: ModelGraph, name: str) -> None:
    for ours, theirs in zip(saved.nodes, live.nodes, strict=True):
        where = saved.layers[ours.layer].path
        assert (where, ours.shapes) == (where, theirs.shapes)
        layer = live.layers[ours.layer]
        if layer.kind != "input":  # Keras 3.3 lets readers overwrite the type of an input
            assert (where, ours.dtypes) == (where, theirs.dtypes)
        if not (name == "masked" and " 3.3." in live.keras):  # whose Add loses masks
            assert (where, ours.masked) == (where, theirs.masked)


def test_counts(live: ModelGraph, saved: ModelGraph, path: Path) -> None:
    assert saved.top == live.top
    for how in ("layers", "nodes", "top"):
        assert count_layers(path, count=how).by_type == count_layers(live, count=how).by_type  # type: ignore[arg-type]
    if path.suffix != ".json":
        assert (saved.name, saved.keras) == (live.name, live.keras)


def test_plan(live: ModelGraph, saved: ModelGraph, path: Path) -> None:
    ours, theirs = plan_fold(path), plan_fold(live)
    assert ours.folds == theirs.folds
    assert [refusal.reason for refusal in ours.refusals] == [
        refusal.reason for refusal in theirs.refusals
    ]


@pytest.mark.parametrize("suffix", [".keras", ".h5"])
@pytest.mark.parametrize("given", [None, [0.0, 0.0, 0.0], [0.1, 0.2, 0.3]])
def test_a_plan_by_the_statistics_in_a_file(given: Any, suffix: str, tmp_path: Path) -> None:
    """A map behind a Normalization has a shift or has none, as the mean says."""
    keras = load_keras()
    layers = keras.layers
    normalization = layers.Normalization(mean=given, variance=given and [4.0] * 3)
    model = keras.Sequential(
        [
            keras.Input((8, 8, 3)),
            layers.Rescaling(1 / 255),
            normalization,
            layers.Conv2D(2, 3, padding="same"),
        ]
    )
    if given is None:
        normalization.adapt(np.random.default_rng(0).random((4, 8, 8, 3)))
    path = tmp_path / f"model{suffix}"
    model.save(str(path))
    ours, theirs = plan_fold(path, resolve=True), plan_fold(model, resolve=True)
    assert (ours.folds, ours.refusals) == (theirs.folds, theirs.refusals)
    assert len(ours.folds) == 2 - (given is None or any(given))


@pytest.mark.parametrize("suffix", [".keras", ".h5"])
def test_a_model_inside_whose_class_makes_its_graph(suffix: str, tmp_path: Path) -> None:
    """Its layers are not in the file, but this Keras knows how to make them."""
    keras = load_keras()

    @keras.saving.register_keras_serializable(package="own")
    class Backbone(keras.Model):  # type: ignore[misc,name-defined]
        def __init__(self, units: int, **kwargs: Any) -> None:
            entry = keras.Input((4,))
            hidden = keras.layers.Dense(units, name="first")(entry)
            super().__init__(entry, keras.layers.BatchNormalization(name="n")(hidden), **kwargs)
            self.units = units

        def get_config(self) -> dict[str, Any]:
            return {"units": self.units, "name": self.name}

    entry = keras.Input((4,))
    model = keras.Model(entry, keras.layers.Dense(2)(Backbone(3, name="backbone")(entry)))
    path = tmp_path / f"model{suffix}"
    model.save(str(path))
    assert count_layers(path).by_type == count_layers(model).by_type
    for resolve in (False, True):
        ours, theirs = plan_fold(path, resolve=resolve), plan_fold(model, resolve=resolve)
        assert len(ours.folds) == 1
        assert (ours.folds, ours.refusals) == (theirs.folds, theirs.refusals)
