"""What both generations of Keras are asked alike."""

from __future__ import annotations

import pytest

from pytest_layercount.model.keras.adapter import canonical_operation, snake


@pytest.mark.parametrize(
    ("name", "canonical"),
    [
        ("AddV2", "add"),  # as TensorFlow traces it
        ("Sub", "subtract"),
        ("Mul", "multiply"),
        ("RealDiv", "divide"),
        ("truediv", "divide"),  # as Keras 2 calls an operator
        ("getitem", "get_item"),
        (snake("TrueDivide"), "divide"),  # as Keras 3 calls its classes
        (snake("GetItem"), "get_item"),
        (snake("ReLU"), "relu"),
        (snake("Subtract"), "subtract"),
        (snake("LogSoftmax"), "log_softmax"),
        (snake("Conv2DTranspose"), "conv2_dtranspose"),
    ],
)
def test_an_operation_has_one_name(name: str, canonical: str) -> None:
    assert canonical_operation(name) == canonical
