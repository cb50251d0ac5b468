"""Parse a saved configuration, of either generation, into layers and a graph of calls.

Four forms of a call are read: Keras 3's ``{"args": ..., "kwargs": ...}`` and Keras 2's
nested lists of ``[layer, call, tensor, kwargs]``, both in the current and the legacy
form of a layer (with and without a ``module``).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

from pytest_layercount.errors import ModelError
from pytest_layercount.model.keras.loose import ACTIVATIONS
from pytest_layercount.model.keras.origin import bases_of, is_model
from pytest_layercount.model.layers import row_of
from pytest_layercount.model.readers.files.calls import Malformed, RawCall, raw_call
from pytest_layercount.model.readers.files.classes import (
    Class,
    class_of,
    loaded_class,
    nested_layers,
)
from pytest_layercount.model.readers.files.infer import shape_from
from pytest_layercount.model.readers.files.joining import Joining, chained, entry_of
from pytest_layercount.model.readers.files.saved_layer import Network, SavedLayer

_FUNCTIONAL = ("layers", "input_layers", "output_layers")
_KEEPS_LISTS = (3, 8)
"""Versions that surely write a list of inputs only where the model takes a list."""


class NotInFile(ModelError):
    """The file does not hold the model's graph: only the code of its class does."""


class Parser:
    """Reads one configuration. Layers with one ``shared_object_id`` are one layer."""

    def __init__(self, config: Mapping[str, Any], version: str) -> None:
        self.config = config
        self.generation = _generation(config, version)
        self.version = tuple(int(part) for part in version.split(".")[:2] if part.isdecimal())
        self.keeps_lists = self.version >= _KEEPS_LISTS
        self.shared: dict[Any, SavedLayer] = {}

    def model(self) -> SavedLayer:
        """The model, with its network.

        Raises:
            Malformed: the configuration contradicts itself.
            NotInFile: the model is a subclassed one.
        """
        model = self.layer(self.config)
        if model.network is None and model.sequential:
            raise NotInFile(
                f"the Sequential model {model.name!r} was saved without an input shape, so its "
                "graph is unknown"
            )
        if model.network is None:
            raise NotInFile(_made_by_code(model))
        return model

    def layer(self, entry: Any) -> SavedLayer:
        """The layer that ``entry`` describes."""
        identity = entry.get("shared_object_id")
        key = (identity, entry.get("class_name"), entry.get("name"))
        # A layer that stands twice in a file is one object: its weights count once.
        if identity is not None and key in self.shared:
            return self.shared[key]
        layer = self._layer(entry)
        if identity is not None:
            self.shared[key] = layer
        return layer

    def _layer(self, entry: Mapping[str, Any]) -> SavedLayer:
        own = class_of(entry, self.generation, self.version)
        config = entry.get("config")
        # Of an old Sequential the configuration is the list of its layers.
        parts = config if isinstance(config, list) else None
        config = config if isinstance(config, dict) else {}
        name = entry.get("name") or config.get("name") or own.name.lower()
        layer = SavedLayer(
            name=str(name),
            type=own.name,
            config=config,
            builtin=own.builtin,
            counted=own.counted,
            operation=own.operation,
            noted=_noted(entry.get("build_config")),
            generation=self.generation,
            version=self.version,
        )
        if own.counted and own.operation is None:
            self._look_inside(layer, own, config.get("layers") if parts is None else parts)
        if not own.builtin and (cls := loaded_class(entry)):
            if layer.network is None and is_model(cls):
                raise NotInFile(_made_by_code(layer))  # as one layer it would be counted wrong
            layer.bases = bases_of(cls)
        return layer

    def _look_inside(self, layer: SavedLayer, own: Class, parts: Any) -> None:
        config = layer.config
        # Whatever the class, also a user's: these three settings make a functional graph.
        if all(isinstance(config.get(name), (list, dict)) for name in _FUNCTIONAL):
            layer.network = self._functional(config)
        elif own.name == "Sequential" and own.builtin and isinstance(parts, list):
            layer.sequential = True
            self._sequential(layer, parts)
        elif own.builtin and isinstance(config.get("layer"), dict):
            layer.inner = self.layer(config["layer"])
        if not own.builtin or row_of(own.name).holds:
            layer.parts = tuple(self._parts(layer))
        elif activations := {name: config[name] for name in ACTIVATIONS if name in config}:
            layer.parts = tuple(map(self.layer, nested_layers(activations, self.generation)))

    def _parts(self, layer: SavedLayer) -> Iterator[SavedLayer]:
        """The layers in the configuration of a layer that stays whole."""
        if layer.inner is not None:
            yield from self._both_ways(layer) if layer.type == "Bidirectional" else (layer.inner,)
            return
        for entry in nested_layers(layer.config, self.generation):
            try:
                yield self.layer(entry)
            except NotInFile:
                continue  # a model that only code knows: the layer counts as one unseen

    def _both_ways(self, layer: SavedLayer) -> Iterator[SavedLayer]:
        """The two layers of a Bidirectional; the second is the first turned, unless it is noted.

        Keras 3 saves the name with its "forward_", Keras 2 without.
        """
        assert layer.inner is not None
        name = layer.inner.name.removeprefix("forward_")
        yield replace(layer.inner, name=f"forward_{name}")
        entry = layer.config.get("backward_layer")
        back = self._layer(entry or layer.config["layer"])
        if not entry and "go_backwards" in back.config:
            # As Keras does: the copy for the way back has go_backwards turned round.
            turned = {**back.config, "go_backwards": not back.config["go_backwards"]}
            back = replace(back, config=turned)
        yield back if entry else replace(back, name=f"backward_{name}")

    def _sequential(self, layer: SavedLayer, entries: list[Any]) -> None:
        parts = [self.layer(entry) for entry in entries]
        layer.parts = tuple(parts)
        if not parts:
            return
        first = parts[0]
        if first.type == "InputLayer":
            shape, dtype = entry_of(first)
            layer.network = chained(first, parts[1:], shape, dtype)
            return
        entry = SavedLayer(
            f"{first.name}_input" if self.generation == 2 else "input_layer", "InputLayer", {}
        )
        # Without an InputLayer, the shape comes from the first that knows it: the first layer
        # (batch_input_shape), the note of build(), the entry of a model that stands first; or from
        # the call.
        layer.pending = partial(chained, entry, parts)
        shape, dtype = entry_of(first)
        if shape is None:
            shape = shape_from(layer.config.get("build_input_shape"))
        if shape is None and first.network is not None and len(first.network.entries) == 1:
            shape, dtype = first.network.entries[0].shape, first.network.entries[0].dtype
        if shape is not None:
            layer.network = layer.pending(shape, dtype)

    def _functional(self, config: Mapping[str, Any]) -> Network:
        layers: dict[str, SavedLayer] = {}
        calls: dict[str, list[RawCall]] = {}
        for entry in config["layers"]:
            layer = self.layer(entry)
            if layer.name in layers:
                raise Malformed(f"two layers are called {layer.name!r}")
            layers[layer.name] = layer
            nodes = entry.get("inbound_nodes") or []
            calls[layer.name] = [raw_call(node, layer) for node in nodes]
            # Files leave out the call that an InputLayer makes of itself.
            if layer.type == "InputLayer" and not nodes:
                calls[layer.name] = [RawCall((), {}, None)]
        return Joining(layers, calls, config, self.generation, lists=self.keeps_lists).network()


def _made_by_code(layer: SavedLayer) -> str:
    return (
        f"{layer.type} {layer.name!r} is a subclassed model: its graph is made by the code of its "
        "class, which a file does not hold"
    )


def _noted(build: Any) -> Any:
    return build.get("input_shape") if isinstance(build, dict) else None


def _generation(config: Mapping[str, Any], version: str) -> int:
    major = version.partition(".")[0]
    if major in ("1", "2"):
        return 2
    if major.isdecimal() and int(major) > 3:
        raise NotInFile(
            f"it was saved by Keras {version}, which is newer than this plugin knows: it reads "
            "files of Keras 2 and 3; upgrade pytest-layercount"
        )
    if major.isdecimal():
        return 3
    # No version in the file. Old Keras 2 noted no modules; Keras 3 has no engine.
    module = str(config.get("module") or "")
    if not module or module.startswith("tf_keras") or "engine" in module.split("."):
        return 2
    return 2 if _is_like_keras_2(module, config.get("config")) else 3


def _is_like_keras_2(module: str, config: Any) -> bool:
    """Whether a model of a module that both generations have was written by Keras 2."""
    layers = config.get("layers") if isinstance(config, dict) else None
    if not isinstance(layers, list):
        return False
    # Keras 3 writes of a Sequential ("keras" in both) the dtype too, and "batch_shape" of inputs.
    settings = [layer.get("config") for layer in layers if isinstance(layer, dict)]
    old = any(isinstance(each, dict) and "batch_input_shape" in each for each in settings)
    return old or (module == "keras" and "dtype" not in config)
