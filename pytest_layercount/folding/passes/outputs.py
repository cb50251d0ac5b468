"""Keeping some outputs of a model: everything that only the others need goes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from pytest_layercount.errors import ModelError
from pytest_layercount.model.graph import ModelGraph, needed, values_in


def keep_outputs(graph: ModelGraph, wanted: Any) -> ModelGraph:
    """``graph`` with the outputs ``wanted``: a name or position, or several.

    A name is a key where the model returns a dictionary, else that of the layer that
    makes the output, or of the model inside this one that does. One output is returned
    bare, several in a list, or in a dictionary if the model returns one. Inputs that
    are no longer needed go.

    Raises:
        ModelError: there is no such output, several have the name, or ``wanted`` has none.
    """
    several = isinstance(wanted, Sequence) and not isinstance(wanted, str)
    keys = list(wanted) if several else [wanted]
    if not keys:
        raise ModelError("outputs=[]: name at least one output to keep")
    there = _named(graph)
    chosen = list(dict.fromkeys(_position(there, key) for key in keys))
    values = [there[position][1] for position in chosen]
    outputs: Any = values if several else values[0]
    if several and isinstance(graph.outputs, Mapping):
        outputs = dict(there[position] for position in sorted(chosen))
    ends = [value.node for value in values_in(values)]
    kept = needed(ends, lambda node: [value.node for value in graph.nodes[node].inputs])
    return replace(
        graph,
        inputs=_without(graph.inputs, set(kept)),
        outputs=outputs,
        sequential=graph.sequential and outputs == graph.outputs,
    )


def _named(graph: ModelGraph) -> list[tuple[str, Any]]:
    """Every output after its key, or the path of the layer that makes it, in order."""
    if isinstance(graph.outputs, Mapping):
        return [(str(key), value) for key, value in graph.outputs.items()]
    return [(graph.layer_of(value.node).path, value) for value in values_in(graph.outputs)]


def _position(there: list[tuple[str, Any]], key: Any) -> int:
    if isinstance(key, int) and not isinstance(key, bool) and -len(there) <= key < len(there):
        return key % len(there)
    positions = [position for position, (path, _) in enumerate(there) if path == key]
    if not positions:
        # Only then: a whole path or key goes before a part of one.
        positions = [place for place, (path, _) in enumerate(there) if _leads_to(path, key)]
    if len(positions) > 1:
        raise ModelError(
            f"outputs: {len(positions)} outputs of the model are called {key!r}: "
            f"give a position, one of {positions}"
        )
    if not positions:
        names = ", ".join(path for path, _ in there)
        raise ModelError(f"outputs: the model has no output {key!r}; it has {names}")
    return positions[0]


def _leads_to(path: str, key: Any) -> bool:
    """Whether ``key`` is a model around the layer, or the layer's name in it."""
    return path.startswith(f"{key}/") or path.endswith(f"/{key}")


def _without(inputs: Any, kept: set[int]) -> Any:
    """``inputs`` without those that nothing needs; a lone one stays."""
    if isinstance(inputs, Mapping):
        return {key: value for key, value in inputs.items() if value.node in kept}
    if isinstance(inputs, (list, tuple)):
        return [value for value in inputs if value.node in kept]
    return inputs
