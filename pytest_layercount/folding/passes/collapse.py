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
from dataclasses import replace

from pytest_layercount.folding.affine import Affine
from pytest_layercount.folding.edit import FoldEdit
from pytest_layercount.folding.passes.affine import AffinePass
from pytest_layercount.folding.passes.kernels import Merge, Term, along, offset, width
from pytest_layercount.folding.passes.result import PassResult
from pytest_layercount.folding.rule import Site, channel_axis
from pytest_layercount.folding.rules.weighted import Weighted
from pytest_layercount.model.graph import Value

CONVOLUTIONS = ("Conv1D", "Conv2D", "Conv3D")
DEPTHWISE = ("DepthwiseConv1D", "DepthwiseConv2D")
MOVES = ("kernel_size", "strides", "padding", "dilation_rate")
PLAIN = {"kernel_size": 1, "strides": 1, "dilation_rate": 1}


class Collapse:
    """``affine`` knows the maps of the affine layers: one beside a kernel is a kernel as well."""

    def __init__(self, edit: FoldEdit, affine: AffinePass) -> None:
        self.edit = edit
        self.affine = affine

    def run(self) -> PassResult:
        """Merge what can be merged; branches that nothing reads any more are gone."""
        edit = self.edit
        merges: list[Merge] = []
        called, maps = _called(edit), self._maps()
        for node in range(len(edit.inputs)):
            if not edit.inputs[node]:
                continue
            merge = _side_by_side(edit, maps, node) or _in_a_row(edit, node)
            if merge is not None:
                # What a merge bypasses may have been the only reader of layers before it.
                before, called = called, _called(edit)
                merges.append(replace(merge, gone=tuple(sorted(before - called))))
        gone = [edit.layers[number].path for merge in merges for number in merge.gone]
        return PassResult(tuple(sorted(gone)), tuple(merges))

    def _maps(self) -> dict[int, Affine]:
        """The maps that may become kernels: in a plan from structure, whatever their numbers."""
        numbers = self.affine.weights is not None
        maps = self.affine.maps.items()
        return {
            layer: affine
            for layer, affine in maps
            if isinstance(affine, Affine) and not (numbers and affine.symbolic)
        }


def _called(edit: FoldEdit) -> set[int]:
    """The layers that are still called."""
    calls = zip(edit.graph.nodes, edit.inputs, strict=True)
    return {node.layer for node, inputs in calls if inputs}


def _in_a_row(edit: FoldEdit, node: int) -> Merge | None:
    """Merge ``node`` into the layer that it follows, if both are linear and alone."""
    #     x ── first ──source── second ──        becomes        x ── second' ──
    source = edit.inputs[node][0]
    if len(edit.inputs[node]) != 1 or not _mergeable(edit, node):
        return None
    if not (_mergeable(edit, source.node) and _only_use(edit, source, node)):
        return None
    first, second = edit.site(source.node), edit.site(node)
    if first.config["activation"] != "linear" or not _row(first, second):
        return None
    # Under another policy the first layer rounds its result to its own type.
    if edit.graph.dtype(source) != edit.graph.dtype(Value(node)):
        return None
    if _size(first, second) > first.layer.parameters + second.layer.parameters:
        return None
    gone, taker = edit.graph.nodes[source.node].layer, edit.graph.nodes[node].layer
    bias = bool(first.config["use_bias"] or second.config["use_bias"])
    if bias and (_adds_bias_elsewhere(edit, first) or _adds_bias_elsewhere(edit, second)):
        return None
    # The first layer decides how the kernel moves over the input, the second on all else.
    moves = {name: first.config[name] for name in MOVES if name in first.config}
    gained = _size(first, second) - second.layer.parameters
    edit.change(taker, {**moves, "use_bias": bias}, gained)
    edit.alter(source)
    edit.bypass(source.node)
    return Merge(taker, first=gone)


def _row(first: Site, second: Site) -> bool:
    """Whether the second layer only mixes the channels that the first one makes."""
    if first.layer.type == second.layer.type == "Dense":
        return True
    # A kernel of one pads nothing, so ``padding`` may differ. In the other order, 1x1 first, the
    # zeros that the second layer pads would have to become ``b1``.
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
    # k k c_in inner weights become k k c_in out: the first kernel times a matrix.
    kernel = first.layer.parameters - (inner if first.config["use_bias"] else 0)
    biased = first.config["use_bias"] or second.config["use_bias"]
    return kernel // inner * out + (out if biased else 0)


def _side_by_side(edit: FoldEdit, maps: Mapping[int, Affine], node: int) -> Merge | None:
    """Merge the branches that ``node`` adds up, if all start from the same value."""
    #          ┌─ conv 3x3 ─┐
    #     x ───┼─ conv 1x1 ─┼─ Add ──        becomes        x ── conv 3x3 ──
    #          └─ BN ───────┘
    site = edit.site(node)
    added = site.layer.operation == "add" or (site.layer.builtin and site.layer.type == "Add")
    values = edit.inputs[node]
    # ``x + x`` reads one value twice: bypassing the Add would drop one of the two.
    if not added or len(values) < 2 or len(set(values)) != len(values):
        return None
    graph = edit.graph
    if len({(graph.shape(value), graph.dtype(value)) for value in (*values, Value(node))}) > 1:
        return None  # one is broadcast or cast
    slots = [slot for slot, value in enumerate(values) if _branch(edit, value, node)]
    if not slots:
        return None
    # The branch with the largest kernel stays: the others' fit into it.
    slot = max(slots, key=lambda slot: _kernel(edit, values[slot]))
    target, start = values[slot].node, edit.inputs[values[slot].node][0]
    terms = [_term(edit, maps, value, node, target) for value in values if value != values[slot]]
    if any(term is None for term in terms):
        return None
    before = edit.site(target)
    number = edit.graph.nodes[target].layer
    if _adds_bias_elsewhere(edit, before):
        return None
    gained = 0 if before.config["use_bias"] else _channels(before)
    edit.change(number, {"use_bias": True}, gained)
    assert edit.inputs[target][0] == start
    edit.alter(values[slot])
    # Whoever read the sum reads the target; the other branches, read no more, are released.
    edit.bypass(node, slot)
    return Merge(number, tuple(term for term in terms if term is not None))


def _term(
    edit: FoldEdit, maps: Mapping[int, Affine], value: Value, node: int, target: int
) -> Term | None:
    """What ``value`` adds to the kernel of ``target``, None if it cannot be set into it."""
    start, large = edit.inputs[target][0], edit.site(target)
    if _branch(edit, value, node) and edit.inputs[value.node] == [start]:
        place = offset(large, edit.site(value.node))
        return None if place is None else Term(edit.graph.nodes[value.node].layer, place)
    # The input itself, or a map of it: a kernel that is one, or the scale, in the middle.
    place = offset(large, None)
    # Where the target changes the number of channels or positions, the input is no term of the sum.
    if place is None or large.input != large.output:
        return None
    if value == start:
        return Term(None, place)
    layer = edit.graph.nodes[value.node].layer
    affine = maps.get(layer)
    alone = edit.inputs[value.node][:1] == [start] and _only_use(edit, value, node)
    if affine is None or not alone:
        return None
    axis = channel_axis(large, large.output)
    fits = affine.axis in (None, axis) and edit.graph.nodes[value.node].training is not True
    if axis is None or not fits or not edit.keeps_dtype(value.node):
        return None
    return Term(None, place, affine.along(axis, _channels(large)))


def _branch(edit: FoldEdit, value: Value, node: int) -> bool:
    """Whether ``value`` is made by a linear layer for ``node`` alone."""
    site = edit.site(value.node)
    return (
        _mergeable(edit, value.node)
        and site.config["activation"] == "linear"
        and _only_use(edit, value, node)
    )


def _mergeable(edit: FoldEdit, node: int) -> bool:
    layer = edit.layer(node)
    called = edit.calls(edit.graph.nodes[node].layer)
    known = layer.type == "Dense" or layer.type in (*CONVOLUTIONS, *DEPTHWISE)
    return known and layer.builtin and not edit.seal(node) and called == (node,)


def _only_use(edit: FoldEdit, value: Value, node: int) -> bool:
    return [use.node for use in edit.uses(value)] == [node] and not edit.is_output(value)


def _kernel(edit: FoldEdit, value: Value) -> int:
    return math.prod(along(edit.site(value.node), "kernel_size"))


def _channels(site: Site) -> int:
    """The number of output channels."""
    axis = channel_axis(site, site.output)
    assert site.output is not None
    assert axis is not None
    return int(site.output[axis] or 0)


def _adds_bias_elsewhere(edit: FoldEdit, site: Site) -> bool:
    rule = edit.rules[site.node.layer]
    return isinstance(rule, Weighted) and rule.adds_bias_elsewhere(site)
