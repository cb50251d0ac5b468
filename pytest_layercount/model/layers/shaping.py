"""The output shapes of Keras's own layers, by family."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from pytest_layercount.model.graph import Shape
from pytest_layercount.model.layers import convolution as windows
from pytest_layercount.model.layers.base import Described
from pytest_layercount.model.layers.einsum import einsum
from pytest_layercount.model.layers.encoding import ENCODERS, encoded
from pytest_layercount.model.layers.names import names
from pytest_layercount.model.layers.operations import broadcast
from pytest_layercount.model.readers.dtypes import PASS_MASKS

Config = Mapping[str, Any]
Sizes = tuple[int | None, ...]


def _embedding(config: Config, shape: Sizes) -> Shape:
    return (*shape, config["output_dim"])


def _dense(config: Config, shape: Sizes) -> Shape:
    return (*shape[:-1], config["units"])


def _einsum_dense(layer: Described, shapes: list[Shape], kwargs: Mapping[str, Any]) -> list[Shape]:
    found, shape = einsum(layer.config, shapes[0]), shapes[0]
    if found is None or found.output is None or shape is None:
        return [None]
    output, wanted = list(found.output), layer.config.get("output_shape")
    if layer.generation == 3 and isinstance(wanted, list) and len(wanted) == len(output) - 1:
        output[1:] = wanted  # Keras 3 takes a size that is left open for unknown
    return [tuple(output)]


def _flatten(config: Config, shape: Sizes) -> Shape:
    rest = shape[1:]
    return (shape[0], None if None in rest else math.prod(size or 0 for size in rest))


def _reshape(config: Config, shape: Sizes) -> Shape:
    target = list(config["target_shape"])
    if -1 in target:
        known = None in shape[1:]
        others = math.prod(size for size in target if size != -1)
        total = None if known else math.prod(size or 0 for size in shape[1:])
        target[target.index(-1)] = None if total is None else total // others
    return (shape[0], *target)


def _permute(config: Config, shape: Sizes) -> Shape:
    return (shape[0], *(shape[axis] for axis in config["dims"]))


def _repeat(config: Config, shape: Sizes) -> Shape:
    return (shape[0], config["n"], *shape[1:])


def _merged(config: Config, shapes: list[Shape]) -> Shape:
    return broadcast(shapes)


def _concatenate(config: Config, shapes: list[Shape]) -> Shape:
    known = [shape for shape in shapes if shape is not None]
    if len(known) < len(shapes):
        return None
    axis = int(config.get("axis", -1)) % len(known[0])
    sizes = [shape[axis] for shape in known]
    total = None if None in sizes else sum(size or 0 for size in sizes)
    others = [
        next((shape[place] for shape in known if shape[place] is not None), None)
        for place in range(len(known[0]))
    ]
    return (*others[:axis], total, *others[axis + 1 :])


def _dot(config: Config, shapes: list[Shape]) -> Shape:
    one, two = shapes
    if one is None or two is None:
        return None
    axes = config["axes"]
    first, second = axes if isinstance(axes, list) else (axes, axes)
    left = [size for axis, size in enumerate(one) if axis != first % len(one)]
    right = [size for axis, size in enumerate(two) if axis not in (0, second % len(two))]
    return (*left, *right) if len(left) + len(right) > 1 else (*left, 1)


def _recurrent(layer: Described, shapes: list[Shape], kwargs: Mapping[str, Any]) -> list[Shape]:
    shape, config = shapes[0], layer.config
    assert shape is not None
    batch = shape[1 if config.get("time_major") else 0]
    state = (batch, config["units"])
    result = (*shape[:2], config["units"]) if config.get("return_sequences") else state
    states = (2 if "LSTM" in layer.type else 1) if config.get("return_state") else 0
    return [result, *[state] * states]


def _cells(layer: Described, shapes: list[Shape], kwargs: Mapping[str, Any]) -> list[Shape]:
    """An RNN of Keras's own cells."""
    shape, cell = shapes[0], layer.config["cell"]
    assert shape is not None
    cells = cell["config"].get("cells") or [cell]
    sizes = [each["config"]["units"] for each in cells]
    states = [
        (shape[0], size)
        for each, size in zip(cells, sizes, strict=True)
        for _ in range(2 if each["class_name"] == "LSTMCell" else 1)
    ]
    steps = shape[1:2] if layer.config.get("return_sequences") else ()
    return [(shape[0], *steps, sizes[-1]), *(states if layer.config.get("return_state") else ())]


def _conv_lstm(layer: Described, shapes: list[Shape], kwargs: Mapping[str, Any]) -> list[Shape]:
    """A convolution at each step, and two states like its result."""
    shape, config = shapes[0], layer.config
    assert shape is not None
    step = windows.conv(config, (shape[0], *shape[2:]))
    result = (step[0], shape[1], *step[1:]) if config.get("return_sequences") else step
    return [result, *[step] * (2 if config.get("return_state") else 0)]


def _random_size(config: Config, shape: Sizes, axis: int) -> Sizes:
    """RandomHeight and RandomWidth: any size comes out, along one of the last three axes."""
    sizes = list(shape)
    sizes[axis] = None
    return tuple(sizes)


def _mel_spectrogram(config: Config, shape: Sizes) -> Shape:
    *batch, samples = shape
    stride = config["sequence_stride"]
    steps = None if samples is None else (samples + stride + 1) // stride
    return (*batch, config["num_mel_bins"], steps)


def _declared(config: Config, shape: Sizes) -> Shape:
    """What a Lambda is said to return: for one sample."""
    wanted = config.get("output_shape")
    return (shape[0], *wanted) if isinstance(wanted, list) else None


def _bidirectional(layer: Described, shapes: list[Shape], kwargs: Mapping[str, Any]) -> list[Shape]:
    if layer.inner is None or layer.inner.type not in SEVERAL:
        return [None]
    result, *states = SEVERAL[layer.inner.type](layer.inner, shapes, kwargs)
    if result is None:
        return [None]
    mode = layer.config.get("merge_mode", "concat")
    width = int(result[-1] or 0)
    back = _width_back(layer, width)
    if mode == "concat":
        return [(*result[:-1], width + back), *states, *states]
    both = [result, (*result[:-1], back)]
    return [*(both if mode is None else [result]), *states, *states]


def _width_back(layer: Described, width: int) -> int:
    """How wide the way back is. Keras 3 takes it to be as wide as the way there."""
    given = layer.config.get("backward_layer")
    if layer.generation == 3 or not isinstance(given, Mapping):
        return width
    return int(given["config"].get("units", width))


def _attention(layer: Described, shapes: list[Shape], kwargs: Mapping[str, Any]) -> list[Shape]:
    query, value, config = shapes[0], shapes[1], layer.config
    assert query is not None
    out = config.get("output_shape")
    out = query[-1:] if out is None else out if isinstance(out, list) else [out]
    result: list[Shape] = [(*query[:-1], *out)]
    if kwargs.get("return_attention_scores"):
        heads = config.get("num_heads", config.get("num_query_heads"))
        result.append(None if value is None else (query[0], heads, *query[1:-1], *value[1:-1]))
    return result


def _dot_attention(layer: Described, shapes: list[Shape], kwargs: Mapping[str, Any]) -> list[Shape]:
    query, value = shapes[0], shapes[1]
    assert query is not None
    result: list[Shape] = [None if value is None else (*query[:-1], value[-1])]
    if kwargs.get("return_attention_scores"):
        result.append(None if value is None else (*query[:-1], value[-2]))
    return result


SAME = PASS_MASKS | names("""
    AutoContrast AugMix Equalization LayerScale Masking Normalization RMSNormalization
    RandAugment RandomBrightness RandomColorDegeneration RandomColorJitter RandomContrast
    ContrastLimitedAdaptiveHistogramEqualization CutMix MixUp RandomElasticTransform
    RandomErasing RandomFlip RandomGaussianBlur RandomGrayscale RandomHue RandomInvert
    RandomPerspective RandomPosterization RandomRotation RandomSaturation RandomSharpness
    RandomShear RandomTranslation RandomZoom Rescaling Solarization StochasticDepth
    SyncBatchNormalization
    """)
_DIMENSIONS = (1, 2, 3)
_KINDS = ("Average", "Max")
ONE: Mapping[str, Callable[[Config, Sizes], Shape]] = {
    **{f"Conv{n}D": windows.conv for n in _DIMENSIONS},
    **{f"Conv{n}DTranspose": windows.transposed for n in _DIMENSIONS},
    **{f"DepthwiseConv{n}D": windows.depthwise for n in (1, 2)},
    **{f"SeparableConv{n}D": windows.conv for n in (1, 2)},
    **{f"{kind}Pooling{n}D": windows.pooling for kind in _KINDS for n in _DIMENSIONS},
    **{f"Adaptive{kind}Pooling{n}D": windows.adaptive for kind in _KINDS for n in _DIMENSIONS},
    **{f"Global{kind}Pooling{n}D": windows.globally for kind in _KINDS for n in _DIMENSIONS},
    **{f"ZeroPadding{n}D": windows.padded for n in _DIMENSIONS},
    **{f"Cropping{n}D": windows.cropped for n in _DIMENSIONS},
    **{f"UpSampling{n}D": windows.upsampled for n in _DIMENSIONS},
    **dict.fromkeys(("CenterCrop", "RandomCrop", "Resizing"), windows.sized),
    **{f"LocallyConnected{n}D": windows.conv for n in (1, 2)},
    "Dense": _dense,
    "Embedding": _embedding,
    "Flatten": _flatten,
    "Lambda": _declared,
    "MelSpectrogram": _mel_spectrogram,
    "Permute": _permute,
    "RandomHeight": partial(_random_size, axis=-3),
    "RandomWidth": partial(_random_size, axis=-2),
    "RepeatVector": _repeat,
    "Reshape": _reshape,
    "ReversibleEmbedding": _embedding,
}
MERGES: Mapping[str, Callable[[Config, list[Shape]], Shape]] = {
    **dict.fromkeys(("Add", "Average", "Maximum", "Minimum", "Multiply", "Subtract"), _merged),
    "Concatenate": _concatenate,
    "CustomScaleLayer": _merged,  # InceptionResNetV2's scaled sum
    "Dot": _dot,
}
SEVERAL: Mapping[str, Callable[[Described, list[Shape], Mapping[str, Any]], list[Shape]]] = {
    **dict.fromkeys(("CuDNNGRU", "CuDNNLSTM", "GRU", "LSTM", "SimpleRNN"), _recurrent),
    **{f"ConvLSTM{n}D": _conv_lstm for n in _DIMENSIONS},
    **dict.fromkeys(ENCODERS, encoded),
    **dict.fromkeys(("GroupedQueryAttention", "MultiHeadAttention"), _attention),
    **dict.fromkeys(("AdditiveAttention", "Attention"), _dot_attention),
    "Bidirectional": _bidirectional,
    "EinsumDense": _einsum_dense,
    "RNN": _cells,
}
