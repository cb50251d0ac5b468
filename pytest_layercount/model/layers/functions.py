"""Output shapes of functions that move, cut, repeat or pick, TensorFlow's and Keras 3's.

Keras 2 saves a call of a function as a layer, with its first argument by place and the others
by name. What is not given as a plain number stays unknown, and the other sizes are kept.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from pytest_layercount.model.graph import Shape
from pytest_layercount.model.layers.base import Tensor
from pytest_layercount.model.layers.merging import broadcast

Sizes = tuple[int | None, ...]
Kwargs = Mapping[str, Any]
MOST_PARTS = 4096


def argument(args: tuple[Any, ...], kwargs: Kwargs, place: int, *names: str) -> Any:
    """An argument by any of its names, or by its place; None where it is not given."""
    named = [kwargs[name] for name in names if kwargs.get(name) is not None]
    return named[0] if named else args[place] if len(args) > place else None


def axes_of(value: Any, rank: int) -> list[int]:
    """Axes counted from the front."""
    axes = value if isinstance(value, (list, tuple)) else [value]
    return [int(axis) % rank for axis in axes]


def shape_of(value: Any) -> Shape:
    """The shape of a tensor, or of a constant that a file writes as nested lists."""
    if isinstance(value, Tensor):
        return value.shape
    if isinstance(value, (list, tuple)):
        inner = shape_of(value[0]) if value else ()
        return None if inner is None else (len(value), *inner)
    return tuple(getattr(value, "shape", ()))


def _number(value: Any) -> int | None:
    """A size, None where it is computed or left open."""
    return None if value is None or isinstance(value, Tensor) else int(value)


def _numbers(value: Any) -> Sizes:
    """A list of sizes; for a tensor of sizes, as many unknown ones as it holds."""
    if isinstance(value, Tensor):
        (count,) = value.shape or ()
        return (None,) * count if count else ()
    return tuple(_number(item) for item in value)


def _images(shape: Sizes, height: int | None, width: int | None) -> Sizes:
    """Images of another size; the channels are last in TensorFlow's."""
    return (*shape[:-3], height, width, shape[-1])


def _resized(shape: Sizes, args: tuple[Any, ...], kwargs: Kwargs) -> Shape:
    height, width = _numbers(argument(args, kwargs, 1, "size")) or (None, None)
    if kwargs.get("data_format") == "channels_first":
        return (*shape[:-2], height, width)
    return _images(shape, height, width)


def _sized(shape: Sizes, args: tuple[Any, ...], kwargs: Kwargs) -> Shape:
    height, width = kwargs["target_height"], kwargs["target_width"]
    return _images(shape, _number(height), _number(width))


def _cropped(shape: Sizes, args: tuple[Any, ...], kwargs: Kwargs) -> Shape:
    # TensorFlow cuts the same number of rows from both ends, rounded down.
    fraction = argument(args, kwargs, 1, "central_fraction")
    sizes = [
        None if size is None else size - 2 * int((size - size * fraction) / 2)
        for size in shape[-3:-1]
    ]
    return _images(shape, *sizes)


def _padded(shape: Sizes, args: tuple[Any, ...], kwargs: Kwargs) -> Shape:
    amounts = argument(args, kwargs, 1, "paddings", "pad_width")
    if isinstance(amounts, Tensor):
        return (None,) * len(shape)
    pairs = [(_number(before), _number(after)) for before, after in amounts]
    return tuple(
        None if size is None or before is None or after is None else size + before + after
        for size, (before, after) in zip(shape, pairs, strict=True)
    )


def _tiled(shape: Sizes, args: tuple[Any, ...], kwargs: Kwargs) -> Shape:
    times = _numbers(argument(args, kwargs, 1, "multiples", "repeats"))
    return tuple(
        None if size is None or count is None else size * count
        for size, count in zip(shape, times, strict=True)
    )


def _repeated(shape: Sizes, args: tuple[Any, ...], kwargs: Kwargs) -> Shape:
    times, axis = argument(args, kwargs, 1, "repeats"), argument(args, kwargs, 2, "axis")
    if axis is None:
        return (None,)
    (place,) = axes_of(axis, len(shape))
    size = shape[place]
    known = isinstance(times, int) and size is not None
    return (*shape[:place], size * times if known else None, *shape[place + 1 :])


def _stacked(shape: Sizes, args: tuple[Any, ...], kwargs: Kwargs) -> Shape:
    values = argument(args, kwargs, 0, "values", "x")
    (place,) = axes_of(argument(args, kwargs, 1, "axis") or 0, len(shape) + 1)
    return (*shape[:place], len(values), *shape[place:])


def _gathered(shape: Sizes, args: tuple[Any, ...], kwargs: Kwargs) -> Shape:
    picked = shape_of(argument(args, kwargs, 1, "indices"))
    # The picked axis is replaced by those of the indices, without their batch axes.
    skipped = int(kwargs.get("batch_dims") or 0)
    axis = argument(args, kwargs, 3, "axis")
    (place,) = axes_of(skipped if axis is None else axis, len(shape))
    return None if picked is None else (*shape[:place], *picked[skipped:], *shape[place + 1 :])


def _one_hot(shape: Sizes, args: tuple[Any, ...], kwargs: Kwargs) -> Shape:
    depth, axis = argument(args, kwargs, 1, "depth", "num_classes"), kwargs.get("axis")
    (place,) = axes_of(-1 if axis is None else axis, len(shape) + 1)
    return (*shape[:place], _number(depth), *shape[place:])


def _ranked(shape: Sizes, args: tuple[Any, ...], kwargs: Kwargs) -> Shape:
    return (*shape[:-1], _number(argument(args, kwargs, 1, "k") or 1))


def _picked(shape: Sizes, args: tuple[Any, ...], kwargs: Kwargs) -> Shape:
    """After argmax or argmin along an axis, for TensorFlow the first unless it is given."""
    axis = argument(args, kwargs, 1, "axis", "dimension")
    # Keras 3 notes both arguments, and goes through all elements where axis is None.
    if axis is None and "axis" in kwargs and "keepdims" in kwargs:
        return (1,) * len(shape) if kwargs["keepdims"] else ()
    (place,) = axes_of(axis or 0, len(shape))
    return (*shape[:place], *((1,) if kwargs.get("keepdims") else ()), *shape[place + 1 :])


def _cut(shape: Sizes, args: tuple[Any, ...], kwargs: Kwargs) -> Shape:
    starts, sizes = (
        _numbers(argument(args, kwargs, place, name)) for place, name in ((1, "begin"), (2, "size"))
    )
    rest = [
        None if whole is None or start is None else whole - start
        for whole, start in zip(shape, starts, strict=True)
    ]
    return tuple(left if size == -1 else size for left, size in zip(rest, sizes, strict=True))


def _blocks(grow: int) -> Callable[[Sizes, tuple[Any, ...], Kwargs], Shape]:
    def shape_after(shape: Sizes, args: tuple[Any, ...], kwargs: Kwargs) -> Shape:
        if kwargs.get("data_format") not in (None, "NHWC", "channels_last"):
            return None
        block = int(argument(args, kwargs, 1, "block_size"))
        batch, height, width, channels = shape
        height, width = (
            None if size is None else size * block if grow < 0 else size // block
            for size in (height, width)
        )
        deep = (
            None if channels is None else channels * block**2 if grow > 0 else channels // block**2
        )
        return (batch, height, width, deep)

    return shape_after


def _multiplied(shape: Sizes, args: tuple[Any, ...], kwargs: Kwargs) -> Shape:
    left = shape_of(argument(args, kwargs, 0, "a", "x1"))
    right = shape_of(argument(args, kwargs, 1, "b", "x2"))
    if left is None or right is None or min(len(left), len(right)) < 2:
        return None
    rows = left[-1 if kwargs.get("transpose_a") else -2]
    columns = right[-2 if kwargs.get("transpose_b") else -1]
    # One matrix for each place of the axes in front, which broadcast.
    return (*(broadcast([left[:-2], right[:-2]]) or ()), rows, columns)


def _contracted(shape: Sizes, args: tuple[Any, ...], kwargs: Kwargs) -> Shape:
    left = shape_of(argument(args, kwargs, 0, "a", "x1"))
    right = shape_of(argument(args, kwargs, 1, "b", "x2"))
    axes = argument(args, kwargs, 2, "axes")
    if left is None or right is None:
        return None
    # A number means that many of the last axes of one and the first of the other.
    if isinstance(axes, int):
        return (*left[: len(left) - axes], *right[axes:])
    first, second = (
        axes_of(some, len(sizes)) for some, sizes in zip(axes, (left, right), strict=True)
    )
    kept = [size for place, size in enumerate(left) if place not in first]
    return (*kept, *(size for place, size in enumerate(right) if place not in second))


def _pooled(shape: Sizes, args: tuple[Any, ...], kwargs: Kwargs) -> Shape:
    window = argument(args, kwargs, 1, "ksize", "pool_size")
    return _slid(shape, window, argument(args, kwargs, 2, "strides"), kwargs, shape[-1])


def _convolved(shape: Sizes, args: tuple[Any, ...], kwargs: Kwargs) -> Shape:
    kernel = shape_of(argument(args, kwargs, 1, "filters", "filter"))
    if kernel is None or any(rate not in (None, 1, [1, 1], [1] * 4) for rate in _rates(kwargs)):
        return None
    strides = argument(args, kwargs, 2, "strides", "stride")
    return _slid(shape, list(kernel[:-2]), strides, kwargs, kernel[-1])


def _convolved_apart(shape: Sizes, args: tuple[Any, ...], kwargs: Kwargs) -> Shape:
    kernel = shape_of(argument(args, kwargs, 1, "filters", "filter"))
    if kernel is None or any(rate not in (None, 1, [1, 1], [1] * 4) for rate in _rates(kwargs)):
        return None
    made = kernel[-2] * kernel[-1] if kernel[-2] and kernel[-1] else None
    strides = argument(args, kwargs, 2, "strides")
    return _slid(shape, list(kernel[:-2]), strides, kwargs, made)


def _rates(kwargs: Kwargs) -> tuple[Any, Any, Any]:
    return kwargs.get("dilations"), kwargs.get("rate"), kwargs.get("dilation_rate")


def _slid(shape: Sizes, window: Any, strides: Any, kwargs: Kwargs, channels: int | None) -> Shape:
    """After a window has passed over all axes but the batch and the channels, which are last."""
    padding = str(kwargs.get("padding", "VALID")).upper()
    if not str(kwargs.get("data_format") or "N...C").endswith(("C", "last")) or padding not in (
        "SAME",
        "VALID",
    ):
        return None
    # SAME: ceil(size / step). VALID: ceil((size - taps + 1) / step).
    count = len(shape) - 2
    sizes = [
        None if size is None else -(-(size if padding == "SAME" else size - taps + 1) // step)
        for size, taps, step in zip(
            shape[1:-1],
            _each(window, count),
            _each(window if strides is None else strides, count),
            strict=True,
        )
    ]
    return (shape[0], *sizes, channels)


def _each(value: Any, count: int) -> Sequence[int]:
    """A number for each spatial axis; TensorFlow also takes those of batch and channels."""
    values = list(value) if isinstance(value, (list, tuple)) else [value]
    if len(values) == count + 2:
        return values[1:-1]
    return values * count if len(values) == 1 else values


def _said(shape: Sizes, args: tuple[Any, ...], kwargs: Kwargs) -> Shape:
    sizes = argument(args, kwargs, 1, "shape")
    return tuple(size if size != -1 else None for size in _numbers(sizes))


def _filled(shape: Sizes, args: tuple[Any, ...], kwargs: Kwargs) -> Shape:
    return _numbers(argument(args, kwargs, 0, "shape", "dims"))


def _looked_up(shape: Sizes, args: tuple[Any, ...], kwargs: Kwargs) -> Shape:
    table, ids = (
        shape_of(argument(args, kwargs, place, name)) for place, name in ((0, "params"), (1, "ids"))
    )
    return None if table is None or ids is None else (*ids, *table[1:])


def _transposed(shape: Sizes, args: tuple[Any, ...], kwargs: Kwargs) -> Shape:
    return _numbers(argument(args, kwargs, 2, "output_shape"))


def _turned(shape: Sizes, args: tuple[Any, ...], kwargs: Kwargs) -> Shape:
    return (*shape[:-2], shape[-1], shape[-2])


FUNCTIONS: Mapping[str, Callable[[Sizes, tuple[Any, ...], Kwargs], Shape]] = {
    **dict.fromkeys(("resize", "resize_bicubic", "resize_bilinear", "resize_images"), _resized),
    **dict.fromkeys(("resize_area", "resize_nearest_neighbor"), _resized),
    **dict.fromkeys(("crop_to_bounding_box", "pad_to_bounding_box", "resize_with_pad"), _sized),
    **dict.fromkeys(("resize_with_crop_or_pad", "resize_image_with_crop_or_pad"), _sized),
    **dict.fromkeys(("avg_pool", "max_pool", "average_pool"), _pooled),
    **{f"{kind}_pool{n}d": _pooled for kind in ("avg", "max") for n in (1, 2, 3)},
    **{f"conv{n}d": _convolved for n in (1, 2, 3)},
    **dict.fromkeys(("argmax", "argmin"), _picked),
    **dict.fromkeys(("gather", "take"), _gathered),
    **dict.fromkeys(("broadcast_to", "ensure_shape"), _said),
    **dict.fromkeys(("fill", "ones", "zeros"), _filled),
    "central_crop": _cropped,
    **{f"conv{n}d_transpose": _transposed for n in (1, 2, 3)},
    "crelu": lambda shape, args, kwargs: (*shape[:-1], shape[-1] and 2 * shape[-1]),
    "depth_to_space": _blocks(-1),
    "depthwise_conv2d": _convolved_apart,
    "embedding_lookup": _looked_up,
    "grayscale_to_rgb": lambda shape, args, kwargs: (*shape[:-1], 3),
    "matmul": _multiplied,
    "matrix_transpose": _turned,
    "one_hot": _one_hot,
    "pad": _padded,
    "rank": lambda shape, args, kwargs: (),
    "repeat": _repeated,
    "rgb_to_grayscale": lambda shape, args, kwargs: (*shape[:-1], 1),
    "shape": lambda shape, args, kwargs: (len(shape),),
    "size": lambda shape, args, kwargs: (),
    "slice": _cut,
    "space_to_depth": _blocks(1),
    "stack": _stacked,
    "tensordot": _contracted,
    "tile": _tiled,
    "top_k": _ranked,
}


def parts_of(name: str, shape: Sizes, args: tuple[Any, ...], kwargs: Kwargs) -> list[Shape] | None:
    """The shapes that a function returns which returns several; None for any other."""
    if name == "top_k":
        return [_ranked(shape, args, kwargs)] * 2
    if name == "unstack":
        (place,) = axes_of(argument(args, kwargs, 2, "axis") or 0, len(shape))
        count = shape[place] or int(argument(args, kwargs, 1, "num"))
        return [(*shape[:place], *shape[place + 1 :])] * min(count, MOST_PARTS)
    if name != "split":
        return None
    (place,) = axes_of(argument(args, kwargs, 2, "axis") or 0, len(shape))
    size, parts = shape[place], argument(args, kwargs, 1, "num_or_size_splits")
    if parts is None:  # Keras 3 says at which places
        return None
    if isinstance(parts, int):
        sizes: Sequence[int | None] = [size and size // parts] * min(parts, MOST_PARTS)
    else:
        known = sum(part for part in parts if part > 0)
        sizes = [(size and size - known) if part == -1 else part for part in parts]
    return [(*shape[:place], part, *shape[place + 1 :]) for part in sizes]
