"""Attention: queries, keys and values, with and without projections."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from pytest_layercount.model.graph import Shape
from pytest_layercount.model.layers.base import (
    Call,
    Config,
    Kernel,
    LayerType,
    Scalars,
    Shapes,
    Unknown,
    certain,
    known,
    last,
    passed,
    product,
)


class _Heads(NamedTuple):
    """How many heads the queries have, and the keys and values; how wide keys and values are."""

    queries: int
    others: int
    width: int
    depth: int


def _heads(config: Config) -> _Heads:
    if "num_query_heads" in config:  # fewer heads for keys and values (arXiv:2305.13245)
        width = int(config["head_dim"])
        queries, others = int(config["num_query_heads"]), int(config["num_key_value_heads"])
        return _Heads(queries, others, width, width)
    heads, width = int(config["num_heads"]), int(config["key_dim"])
    return _Heads(heads, heads, width, int(config.get("value_dim") or width))


def _inputs(shapes: Shapes) -> tuple[Shape, Shape, Shape]:
    """Query, value and key; the value stands in for a key that was not given."""
    value = shapes[1] if len(shapes) > 1 else shapes[0]
    return shapes[0], value, shapes[2] if len(shapes) > 2 else value


def _made(config: Config, query: Shape, output: Shape) -> int:
    """The features that the last projection returns."""
    if output is not None:
        return last(output)
    wanted = config.get("output_shape")
    if wanted is None:
        return last(query)
    return product(wanted if isinstance(wanted, list) else [wanted])


def _projections(config: Config, shapes: Shapes, output: Shape) -> tuple[Kernel, ...]:
    """Four projections, and one that gates what was attended to (arXiv:1706.03762, section 3.2)."""
    (query, value, key), heads = _inputs(shapes), _heads(config)
    taking, seen = known(query)[1:-1], known(value)[1:-1]
    attended = heads.queries * heads.depth
    kernels = (
        Kernel(last(query) * heads.queries * heads.width, taking),
        Kernel(last(key) * heads.others * heads.width, seen),
        Kernel(last(value) * heads.others * heads.depth, seen),
        Kernel(attended * _made(config, query, output), taking),
    )
    # Weights of query, key, value and output: (features, heads, width) each, the last (heads,
    # depth, features). Queries and the output have a position for each step of the query, the
    # others for each step of the value.
    gate = Kernel(last(query) * attended, taking)
    return (*kernels, gate) if config.get("use_gate") else kernels


def _biases(config: Config, shapes: Shapes) -> Scalars:
    if not config.get("use_bias", True):
        return Scalars()
    heads, made = _heads(config), _made(config, shapes[0], None)
    attended = heads.queries * heads.depth
    projected = (heads.queries + heads.others) * heads.width + heads.others * heads.depth
    return Scalars(projected + made + (attended if config.get("use_gate") else 0))


def _projected_scores(config: Config, shapes: Shapes) -> int:
    """The scores and the weighted sum."""
    (query, value, key), heads = map(known, _inputs(shapes)), _heads(config)
    if not len(query) == len(value) == len(key) == 3:
        raise Unknown("its inputs have several axes to attend to")
    # For each head and each pair of steps: q . k over the width, and the weight times v over the
    # depth.
    pairs = certain(query[1]) * certain(value[1])
    return pairs * heads.queries * (heads.width + heads.depth)


def _projected(call: Call) -> list[Shape]:
    query, value, config = call.shape, call.shapes[1], call.config
    out = config.get("output_shape")
    out = query[-1:] if out is None else out if isinstance(out, list) else [out]
    result: list[Shape] = [(*query[:-1], *out)]
    if call.arguments.get("return_attention_scores"):
        heads = config.get("num_heads", config.get("num_query_heads"))
        result.append(None if value is None else (query[0], heads, *query[1:-1], *value[1:-1]))
    return result


def _attended(call: Call) -> list[Shape]:
    query, value = call.shape, call.shapes[1]
    result: list[Shape] = [None if value is None else (*query[:-1], value[-1])]
    if call.arguments.get("return_attention_scores"):
        result.append(None if value is None else (*query[:-1], value[-2]))
    return result


def _scores(config: Config, shapes: Shapes) -> int:
    """The scores and the weighted sum, without projections."""
    query, value = known(shapes[0]), known(shapes[1])
    # For each pair of steps: q . k over the features of the query, and the sum over those of v.
    return product(query[:-1]) * certain(value[-2]) * (last(query) + last(value))


def _scale(config: Config, shapes: Shapes) -> Scalars:
    return Scalars(bool(config.get("use_scale")) + (config.get("score_mode") == "concat"))


def _additive_scale(config: Config, shapes: Shapes) -> Scalars:
    return Scalars(last(shapes[0]) if config.get("use_scale", True) else 0)


ATTENDED = ("query", "value", "key")
"""The tensors that such a layer projects; those that follow are masks."""

_ARGUMENTS = (*ATTENDED, "query_mask", "value_mask", "key_mask", "attention_mask")

TYPES: Mapping[str, LayerType] = {
    "MultiHeadAttention": LayerType(
        attributes=("num_heads", "key_dim", "value_dim", "use_bias"),
        defaults={"use_bias": True},
        writes=("num_heads", "key_dim"),
        arguments=_ARGUMENTS,
        output=_projected,
        masks=passed,
        kernels=_projections,
        vectors=_biases,
        scores=_projected_scores,
        parts_train=True,
    ),
    "GroupedQueryAttention": LayerType(
        attributes=("num_query_heads", "num_key_value_heads", "head_dim", "use_bias"),
        writes=("num_query_heads", "num_key_value_heads"),
        arguments=_ARGUMENTS,
        output=_projected,
        kernels=_projections,
        vectors=_biases,
        scores=_projected_scores,
        parts_train=True,
    ),
    "Attention": LayerType(writes=("use_scale",), output=_attended, vectors=_scale, scores=_scores),
    "AdditiveAttention": LayerType(
        writes=("use_scale",),
        bases=("Attention",),
        output=_attended,
        vectors=_additive_scale,
        scores=_scores,
        usual={"use_scale": True},
    ),
}
PROJECTING = ("GroupedQueryAttention", "MultiHeadAttention")
"""Layers that take three tensors to project, and masks after these."""
