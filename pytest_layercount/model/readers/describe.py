"""Live layers as plain data."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from pytest_layercount.model.graph import Kind, Layer
from pytest_layercount.model.keras.adapter import Adapter, replaces_call
from pytest_layercount.model.keras.attributes import attributes_of
from pytest_layercount.model.keras.common import (
    holds_saved_model,
    inner_layers,
    item_size,
    parts,
    shape_and_dtype,
    variables_of,
)
from pytest_layercount.model.keras.loose import loose_layers
from pytest_layercount.model.keras.origin import bases_of, is_model, is_own
from pytest_layercount.model.layers import row_of
from pytest_layercount.model.plain_settings import live_settings, within
from pytest_layercount.model.readers.builder import layers_inside


class Traits(NamedTuple):
    """What all layers of a class have in common.

    ``holds``: they may hold others; ``closed``: they hold a SavedModel.
    """

    kind: Kind
    builtin: bool
    model: bool
    configured: bool
    operation: bool
    bases: tuple[str, ...]
    holds: bool
    closed: bool


@dataclass
class Describer:
    """Describes the layers of one model; each class is looked at once.

    ``trained`` has the ids of the variables that train, ``met`` those of the layers that stand in
    the description already.
    """

    adapter: Adapter
    known: dict[type, Traits] = field(default_factory=dict)
    trained: set[int] = field(default_factory=set)
    met: set[int] = field(default_factory=set)

    def traits(self, layer: Any) -> Traits:
        cls = type(layer)
        traits = self.known.get(cls)
        if traits is None:
            row, builtin = row_of(cls.__name__), is_own(cls)
            traits = self.known[cls] = Traits(
                kind=self._kind(layer),
                builtin=builtin,
                model=is_model(cls),
                configured=builtin and bool(row.attributes or row.inner),
                operation=self.adapter.operation(layer) is not None,
                bases=bases_of(cls),
                holds=not builtin or row.holds or is_model(cls),
                closed=holds_saved_model(cls),
            )
        return traits

    def _kind(self, layer: Any) -> Kind:
        if type(layer).__name__ == "InputLayer":
            return "input"
        return "layer" if self.adapter.counted(layer) else "operation"

    def described(self, model: Any, layers: Iterable[Any], paths: Iterable[str]) -> Iterator[Layer]:
        """The layers of ``model`` with their paths, each variable's size counted once.

        Only the model knows what trains: Keras 2 trains nothing below a model that is
        frozen, whatever its layers say, and Keras 3 all of it that was thawed since.
        """
        listed = list(layers)
        self.trained = set(map(id, model.trainable_weights))
        variables = [_variables(layer) for layer in listed]
        owners = Counter(id(variable) for own in variables for variable in own)
        # A variable of two layers: neither may be rewritten, and it counts for the first.
        shared = {variable for variable, number in owners.items() if number > 1}
        counted: set[int] = set()
        self.met = set(map(id, listed))
        for layer, path, own in zip(listed, paths, variables, strict=True):
            tied = bool(shared) and any(id(variable) in shared for variable in own)
            fresh = [variable for variable in own if not tied or id(variable) not in counted]
            counted.update(map(id, fresh) if tied else ())
            described = self._describe(layer, path, fresh, tied)
            inside = layers_inside(layer, path, self.met, self._parts, self._held)
            yield replace(described, inside=inside) if inside else described

    def _parts(self, layer: Any) -> Iterator[Any]:
        """The layers that a layer or model is made of, not those inside them."""
        traits = self.traits(layer)
        if traits.holds:
            yield from inner_layers(layer)
        if traits.kind == "layer":
            yield from loose_layers(layer, builtin=traits.builtin)

    def _held(self, part: Any, path: str) -> Layer | None:
        """A layer inside another; its variables count for the outer one."""
        traits = self.traits(part)
        if traits.model or traits.kind == "input":
            return None
        return self._describe(part, path, [], False)

    def _describe(self, layer: Any, path: str, own: list[Any], tied: bool) -> Layer:
        """A layer without what is inside; ``own`` are the variables to count."""
        traits = self.traits(layer)
        name = type(layer).__name__
        config = attributes_of(layer) if traits.configured else {}
        settings = live_settings(layer, config, builtin=traits.builtin)
        for inner_name in row_of(name).inner if traits.configured else ():
            inner = getattr(layer, inner_name)
            # No variables to count: those of the layer inside count for the wrapper.
            made = self._describe(inner, f"{path}/{inner.name}", [], tied)
            config[inner_name] = within(name, made)
        parameters = trainable = stored = 0
        for variable in own:
            size, width = _scalars(variable)
            parameters += size
            trainable += size if id(variable) in self.trained else 0
            stored += size * width
        return Layer(
            path=path,
            type=name,
            kind=traits.kind,
            # A layer whose call() was replaced on the instance computes something else. Operations
            # of Keras 2 set it themselves.
            builtin=traits.builtin and (traits.operation or not replaces_call(layer)),
            config=config,
            operation=self.adapter.operation(layer) if traits.operation else None,
            sealed=_seal(layer) or ("tied" if tied else None),
            parameters=parameters,
            trainable_parameters=trainable,
            stored_bytes=stored or None,
            settings=settings,
            bases=traits.bases,
            closed=traits.closed,
        )


def _variables(layer: Any) -> list[Any]:
    return list({id(variable): variable for variable in variables_of(layer)}.values())


def _scalars(variable: Any) -> tuple[int, int]:
    """How many scalars a variable holds, and the bytes of each."""
    shape, dtype = shape_and_dtype(variable)
    return math.prod(shape), item_size(dtype)


def _seal(layer: Any) -> str | None:
    """Why the weights must stay, for the layer or for any part of it."""
    return next(filter(None, map(_own_seal, parts(layer))), None)


def _own_seal(layer: Any) -> str | None:
    policy = getattr(getattr(layer, "dtype_policy", None), "name", None) or ""
    if getattr(layer, "quantization_mode", None) or policy.startswith(("int8", "float8")):
        return "quantized"
    return "lora" if getattr(layer, "lora_enabled", False) else None
