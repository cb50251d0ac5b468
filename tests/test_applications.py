"""Models that nobody here wrote: keras.applications, with random statistics."""

from __future__ import annotations

import os
from typing import Any, NamedTuple

import numpy as np
import pytest

from tests.conftest import has_keras, needs_keras
from tests.kerases import generation, load_keras

pytestmark = [needs_keras, pytest.mark.timeout(900)]

if has_keras():
    from pytest_layercount import check_equivalence, count_layers, fold, plan_fold, read_graph
    from pytest_layercount.folding.equivalence.randomise import randomised_copy
    from pytest_layercount.folding.reasons import REASONS
    from pytest_layercount.model.readers.live import open_model


class Expected(NamedTuple):
    """A model's layers, and its batch norms before and after folding."""

    layers: int
    before: int
    after: int
    size: int = 64


MODELS = {
    "ResNet50": Expected(177, 53, 0),
    "ResNet50V2": Expected(192, 49, 17),
    "MobileNetV2": Expected(156, 52, 0),
    "EfficientNetB0": Expected(240, 49, 0),
    "InceptionV3": Expected(313, 94, 0, size=75),
    "InceptionResNetV2": Expected(782, 204, 0, size=75),
    "Xception": Expected(134, 40, 0, size=71),
    "DenseNet121": Expected(429, 121, 62),
    "NASNetMobile": Expected(771, 192, 0),
}


# The oldest and the second Keras of a generation see the models that differ most.
FEW = ("ResNet50V2", "MobileNetV2", "EfficientNetB0")


@pytest.fixture(scope="module", params=FEW if "LAYERCOUNT_TEST_FEW" in os.environ else MODELS)
def name(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(scope="module")
def expected(name: str) -> Expected:
    return MODELS[name]


@pytest.fixture(scope="module")
def model(name: str, expected: Expected) -> Any:
    shape = (expected.size, expected.size, 3)
    built = getattr(load_keras().applications, name)(weights=None, input_shape=shape)
    return randomised_copy(open_model(built), seed=0)


@pytest.fixture(scope="module")
def folded(model: Any) -> Any:
    return fold(model)


def batch_norms(count: Any) -> int:
    return count.by_type.get("BatchNormalization", 0)


def test_layers_are_what_keras_lists(model: Any, expected: Expected) -> None:
    counted = count_layers(model)
    assert counted.total == len(model.layers) == expected.layers
    assert counted.parameters == model.count_params()
    assert batch_norms(counted) == expected.before


def test_batch_norms_fold(folded: Any, expected: Expected) -> None:
    assert batch_norms(folded.before) == expected.before
    assert batch_norms(folded.after) == expected.after
    assert len(folded.folds) >= expected.before - expected.after


def test_every_refusal_says_why(folded: Any, expected: Expected) -> None:
    refused = [refusal for refusal in folded.refusals if refusal.type == "BatchNormalization"]
    assert len(refused) == expected.after
    assert all(refusal.reason in REASONS and refusal.blocker for refusal in refused)


def test_plan_from_structure_alone_says_the_same(model: Any, folded: Any) -> None:
    plan = plan_fold(model)
    assert not plan.conditional
    assert plan.folds == folded.folds
    # Which of several reasons is met first may depend on the weights.
    assert [one.layer for one in plan.refusals] == [one.layer for one in folded.refusals]


def test_outputs_are_equivalent(model: Any, folded: Any) -> None:
    equivalence = check_equivalence(model, folded.model)
    assert equivalence.dtype == "float64"
    assert equivalence.compared > 50
    assert equivalence.equivalent, equivalence.worst


def test_the_users_model_is_untouched(model: Any, name: str) -> None:
    before = [weight.copy() for weight in model.get_weights()]
    graph = read_graph(model)
    result = fold(model)
    assert read_graph(model) == graph
    assert all(map(np.array_equal, before, model.get_weights()))
    ours = {id(weight) for weight in model.weights}
    assert not any(id(weight) in ours for weight in result.model.weights)


def test_the_folded_model_survives_saving(
    folded: Any, name: str, expected: Expected, tmp_path: Any
) -> None:
    keras = load_keras()
    path = str(tmp_path / "folded.keras")
    folded.model.save(path)
    # InceptionResNetV2 of Keras 2 scales its residuals in Lambda layers.
    trusted = {"safe_mode": False} if generation(keras) == 2 else {}
    loaded = keras.models.load_model(path, compile=False, **trusted)
    image = np.random.default_rng(0).random((1, expected.size, expected.size, 3), np.float32)
    np.testing.assert_array_equal(
        loaded.predict(image, verbose=0), folded.model.predict(image, verbose=0)
    )
