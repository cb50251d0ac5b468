"""What can be limited of a model: the ways to count its layers, and a row for each other number."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, NamedTuple

NOUNS: Mapping[str, str] = {"layers": "layers", "nodes": "nodes", "top": "top-level layers"}
"""What is counted, by the ways to count."""


class Measure(NamedTuple):
    """A number of a model that can be limited.

    ``keyword`` limits it, in marks, fixtures, settings and the command, ``attribute`` is its
    name in a ``LayerCount`` and ``metric`` in a baseline. ``read`` says what a limit may be
    written as: ``"whole"`` like 50, ``"size"`` like 5M, ``"bytes"`` like 20MB. ``noun`` and
    ``unit`` say how it is told; where it is ``rough``, its last digits do not matter to a
    reader. ``most`` begins the line that says which layers have the most of it, if layers have
    any. ``of_weights`` is one that weights add up to, so that all of them must be known.
    ``unknown`` is the attribute of a ``LayerCount`` that says of which layers it is not known.
    """

    keyword: str
    attribute: str
    metric: str
    noun: str
    help: str
    most: str = ""
    read: Literal["whole", "size", "bytes"] = "size"
    unit: str = ""
    rough: bool = False
    of_weights: bool = False
    unknown: str = ""

    def written(self, value: int) -> str:
        """``5M`` or ``14.2MB``, without the noun."""
        from pytest_layercount.text import rounded, size

        return f"{rounded(value)}{self.unit}" if self.rough else f"{size(value)}{self.unit}"

    def unknown_of(self, measured: object) -> Mapping[str, str]:
        """The layers of a ``LayerCount`` of which it is not known, and why."""
        layers: Mapping[str, str] = getattr(measured, self.unknown) if self.unknown else {}
        return layers


_ROWS = (
    Measure(
        "max_parameters",
        "parameters",
        "parameters",
        "parameters",
        "a maximum for the parameters, like 5M",
        "most parameters",
        of_weights=True,
    ),
    Measure(
        "max_trainable",
        "trainable_parameters",
        "trainable",
        "trainable parameters",
        "a maximum for the trainable parameters, like 5M",
        "most trainable parameters",
        of_weights=True,
    ),
    Measure(
        "max_bytes",
        "weight_bytes",
        "bytes",
        "of weights",
        "a maximum for the bytes of weights, like 20MB",
        "largest weights",
        read="bytes",
        unit="B",
        rough=True,
        of_weights=True,
    ),
    Measure(
        "max_depth",
        "depth",
        "depth",
        "calls deep",
        "a maximum for the calls on the longest way through the model",
        "longest way",
        read="whole",
    ),
    Measure(
        "max_macs",
        "macs",
        "macs",
        "MACs",
        "a maximum for the multiply-accumulates, like 300M",
        "most MACs",
        rough=True,
        unknown="uncounted",
    ),
)
MEASURES: Mapping[str, Measure] = {measure.keyword: measure for measure in _ROWS}
BY_METRIC: Mapping[str, Measure] = {measure.metric: measure for measure in _ROWS}
BY_ATTRIBUTE: Mapping[str, Measure] = {measure.attribute: measure for measure in _ROWS}


def marker_help() -> str:
    """What ``pytest --markers`` says."""
    return (
        "layercount(*, max=, min=, exactly=, count='layers', folded=False, types=, "
        f"{', '.join(f'{keyword}=' for keyword in MEASURES)}, max_growth=, "
        "model=, reason=): fail the test before its body runs "
        "unless the models among its fixture values keep these limits. count is 'layers', "
        "'nodes' or 'top'; types maps layer types to their maximum; max_parameters takes "
        "5_000_000 or '5M'; max_growth is how much more than in the baseline there may be, "
        "3 or '5%'; model names the fixture to judge."
    )
