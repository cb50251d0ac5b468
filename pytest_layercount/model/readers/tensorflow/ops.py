"""A traced function as plain data: its operations in order, free of TensorFlow's classes."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pytest_layercount.model.graph import Shape

Ref = tuple[int, int]
"""Which operation, by its place, and which of its outputs."""

_CALL = re.compile(r"(Stateful)?PartitionedCall")
# What functions of TensorFlow's own put between a layer's scope and its operations.
_NOT_LAYERS = re.compile(
    r"(Conv[123]D|Gelu|(Avg|Max)Pool[123][Dd]|Repeat|Tensordot|atrous_conv2d_transpose|batchnorm|"
    r"clip_by_value|convolution|depthwise|einsum|moments|resize)(_\d+)?"
)
# Functions of the same names as layers, which TensorFlow gives to their last operation, as in
# "<layer>/separable_conv2d/depthwise" and "<layer>/separable_conv2d". Only before the operations
# that they make is the word no layer: Keras and users may call a layer so.
_NOT_LAYERS_BEFORE = {
    **dict.fromkeys(
        ("BatchToSpaceND", "SpaceToBatchND", "depthwise"),
        re.compile(r"separable_conv(1d|2d)?(_\d+)?"),
    ),
    **dict.fromkeys(("ExpandDims", "Squeeze"), re.compile(r"conv(1d)?_transpose(_\d+)?")),
}


@dataclass(frozen=True)
class Op:
    """One operation. ``shapes`` and ``dtypes`` are those of its outputs.

    ``value`` is that of a small constant, else None. ``variable`` is the name of the variable or
    captured constant that it stands for, None for all others.
    """

    name: str
    type: str
    inputs: tuple[Ref, ...] = ()
    shapes: tuple[Shape, ...] = (None,)
    dtypes: tuple[str, ...] = ("float32",)
    attributes: Mapping[str, Any] = field(default_factory=dict)
    value: Any = None
    variable: str | None = None

    @property
    def path(self) -> str:
        """The name without the parts that flattened function calls put into it."""
        return "/".join(part for part in self.name.split("/") if not _CALL.fullmatch(part))

    @property
    def channels_first(self) -> bool:
        """Whether it takes data with the channels before the spatial axes."""
        return str(self.attributes.get("data_format", "NHWC")).startswith("NC")

    @property
    def scope(self) -> str:
        """The scope of the layer that made it, empty where no scope was open.

        That of ``net/conv/Conv1D/ExpandDims`` is ``net/conv``: Keras opens a scope for each call of
        a layer, and functions of TensorFlow open another inside it, which is left out.
        """
        *parts, last = self.path.split("/")
        inside = [_NOT_LAYERS, *filter(None, [_NOT_LAYERS_BEFORE.get(last)])]
        is_layer = not parts or not any(words.fullmatch(parts[-1]) for words in inside)
        return "/".join(parts if is_layer else parts[:-1])


@dataclass(frozen=True)
class Function:
    """A function as TensorFlow traced it, calls of other functions replaced by what they do.

    Every operation stands after those that it reads. ``inputs`` and ``outputs`` are
    in order, and by name; ``trainable`` names variables.
    """

    name: str
    version: str
    ops: tuple[Op, ...]
    inputs: Mapping[str, int]
    outputs: Mapping[str, Ref]
    trainable: frozenset[str] = frozenset()
