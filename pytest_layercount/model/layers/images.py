"""Layers that prepare or distort images, and what makes images of sound."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from pytest_layercount.model.graph import Shape
from pytest_layercount.model.layers.base import (
    Config,
    Kernel,
    LayerType,
    Shapes,
    Sizes,
    channels,
    is_first,
    known,
    one,
    same,
)
from pytest_layercount.model.layers.convolution import placed, slid
from pytest_layercount.model.layers.names import names


def _sized(config: Config, shape: Sizes) -> Shape:
    """Images of ``height`` and ``width``, with or without a batch."""
    height, width = int(config["height"]), int(config["width"])
    if is_first(config):
        return (*shape[:-2], height, width)
    return (*shape[:-3], height, width, shape[-1])


def _of_any_size(axis: int) -> LayerType:
    """Layers that return an unknown size along one of the last three axes."""

    def output(config: Config, shape: Sizes) -> Shape:
        sizes = list(shape)
        sizes[axis] = None
        return tuple(sizes)

    return LayerType(writes=("factor",), output=one(output), training=True)


def _mel(config: Config, shape: Sizes) -> Shape:
    *batch, samples = shape
    stride = config["sequence_stride"]
    steps = None if samples is None else (samples + stride + 1) // stride
    return (*batch, config["num_mel_bins"], steps)


def _frames(config: Config, shape: Sizes) -> Sizes:
    """How many frames there are, in a tuple; by default half of one lies in the next."""
    length = config["frame_length"]
    window = {"kernel_size": length, "strides": config.get("frame_step") or length // 2}
    return tuple(slid({**config, **window}, shape))


def _bins(config: Config) -> int:
    """The number of frequencies of a frame, padded by default to the next power of two."""
    # A real signal of n samples has n // 2 + 1 frequencies.
    length = config.get("fft_length") or 1 << (int(config["frame_length"]) - 1).bit_length()
    return int(length) // 2 + 1


def _stft(config: Config, shape: Sizes) -> Shape:
    (frames,), number = _frames(config, shape), channels(config, shape)
    # "stft" returns real and imaginary parts side by side.
    bins = _bins(config) * (2 if config.get("mode") == "stft" else 1)
    if config.get("expand_dims"):
        sizes = (number, frames, bins) if is_first(config) else (frames, bins, number)
        return (shape[0], *sizes)
    return placed(config, shape, [frames], None if number is None else bins * number)


def _waves(config: Config, shapes: Shapes, output: Shape) -> tuple[Kernel, ...]:
    """A kernel of cosines and one of sines, which slide over each channel."""
    read = known(shapes[0])
    places = (*_frames(config, read), channels(config, read))
    kernel = Kernel(int(config["frame_length"]) * _bins(config), places)
    return (kernel,) * (1 if config.get("mode") in ("imag", "real") else 2)


_DATA = ("inputs", "data")  # as older versions and later ones call them
_DISTORTING = LayerType(arguments=_DATA, output=same)
_RANDOM = replace(_DISTORTING, training=True)
"""Keras 3 distorts images unless it is told not to."""

TYPES: Mapping[str, LayerType] = {
    **dict.fromkeys(
        names("""
        AugMix AutoContrast ContrastLimitedAdaptiveHistogramEqualization CutMix Equalization
        MixUp RandAugment Solarization
        """),
        _DISTORTING,
    ),
    **dict.fromkeys(
        names("""
        RandomColorDegeneration RandomColorJitter RandomElasticTransform RandomErasing
        RandomGaussianBlur RandomGrayscale RandomHue RandomInvert RandomPerspective
        RandomPosterization RandomSaturation RandomSharpness RandomShear RandomTranslation
        RandomZoom
        """),
        _RANDOM,
    ),
    **dict.fromkeys(
        names("RandomBrightness RandomContrast RandomRotation"),
        replace(_RANDOM, writes=("factor",)),
    ),
    "RandomFlip": replace(_RANDOM, usual={"mode": "horizontal_and_vertical"}),
    "RandomHeight": _of_any_size(-3),
    "RandomWidth": _of_any_size(-2),
    "RandomCrop": LayerType(
        writes=("height", "width"), arguments=_DATA, output=one(_sized), training=True
    ),
    "CenterCrop": LayerType(
        attributes=("data_format",),
        writes=("height", "width"),
        arguments=_DATA,
        output=one(_sized),
    ),
    "Resizing": LayerType(
        attributes=("interpolation", "pad_to_aspect_ratio", "data_format"),
        writes=("height", "width"),
        arguments=_DATA,
        output=one(_sized),
        usual={"fill_mode": "constant"},
    ),
    "MaxNumBoundingBoxes": LayerType(  # of a dictionary
        arguments=_DATA, usual={"fill_value": -1}
    ),
    "MelSpectrogram": LayerType(output=one(_mel), work_unknown=True),
    "STFTSpectrogram": LayerType(output=one(_stft), kernels=_waves),
}
