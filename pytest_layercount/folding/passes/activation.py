"""The pass ``activation``: an activation layer goes into ``activation=`` of the layer before."""

from __future__ import annotations

from pytest_layercount.folding.edit import FoldEdit
from pytest_layercount.folding.passes.result import PassResult
from pytest_layercount.folding.rules.weighted import Weighted
from pytest_layercount.model.edit import Use
from pytest_layercount.model.graph import Layer, Value

FUSED = (
    "elu",
    "exponential",
    "gelu",
    "hard_sigmoid",
    "relu",
    "selu",
    "sigmoid",
    "silu",
    "softmax",
    "softplus",
    "softsign",
    "swish",
    "tanh",
)
"""Activations that mean the same as a name as they do as a layer."""


class Activation:
    """Only where the linear layer before it is read by the activation alone."""

    def __init__(self, edit: FoldEdit) -> None:
        self.edit = edit

    def run(self) -> PassResult:
        """Fuse what can be fused."""
        #     conv ── Activation(relu) ──        becomes        conv(activation=relu) ──
        edit = self.edit
        gone: list[str] = []
        for number, layer in enumerate(edit.layers):
            function, calls = _function(layer), edit.calls(number)
            if function not in FUSED or not calls:
                continue
            sources = [edit.inputs[call][0] for call in calls]
            before = {edit.graph.nodes[source.node].layer for source in sources}
            if len(before) != 1:
                continue
            (taker,) = before
            if _can_take(edit, taker, calls, sources):
                edit.change(taker, {"activation": function})
                for call, source in zip(calls, sources, strict=True):
                    edit.alter(source)
                    edit.bypass(call)
                gone.append(layer.path)
        return PassResult(tuple(gone))


def _function(layer: Layer) -> str | None:
    if not layer.builtin or layer.operation is not None:
        return None
    if layer.type == "Activation":
        return str(layer.config["activation"])
    plain = layer.config.get("max_value") is None and not layer.config.get("threshold")
    if layer.type == "ReLU" and plain and not layer.config.get("negative_slope"):
        return "relu"
    return None


def _can_take(edit: FoldEdit, taker: int, calls: tuple[int, ...], sources: list[Value]) -> bool:
    """Whether every call of the layer goes into one of ``calls`` and nowhere else."""
    layer = edit.layers[taker]
    return (
        isinstance(edit.rules[taker], Weighted)
        and layer.config.get("activation") == "linear"
        # A layer has one ``activation=`` for all of its calls, so each of them has to go this way.
        and {source.node for source in sources} == set(edit.calls(taker))
        and all(
            edit.uses(source) == [Use(call, 0)]
            and not edit.is_output(source)
            and edit.keeps_dtype(call)
            for call, source in zip(calls, sources, strict=True)
        )
    )
