"""Copies of the live layers of a model, each made from its configuration when first needed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from pytest_layercount.errors import ModelError, first_line
from pytest_layercount.folding.affine import Array
from pytest_layercount.model.graph import Layer, ModelGraph
from pytest_layercount.model.keras import adapter_for
from pytest_layercount.model.keras.state import State, Unlike, carry_on

if TYPE_CHECKING:
    from pytest_layercount.model.readers.live import OpenModel


MOST_SAID = 120
"""How much of an error of Keras's is repeated, which may say a whole configuration."""


class Copies:
    """The layers of ``graph`` as new layers.

    ``sources`` gives, for each layer of ``graph``, the number of the live layer
    it is a copy of, each another; ``weights`` the new weights, by that number: they
    are taken over. With ``dtype`` every floating-point layer computes in that type
    instead of its own.
    """

    compared = True
    """Whether a copy must hold what its original holds; a bench sees what layers compute."""

    def __init__(
        self,
        opened: OpenModel,
        graph: ModelGraph,
        sources: tuple[int, ...],
        weights: dict[int, dict[str, Array]],
        dtype: str | None = None,
    ) -> None:
        self.opened, self.graph, self.sources = opened, graph, sources
        self.weights, self.dtype = weights, dtype
        self.adapter = adapter_for(opened.model)
        self.names = [
            layer.path if self.original(number).name == layer.path else name  # Keras 2: "conv1/bn"
            for number, (layer, name) in enumerate(
                zip(graph.layers, unique_names(graph), strict=True)
            )
        ]
        self.live: list[Any] = [None] * len(graph.layers)
        self.states: dict[int, State] = {}
        self.carried: list[tuple[Any, Any]] = []

    def original(self, number: int) -> Any:
        """The live layer that layer ``number`` is a copy of."""
        return self.opened.layers[self.sources[number]]

    def __getitem__(self, number: int) -> Any:
        """The copy of layer ``number``; its variables may not have been made yet.

        Raises:
            ModelError: it cannot be copied from its configuration.
        """
        if self.live[number] is None:
            old, layer = self.original(number), self.graph.layers[number]
            source = self.sources[number]
            changes = _changes(self.opened.graph.layers[source].config, layer.config)
            name = self.names[number]
            try:
                new = self.adapter.copy(old, layer, name, changes, self.dtype)
            except Exception as error:
                raise ModelError(uncopied(layer, error)) from error
            self.live[number] = new
            if layer.kind == "layer":
                weights = self.weights.get(source, {})
                changed, loosely = frozenset(_names(changes)), self.dtype is not None
                state = State(old, new, weights, changed, loosely)
                state.compared = self.compared
                self.states[number] = state
        return self.live[number]

    def settle(self, number: int) -> bool:
        """See that a layer that was called has its weights; whether it had others until now.

        Raises:
            ModelError: the layer copied has weights that its configuration does not make.
        """
        state = self.states.pop(number, None)
        if state is None:
            return False
        source = self.sources[number]
        try:
            late = state.settle()
        except Unlike as unlike:
            raise ModelError(_unlike(self.opened.graph.layers[source], unlike)) from unlike
        self.weights.pop(source, None)
        self.carried += state.carried
        return late

    def restart(self) -> None:
        """Let recurrent layers that carry a state on begin with that of their originals again."""
        carry_on(self.carried)


def unique_names(graph: ModelGraph) -> list[str]:
    """A name for each layer: its own where no other has it, else its path."""
    own = Counter(layer.name for layer in graph.layers)
    names: list[str] = []
    taken: set[str] = set()
    for layer in graph.layers:
        name = layer.name if own[layer.name] == 1 else layer.path.replace("/", "_")
        base, copies = name, 1
        while name in taken:
            copies += 1
            name = f"{base}_{copies}"
        taken.add(name)
        names.append(name)
    return names


def _changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, Any]:
    """The attributes that differ; those of a layer inside another as a mapping of their own."""
    if before is after:
        return {}
    return {
        key: _changes(before[key].config, new.config) if isinstance(new, Layer) else new
        for key, new in after.items()
        if before.get(key) != new
    }


def _names(changes: Mapping[str, Any]) -> Iterator[str]:
    for name, change in changes.items():
        yield name
        if isinstance(change, Mapping):
            yield from _names(change)


def _unlike(layer: Layer, unlike: Unlike) -> str:
    advice = (
        "give its class a get_config() that returns every argument of its __init__, and set "
        "nothing on it afterwards"
    )
    if layer.sealed in ("quantized", "lora"):
        advice = "a part of it was quantized or given LoRA weights; fold before that"
    return (
        f"layer {layer.path!r} of type {layer.type} is another layer when it is made from its "
        f"configuration: {unlike}; {advice}"
    )


def uncopied(layer: Layer, error: Exception) -> str:
    """Why there is no copy of a layer, or none that can be called."""
    advice = (
        "give it a function or a name where it holds a layer or another object"
        if layer.builtin
        else "give its class a get_config() that returns every argument of its __init__"
    )
    said = first_line(error)
    said = said if len(said) <= MOST_SAID else f"{said[:MOST_SAID]}..."
    return (
        f"layer {layer.path!r} of type {layer.type} cannot be copied from its configuration "
        f"({type(error).__name__}: {said}); {advice}"
    )
