"""Why an affine layer was left in place: the closed list of reason codes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple


class Reason(NamedTuple):
    """What a code means, with ``{blocker}`` for the layer named, and what to do."""

    sentence: str
    advice: str


REASONS: Mapping[str, Reason] = {
    "nonlinear": Reason(
        "{blocker} is not linear per channel, so the map cannot move through it",
        "put the normalization before the activation, next to the layer it follows",
    ),
    "activation": Reason(
        "{blocker} has an activation= of its own between its weights and the map",
        "give the activation a layer of its own, after the normalization",
    ),
    "several-consumers": Reason(
        "the output of {blocker} is also used elsewhere, where the map must not apply",
        "normalize on the branch, after the layer that only this branch uses",
    ),
    "model-output": Reason(
        "the output of {blocker} is also an output of the model",
        "drop that output for deployment: fold(model, outputs=[...])",
    ),
    "model-input": Reason(
        "{blocker} is an input of the model: there is no layer before it",
        "apply the map to the data instead",
    ),
    "shared-layer": Reason(
        "{blocker} is called more than once and its calls would need different weights",
        "give each call its own layer, or let fold(model, unshare=True) do it",
    ),
    "channel-axis": Reason(
        "the map runs along another axis than the channels of {blocker}",
        "set the axis of the normalization to the channel axis of the layer before it",
    ),
    "ambiguous-axis": Reason(
        "some versions of Keras add along another axis in {blocker}, where two sizes are equal",
        "use channels_last, or let the bias (bias_axes=) or constant of {blocker} span the "
        "last axis",
    ),
    "shift-meets-padding": Reason(
        "the shift would have to enter the zero padding of {blocker}",
        "use padding='valid', or normalize after the convolution",
    ),
    "no-bias": Reason(
        "{blocker} has no biases, which would take the shift up",
        "give {blocker} use_bias=True if it takes that, or the normalization center=False",
    ),
    "shift-not-zero": Reason(
        "a scale would move through {blocker}, a shift does not",
        "use center=False, or put the normalization before {blocker}",
    ),
    "scale-negative": Reason(
        "only a scale known to be nowhere negative moves through {blocker}",
        "put the normalization before {blocker}",
    ),
    "scale-not-one": Reason(
        "only a shift moves through {blocker}, a scale does not",
        "normalize every branch, or after {blocker}",
    ),
    "training-call": Reason(
        "{blocker} is called with training=True, so it is not a fixed map",
        "call it without training=True",
    ),
    "unknown-layer": Reason(
        "nothing is known about the layer {blocker}",
        "answer for its class in conftest.py with the hook pytest_layercount_rule",
    ),
    "own-class": Reason(
        "{blocker} is of a class of its own, and what that computes is not known",
        "use Keras's class, or answer for yours in conftest.py with the hook "
        "pytest_layercount_rule",
    ),
    "inside-layer": Reason(
        "it is inside {blocker}, a layer that stays whole",
        "make the call() of {blocker} of layers and keras.ops alone, or use its layers in the "
        "model itself",
    ),
    "no-rule": Reason(
        "nothing is known about {blocker}, though it is Keras's or TensorFlow's own",
        "put the normalization on the other side of it",
    ),
    "unknown-shape": Reason(
        "the sizes around {blocker} are not known, so the channels cannot be followed",
        "give the model's Input a full shape",
    ),
    "data-type": Reason(
        "{blocker} computes in another data type than its input has",
        "give both layers the same dtype policy",
    ),
    "integers": Reason(
        "{blocker} computes in integers, which wrap around and have no fractions",
        "cast its input to a floating-point type first",
    ),
    "mask": Reason(
        "{blocker} ends the mask of its input, which without it would reach the layers after it",
        "use a layer that passes masks on, or an input without one",
    ),
    "quantized": Reason(
        "the weights of {blocker} are quantized",
        "fold before quantizing",
    ),
    "lora": Reason(
        "{blocker} has LoRA enabled, so its weights are not final",
        "merge the LoRA weights first",
    ),
    "tied": Reason(
        "the weights of {blocker} also belong to another layer",
        "give {blocker} its own weights for deployment",
    ),
    "non-finite": Reason(
        "the weights of {blocker} are not all finite",
        "check the training run: NaN or infinity was saved",
    ),
    "overflow": Reason(
        "the folded weights of {blocker} do not fit its data type",
        "fold in float32, then convert",
    ),
    "fixed-weights": Reason(
        "{blocker} has no weights of its own that could take the map up",
        "put a convolution or dense layer next to the normalization",
    ),
}


def sentence(code: str, blocker: str) -> str:
    """What ``code`` means for the layer ``blocker``."""
    return REASONS[code].sentence.format(blocker=blocker)


def advice(code: str, blocker: str) -> str:
    """What a user can do about ``code``."""
    return REASONS[code].advice.format(blocker=blocker)
