"""Users' own models, run as they are: nothing is copied, nothing stays changed.

A copy made from configurations lacks whatever these leave out, and the copy of a copy lacks
it as well. So the models themselves are run once, in their own precision.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

import numpy as np

from pytest_layercount.folding.equivalence.copies import copies_of, random_calls
from pytest_layercount.folding.equivalence.gap import Gap, channel_axis, gap_of
from pytest_layercount.folding.equivalence.noise import UNITS, movable
from pytest_layercount.folding.equivalence.run import Runner, fed, finished, only_compiled
from pytest_layercount.model.graph import Value, leaves, map_tree, values_in
from pytest_layercount.model.keras import adapter_for
from pytest_layercount.model.keras.adapter import generation
from pytest_layercount.model.keras.common import mask_of, states_of, with_mask
from pytest_layercount.model.keras.variables import array_of
from pytest_layercount.model.readers.live import OpenModel

ARITHMETIC = 8.0
"""A sum of products is rounded more often than the weights in it, of which noise is measured."""

DRAWS = 3
"""How often each kind of noise is measured at most."""

Outputs = list[tuple[Any, Any]]
"""Each output of two runs."""


class Original:
    """A user's model, to be called on flat inputs in the order of its graph."""

    def __init__(self, opened: OpenModel) -> None:
        self.opened, self.graph = opened, opened.graph
        self._arguments = _arguments(opened)
        self._flag = _flag(opened)
        self._random = bool(random_calls(opened))
        # Keras 3 hands the flag of a model to all its layers, over those of their own calls.
        own = any(node.training for node in self.graph.nodes)
        self.overrides = own and generation(opened.model) != 2
        compiled = any(map(only_compiled, self.graph.layers, opened.layers))
        self._call: Callable[..., Any] = self._compiled() if compiled else self._plainly

    def __call__(self, inputs: Sequence[Any]) -> list[Any]:
        """The flat outputs, as arrays; raises whatever the layers raise."""
        with unchanged(self.opened.model):
            return self._run(inputs, self._flag)

    def again(self, inputs: Sequence[Any]) -> list[Any]:
        """The outputs of a second call: layers that draw random numbers have drawn others."""
        return self._twice(inputs, self._flag)[1]

    def differ(self, inputs: Sequence[Any]) -> Outputs:
        """Each output of two calls in a row that leave every layer its own ``training=``."""
        return list(zip(*self._twice(inputs, {}), strict=True))

    def _twice(self, inputs: Sequence[Any], flag: dict[str, bool]) -> list[list[Any]]:
        with unchanged(self.opened.model):
            # Where nothing draws random numbers a second call gives what the first one gave.
            first = self._run(inputs, flag)
            return [first, self._run(inputs, flag) if self._random else first]

    def in_its_types(self, inputs: Sequence[Any]) -> list[Any]:
        """``inputs`` as the model's own types hold them, real numbers in float64."""
        import tensorflow as tf

        arrays = []
        for value, array in zip(values_in(self.graph.inputs), inputs, strict=True):
            dtype, tensor = self.graph.dtype(value), tf.convert_to_tensor(array)
            # To the type and back: copies in float64 get numbers rounded as the model rounds them.
            real = "float" in dtype
            arrays.append(tf.cast(tf.cast(tensor, dtype), "float64").numpy() if real else array)
        return arrays

    def _run(self, inputs: Sequence[Any], flag: dict[str, bool]) -> list[Any]:
        import tensorflow as tf

        tensors = []
        for value, array in zip(values_in(self.graph.inputs), inputs, strict=True):
            dtype, tensor = self.graph.dtype(value), tf.convert_to_tensor(array)
            tensors.append(tensor if dtype in ("string", "") else tf.cast(tensor, dtype))
        # A compiled function has the model's flag in it.
        call = self._plainly if flag != self._flag else self._call
        return [np.asarray(tensor) for tensor in call(*tensors, flag=flag)]

    @property
    def unit(self) -> float:
        """Half the spacing, relative to 1, of the coarsest type that the model computes in.

        It is 0 of a model that computes in integers alone: nothing is rounded.
        """
        layers = zip(self.graph.layers, self.opened.layers, strict=True)
        # Operations compute in the types of what they are given, whatever they say, and inputs do
        # not compute.
        names = {
            str(getattr(live, "compute_dtype", ""))
            for layer, live in layers
            if layer.kind != "input" and layer.operation is None
        }
        names.update(dtype for node in self.graph.nodes for dtype in node.dtypes)
        # TensorFloat-32 keeps ten bits of a number, as float16 does.
        coarse = UNITS["float16"] if _rounds_inputs() else 0.0
        return max([coarse, *(UNITS[name] for name in names if name in UNITS)])

    def _plainly(self, *tensors: Any, flag: dict[str, bool]) -> list[Any]:
        args, kwargs = self._arguments(tensors)
        returned = leaves(self.opened.model(*args, **kwargs, **flag))
        return [tensor for tensor in returned if tensor is not None]

    def _compiled(self) -> Callable[..., Any]:
        import tensorflow as tf

        # With open sizes left open, one function serves inputs of all sizes.
        signature = [
            tf.TensorSpec(self.graph.shape(value), self.graph.dtype(value))
            for value in values_in(self.graph.inputs)
        ]
        plainly = partial(self._plainly, flag=self._flag)
        function = tf.function(plainly, input_signature=signature, autograph=False)

        def call(*tensors: Any, flag: dict[str, bool]) -> Any:
            try:
                return function(*tensors)
            except Exception:  # noqa: BLE001  a call() of the user's own that cannot be compiled
                return self._plainly(*tensors, flag=flag)

        return call


@contextmanager
def unchanged(model: Any) -> Iterator[None]:
    """Put all variables back afterwards: statistics, states, random seeds."""
    import tensorflow as tf

    variables = [v for v in _variables(model) if hasattr(v, "assign") and hasattr(v, "shape")]
    before = [tf.convert_to_tensor(variable) for variable in variables]  # shares their memory
    try:
        yield
    finally:
        for variable, value in zip(variables, before, strict=True):
            if not np.array_equal(array_of(variable), array_of(value)):
                variable.assign(value)


def shaken(opened: OpenModel, inputs: Sequence[Any], unit: float) -> Iterator[Outputs]:
    """Outputs of a copy in the model's own types, each time with those after its weights moved.

    Then every sum in it is rounded otherwise, wherever in the model it stands: in an untrained
    network no input may reach the outputs.
    """
    copies = copies_of(opened, dtype=None)
    runner, feeds = Runner(copies), fed(copies, inputs)
    ends = [end.value for end in copies.ends]
    before = dict(runner.run(feeds, set(ends)))
    for seed in range(DRAWS):
        with movable(copies, 2 * unit) as move:
            move(seed)
            after = dict(runner.run(feeds, set(ends)))
        yield [(before[end], after[end]) for end in ends]


def rounded(opened: OpenModel, inputs: Sequence[Any]) -> Outputs:
    """Outputs of a copy in the model's own types, each with that of one in float64.

    What a model subtracts from large numbers comes out rounded in the same way wherever these
    have moved a little::

        (x + 1e6) - 1e6     x in steps of 1/16, as float32 has them there

    Both are made from configurations, so that what these leave out is no rounding.
    """
    runs = []
    for dtype in (None, "float64"):
        copies = copies_of(opened, dtype=dtype)
        ends = [end.value for end in copies.ends]
        outputs = dict(Runner(copies).run(fed(copies, inputs), set(ends)))
        runs.append([outputs[end] for end in ends])
    return list(zip(*runs, strict=True))


def first_unlike(opened: OpenModel, inputs: Sequence[Any]) -> tuple[str, Gap] | None:
    """The first layer that computes something else than a copy of it does, and how far off it is.

    Raises:
        Exception: whatever a layer raises that is called on its own.
    """
    copies = copies_of(opened, dtype="float64")
    runner = _Beside(copies, opened)
    with unchanged(opened.model):
        # The run goes on to the end, though ``_Beside`` compares no more once it has found a layer.
        for _ in runner.run(fed(copies, inputs), list(values_in(copies.graph.outputs))):
            pass
    return runner.found


class _Beside(Runner):
    """Calls each layer of a model beside its copy, on the same tensors."""

    def __init__(self, copies: Any, opened: OpenModel) -> None:
        super().__init__(copies)
        self.opened = opened
        self.found: tuple[str, Gap] | None = None

    def _call(self, number: int, args: Any, kwargs: Any) -> list[Any]:
        tensors = super()._call(number, args, kwargs)
        if self.found is None:
            node = self.opened.graph.nodes[number]
            layer = self.opened.graph.layers[node.layer]
            # The copy leaves its last activation out; the model's own layer does not.
            finish = self.copies.finishes.get(node.layer)
            copied = tensors[0] if finish is None else finished(finish, tensors[0])
            gap = self._gap(number, args, kwargs, copied)
            if not gap.explained:
                self.found = layer.path, gap
        return tensors

    def _gap(self, number: int, args: Any, kwargs: Any, copied: Any) -> Gap:
        node = self.nodes[number]
        live = self.opened.layers[node.layer]
        dtype = str(getattr(live, "compute_dtype", None) or "float32")
        unit, axis = UNITS.get(dtype, 2.0**-24), channel_axis(self.opened.graph, Value(number))

        def called(*moved: Any) -> Any:
            inputs = map_tree((args, kwargs), lambda leaf: _cast(leaf, dtype, *moved))
            with unchanged(live):  # a recurrent layer may carry its state on to the next call
                return np.asarray(self.copies.adapter.call(live, node, *inputs)[0])

        own = called()
        gap = gap_of(np.asarray(copied), own, axis)
        # The layer rounds its result to its own type, the copy does not.
        gap = gap.louder(unit * gap.magnitude)
        # What the layer makes of inputs that have moved tells how much rounding is in it.
        for seed in range(0 if gap.explained else DRAWS):
            moved = called(unit, seed)
            gap = gap.louder(ARITHMETIC * gap_of(own, moved, axis).difference)
        return gap


def _cast(leaf: Any, dtype: str, unit: float = 0.0, seed: int = 0) -> Any:
    import tensorflow as tf

    if not tf.is_tensor(leaf) or not leaf.dtype.is_floating:
        return leaf
    cast = tf.cast(moved_inputs([leaf], unit, seed)[0] if unit else leaf, dtype)
    return with_mask(cast, mask_of(leaf))


def moved_inputs(inputs: Sequence[Any], unit: float, seed: int) -> list[Any]:
    """Inputs whose real numbers have moved by a unit in the last place at random."""
    random = np.random.default_rng(seed)
    arrays = [np.asarray(array) for array in inputs]
    return [
        array * (1 + 2 * unit * random.choice([-1.0, 1.0], array.shape))
        if array.dtype.kind == "f"
        else array
        for array in arrays
    ]


def finite_parts(reference: Any, other: Any) -> tuple[Any, Any]:
    """Both arrays with zeros where the first is not finite: nothing can be held to that."""
    ours, theirs = np.asarray(reference), np.asarray(other)
    if ours.shape != theirs.shape or {ours.dtype.kind, theirs.dtype.kind} & set("bOSU"):
        return ours, theirs
    ours, theirs = ours.astype(np.float64), theirs.astype(np.float64)
    kept = np.isfinite(ours)
    if kept.all():
        return ours, theirs
    return np.where(kept, ours, 0.0), np.where(kept, theirs, 0.0)


def _arguments(opened: OpenModel) -> Callable[[Sequence[Any]], tuple[Any, Any]]:
    """A function that makes positional and named arguments of the model out of flat tensors."""
    adapter, graph = adapter_for(opened.model), opened.graph
    call = None if adapter.functional(opened.model) else adapter.built_with(opened.model)
    numbers = {value: number for number, value in enumerate(values_in(graph.inputs))}
    args, kwargs = ((graph.inputs,), {}) if call is None else call
    if len(args) == 1 and not kwargs:
        return lambda tensors: ((map_tree(graph.inputs, lambda leaf: tensors[numbers[leaf]]),), {})

    def filled(tensors: Sequence[Any]) -> tuple[Any, Any]:
        # In the order of the tensors in the call with which Keras has built the model.
        left = iter(tensors)
        return map_tree(  # type: ignore[no-any-return]
            (args, kwargs), lambda leaf: next(left) if adapter.is_tensor(leaf) else leaf
        )

    return filled


def _flag(opened: OpenModel) -> dict[str, bool]:
    """``training=False``, where the model takes that."""
    takes = "training" in inspect.signature(opened.model.call).parameters
    return {"training": False} if takes else {}


def _variables(model: Any) -> Iterator[Any]:
    yield from getattr(model, "variables", ())
    for metric in getattr(model, "metrics", ()):
        yield from metric.variables
    yield from states_of(model)


def _rounds_inputs() -> bool:
    """Whether a GPU multiplies float32 numbers with ten bits of each, as it does by default."""
    import tensorflow as tf

    allowed = tf.config.experimental.tensor_float_32_execution_enabled()
    return bool(allowed and tf.config.list_logical_devices("GPU"))
