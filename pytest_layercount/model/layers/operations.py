"""Output shapes of low-level operations, where their arguments are plain."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from pytest_layercount.model.graph import Shape
from pytest_layercount.model.layers.base import LayerType, Tensor, tensors_in
from pytest_layercount.model.layers.functions import (
    FUNCTIONS,
    argument,
    axes_of,
    parts_of,
    shape_of,
)
from pytest_layercount.model.layers.merging import broadcast, concatenated
from pytest_layercount.model.layers.names import names

Kwargs = Mapping[str, Any]

_SAME = names("""
    abs acos acosh adjust_brightness adjust_contrast adjust_gamma adjust_hue adjust_saturation
    argsort asin asinh atan atanh band_part batch_normalization bias_add cast
    cbrt ceil celu clip clip_by_norm clip_by_value copy cos cosh cumprod cumsum digamma dropout
    elu erf erfc exp expm1 flip flip_left_right flip_up_down floor gelu hard_sigmoid hard_silu
    hard_swish identity imag is_finite is_inf is_nan isfinite isinf isnan l2_normalize
    leaky_relu lgamma local_response_normalization log log1p log_sigmoid log_softmax
    logical_not lrn nan_to_num negative normalize ones_like per_image_standardization
    random_flip_left_right random_flip_up_down real reciprocal relu relu6 reverse rint roll
    round rsqrt selu sigmoid sign silu sin sinh softmax softplus softsign sort sqrt square
    stop_gradient swish tan tanh zeros_like
    """)
_CUMULATIVE = ("cumprod", "cumsum")
_BROADCAST = names("""
    add atan2 div_no_nan divide divide_no_nan equal floor_div floor_divide floordiv floormod
    greater greater_equal less less_equal logical_and logical_or logical_xor maximum minimum
    mod multiply multiply_no_nan not_equal pow power squared_difference subtract where xdivy
    xlogy
    """)
_REDUCTIONS = {
    **dict.fromkeys(("all", "any", "max", "mean", "min", "prod", "std", "sum", "var")),
    **dict.fromkeys(("count_nonzero", "logsumexp", "moments", "norm", "reduce_all", "reduce_any")),
    **dict.fromkeys(("reduce_logsumexp", "reduce_std", "reduce_variance")),
    **dict.fromkeys(("reduce_max", "reduce_mean", "reduce_min", "reduce_prod", "reduce_sum")),
}


def operation_outputs(name: str, args: tuple[Any, ...], kwargs: Kwargs) -> list[Shape]:
    """The shapes that an operation returns, None for each that is not known."""
    first = operation_output(name, args, kwargs)
    if name == "moments":
        return [first, first]
    shape = tensors_in((args, kwargs))[0].shape
    parts = None if shape is None else parts_of(name, shape, args, kwargs)
    return [first] if parts is None else parts


def operation_output(name: str, args: tuple[Any, ...], kwargs: Kwargs) -> Shape:
    """The shape that an operation returns, None where it is not known."""
    tensors = tensors_in((args, kwargs))
    if name in _BROADCAST or name == "add_n":
        return broadcast([*(tensor.shape for tensor in tensors), *_constants(args, kwargs)])
    # Broadcasting is asked first, since it takes constants into account: x + array.
    shape = tensors[0].shape
    if shape is None:
        return None
    several = args and isinstance(args[0], list) and len(args[0]) > 1
    if several and (name in _SAME or name in _REDUCTIONS):
        shape = (len(args[0]), *shape)  # TensorFlow stacks them
    if name in _CUMULATIVE and "axis" in kwargs and kwargs["axis"] is None:
        return (None,)  # Keras 3 then goes through all elements
    if name in _SAME:
        return shape
    if name in _REDUCTIONS:
        return _reduced(shape, args, kwargs)
    find = _OTHERS.get(name) or FUNCTIONS.get(name)
    return None if find is None else find(shape, args, kwargs)


def _constants(args: tuple[Any, ...], kwargs: Kwargs) -> list[Shape]:
    arguments = [*args, *(value for name, value in kwargs.items() if name != "name")]
    return [tuple(value.shape) for value in arguments if type(value).__module__ == "numpy"]


def _given(args: tuple[Any, ...], kwargs: Kwargs, *names: str) -> Any:
    """The second argument, by whichever name it goes."""
    named = [kwargs[name] for name in names if name in kwargs]
    return named[0] if named else args[1] if len(args) > 1 else None


def _reduced(shape: tuple[int | None, ...], args: tuple[Any, ...], kwargs: Kwargs) -> Shape:
    axis = _given(args, kwargs, "axis", "axes")
    gone = range(len(shape)) if axis is None else axes_of(axis, len(shape))
    keep = kwargs.get("keepdims", kwargs.get("keep_dims", args[2] if len(args) > 2 else False))
    if keep:
        return tuple(1 if place in gone else size for place, size in enumerate(shape))
    return tuple(size for place, size in enumerate(shape) if place not in gone)


def _reshaped(shape: tuple[int | None, ...], args: tuple[Any, ...], kwargs: Kwargs) -> Shape:
    wanted = _given(args, kwargs, "newshape", "shape")
    if isinstance(wanted, Tensor):  # which holds as many sizes as there are axes
        (count,) = wanted.shape or (None,)
        return (None,) * count if count else None
    target = list(wanted)
    if any(isinstance(size, Tensor) for size in target):
        return tuple(None if isinstance(size, Tensor) else size for size in target)
    if -1 in target:
        others = math.prod(size for size in target if size != -1)
        total = None if None in shape else math.prod(size or 0 for size in shape)
        target[target.index(-1)] = None if total is None else total // others
    return tuple(target)


def _transposed(shape: tuple[int | None, ...], args: tuple[Any, ...], kwargs: Kwargs) -> Shape:
    order = _given(args, kwargs, "perm", "axes")
    places = range(len(shape))[::-1] if order is None else axes_of(order, len(shape))
    return tuple(shape[place] for place in places)


def _expanded(shape: tuple[int | None, ...], args: tuple[Any, ...], kwargs: Kwargs) -> Shape:
    (place,) = axes_of(_given(args, kwargs, "axis"), len(shape) + 1)
    return (*shape[:place], 1, *shape[place:])


def _squeezed(shape: tuple[int | None, ...], args: tuple[Any, ...], kwargs: Kwargs) -> Shape:
    axis = _given(args, kwargs, "axis")
    gone = [n for n, size in enumerate(shape) if size == 1] if axis in (None, []) else None
    gone = axes_of(axis, len(shape)) if gone is None else gone
    return tuple(size for place, size in enumerate(shape) if place not in gone)


def _item(shape: tuple[int | None, ...], args: tuple[Any, ...], kwargs: Kwargs) -> Shape:
    spec = _given(args, kwargs, "slice_spec", "key")
    parts = list(spec) if isinstance(spec, (list, tuple)) else [spec]
    if parts.count(Ellipsis) == 1:
        # None adds an axis and takes none; the ellipsis stands for all axes that no part names.
        named = sum(part is not None for part in parts) - 1
        place = parts.index(Ellipsis)
        parts[place : place + 1] = [slice(None)] * (len(shape) - named)
    if any(part is not None and not isinstance(part, (int, slice)) for part in parts):
        return None
    rest = list(shape)
    sizes: list[int | None] = []
    for part in parts:
        if part is None:
            sizes.append(1)
            continue
        # An integer takes its axis away, a slice shortens it.
        size = rest.pop(0)
        if isinstance(part, slice):
            whole = part == slice(None, None, None)
            sizes.append(size if whole or size is None else len(range(*part.indices(size))))
    return (*sizes, *rest)


def _joined(shape: tuple[int | None, ...], args: tuple[Any, ...], kwargs: Kwargs) -> Shape:
    tensors = argument(args, kwargs, 0, "values", "xs")
    return concatenated(list(map(shape_of, tensors)), int(_given(args, kwargs, "axis") or 0))


_OTHERS: Mapping[str, Callable[[tuple[int | None, ...], tuple[Any, ...], Kwargs], Shape]] = {
    "concat": _joined,
    "concatenate": _joined,
    "expand_dims": _expanded,
    "get_item": _item,
    "reshape": _reshaped,
    "squeeze": _squeezed,
    "transpose": _transposed,
}

TYPES: Mapping[str, LayerType] = {
    **dict.fromkeys(("Max", "Min"), LayerType(attributes=("axis", "keepdims", "initial"))),
    "Mean": LayerType(attributes=("axis", "keepdims")),
    "Transpose": LayerType(attributes=("axes",)),
}
"""Operations that are called like layers where TensorFlow has traced them."""
