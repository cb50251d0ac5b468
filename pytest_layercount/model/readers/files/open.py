"""Read a saved model's structure from its file alone.

Neither Keras nor TensorFlow is imported and nothing in the file is run, so a file
is read even where no installed Keras can load it. What is not in the file cannot be
seen: the graph of a subclassed model, and what a user's own class does. The weights
of such a class are counted from the HDF5 data, all of them as trainable.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

from pytest_layercount.errors import ModelError, first_line
from pytest_layercount.model.graph import Kind, Layer, ModelGraph
from pytest_layercount.model.keras.adapter import Adapter, Call
from pytest_layercount.model.keras.common import RELOADED
from pytest_layercount.model.layers import row_of
from pytest_layercount.model.plain_settings import stored_settings, within
from pytest_layercount.model.readers.files.calls import Malformed
from pytest_layercount.model.readers.files.config import Parser, Unseeable
from pytest_layercount.model.readers.files.container import Saved, read_configuration
from pytest_layercount.model.readers.files.dtypes import is_masked, stored_bytes
from pytest_layercount.model.readers.files.parameters import parameters
from pytest_layercount.model.readers.files.saved_layer import Network, SavedLayer, SavedTensor
from pytest_layercount.model.readers.files.settings import settings_of
from pytest_layercount.model.readers.files.weights import count_own_weights
from pytest_layercount.model.readers.live import Opening

MOST_CALLS = 200_000
_NOT_A_MODEL = (
    ArithmeticError,
    AttributeError,
    LookupError,
    StopIteration,
    TypeError,
    ValueError,
)


class NotInFile(ModelError):
    """The file does not hold the model's graph: only the code of its class does."""


@dataclass(frozen=True)
class OpenFile:
    """A graph and what the file says of each of ``graph.layers``."""

    graph: ModelGraph
    layers: tuple[SavedLayer, ...]
    model: SavedLayer


def read_saved(path: Path) -> ModelGraph:
    """The structure of the model saved at ``path``: ``.keras``, ``.h5`` or ``.json``.

    Raises:
        NotInFile: a subclassed model, whose graph no file holds.
        ModelError: the file cannot be read, or does not describe a model.
    """
    return open_saved(path).graph


def open_saved(path: Path) -> OpenFile:
    """The structure of the model saved at ``path`` and what is said of its layers.

    Raises:
        ModelError: as :func:`read_saved`.
    """
    return _checked(read_configuration(path))


def graph_of(saved: Saved) -> ModelGraph:
    """The structure that a configuration describes."""
    return _checked(saved).graph


def _checked(saved: Saved) -> OpenFile:
    path = saved.path
    try:
        return _opened(saved)
    except Unseeable as unseeable:
        raise NotInFile(f"{path}: {unseeable}") from None
    except Malformed as malformed:
        raise ModelError(f"{path}: not a valid configuration: {malformed}") from None
    except RecursionError:
        raise ModelError(f"{path}: its configuration is nested too deeply") from None
    except _NOT_A_MODEL as error:
        said = first_line(error)[:200]
        raise ModelError(f"{path}: not a valid configuration ({said})") from error


def _opened(saved: Saved) -> OpenFile:
    parser = Parser(saved.config, saved.version)
    model = parser.model()
    assert model.network is not None
    count_own_weights(saved.path, model)
    # Files answer what is asked to read: nothing in them is called, and nothing made of them.
    opening = _SavedOpening(cast(Adapter, _SavedReading(parser.generation)))
    inputs, outputs = opening.root(model.network)
    graph = ModelGraph(
        name=model.name,
        keras=_label(saved.version, parser.generation),
        layers=tuple(opening.described(model)),
        nodes=tuple(opening.nodes),
        inputs=inputs,
        outputs=outputs,
        top=tuple(
            layer.type
            for layer in model.network.layers
            if layer.counted and not (model.sequential and layer.type == "InputLayer")
        ),
        sequential=model.sequential,
    )
    return OpenFile(graph, tuple(opening.layers), model)


def _label(version: str, generation: int) -> str:
    """As ``keras_label`` says it of a live model; tf_keras counts on from Keras 2.15."""
    numbers = [int(part) for part in version.split(".")[:2] if part.isdecimal()]
    library = "tf_keras" if (2, 16) <= tuple(numbers) < (3,) else "Keras"
    return f"{library} {version or generation}"


@dataclass(frozen=True)
class _SavedReading:
    """How a parsed configuration answers what the reader of live models asks."""

    generation: int

    def functional(self, model: Any) -> Any | None:
        return model.network

    def is_tensor(self, leaf: Any) -> bool:
        return isinstance(leaf, SavedTensor)

    def is_masked(self, leaf: Any) -> bool:
        return isinstance(leaf, SavedTensor) and leaf.masked

    def source(self, tensor: SavedTensor) -> SavedLayer:
        return tensor.layer

    def calls(self, functional: Network) -> Iterator[Call]:
        return iter(functional.calls)

    def ends(self, functional: Network) -> tuple[Any, Any, list[Any]]:
        return functional.inputs, functional.outputs, functional.entries

    def shape(self, tensor: SavedTensor) -> tuple[int | None, ...] | None:
        return tensor.shape

    def operation(self, layer: SavedLayer) -> str | None:
        return layer.operation

    def counted(self, layer: SavedLayer) -> bool:
        return layer.counted

    def training(self, outer: bool | None, own: bool | None) -> bool | None:
        first, second = (outer, own) if self.generation == 3 else (own, outer)
        return second if first is None else first


class _SavedOpening(Opening):
    """Nested models opened as those of a live model are, within bounds.

    A small file can nest models that each call the next one twice.
    """

    calls = 0

    def _inside(
        self, call: Call, path: str, known: Any, training: bool | None
    ) -> tuple[Any, Any, bool]:
        self.calls += 1
        if self.calls > MOST_CALLS:
            raise Malformed(f"it makes more than {MOST_CALLS:,} calls")
        if call.layer.network is None:
            return None, None, False
        given = call.args[0] if call.args else next(iter(call.kwargs.values()))
        return call.layer.network, given, False

    def _carries_mask(self, layer: SavedLayer) -> bool:
        return is_masked(layer, [SavedTensor(layer, None, masked=True)])

    def _name(self, layer: SavedLayer, prefix: str) -> str:
        return layer.name

    def _kind(self, layer: SavedLayer) -> Kind:
        if layer.type == "InputLayer":
            return "input"
        return "layer" if layer.counted else "operation"

    def described(self, model: SavedLayer) -> Iterator[Layer]:
        trains = not _is_frozen(model)
        self.met = set(map(id, self.layers))
        for layer, path in zip(self.layers, self.paths, strict=True):
            found = replace(self._described(layer, path), inside=self._held(layer, path))
            yield found if trains else replace(found, trainable_parameters=0)

    def _held(self, layer: SavedLayer, path: str) -> tuple[Layer, ...]:
        """The layers that a whole one holds, models among them opened."""
        found: list[Layer] = []
        parts = layer.parts if layer.network is None else layer.network.layers
        for part in parts:
            if id(part) in self.met:
                continue
            self.met.add(id(part))
            own = f"{path}/{part.name}"
            inside = self._held(part, own)
            if part.model:
                found += inside
            elif self._kind(part) == "layer":
                found.append(replace(self._inner(part, own), inside=inside))
        return tuple(found)

    def _config(self, layer: SavedLayer, path: str) -> dict[str, Any]:
        """The settings of a layer, what it wraps among them."""
        config: dict[str, Any] = settings_of(layer) if layer.builtin else {}
        for name, part in zip(row_of(layer.type).inner, layer.parts, strict=False):
            if layer.builtin:
                config[name] = within(layer.type, self._inner(part, f"{path}/{part.name}"))
        return config

    def _described(self, layer: SavedLayer, path: str) -> Layer:
        config = self._config(layer, path)
        known = parameters(layer)
        if known and min(known) < 0:  # of sizes that no layer has
            known = None
        total, trainable = known or (0, 0)
        return Layer(
            path=path,
            type=layer.type,
            kind=self._kind(layer),
            builtin=layer.builtin,
            config=config,
            operation=layer.operation,
            sealed=None if layer.type == "InputLayer" else _seal(layer.config),
            parameters=total,
            trainable_parameters=trainable,
            stored_bytes=stored_bytes(layer, total) or None,
            weighed=known is not None,
            settings=stored_settings(layer.type, layer.config, config, builtin=layer.builtin),
            bases=_bases(layer),
            closed=_is_closed(layer),
        )

    def _inner(self, layer: SavedLayer, path: str) -> Layer:
        config = self._config(layer, path)
        return Layer(
            path=path,
            type=layer.type,
            builtin=layer.builtin,
            config=config,
            operation=layer.operation,
            sealed=_seal(layer.config),
            settings=stored_settings(layer.type, layer.config, config, builtin=layer.builtin),
            bases=_bases(layer),
            closed=_is_closed(layer),
        )


def _is_frozen(model: SavedLayer) -> bool:
    """Whether Keras trains nothing of the model that it loads.

    Keras 3 gives the flag back to a model that is neither Sequential nor inside another;
    Keras 2 does to none.
    """
    return (
        model.generation == 3
        and not model.sequential
        and model.config.get("trainable", True) is False
    )


def _bases(layer: SavedLayer) -> tuple[str, ...]:
    return row_of(layer.type).bases if layer.builtin else layer.bases or ()


def _is_closed(layer: SavedLayer) -> bool:
    """Whether only code or a SavedModel tells what a layer is and holds.

    A kind of one of Keras's own is that kind.
    """
    return layer.type in RELOADED if layer.builtin else not layer.bases


def _seal(config: Mapping[str, Any]) -> str | None:
    """Why the weights must stay, for the layer or for any part of it."""
    found = set(_seals(config))
    return next((reason for reason in ("quantized", "lora") if reason in found), None)


def _seals(tree: Any) -> Iterator[str]:
    if isinstance(tree, Mapping):
        policy = tree.get("dtype")
        name = policy.get("class_name", "") if isinstance(policy, Mapping) else policy
        if re.search(r"Quantized|GPTQ|AWQ|\bint8|float8", str(name)):
            yield "quantized"
        if tree.get("lora_rank"):
            yield "lora"
        for item in tree.values():
            yield from _seals(item)
    elif isinstance(tree, list):
        for item in tree:
            yield from _seals(item)
