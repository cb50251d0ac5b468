"""How many parameters a saved built-in layer has: from its configuration and input shapes."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from pytest_layercount.model.graph import Shape
from pytest_layercount.model.layers.convolution import conv
from pytest_layercount.model.layers.einsum import einsum
from pytest_layercount.model.readers.network import SavedLayer
from pytest_layercount.model.readers.references import Malformed

Config = Mapping[str, Any]
Shapes = tuple[Shape, ...]

MOST = 1 << 62


class Sizes(NamedTuple):
    """Scalars that training changes, and those that it leaves."""

    trained: int = 0
    fixed: int = 0


def parameters(layer: SavedLayer) -> tuple[int, int] | None:
    """All parameters of ``layer``, and the trainable ones; None where they cannot be known."""
    try:
        found = _sizes(layer, layer.built)
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError):
        return None
    if found.trained + found.fixed > MOST:
        raise Malformed(f"the layer {layer.name!r} has more parameters than any model")
    return found.trained + found.fixed, found.trained


def _sizes(layer: SavedLayer, shapes: Shapes) -> Sizes:
    held = layer.stored
    found = _computed(layer, shapes) if held is None else _stored(layer, held)
    if _is_frozen(layer.config) and not _frees_its_parts(layer):
        return Sizes(0, found.trained + found.fixed)
    return found


def _is_frozen(config: Config) -> bool:
    return config.get("trainable", True) is False


def _frees_its_parts(layer: SavedLayer) -> bool:
    """Whether the layers that Keras makes inside ``layer`` train although it does not.

    Keras 3 asks each variable; these make their parts without handing the flag on.
    """
    return layer.builtin and layer.generation == 3 and layer.type in _WITH_PARTS


def _stored(layer: SavedLayer, total: int) -> Sizes:
    """As many as the file holds for the layer."""
    if layer.builtin and layer.type in _BATCH_NORMS:
        trained = bool(layer.config.get("scale", True)) + bool(layer.config.get("center", True))
        fixed = 2 * total // (trained + 2)
        return Sizes(total - fixed, fixed)
    return Sizes(total)


def _computed(layer: SavedLayer, shapes: Shapes) -> Sizes:
    config = layer.config
    if layer.builtin and layer.type in _WRAPPERS and layer.inner:
        return _wrapped(layer, shapes)
    if layer.network is not None:
        return _total([_sizes(inner, inner.built) for inner in set(layer.network.layers)])
    if not layer.builtin:
        raise ValueError("only its class knows")
    if any(part.type in _FAMILIES or not part.builtin for part in layer.parts):
        raise ValueError("a layer given as an activation is called on what it computes")
    if config.get("output_mode") == "tf_idf" and config.get("vocabulary") is None:
        return Sizes(0, int(layer.generation == 2))  # how many documents it has seen
    return _FAMILIES[layer.type](config, shapes) if layer.type in _FAMILIES else Sizes()


def _wrapped(layer: SavedLayer, shapes: Shapes) -> Sizes:
    inner = layer.inner
    if inner is None:
        return Sizes()
    if layer.type == "Bidirectional":
        back = layer.parts[1] if len(layer.parts) > 1 else inner
        return _total([_sizes(inner, shapes), _sizes(back, shapes)])
    if layer.type == "SpectralNormalization":
        one = _sizes(inner, shapes)
        return Sizes(one.trained, one.fixed + _vector(inner, shapes))
    shape = _known(shapes[0])
    return _sizes(inner, ((shape[0], *shape[2:]),))


def _vector(layer: SavedLayer, shapes: Shapes) -> int:
    """The last size of the kernel that a SpectralNormalization keeps a vector for."""
    if layer.type.endswith("Transpose"):
        return _channels(layer.config, shapes[0])
    last = next(name for name in ("filters", "units", "output_dim") if name in layer.config)
    return int(layer.config[last])


def _total(parts: list[Sizes]) -> Sizes:
    return Sizes(sum(part.trained for part in parts), sum(part.fixed for part in parts))


def _known(shape: Shape) -> tuple[int | None, ...]:
    if shape is None:
        raise ValueError("the shape of an input is not known")
    return shape


def _certain(size: int | None) -> int:
    if size is None:
        raise ValueError("a size of an input is not known")
    return size


def _last(shape: Shape) -> int:
    return _certain(_known(shape)[-1])


def _product(sizes: Any) -> int:
    return math.prod(int(size) for size in sizes)


def _channels(config: Config, shape: Shape) -> int:
    return _certain(_known(shape)[1 if config.get("data_format") == "channels_first" else -1])


def _bias(config: Config, size: int) -> int:
    return size if config.get("use_bias", True) else 0


def _dense(config: Config, shapes: Shapes) -> Sizes:
    units, entries = int(config["units"]), _last(shapes[0])
    return Sizes(entries * units + _bias(config, units))


def _conv(config: Config, shapes: Shapes) -> Sizes:
    filters, groups = int(config["filters"]), int(config.get("groups") or 1)
    taps = _product(config["kernel_size"]) * (_channels(config, shapes[0]) // groups)
    return Sizes(taps * filters + _bias(config, filters))


def _depthwise(config: Config, shapes: Shapes) -> Sizes:
    out = _channels(config, shapes[0]) * int(config.get("depth_multiplier", 1))
    return Sizes(_product(config["kernel_size"]) * out + _bias(config, out))


def _separable(config: Config, shapes: Shapes) -> Sizes:
    middle = _channels(config, shapes[0]) * int(config.get("depth_multiplier", 1))
    filters = int(config["filters"])
    kernels = (_product(config["kernel_size"]) + filters) * middle
    return Sizes(kernels + _bias(config, filters))


def _spanned(config: Config, shape: Shape) -> int:
    """The number of elements along the axes that a normalization names."""
    axes = config.get("axis", -1)
    axes = axes if isinstance(axes, list) else [axes]
    return _product(_known(shape)[axis] for axis in axes)


def _batch_norm(config: Config, shapes: Shapes) -> Sizes:
    size = _spanned(config, shapes[0])
    return Sizes(
        size * (bool(config.get("scale", True)) + bool(config.get("center", True))), 2 * size
    )


def _normalized(config: Config, shapes: Shapes) -> Sizes:
    size = _spanned(config, shapes[0])
    if config.get("rms_scaling"):
        return Sizes(size)
    return Sizes(size * (bool(config.get("scale", True)) + bool(config.get("center", True))))


def _rms(config: Config, shapes: Shapes) -> Sizes:
    return Sizes(_spanned(config, shapes[0]))


def _normalization(config: Config, shapes: Shapes) -> Sizes:
    shape, axes = shapes[0], config.get("axis", -1)
    if config.get("mean") is not None:
        return Sizes()
    axes = [] if axes is None else axes if isinstance(axes, list) else [axes]
    return Sizes(0, 2 * _product(_known(shape)[axis] for axis in axes) + 1)


def _embedding(config: Config, shapes: Shapes) -> Sizes:
    return Sizes(int(config["input_dim"]) * int(config["output_dim"]))


def _reversible_embedding(config: Config, shapes: Shapes) -> Sizes:
    both = 1 if config.get("tie_weights", True) else 2
    return Sizes(both * _embedding(config, shapes).trained)


def _einsum_dense(config: Config, shapes: Shapes) -> Sizes:
    found = einsum(config, shapes[0])
    if found is None:
        raise ValueError("the sizes of its kernel are not known")
    return Sizes(_product(found.kernel) + (_product(found.bias) if found.bias else 0))


def _prelu(config: Config, shapes: Shapes) -> Sizes:
    shared = config.get("shared_axes") or []
    return Sizes(
        _product(size for axis, size in enumerate(_known(shapes[0])) if axis and axis not in shared)
    )


def _locally_connected(config: Config, shapes: Shapes) -> Sizes:
    """A kernel of its own for every place; the second implementation has it between all places."""
    filters, read = int(config["filters"]), _known(shapes[0])
    made = conv(config, read)
    first = config.get("data_format") == "channels_first"
    taken, given = (sizes[2:] if first else sizes[1:-1] for sizes in (read, made))
    taps = _product(config["kernel_size"])
    if config.get("implementation", 1) == 2:
        taps = _product(taken)
    elif config.get("padding") != "valid":
        raise ValueError("at the border there are fewer")
    places = _product(given)
    return Sizes(
        places * taps * _channels(config, read) * filters + _bias(config, places * filters)
    )


def _cudnn(gates: int) -> Callable[[Config, Shapes], Sizes]:
    """The layers of older versions for one kind of GPU, which always have two biases."""

    def sizes(config: Config, shapes: Shapes) -> Sizes:
        units = int(config["units"])
        return Sizes(gates * units * (_last(shapes[0]) + units + 2))

    return sizes


def _layer_scale(config: Config, shapes: Shapes) -> Sizes:
    return Sizes(int(config["projection_dim"]))


def _recurrent(gates: int) -> Callable[[Config, Shapes], Sizes]:
    def sizes(config: Config, shapes: Shapes) -> Sizes:
        units, entries = int(config["units"]), _last(shapes[0])
        biases = 2 if gates == 3 and config.get("reset_after") else 1
        return Sizes(gates * (units * (entries + units) + _bias(config, biases * units)))

    return sizes


def _cells(config: Config, shapes: Shapes) -> Sizes:
    """An RNN of Keras's own cells: each takes what the one before it gives."""
    cell, (batch, steps, *_) = config["cell"], _known(shapes[0])
    entries, found = shapes[0], Sizes()
    cells = cell["config"].get("cells") if cell["class_name"] == "StackedRNNCells" else [cell]
    for each in cells:
        sizes = _FAMILIES[each["class_name"].removesuffix("Cell")](each["config"], (entries,))
        frozen = _is_frozen(each["config"])
        found = _total([found, Sizes(0, sizes.trained) if frozen else sizes])
        entries = (batch, steps, each["config"]["units"])
    return found


def _conv_lstm(config: Config, shapes: Shapes) -> Sizes:
    filters, entries = int(config["filters"]), _conv_lstm_channels(config, shapes[0])
    kernels = _product(config["kernel_size"]) * (entries + filters) * 4 * filters
    return Sizes(kernels + _bias(config, 4 * filters))


def _conv_lstm_channels(config: Config, shape: Shape) -> int:
    return _certain(_known(shape)[2 if config.get("data_format") == "channels_first" else -1])


def _attention(config: Config, shapes: Shapes) -> Sizes:
    query, value = _last(shapes[0]), _last(shapes[1])
    key = value if len(shapes) < 3 else _last(shapes[2])
    heads, width = int(config["num_heads"]), int(config["key_dim"])
    depth = int(config.get("value_dim") or width)
    out = config.get("output_shape")
    made = query if out is None else _product(out if isinstance(out, list) else [out])
    kernels = heads * (width * (query + key) + depth * (value + made))
    return Sizes(kernels + _bias(config, heads * (2 * width + depth) + made))


def _grouped_attention(config: Config, shapes: Shapes) -> Sizes:
    query, value = _last(shapes[0]), _last(shapes[1])
    heads, width = int(config["num_query_heads"]), int(config["head_dim"])
    groups = int(config["num_key_value_heads"])
    kernels = width * (2 * heads * query + 2 * groups * value)
    return Sizes(kernels + _bias(config, width * (heads + 2 * groups) + query))


def _dot_attention(config: Config, shapes: Shapes) -> Sizes:
    return Sizes(bool(config.get("use_scale")) + (config.get("score_mode") == "concat"))


def _additive_attention(config: Config, shapes: Shapes) -> Sizes:
    return Sizes(_last(shapes[0]) if config.get("use_scale", True) else 0)


_BATCH_NORMS = ("BatchNormalization", "SyncBatchNormalization")
_WRAPPERS = ("Bidirectional", "SpectralNormalization", "TimeDistributed")
_WITH_PARTS = (
    *_WRAPPERS,
    *(f"ConvLSTM{n}D" for n in (1, 2, 3)),
    "GroupedQueryAttention",
    "MultiHeadAttention",
    "RNN",
)
_FAMILIES: Mapping[str, Callable[[Config, Shapes], Sizes]] = {
    **{f"Conv{n}D": _conv for n in (1, 2, 3)},
    **{f"Conv{n}DTranspose": _conv for n in (1, 2, 3)},
    **{f"DepthwiseConv{n}D": _depthwise for n in (1, 2)},
    **{f"SeparableConv{n}D": _separable for n in (1, 2)},
    **{f"ConvLSTM{n}D": _conv_lstm for n in (1, 2, 3)},
    "AdditiveAttention": _additive_attention,
    "Attention": _dot_attention,
    "BatchNormalization": _batch_norm,
    "CuDNNGRU": _cudnn(3),
    "CuDNNLSTM": _cudnn(4),
    **{f"LocallyConnected{n}D": _locally_connected for n in (1, 2)},
    "Dense": _dense,
    "EinsumDense": _einsum_dense,
    "Embedding": _embedding,
    "GRU": _recurrent(3),
    "GroupNormalization": _normalized,
    "GroupedQueryAttention": _grouped_attention,
    "LSTM": _recurrent(4),
    "LayerNormalization": _normalized,
    "LayerScale": _layer_scale,
    "MultiHeadAttention": _attention,
    "Normalization": _normalization,
    "PReLU": _prelu,
    "RMSNormalization": _rms,
    "RNN": _cells,
    "ReversibleEmbedding": _reversible_embedding,
    "SimpleRNN": _recurrent(1),
    "SyncBatchNormalization": _batch_norm,
}
