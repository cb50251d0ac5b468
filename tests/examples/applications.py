"""Thirteen models that nobody here wrote: are they the same in every TensorFlow?

No ``test_*.py``, so it runs only when it is named::

    pytest tests/examples/applications.py --layercount-record=records/tf-2.15.json
"""

import pytest

from tests.kerases import load_keras

keras = load_keras()

SIZES = {"InceptionV3": 75, "Xception": 71}
NAMES = [
    "MobileNetV2",
    "MobileNetV3Small",
    "EfficientNetB0",
    "EfficientNetV2B0",
    "ResNet50",
    "ResNet50V2",
    "DenseNet121",
    "InceptionV3",
    "Xception",
    "NASNetMobile",
    "ConvNeXtTiny",
    "VGG16",
    "RegNetX002",
]


@pytest.fixture(scope="module", params=NAMES)
def application(request):
    make = getattr(keras.applications, request.param, None)
    if make is None:
        pytest.skip(f"this Keras has no {request.param}")
    size = SIZES.get(request.param, 32)
    yield make(weights=None, input_shape=(size, size, 3))
    keras.backend.clear_session()


def test_ends_in_a_thousand_classes(application):
    assert application.output_shape == (None, 1000)
