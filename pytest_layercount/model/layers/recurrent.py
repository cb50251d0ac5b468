"""Layers that take one step after another."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from pytest_layercount.model.graph import Shape
from pytest_layercount.model.layers.base import (
    Call,
    Config,
    Kernel,
    LayerType,
    Scalars,
    Shapes,
    bias,
    certain,
    channels,
    for_dimensions,
    known,
    last,
    spatial,
)
from pytest_layercount.model.layers.convolution import convolved, taps

GATES: Mapping[str, int] = {"GRU": 3, "LSTM": 4, "SimpleRNN": 1}
"""How many kernels lie side by side in one."""

_STATES: Mapping[str, int] = {"GRU": 1, "LSTM": 2, "SimpleRNN": 1}


def masks_steps(config: Config, masked: Sequence[bool]) -> bool:
    """A mask of steps goes on where all steps are returned."""
    return masked[0] and bool(config.get("return_sequences"))


def _steps(states: int) -> Callable[[Call], list[Shape]]:
    def output(call: Call) -> list[Shape]:
        shape, config = call.shape, call.config
        # Keras 2 takes (steps, batch, features) where it is time_major.
        batch = shape[1 if config.get("time_major") else 0]
        state = (batch, config["units"])
        result = (*shape[:2], config["units"]) if config.get("return_sequences") else state
        return [result, *[state] * (states if config.get("return_state") else 0)]

    return output


def _kernels(gates: int) -> Callable[[Config, Shapes, Shape], tuple[Kernel, ...]]:
    """At each step, each gate multiplies the input and the state into the units."""

    def kernels(config: Config, shapes: Shapes, output: Shape) -> tuple[Kernel, ...]:
        units, steps = int(config["units"]), known(shapes[0])[1:-1]
        return (
            Kernel(gates * last(shapes[0]) * units, steps),
            Kernel(gates * units * units, steps),
        )

    return kernels


def _biases(gates: int) -> Callable[[Config, Shapes], Scalars]:
    def biases(config: Config, shapes: Shapes) -> Scalars:
        # A GRU that resets after the product has one bias for the input and one for the state.
        twice = 2 if gates == 3 and config.get("reset_after") else 1
        return bias(config, twice * gates * int(config["units"]))

    return biases


def _two_biases(gates: int) -> Callable[[Config, Shapes], Scalars]:
    """CuDNNGRU and CuDNNLSTM of older versions always have two biases."""
    return lambda config, shapes: Scalars(2 * gates * int(config["units"]))


def _cells(config: Config) -> list[Mapping[str, Config]]:
    cell = config["cell"]
    return list(cell["config"].get("cells") or [cell])


def _cells_output(call: Call) -> list[Shape]:
    """What an RNN of Keras's own cells returns."""
    shape, cells = call.shape, _cells(call.config)
    sizes = [cell["config"]["units"] for cell in cells]
    states = [
        (shape[0], size)
        for cell, size in zip(cells, sizes, strict=True)
        for _ in range(_STATES.get(str(cell["class_name"]).removesuffix("Cell"), 1))
    ]
    steps = shape[1:2] if call.config.get("return_sequences") else ()
    return [(shape[0], *steps, sizes[-1]), *(states if call.config.get("return_state") else ())]


def _cells_scalars(config: Config, shapes: Shapes) -> Scalars:
    """The weights of an RNN of Keras's own cells: each takes what the one before it gives."""
    weights, (batch, steps, *_) = Scalars(), known(shapes[0])
    entries = shapes[0]
    for cell in _cells(config):
        row = TYPES[str(cell["class_name"])]
        own = row.scalars(cell["config"], (entries,))
        frozen = cell["config"].get("trainable", True) is False
        # A frozen cell trains nothing, whatever the layer around it says.
        weights |= Scalars(0, own.trained) if frozen else own
        entries = (batch, steps, cell["config"]["units"])
    return weights


def _within(shape: Shape) -> Shape:
    """The shape at one step."""
    return None if shape is None else (shape[0], *shape[2:])


def _conv_output(call: Call) -> list[Shape]:
    """A convolution at each step, and two states like its result."""
    config, shape = call.config, call.shape
    step = convolved(config, (shape[0], *shape[2:]))
    result = (step[0], shape[1], *step[1:]) if config.get("return_sequences") else step
    return [result, *[step] * (2 if config.get("return_state") else 0)]


def _conv_kernels(config: Config, shapes: Shapes, output: Shape) -> tuple[Kernel, ...]:
    """At each step, four gates convolve the input and the state (arXiv:1506.04214)."""
    read = known(shapes[0])
    # Where all steps are returned, one step of the output.
    if output is not None and len(output) == len(read):
        output = _within(output)
    filters, places = int(config["filters"]), (read[1], *spatial(config, output))
    made = 4 * filters * taps(config)
    entries = certain(channels(config, _within(read)))
    return (Kernel(made * entries, places), Kernel(made * filters, places))


def _conv_bias(config: Config, shapes: Shapes) -> Scalars:
    return bias(config, 4 * int(config["filters"]))


_RECURRENT = ("units", "activation", "use_bias", "return_sequences", "go_backwards")
_GATED = (*_RECURRENT, "recurrent_activation")
# Keras 2 has inputs for sequences.
ARGUMENTS = ("inputs", "sequences", "initial_state", "constants", "mask")


def _recurrent(type_: str, *attributes: str) -> LayerType:
    return LayerType(
        attributes=attributes,
        writes=("units",),
        arguments=ARGUMENTS,
        output=_steps(_STATES[type_]),
        masks=masks_steps,
        training=False,
        kernels=_kernels(GATES[type_]),
        vectors=_biases(GATES[type_]),
        bases=("RNN",),
    )


def _cell(type_: str) -> LayerType:
    """The row of a cell: one step of a recurrent layer, which returns its states as well."""
    return LayerType(
        writes=("units",),
        arguments=("inputs", "states"),
        output=lambda call: [(call.shape[0], call.config["units"])] * (1 + _STATES[type_]),
        kernels=_kernels(GATES[type_]),
        vectors=_biases(GATES[type_]),
    )


def _for_one_gpu(type_: str) -> LayerType:
    return LayerType(
        writes=("units",),
        output=_steps(_STATES[type_]),
        kernels=_kernels(GATES[type_]),
        vectors=_two_biases(GATES[type_]),
    )


TYPES: Mapping[str, LayerType] = {
    "SimpleRNN": _recurrent("SimpleRNN", *_RECURRENT),
    "LSTM": _recurrent("LSTM", *_GATED),
    "GRU": _recurrent("GRU", *_GATED, "reset_after"),
    **{f"{type_}Cell": _cell(type_) for type_ in GATES},
    "CuDNNGRU": _for_one_gpu("GRU"),
    "CuDNNLSTM": _for_one_gpu("LSTM"),
    "RNN": LayerType(
        writes=("cell",),
        arguments=ARGUMENTS,
        output=_cells_output,
        masks=masks_steps,
        training=False,
        vectors=_cells_scalars,
        work_unknown=True,
        parts_train=True,
        holds=True,
    ),
    **for_dimensions(
        "ConvLSTM*D",
        (1, 2, 3),
        LayerType(
            attributes=(
                "filters",
                "kernel_size",
                "strides",
                "padding",
                "data_format",
                "dilation_rate",
                "use_bias",
                "activation",
                "recurrent_activation",
            ),
            writes=("filters", "kernel_size", "strides", "padding"),
            arguments=ARGUMENTS,
            output=_conv_output,
            training=False,
            kernels=_conv_kernels,
            vectors=_conv_bias,
            parts_train=True,
            bases=("RNN",),
        ),
    ),
}
