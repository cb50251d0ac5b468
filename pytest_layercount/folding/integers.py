"""Which values are integers: arithmetic on them wraps around and leaves no fractions.

So ``255 + 1`` is 0 in ``uint8``, and a map that is right for real numbers is not for these.

Keras 3 says of nearly every layer of its own that it returns the type in which it computes,
also where it hands integers on as they are: pooling, padding, Add, Resizing ...
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from pytest_layercount.folding.rule import Rule
from pytest_layercount.model.graph import Layer, ModelGraph, Value
from pytest_layercount.model.layers.names import names

_FLOATS = names("""
    Average CenterCrop LeakyReLU RandomCrop RandomFlip RandomRotation RandomTranslation RandomZoom
    Rescaling
    """)
"""Layers without weights that surely return floats, whatever they are given."""


def integers(graph: ModelGraph, rules: Sequence[Rule | None]) -> frozenset[Value]:
    """The values that are, or may be, integers; ``rules`` are those for the layers."""
    # Nothing makes integers of floats without saying so.
    if not any(map(_is_integer, _dtypes(graph))):
        return frozenset()
    hides_types = graph.keras.startswith("Keras 3")
    whole: set[Value] = set()
    for number, node in enumerate(graph.nodes):
        layer, rule = graph.layers[node.layer], rules[node.layer]
        # A float type that Keras 3 names is only believed where a layer reads a float or surely
        # makes one.
        may = hides_types and whole.issuperset(node.inputs) and _hands_on(layer, rule)
        for index, dtype in enumerate(node.dtypes):
            # An input reads nothing, and nothing is a subset of every set: its own type counts.
            if _is_integer(dtype) or (may and node.inputs):
                whole.add(Value(number, index))
    return frozenset(whole)


def _dtypes(graph: ModelGraph) -> Iterator[str]:
    for node in graph.nodes:
        yield from node.dtypes


def _is_integer(dtype: str) -> bool:
    return bool(dtype) and "float" not in dtype


def _hands_on(layer: Layer, rule: Rule | None) -> bool:
    """Whether what a layer makes of integers may be integers."""
    weighted = layer.parameters > 0 or (rule is not None and bool(rule.weights))
    return layer.operation != "cast" and layer.type not in _FLOATS and not weighted
