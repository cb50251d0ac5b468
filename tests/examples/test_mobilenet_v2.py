"""How many layers does MobileNetV2 have, and how many of them are needed to run it?"""

import keras
import pytest


@pytest.fixture(scope="module")
def mobilenet():
    return keras.applications.MobileNetV2(input_shape=(32, 32, 3), include_top=False, weights=None)


@pytest.mark.layercount(exactly=154, types={"BatchNormalization": 52})
def test_as_built(mobilenet):
    assert len(mobilenet.layers) == 154


@pytest.mark.layercount(exactly=102, types={"BatchNormalization": 0}, folded=True)
def test_as_deployed(mobilenet, assert_foldable, assert_equivalent_after_fold):
    assert len(assert_foldable(mobilenet).folds) == 52
    assert_equivalent_after_fold(mobilenet)


def test_smaller_images_are_refused_by_keras_itself():
    with pytest.raises(ValueError, match=r"[Ii]nput"):
        keras.applications.MobileNetV2(input_shape=(28, 28, 3), include_top=False, weights=None)
