"""The causes of a difference: their codes, and the sentence for each.

A cause is signed. What only the first model has is *lost*, what only the second
has is *gained*; the sentence says which.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

_TYPES = 3

SENTENCES: Mapping[str, tuple[str, str]] = {
    "activation-layers": (
        "same activations, other layers: {before} in the first model, {after} in the second",
        "same activations, other layers: {before} in the first model, {after} in the second",
    ),
    "activations-fused": (
        "{these} fused into activation= of the layers before",
        "{these} split off from activation= of the layers before",
    ),
    "added": ("{these} only in the first model", "{these} only in the second model"),
    "affine-folded": (
        "{these} folded into neighbouring layers",
        "{these} standing apart, folded in the first model",
    ),
    "auxiliary-outputs": (
        "{these} needed by auxiliary outputs alone, gone with them",
        "{these} needed by auxiliary outputs alone, new with them",
    ),
    "batch-norms-folded": (
        "{these} folded into neighbouring layers",
        "{these} standing apart, folded in the first model",
    ),
    "blocks": ("{detail} less: {these}", "{detail} more: {these}"),
    "collapsed": (
        "{these} merged with neighbouring linear layers",
        "{these} standing apart, merged with linear layers in the first model",
    ),
    "hard-sigmoid": (
        "hard sigmoid: {before} became {after}",
        "hard sigmoid: {before} became {after}",
    ),
    "hard-swish": ("hard swish: {before} became {after}", "hard swish: {before} became {after}"),
    "head": (
        "{these} of the head gone, as with include_top=False",
        "{these} of the head added, as with include_top=True",
    ),
    "head-replaced": ("the head: {before} became {after}", "the head: {before} became {after}"),
    "inputs": ("the inputs are given in another order", "the inputs are given in another order"),
    "nesting": (
        "{after} for {before}: what stands in a nested model counts as one layer there",
        "{after} for {before}: what stands in a nested model counts as one layer there",
    ),
    "no-ops": (
        "{these} gone, doing nothing at inference",
        "{these} added, doing nothing at inference",
    ),
    "opened": ("{before} {detail} {after}", "{before} {detail} {after}"),
    "operations": (
        "{these} counted as layers in the first model, operations of the second are not",
        "{these} counted as layers in the second model, operations of the first are not",
    ),
    "other-weights": (
        "the weights are not the folded ones: {these}",
        "the weights are not the folded ones: {these}",
    ),
    "outputs": ("the same layers, but other outputs", "the same layers, but other outputs"),
    "padding": (
        "{these} gone: the convolutions pad",
        "{these} added: the convolutions padded before",
    ),
    "pooling": (
        "{these} gone: keepdims= of the global pooling does it",
        "{these} added: keepdims= of the global pooling did it",
    ),
    "preprocessing": (
        "{these} preparing the data gone from inside the model",
        "{these} preparing the data added inside the model",
    ),
    "removed": ("{these} only in the first model", "{these} only in the second model"),
    "separable": (
        "separable convolutions: {before} became {after}",
        "separable convolutions: {before} became {after}",
    ),
    "sequential-input": (
        "a Sequential model leaves its InputLayer out of the count",
        "a Sequential model leaves its InputLayer out of the count",
    ),
    "sharing": (
        "{these} more in the first model, where the second shares one layer between calls",
        "{these} more in the second model, where the first shares one layer between calls",
    ),
    "unlisted": (
        "{these} that model.layers lists and the graph does not show, in the first model",
        "{these} that model.layers lists and the graph does not show, in the second model",
    ),
}
"""What is said of each code: if the cause makes the count smaller, and if not."""

CODES = (*sorted(SENTENCES), "changed")
"""Every code a cause has, and the one that stands for ``Explanation.changed``."""


@dataclass(frozen=True)
class Cause:
    """One reason why two models count differently.

    ``code`` is stable (see :data:`CODES`) and ``delta`` signed, the second model
    less the first; ``by_type`` divides it by layer type. ``before`` and ``after``
    are the paths of the layers concerned in the first and second model, which may
    be more than those counted. ``message`` says it in one sentence. ``confirmed`` says of
    layers that were folded whether the weights of both models agree with it, None where
    that cannot be told.
    """

    code: str
    delta: int
    by_type: Mapping[str, int]
    before: tuple[str, ...]
    after: tuple[str, ...]
    message: str
    confirmed: bool | None = None


@dataclass(frozen=True)
class Concerned:
    """A layer or node concerned: where it is, its type and what it adds to a count."""

    path: str
    type: str
    weight: int


def cause(
    code: str, before: Sequence[Concerned], after: Sequence[Concerned], detail: str = ""
) -> Cause:
    """Make a cause of what it concerns in the two models."""
    delta = sum(item.weight for item in after) - sum(item.weight for item in before)
    types: Counter[str] = Counter()
    for item in after:
        types[item.type] += item.weight
    for item in before:
        types[item.type] -= item.weight
    # What does not count is still concerned, and is named where nothing else is there to name.
    counted = [item for item in before if item.weight], [item for item in after if item.weight]
    lost, gained = SENTENCES[code]
    # Layers may go without a change of the count: operations of Keras 3 do not count.
    fewer = delta < 0 or (delta == 0 and len(before) >= len(after))
    these = before if fewer else after
    message = (lost if fewer else gained).format(
        these=_kinds(these),
        before=_kinds(counted[0] or before),
        after=_kinds(counted[1] or after),
        detail=detail,
    )
    return Cause(
        code=code,
        delta=delta,
        by_type={name: number for name, number in sorted(types.items()) if number},
        before=tuple(item.path for item in before),
        after=tuple(item.path for item in after),
        message=message,
    )


def in_order(causes: Iterable[Cause]) -> tuple[Cause, ...]:
    """The causes, the largest first."""
    return tuple(sorted(causes, key=lambda one: (-abs(one.delta), one.code, one.message)))


def _kinds(items: Sequence[Concerned]) -> str:
    """``53 BatchNormalization, 2 Dropout and 4 others``."""
    ranked = Counter(item.type for item in items).most_common()
    shown = [f"{number} {name}" for name, number in ranked]
    others = sum(number for _, number in ranked[_TYPES:])
    if len(ranked) > _TYPES + 1:  # "1 other" is no shorter than its name
        return f"{', '.join(shown[:_TYPES])} and {others} others"
    return " and ".join([", ".join(shown[:-1]), shown[-1]] if len(shown) > 1 else shown) or "none"
