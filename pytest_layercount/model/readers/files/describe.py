"""Saved layers as plain data: what a live layer's attributes say, from its configuration."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from pytest_layercount.model.graph import Kind, Layer
from pytest_layercount.model.keras.common import RELOADED
from pytest_layercount.model.keras.origin import is_own
from pytest_layercount.model.layers import row_of
from pytest_layercount.model.layers.names import names
from pytest_layercount.model.plain_settings import stored_settings, within
from pytest_layercount.model.readers.builder import layers_inside
from pytest_layercount.model.readers.files.parameters import parameters, stored_bytes
from pytest_layercount.model.readers.files.saved_layer import SavedLayer

_FUNCTIONS = names("""
    celu elu exponential gelu glu hard_shrink hard_sigmoid hard_silu hard_swish hard_tanh
    leaky_relu linear log_sigmoid log_softmax mish relu relu6 selu sigmoid silu soft_shrink
    softmax softplus softsign sparse_plus sparse_sigmoid sparsemax squareplus swish tanh
    tanh_shrink threshold
    """)
_NEW_NAMES = {"swish": "silu", "hard_swish": "hard_silu"}


class SavedDescriber:
    """Describes the layers of one saved model. ``met`` are those that stand somewhere already."""

    def __init__(self) -> None:
        self.met: set[int] = set()

    def described(
        self, model: SavedLayer, layers: Iterable[SavedLayer], paths: Iterable[str]
    ) -> Iterator[Layer]:
        """The layers of ``model`` with their paths; nothing trains where Keras trains nothing."""
        listed = list(layers)
        trains = not _is_frozen(model)
        self.met = set(map(id, listed))
        for layer, path in zip(listed, paths, strict=True):
            known = parameters(layer)
            # Sizes in a file may be negative, and their products then are.
            if known and min(known) < 0:  # of sizes that no layer has
                known = None
            total, trainable = known or (0, 0)
            yield replace(
                self._described(layer, path),
                kind=_kind(layer),
                parameters=total,
                trainable_parameters=trainable if trains else 0,
                stored_bytes=stored_bytes(layer, total) or None,
                weighed=known is not None,
                inside=layers_inside(layer, path, self.met, _parts, self._held),
            )

    def _held(self, part: SavedLayer, path: str) -> Layer | None:
        """A layer inside another; its parameters count for the outer one."""
        return None if part.model or _kind(part) != "layer" else self._described(part, path)

    def _config(self, layer: SavedLayer, path: str) -> dict[str, Any]:
        """The attributes of a layer, with the layers that it wraps."""
        config: dict[str, Any] = _attributes(layer) if layer.builtin else {}
        for name, part in zip(row_of(layer.type).inner, layer.parts, strict=False):
            if layer.builtin:
                config[name] = within(layer.type, self._described(part, f"{path}/{part.name}"))
        return config

    def _described(self, layer: SavedLayer, path: str) -> Layer:
        """A layer without the layers inside it and without its parameters."""
        config = self._config(layer, path)
        return Layer(
            path=path,
            type=layer.type,
            builtin=layer.builtin,
            config=config,
            operation=layer.operation,
            sealed=None if layer.type == "InputLayer" else _seal(layer.config),
            settings=stored_settings(layer.type, layer.config, config, builtin=layer.builtin),
            bases=_bases(layer),
            closed=_is_closed(layer),
        )


def _parts(layer: SavedLayer) -> Iterable[SavedLayer]:
    """The layers that a layer or model is made of, not those inside them."""
    return layer.parts if layer.network is None else layer.network.layers


def _kind(layer: SavedLayer) -> Kind:
    if layer.type == "InputLayer":
        return "input"
    return "layer" if layer.counted else "operation"


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
    seals = set(_seals(config))
    return next((reason for reason in ("quantized", "lora") if reason in seals), None)


def _seals(tree: Any) -> Iterator[str]:
    if isinstance(tree, Mapping):
        # The policy is a name ("int8_from_float32") or an object of a class (QuantizedDTypePolicy).
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


def _attributes(layer: SavedLayer) -> dict[str, Any]:
    """The attributes that decide what a saved built-in layer computes."""
    row = row_of(layer.type)
    defaults = row.defaults
    if layer.generation == 2 and layer.type.endswith("Transpose"):
        defaults = {**defaults, "groups": 1}  # where a transposed convolution is a convolution
    attributes: dict[str, Any] = {}
    for name in (*row.attributes, *(name for name, _ in row.asks)):
        # A setting may have another name in the configuration than the attribute has.
        value = layer.config.get(row.keys.get(name, name), defaults.get(name))
        attributes[name] = _function(value, layer) if name.endswith("activation") else _plain(value)
    if layer.type == "Normalization" and "axis" in attributes:
        attributes["axis"] = _axes(attributes["axis"])
    return attributes


def _plain(value: Any) -> Any:
    """Sequences as tuples; what Keras wrapped, unwrapped."""
    if isinstance(value, list):
        return tuple(map(_plain, value))
    if isinstance(value, dict):
        inner = value.get("config")
        if value.get("class_name") in ("__numpy__", "__tensor__") and isinstance(inner, dict):
            return _plain(inner.get("value"))
        return "custom"
    return value


def _function(value: Any, layer: SavedLayer) -> Any:
    """The name of one of Keras's own activations, ``"custom"`` for any other."""
    if value is None:
        return "linear"
    if isinstance(value, dict):
        own = is_own(str(value.get("module"))) and value.get("class_name") == "function"
        value = value.get("config") if own else None
    if not isinstance(value, str) or value not in _FUNCTIONS:
        return "custom"
    return _NEW_NAMES.get(value, value) if layer.generation == 3 else value


def _axes(axis: Any) -> Any:
    if axis is None:
        return ()
    return axis if isinstance(axis, tuple) else (axis,)
