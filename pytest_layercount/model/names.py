"""Names that depend on nothing but the model.

Keras numbers the layers it has to name itself as they are made: ``conv2d_17`` is
``conv2d_3`` when the tests run in another order, and ``input_1`` of Keras 2 is
``input_layer`` in Keras 3. Here they are named by their type and numbered anew, within
the model.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping

from pytest_layercount.model.graph import Layer, ModelGraph

_MODEL = re.compile(r"(functional|sequential|model)(_\d+)?")
_NUMBER = re.compile(r"_\d+$")
_INPUTS = ("input", "input_layer", "keras_tensor")


def model_name(graph: ModelGraph) -> str:
    """The name that a user gave ``graph``, empty if it was Keras."""
    return "" if _MODEL.fullmatch(graph.name) else graph.name


def stable_paths(graph: ModelGraph) -> Mapping[str, str]:
    """Map the path of each layer to one that does not depend on the order of construction.

    Layers that other layers hold are mapped as well.
    """
    numbers: Counter[str] = Counter()
    prefixes: dict[str, str] = {}
    paths: dict[str, str] = {}
    for layer in graph.every():
        *models, own = layer.path.split("/")
        path = outer = ""
        for name in models:
            outer += f"{name}/"
            if outer not in prefixes:
                made = _MODEL.fullmatch(name)
                new = path + (_next(made[1], path, numbers) if made else name)
                # A layer that stays whole has a new path already, which its parts are to have as
                # well.
                prefixes[outer] = paths.get(outer[:-1], new) + "/"
            path = prefixes[outer]
        base = _generated(own, layer)
        paths[layer.path] = path + (_next(base, path, numbers) if base else own)
    return paths


def _next(base: str, path: str, numbers: Counter[str]) -> str:
    number = numbers[path + base]
    numbers[path + base] += 1
    return f"{base}_{number}" if number else base


def _generated(name: str, layer: Layer) -> str:
    """What Keras made ``name`` of, as ``re_lu`` in ``re_lu_3``; empty if a user chose it."""
    # Names and classes are compared without underscores: "p_re_lu" is of PReLU.
    base = _NUMBER.sub("", name)
    if layer.operation is not None:
        return layer.operation
    if layer.kind == "input":
        return "input" if base in _INPUTS else ""
    return base if base.replace("_", "") == layer.type.lower().replace("_", "") else ""
