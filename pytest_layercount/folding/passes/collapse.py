"""The pass ``collapse``: linear layers that follow or accompany each other become one.

In a row, where nothing stands between them::

    (x W1 + b1) W2 + b2  =  x (W1 W2) + (b1 W2 + b2)       Dense, Dense; convolution, 1x1

Side by side, where an Add sums what convolutions with the same strides make of
the same input (Ding et al., "RepVGG" (2021), section 3.3): the smaller kernels
are set into the largest at the place where they meet the same input, the input
itself is a kernel that is one in the middle, an affine map of it a scaled one. Depthwise
convolutions side by side are merged likewise (Wang et al., "RepViT" (2024), section 3.2).

A row is merged only where that does not add parameters. It is the second layer that stays,
with its activation, width and outputs; it moves over its input as the first one did.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from pytest_layercount.folding.affine import Affine, Array
from pytest_layercount.folding.passes.kernels import along, offset, width
from pytest_layercount.folding.rules import rule_for
from pytest_layercount.folding.rules.base import Site, Stop, channel_axis
from pytest_layercount.folding.rules.weighted import Weighted
from pytest_layercount.folding.wiring import Wiring
from pytest_layercount.model.graph import Layer, Value

if TYPE_CHECKING:
    from pytest_layercount.folding.search import Absorption

CONVOLUTIONS = ("Conv1D", "Conv2D", "Conv3D")
DEPTHWISE = ("DepthwiseConv1D", "DepthwiseConv2D")
MOVES = ("kernel_size", "strides", "padding", "dilation_rate")
PLAIN = {"kernel_size": 1, "strides": 1, "dilation_rate": 1}


class Term(NamedTuple):
    """A branch beside the target: a layer, or the input itself, mapped if ``affine`` says so."""

    layer: int | None
    offset: tuple[int, ...]
    affine: Affine | None = None


@dataclass(frozen=True)
class Merge:
    """``target`` becomes itself plus ``terms`` (side by side), or ``first`` and then itself.

    With ``taken`` it takes up a map that it could not before it was merged.
    """

    target: int
    terms: tuple[Term, ...] = ()
    first: int | None = None
    taken: Absorption | None = None

    @property
    def layers(self) -> tuple[int, ...]:
        """The layers whose weights are merged, the target among them."""
        others = [term.layer for term in self.terms if term.layer is not None]
        return (self.target, *others, *([] if self.first is None else [self.first]))


def collapse(
    wiring: Wiring, maps: Mapping[int, Affine | Stop]
) -> tuple[tuple[Merge, ...], tuple[str, ...]]:
    """The merges to make, and the paths of the layers gone. ``maps`` are the affine layers'."""
    before = {wiring.layers[wiring.graph.nodes[n].layer].path for n in _standing(wiring)}
    merges: list[Merge] = []
    for node in _standing(wiring):
        if wiring.inputs[node]:
            merge = _side_by_side(wiring, maps, node) or _in_a_row(wiring, node)
            merges += [] if merge is None else [merge]
    after = {wiring.layers[wiring.graph.nodes[n].layer].path for n in _standing(wiring)}
    return tuple(merges), tuple(sorted(before - after))


def merged_weights(merge: Merge, weights: Mapping[int, Mapping[str, Array]]) -> dict[str, Array]:
    """The float64 weights of the merged layer, from those of ``merge.layers``."""
    target = weights[merge.target]
    if merge.first is not None:
        return _row_weights(weights[merge.first], target)
    name = next(each for each in target if each != "bias")
    kernel = target[name].copy()
    depthwise = name != "kernel"
    bias = np.zeros(math.prod(kernel.shape[-2:]) if depthwise else kernel.shape[-1])
    bias += target.get("bias", 0.0)
    for term in merge.terms:
        added: Array
        if term.layer is None:
            added, shift = _identity_kernel(kernel, term.affine, depthwise=depthwise)
        else:
            added = weights[term.layer][name]
            shift = weights[term.layer].get("bias", np.zeros_like(bias))
        places = zip(term.offset, added.shape[: len(term.offset)], strict=True)
        kernel[tuple(slice(start, start + size) for start, size in places)] += added
        bias += shift
    return {name: kernel, "bias": bias}


def _row_weights(first: Mapping[str, Array], second: Mapping[str, Array]) -> dict[str, Array]:
    *_, inner, out = second["kernel"].shape
    last = second["kernel"].reshape(inner, out)
    merged = {"kernel": first["kernel"] @ last}
    if "bias" in first or "bias" in second:
        merged["bias"] = first.get("bias", np.zeros(inner)) @ last + second.get("bias", 0.0)
    return merged


def _identity_kernel(like: Array, affine: Affine | None, *, depthwise: bool) -> tuple[Array, Array]:
    """The 1x1 kernel and bias of ``scale * x + shift``, for grouped convolutions too."""
    *_, inside, out = like.shape
    size = inside if depthwise else out
    scale, shift = (np.ones(size), np.zeros(size)) if affine is None else affine.arrays()
    kernel = np.zeros((*[1] * (like.ndim - 2), inside, out))
    if depthwise:
        kernel[..., 0] = scale
        return kernel, shift
    for channel in range(out):
        kernel[..., channel % inside, channel] = scale[channel]
    return kernel, shift


def _in_a_row(wiring: Wiring, node: int) -> Merge | None:
    """Merge ``node`` into the layer that it follows, if both are linear and alone."""
    source = wiring.inputs[node][0]
    if len(wiring.inputs[node]) != 1 or not _mergeable(wiring, node):
        return None
    if not (_mergeable(wiring, source.node) and _only_use(wiring, source, node)):
        return None
    first, second = wiring.site(source.node), wiring.site(node)
    if first.config["activation"] != "linear" or not _row(first, second):
        return None
    if wiring.graph.dtype(source) != wiring.graph.dtype(Value(node)):
        return None
    if _size(first, second) > first.layer.parameters + second.layer.parameters:
        return None
    gone, taker = wiring.graph.nodes[source.node].layer, wiring.graph.nodes[node].layer
    bias = bool(first.config["use_bias"] or second.config["use_bias"])
    if bias and (_adds_bias_elsewhere(first) or _adds_bias_elsewhere(second)):
        return None
    moves = {name: first.config[name] for name in MOVES if name in first.config}
    config = {**second.config, **moves, "use_bias": bias}
    wiring.layers[taker] = _resized(wiring.layers[taker], config, _size(first, second))
    wiring.alter(source)
    wiring.bypass(source.node)
    return Merge(taker, first=gone)


def _resized(layer: Layer, config: Mapping[str, Any], parameters: int) -> Layer:
    """``layer`` with other settings and as many parameters, which train if its own did."""
    trained = parameters if layer.trainable_parameters else 0
    return replace(layer, config=config, parameters=parameters, trainable_parameters=trained)


def _row(first: Site, second: Site) -> bool:
    """Whether the second layer only mixes the channels that the first one makes."""
    if first.layer.type == second.layer.type == "Dense":
        return True
    return (
        first.layer.type in CONVOLUTIONS
        and first.layer.type == second.layer.type
        and second.config["groups"] == first.config["groups"] == 1
        and first.config["data_format"] == second.config["data_format"]
        and all(set(second.config[name]) == {one} for name, one in PLAIN.items())
    )


def _size(first: Site, second: Site) -> int:
    """The parameters of two layers in a row once they are one."""
    inner, out = int(first.config[width(first)]), int(second.config[width(second)])
    kernel = first.layer.parameters - (inner if first.config["use_bias"] else 0)
    biased = first.config["use_bias"] or second.config["use_bias"]
    return kernel // inner * out + (out if biased else 0)


def _side_by_side(wiring: Wiring, maps: Mapping[int, Affine | Stop], node: int) -> Merge | None:
    """Merge the branches that ``node`` adds up, if all start from the same value."""
    site = wiring.site(node)
    added = site.layer.operation == "add" or (site.layer.builtin and site.layer.type == "Add")
    values = wiring.inputs[node]
    if not added or len(values) < 2 or len(set(values)) != len(values):
        return None
    graph = wiring.graph
    if len({(graph.shape(value), graph.dtype(value)) for value in (*values, Value(node))}) > 1:
        return None  # one is broadcast or cast
    slots = [slot for slot, value in enumerate(values) if _branch(wiring, value, node)]
    if not slots:
        return None
    slot = max(slots, key=lambda slot: _kernel(wiring, values[slot]))
    target, start = values[slot].node, wiring.inputs[values[slot].node][0]
    terms = [_term(wiring, maps, value, node, target) for value in values if value != values[slot]]
    if any(term is None for term in terms):
        return None
    before = wiring.site(target)
    number = wiring.graph.nodes[target].layer
    if _adds_bias_elsewhere(before):
        return None
    gained = 0 if before.config["use_bias"] else _channels(before)
    config = {**before.config, "use_bias": True}
    wiring.layers[number] = _resized(before.layer, config, before.layer.parameters + gained)
    assert wiring.inputs[target][0] == start
    wiring.alter(values[slot])
    wiring.bypass(node, slot)
    return Merge(number, tuple(term for term in terms if term is not None))


def _term(
    wiring: Wiring, maps: Mapping[int, Affine | Stop], value: Value, node: int, target: int
) -> Term | None:
    """What ``value`` adds to the kernel of ``target``, None if it cannot be set into it."""
    start, large = wiring.inputs[target][0], wiring.site(target)
    if _branch(wiring, value, node) and wiring.inputs[value.node] == [start]:
        place = offset(large, wiring.site(value.node))
        return None if place is None else Term(wiring.graph.nodes[value.node].layer, place)
    place = offset(large, None)
    if place is None or large.input != large.output:
        return None
    if value == start:
        return Term(None, place)
    layer = wiring.graph.nodes[value.node].layer
    affine = maps.get(layer)
    alone = wiring.inputs[value.node][:1] == [start] and _only_use(wiring, value, node)
    if not isinstance(affine, Affine) or affine.symbolic or not alone:
        return None
    axis = channel_axis(large, large.output)
    fits = affine.axis in (None, axis) and wiring.graph.nodes[value.node].training is not True
    if axis is None or not fits or not wiring.keeps_dtype(value.node):
        return None
    return Term(None, place, affine.along(axis, _channels(large)))


def _branch(wiring: Wiring, value: Value, node: int) -> bool:
    """Whether ``value`` is made by a linear layer for ``node`` alone."""
    site = wiring.site(value.node)
    return (
        _mergeable(wiring, value.node)
        and site.config["activation"] == "linear"
        and _only_use(wiring, value, node)
    )


def _mergeable(wiring: Wiring, node: int) -> bool:
    layer = wiring.layer(node)
    called = wiring.calls(wiring.graph.nodes[node].layer)
    known = layer.type == "Dense" or layer.type in (*CONVOLUTIONS, *DEPTHWISE)
    return known and layer.builtin and not wiring.seal(node) and called == (node,)


def _only_use(wiring: Wiring, value: Value, node: int) -> bool:
    return [use.node for use in wiring.uses(value)] == [node] and not wiring.is_output(value)


def _kernel(wiring: Wiring, value: Value) -> int:
    return math.prod(along(wiring.site(value.node), "kernel_size"))


def _channels(site: Site) -> int:
    """The number of output channels."""
    axis = channel_axis(site, site.output)
    assert site.output is not None
    assert axis is not None
    return int(site.output[axis] or 0)


def _adds_bias_elsewhere(site: Site) -> bool:
    rule = rule_for(site.layer)
    return isinstance(rule, Weighted) and rule.adds_bias_elsewhere(site)


def _standing(wiring: Wiring) -> list[int]:
    return [node for node, values in enumerate(wiring.inputs) if values]
