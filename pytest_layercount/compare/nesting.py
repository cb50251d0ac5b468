"""Models inside models: which layers they hold, and which hold the same."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from pytest_layercount.model.graph import ModelGraph


def nested_layers(graph: ModelGraph) -> dict[int, str]:
    """For each layer inside a nested model, the path of the outermost one.

    Layer names of Keras 2 may contain a slash; a model whose layers Keras lists
    all has no nested ones.
    """
    listed = {"layer"} if graph.sequential else {"layer", "input"}
    counted = Counter(layer.type for layer in graph.layers if layer.kind in listed)
    if counted == Counter(graph.top):
        return {}
    return {
        number: layer.path.partition("/")[0]
        for number, layer in enumerate(graph.layers)
        if "/" in layer.path
    }


def held(nested: Mapping[int, str]) -> dict[str, list[int]]:
    """For each nested model, the layers that it holds."""
    by_model: dict[str, list[int]] = {}
    for layer, path in nested.items():
        by_model.setdefault(path, []).append(layer)
    return by_model


def nested_types(graph: ModelGraph, nested: Mapping[int, str]) -> dict[str, str]:
    """What Keras calls each nested model, as far as its list of types tells."""
    shown = {layer.type for layer in graph.layers}
    # Types that Keras lists and no opened layer has are those of the nested models, in order.
    others = [name for name in graph.top if name not in shown]
    paths = list(dict.fromkeys(nested.values()))
    alike = len(others) == len(paths)
    return {path: others[place] if alike else "Functional" for place, path in enumerate(paths)}


def same_models(
    one: Mapping[int, str], two: Mapping[int, str], partner: Mapping[int, int]
) -> dict[str, str]:
    """Nested models of both sides that hold the same layers, by what ``partner`` pairs."""
    same: dict[str, str] = {}
    for path, layers in held(one).items():
        there = Counter(two.get(partner[layer]) for layer in layers if layer in partner)
        for other, number in there.most_common():
            # Half of its layers are enough: what a model has lost or gained does not make it
            # another.
            if other is not None and other not in same.values() and 2 * number >= len(layers):
                same[path] = other
                break
    return same
