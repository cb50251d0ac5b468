"""Rewrites that hold everywhere: one way to write what can be written in several.

====================================  =====================================
``relu6(x + 3) / 6``                  the activation ``hard_sigmoid``
``x * hard_sigmoid(x)``               the activation ``hard_silu``
``Conv2D(activation="relu")``         Conv2D, then the activation ``relu``
SeparableConv2D                       DepthwiseConv2D, then Conv2D 1x1
global pooling, then Reshape          global pooling with ``keepdims``
global pooling with ``keepdims``,     global pooling
then Reshape or Flatten
====================================  =====================================
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from pytest_layercount.compare.form import Form, Item
from pytest_layercount.compare.vocabulary import IN_KERAS_2, constants, function, kind, relu6
from pytest_layercount.model.graph import Layer
from pytest_layercount.model.layers.base import is_first

_WITH_ACTIVATION = ("Conv", "Dense", "Depthwise", "Einsum", "Separable")


def tell_meanings_apart(form: Form) -> None:
    """What Keras 2 computes otherwise under the same name gets a name of its own."""
    if form.graph.keras.startswith("Keras 3"):
        return
    for item in form.items.values():
        item.layer = _meant(item.layer)


def _meant(layer: Layer) -> Layer:
    """A layer of Keras 2 with its functions, and those of layers inside it, by their own names."""
    changed: dict[str, object] = {}
    for key, value in layer.config.items():
        if isinstance(value, Layer):
            changed[key] = _meant(value)
        elif key.endswith("activation") and value in IN_KERAS_2:
            changed[key] = IN_KERAS_2[value]
    return (
        replace(layer, config={**layer.config, **changed}) if changed and layer.builtin else layer
    )


def name_functions(form: Form) -> None:
    """Users' functions are told apart by their names, which folding does not ask for."""
    for item in form.items.values():
        item.layer = _named(item.layer)


def _named(layer: Layer) -> Layer:
    settings = layer.settings or {}
    names = {key: settings[key] for key in layer.config if key in settings}
    parts = {key: _named(part) for key, part in layer.config.items() if isinstance(part, Layer)}
    if not (names or parts):
        return layer
    return replace(layer, config={**layer.config, **names, **parts})


def gather_hard_activations(form: Form) -> None:
    """Hard sigmoids and hard swishes written out become one item each."""
    # Read once: an item that is gathered keeps the number of its last part, and so its readers.
    #
    #     x ── add 3 ── relu6 ── / 6 ──┐
    #     └────────────────────────── multiply        hard sigmoid, and hard swish with the multiply
    #
    readers = form.readers()
    for number in list(form.items):
        if number in form.items:
            _gather_sigmoid(form, number, readers)
    for number in list(form.items):
        if number in form.items:
            _gather_swish(form, number, readers)


def _gather_sigmoid(form: Form, number: int, readers: Mapping[int, list[int]]) -> None:
    if not _scales_by(form.items[number], 6):
        return
    bounded = form.inputs(number)[0].node
    # A part that something else reads as well cannot be taken out.
    if not relu6(form.items[bounded].layer) or len(readers[bounded]) != 1:
        return
    shifted = form.inputs(bounded)[0].node
    item = form.items[shifted]
    if kind(item) != "add" or constants(item) != [3] or len(readers[shifted]) != 1:
        return
    if len(item.call.inputs) == 1:
        _gather(form, number, "hard_sigmoid", "hard-sigmoid", [shifted, bounded])


def _gather_swish(form: Form, number: int, readers: Mapping[int, list[int]]) -> None:
    values = form.inputs(number)
    if kind(form.items[number]) != "multiply" or len(values) != 2:
        return
    # The product may stand either way round.
    for gate, source in (values, values[::-1]):
        item = form.items[gate.node]
        if function(item) != "hard_sigmoid" or form.inputs(gate.node) != [source]:
            continue
        if len(readers[gate.node]) == 1:
            _gather(form, number, "hard_silu", "hard-swish", [gate.node])
            return


def _scales_by(item: Item, divisor: float) -> bool:
    numbers = constants(item)
    if len(item.call.inputs) != 1 or len(numbers) != 1:
        return False
    if kind(item) == "divide":
        return numbers[0] == divisor
    return kind(item) == "multiply" and abs(numbers[0] * divisor - 1) < 1e-4


def _gather(form: Form, number: int, name: str, note: str, parts: list[int]) -> None:
    """Item ``number`` becomes the activation that it computes with ``parts`` before it."""
    item = form.items[number]
    source = form.inputs(parts[0])[0]
    gone = [form.items.pop(part) for part in parts]
    units = [unit for part in gone for unit in part.units] + item.units
    form.items[number] = Item(
        Layer("", "Activation", config={"activation": name}, settings={}),
        replace(item.call, args=(source,), kwargs={}),
        (note, item.owner),
        units,
        note,
    )


def split_activations(form: Form) -> None:
    """What ``activation=`` does becomes an item of its own."""
    for number, item in list(form.items.items()):
        name = item.layer.config.get("activation")
        known = item.layer.builtin and item.layer.operation is None
        # The activation of a ConvLSTM is inside its gates, not at its end.
        last = item.layer.type.startswith(_WITH_ACTIVATION) and "LSTM" not in item.layer.type
        if known and last and name not in (None, "linear"):
            activation = Item(
                Layer("", "Activation", config={"activation": name}, settings={}),
                item.call,
                ("activation", item.owner),
                note="activations-fused",
            )
            config = {**item.layer.config, "activation": "linear"}
            # The activation gets the number, and so the readers; the layer itself is put before it.
            form.items[number] = activation
            form.put_before(number, replace(item, layer=replace(item.layer, config=config)))


def split_separable(form: Form) -> None:
    """A separable convolution becomes the two that it consists of."""
    for number, item in list(form.items.items()):
        layer = item.layer
        if not (layer.builtin and layer.type.startswith("SeparableConv")):
            continue
        rank = layer.type.removeprefix("SeparableConv")
        size = len(layer.config.get("kernel_size") or (1, 1))
        depthwise = {**layer.config, "filters": None, "use_bias": False}
        # What moves over positions is the depthwise part; the other mixes channels and adds the
        # bias.
        pointwise = {
            **layer.config,
            "depth_multiplier": None,
            "kernel_size": (1,) * size,
            "strides": (1,) * size,
            "dilation_rate": (1,) * size,
            "padding": "valid",
        }
        first = Item(
            replace(layer, type=f"DepthwiseConv{rank}", config=depthwise),
            item.call,
            ("depthwise", item.owner),
            note="separable",
        )
        form.items[number] = replace(
            item, layer=replace(layer, type=f"Conv{rank}", config=pointwise), note="separable"
        )
        form.put_before(number, first)


def say_convolutions_alike(form: Form) -> None:
    """Drop attributes that say the same: padding of a 1x1 kernel, groups of a depthwise."""
    for item in form.items.values():
        layer, config = item.layer, dict(item.layer.config)
        if not layer.builtin or "kernel_size" not in config:
            continue
        if layer.type.startswith("Depthwise"):
            config |= {"filters": None, "groups": None}
        if config.get("groups") == 1:
            config["groups"] = None
        if set(config.get("kernel_size") or (0,)) == {1}:
            config["padding"] = "valid"
        item.layer = replace(layer, config=config)


def say_pooling_by_shape(form: Form) -> None:
    """A reshape after global pooling becomes the pooling's ``keepdims``."""
    readers = form.readers()
    for number, item in list(form.items.items()):
        if kind(item) not in ("Reshape", "Flatten", "reshape", "squeeze", "expand_dims"):
            continue
        source = form.inputs(number)[0]
        pool = form.items[source.node]
        if not _is_global_pooling(pool) or len(readers[source.node]) != 1 or not item.call.shapes:
            continue
        # A reshape to anything else does more than ``keepdims`` would.
        shapes = _both_shapes(pool)
        if item.call.shapes[0] in shapes:
            keeps = len(item.call.shapes[0] or ()) > 2
            config = {**pool.layer.config, "keepdims": keeps}
            pool.layer = replace(pool.layer, config=config)
            pool.call = replace(pool.call, shapes=item.call.shapes)
            pool.taken += [(unit, "pooling") for unit in item.units] + item.taken
            form.drop(number)


def _is_global_pooling(item: Item) -> bool:
    return item.layer.builtin and item.layer.type.startswith("Global")


def _both_shapes(pool: Item) -> list[tuple[int | None, ...]]:
    """What global pooling gives without and with ``keepdims``."""
    shape = pool.call.shapes[0] if pool.call.shapes else None
    size = {"1": 1, "2": 2, "3": 3}.get(pool.layer.type[-2:-1])
    if shape is None or size is None:
        return []
    first = is_first(pool.layer.config)
    channels = shape[1] if first or len(shape) == 2 else shape[-1]
    ones = (1,) * size
    kept = (shape[0], channels, *ones) if first else (shape[0], *ones, channels)
    return [(shape[0], channels), kept]


BEFORE: tuple[Callable[[Form], None], ...] = (
    name_functions,
    tell_meanings_apart,
    gather_hard_activations,
    split_activations,
)
"""Rewrites that come before folding, which would take some of these patterns apart."""

AFTER: tuple[Callable[[Form], None], ...] = (
    split_separable,
    say_convolutions_alike,
    say_pooling_by_shape,
)
