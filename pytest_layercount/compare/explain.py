"""Why two models count differently, in causes whose deltas sum to the difference."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from pytest_layercount.compare.causes import Cause, in_order
from pytest_layercount.compare.confirm import confirmed
from pytest_layercount.compare.diff import align
from pytest_layercount.compare.openings import openings
from pytest_layercount.compare.pairing import partition
from pytest_layercount.compare.partition import Change, Partition
from pytest_layercount.compare.plain import Plain, Way, plain
from pytest_layercount.compare.source import Source, source_of
from pytest_layercount.compare.tally import Tally
from pytest_layercount.model.count import Count, LayerCount, count_graph
from pytest_layercount.model.graph import ModelGraph

_UNEXPLAINED = ("added", "removed")
_Comparison = tuple[Plain, Plain, Partition]


@dataclass(frozen=True)
class Explanation:
    """The difference between two models.

    ``causes``, the largest first, sum exactly to the difference of the counts.
    ``changed`` are layers that both models have, configured or connected otherwise.
    """

    before: LayerCount
    after: LayerCount
    causes: tuple[Cause, ...]
    changed: tuple[Change, ...]

    @property
    def delta(self) -> int:
        """How many more the second model has."""
        return self.after.total - self.before.total

    @property
    def same(self) -> bool:
        """Whether nothing differs but names."""
        return not (self.causes or self.changed)

    @property
    def unexplained(self) -> tuple[Cause, ...]:
        """The causes that only say which layers one of the models has and the other not."""
        return tuple(cause for cause in self.causes if cause.code in _UNEXPLAINED)


def explain(model: Any, other: Any, *, count: Count = "layers") -> Explanation:
    """Explain the difference between the layer counts of ``model`` and ``other``.

    Both may be anything that ``read_graph`` reads, of any Keras. They are aligned by
    structure, never by name; ``count`` is as for ``count_layers``. Where the weights of
    both can be read, they say of each cause that is a fold whether they agree with it.

    Raises:
        ModelError: one of the two is not a model, or its graph cannot be seen.
    """
    return explain_sources(source_of(model), source_of(other), count)


def explain_sources(one: Source, two: Source, count: Count = "layers") -> Explanation:
    """Explain the difference between two models that are open already."""
    before, after = count_graph(one.graph, count), count_graph(two.graph, count)
    mine, other, compared = _closest(one, two)
    differences = _causes(mine, other, compared, count)
    if _loose_ends(compared[2]) and one.read is not None and two.read is not None:
        # Linear layers may be one in the other model. Many could be: it is the weights that tell.
        ways = _closest(one, two, merge=True)
        merged = _causes(*ways, count)
        agreed = [cause.confirmed for cause in merged if cause.code == "collapsed"]
        if agreed and all(agreed):
            (mine, other, compared), differences = ways, merged
    # What was compared may have composite layers opened, which the counts do not.
    causes = (
        *differences,
        *openings(one.graph, mine.graph, count),
        *openings(two.graph, other.graph, count, gathered=True),
    )
    assert sum(cause.delta for cause in causes) == after.total - before.total
    return Explanation(before, after, in_order(causes), tuple(compared[2].changed))


def _causes(one: Source, two: Source, compared: _Comparison, count: Count) -> tuple[Cause, ...]:
    return confirmed(Tally(*compared, count).causes(), one, two, compared[2].pairs)


def _closest(
    one: Source, two: Source, *, merge: bool = False
) -> tuple[Source, Source, _Comparison]:
    """Compare the two as they are, or with composite layers opened if that explains more."""
    best = one, two, _compared(one, two, merge=merge)
    if not _loose_ends(best[2][2]):
        return best
    ways = [(mine, two) for mine in one.opened] + [(one, other) for other in two.opened]
    # Both opened as wide as can be: what is opened in one alone has nothing to stand against.
    if one.opened and two.opened:
        ways.append((one.opened[-1], two.opened[-1]))
    tried = [(*way, _compared(*way, merge=merge)) for way in ways]
    return min([best, *tried], key=lambda way: _loose_ends(way[2][2]))


def _compared(one: Source, two: Source, *, merge: bool) -> _Comparison:
    """Compare the two in their plain forms.

    The forms are tried that leave least unexplained: a folded model may have lost a
    part of what would be gathered in the other, and a copy of a shared layer taken up
    what could not fold into the layer itself. With ``merge`` linear layers may be one.
    """
    graphs = one.graph, two.graph
    # Both are held to what is known of both: all settings, and arguments as one Keras spells them.
    way = Way(whole=all(map(_is_known, graphs)), spelled=_is_alike(*graphs))
    forms = plain(one, way), plain(two, way)
    tried = [_compared_as(*forms)]
    others = []
    if any(form.gathered for form in forms):
        others.append(replace(way, gather=False))
    if any(len(calls) > 1 for graph in graphs for calls in graph.calls.values()):
        others.append(replace(way, unshare=True))
    if merge:
        others += [replace(other, merge=True) for other in (way, *others)]
    # Other forms cost as much again, and where all is explained they can explain no more.
    if any(_doubt(tried[0][2])):
        tried += [_compared_as(plain(one, other), plain(two, other)) for other in others]
    return min(tried, key=lambda each: _doubt(each[2]))


def _is_known(graph: ModelGraph) -> bool:
    """Whether all settings of all layers are known."""
    return all(layer.settings is not None for layer in graph.layers)


def _is_alike(one: ModelGraph, two: ModelGraph) -> bool:
    """Whether both are of one generation of Keras, and as it has them."""
    generations = {graph.keras.startswith("Keras 3") for graph in (one, two)}
    return len(generations) == 1 and one.seen == two.seen == "graph"


def _compared_as(one: Plain, two: Plain) -> _Comparison:
    """Compare, always from the same side, so that the other way round gives the mirror image."""
    if _size(one) >= _size(two):
        return one, two, partition(one, two, align(one.view, two.view))
    return one, two, partition(two, one, align(two.view, one.view)).flipped()


def _size(form: Plain) -> tuple[int, list[str]]:
    return len(form.items), [repr(token) for token in form.view.strict]


def _doubt(parts: Partition) -> tuple[int, int]:
    """How much is unexplained, and how much is said to be of a head that may have folded."""
    heads = [group for group in parts.groups if group.code.startswith("head")]
    return _loose_ends(parts), sum(len(group.before) + len(group.after) for group in heads)


def _loose_ends(parts: Partition) -> int:
    alone = [group for group in parts.groups if group.code in _UNEXPLAINED]
    nodes = sum(len(group.before) + len(group.after) for group in alone)
    return nodes + len(parts.changed)
