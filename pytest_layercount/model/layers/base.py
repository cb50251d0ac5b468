"""What a row of a layer type is made of.

A row holds all that is known of a layer type of Keras and can be said without Keras: readers of
live models and of files, counting, comparing and folding all ask it. It is asked with a
configuration, shapes and arguments, whoever has read them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypeVar

from pytest_layercount.model.graph import Shape, leaves

Config = Mapping[str, Any]
Sizes = tuple[int | None, ...]
Shapes = Sequence[Shape]
T = TypeVar("T")


class Tensor:
    """A tensor of which only shape and data type are known. Each is itself only."""

    def __init__(self, shape: Shape, dtype: str = "") -> None:
        self.shape = shape
        self.dtype = dtype


def tensors_in(tree: Any) -> list[Tensor]:
    """The tensors in a nested structure, dictionaries by key."""
    return all_in(tree, Tensor)


def all_in(tree: Any, kind: type[T]) -> list[T]:
    """The leaves of a nested structure that are of this ``kind``, dictionaries by key."""
    return [leaf for leaf in leaves(tree) if isinstance(leaf, kind)]


class Kernel(NamedTuple):
    """How many weights a kernel has, and the sizes of the axes along which it is applied.

    Parameters are the weights, multiply-accumulates the weights times the positions: an
    unknown position leaves the first known.
    """

    weights: int
    positions: Sizes = ()

    @property
    def macs(self) -> int:
        """The multiply-accumulates for one sample; all positions must be known."""
        return self.weights * product(self.positions)


class Scalars(NamedTuple):
    """Numbers of scalars: those that training changes, and those that it does not."""

    trained: int = 0
    fixed: int = 0

    def __or__(self, other: Scalars) -> Scalars:
        """Both together."""
        return Scalars(self.trained + other.trained, self.fixed + other.fixed)


class Call(NamedTuple):
    """A call of a layer, as a file describes it.

    ``shapes`` are those of the tensors that it takes, ``arguments`` the others that it was given
    by name. ``generation`` and ``version`` are those of the Keras that wrote ``config``. Of a
    wrapper, ``wrapped`` is the call of the layer inside, with the row of its type.
    """

    config: Config
    shapes: Shapes = ()
    arguments: Mapping[str, Any] = {}
    generation: int = 3
    version: tuple[int, ...] = ()
    wrapped: tuple[LayerType, Call] | None = None

    @property
    def shape(self) -> Sizes:
        """The shape of the first tensor, which must be known."""
        return known(self.shapes[0])


class Unknown(Exception):
    """Work that cannot be counted; the text says why."""


Output = Callable[[Call], list[Shape]]


def _stopped(config: Config, masked: Sequence[bool]) -> bool:
    return False


def passed(config: Config, masked: Sequence[bool]) -> bool:
    """The mask of the first tensor goes on."""
    return masked[0]


def joined(config: Config, masked: Sequence[bool]) -> bool:
    """The masks of all tensors become one."""
    return any(masked)


def _floats(config: Config, generation: int) -> bool:
    return False


def in_keras_2(config: Config, generation: int) -> bool:
    """Keras 3 says of these layers that they give floats, whatever they take."""
    return generation == 2


def always(config: Config, generation: int) -> bool:
    """What comes in goes out, of the same type."""
    return True


@dataclass(frozen=True)
class LayerType:
    """A layer type.

    ``attributes`` decide what it computes: readers copy exactly these into ``Layer.config``, so
    that rules see one vocabulary whatever the source. ``defaults`` is what of them older files
    leave out, ``keys`` are other names under which a configuration has them, ``asks`` names
    what such a layer asks Keras for at every call, with the setting of Keras's backend.
    ``writes`` is what its configurations have always held.

    ``arguments`` are those of ``call`` that take tensors, in order. ``output`` says the shapes
    that a call returns, ``masks`` whether the first of them carries a mask, ``dtype`` its data
    type where that is not the one in which the layer computes, and ``keeps_integers`` whether
    integers stay integers. ``training`` is the flag that a call in Keras 3 runs with by default.

    ``kernels`` are the arrays that are multiplied with what comes in, given the configuration and
    the shapes of inputs and output (None where only parameters matter), ``vectors`` all other
    weights, and ``scores`` the sizes of what is multiplied of the inputs themselves.
    ``work_unknown``: more is multiplied than these say. ``optional`` names variables
    with the setting that leaves them out, where what files hold of such a layer can be read.
    ``parts_train``: in Keras 3 what is frozen of it are not its parts.

    ``bases`` are what it is as well, ``inner`` the attributes that hold the layers inside a
    wrapper, which its attributes describe too; ``holds`` says that it was given layers.
    ``renamed`` maps settings to the names that later versions give them, ``usual`` maps
    others to what goes without saying for this type alone, ``typed_by_output``: its data type
    follows from ``output_mode``; ``sets`` is what a wrapper sets in the layers inside it.
    """

    attributes: tuple[str, ...] = ()
    defaults: Config = field(default_factory=dict)
    keys: Mapping[str, str] = field(default_factory=dict)
    asks: tuple[tuple[str, str], ...] = ()
    writes: tuple[str, ...] = ()
    arguments: tuple[str, ...] = ("inputs",)
    output: Output | None = None
    masks: Callable[[Config, Sequence[bool]], bool] = _stopped
    dtype: Callable[[Call, str], str] | None = None
    keeps_integers: Callable[[Config, int], bool] = _floats
    training: bool | None = None
    kernels: Callable[[Config, Shapes, Shape], tuple[Kernel, ...]] | None = None
    vectors: Callable[[Config, Shapes], Scalars] | None = None
    scores: Callable[[Config, Shapes], int] | None = None
    work_unknown: bool = False
    optional: Mapping[str, str] | None = None
    parts_train: bool = False
    bases: tuple[str, ...] = ()
    inner: tuple[str, ...] = ()
    holds: bool = False
    renamed: Mapping[str, str] = field(default_factory=dict)
    usual: Config = field(default_factory=dict)
    typed_by_output: bool = False
    sets: frozenset[str] = frozenset()

    def returns(self, call: Call) -> list[Shape]:
        """The shapes that a call returns, None for each that is not known."""
        # Every formula begins with the shape of the first input.
        if self.output is None or call.shapes[0] is None:
            return [None]
        return self.output(call)

    def scalars(self, config: Config, shapes: Shapes) -> Scalars:
        """How many weights a layer has that was built on ``shapes``.

        Raises:
            ValueError: a size that decides it is not known.
        """
        # Kernels always train; what does not is among the vectors.
        weights = Scalars() if self.vectors is None else self.vectors(config, shapes)
        if self.kernels is None:
            return weights
        kernels = self.kernels(config, shapes, None)
        return weights | Scalars(sum(kernel.weights for kernel in kernels))

    def macs(self, config: Config, shapes: Shapes, output: Shape) -> int:
        """The multiply-accumulates for one sample, whose shapes must be known."""
        products = 0 if self.scores is None else self.scores(config, shapes)
        if self.kernels is None:
            return products
        return products + sum(kernel.macs for kernel in self.kernels(config, shapes, output))


def one(shape_after: Callable[[Config, Sizes], Shape]) -> Output:
    """The output of a layer that takes one tensor and returns one."""
    return lambda call: [shape_after(call.config, call.shape)]


def same(call: Call) -> list[Shape]:
    """The output of a layer that changes no shape."""
    return [call.shapes[0]]


def known(shape: Shape) -> Sizes:
    """The sizes of a shape, some of which may be unknown."""
    if shape is None:
        raise ValueError("the shape of an input is not known")
    return shape


def certain(size: int | None) -> int:
    """A size that must be known."""
    if size is None:
        raise ValueError("a size of an input is not known")
    return size


def last(shape: Shape) -> int:
    """The size of the last axis, which must be known."""
    return certain(known(shape)[-1])


def product(sizes: Any) -> int:
    """The product of sizes, which must be known."""
    return math.prod(map(certain, sizes))


def is_first(config: Config) -> bool:
    """Whether the channels stand before the spatial axes."""
    return config.get("data_format") == "channels_first"


def spatial(config: Config, shape: Shape) -> Sizes:
    """The spatial sizes; one unknown size where nothing is known of them."""
    if shape is None:
        return (None,)
    return shape[2:] if is_first(config) else shape[1:-1]


def channels(config: Config, shape: Shape) -> int | None:
    """The number of channels, as far as it is known."""
    return known(shape)[1 if is_first(config) else -1]


def each(value: Any, count: int) -> list[Any]:
    """One value for each axis."""
    # One number stands for all axes, and so does a list of one.
    values = list(value) if isinstance(value, (list, tuple)) else [value] * count
    return values * count if len(values) == 1 else values


def bias(config: Config, size: int) -> Scalars:
    """A bias of ``size``, if there is one."""
    return Scalars(size if config.get("use_bias", True) else 0)


def untold(config: Config, shapes: Shapes) -> Scalars:
    """The weights of a layer made of others, which only these know.

    Raises:
        ValueError: always.
    """
    raise ValueError("only what is inside tells it")


def for_dimensions(
    pattern: str, dimensions: Sequence[int], row: LayerType | Callable[[int], LayerType]
) -> dict[str, LayerType]:
    """A row for ``Conv1D``, ``Conv2D`` and so on, where ``pattern`` is ``Conv*D``."""
    return {
        pattern.replace("*", str(n)): row if isinstance(row, LayerType) else row(n)
        for n in dimensions
    }
