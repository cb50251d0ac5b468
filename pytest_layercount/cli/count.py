"""``layercount count``: how many layers a model has, and whether it keeps its limits."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from pytest_layercount.checks.arguments import checked, from_text
from pytest_layercount.checks.judgement import Limit
from pytest_layercount.checks.layercount import (
    Limits,
    check_folded,
    fact,
    held,
    large,
    limited,
    not_kept,
)
from pytest_layercount.cli.answer import Answer, counted, declare, table
from pytest_layercount.cli.models import HOW, MODEL, named, planned, structure
from pytest_layercount.errors import ModelError
from pytest_layercount.measures import MEASURES, NOUNS
from pytest_layercount.model.count import (
    COUNTS,
    LayerCount,
    LayerRow,
    rows,
)
from pytest_layercount.model.graph import Shape

_EXAMPLES = """\
  layercount count detector.keras --max 150 --max-parameters 5M
  layercount count "detectors.zoo:build(depth=3)" --folded --type BatchNormalization=0"""


def add(commands: Any) -> argparse.ArgumentParser:
    """Declare the subcommand."""
    parser = declare(commands, "count", "how many layers a model has", _EXAMPLES)
    parser.add_argument("model", metavar="MODEL", help=MODEL)
    parser.add_argument("--count", choices=COUNTS, default="layers", help=HOW)
    parser.add_argument("--folded", action="store_true", help="judge what is left after folding")
    for name, more in (("max", "more"), ("min", "fewer"), ("exactly", "more or fewer")):
        about = f"exit with 1 if there are {more}"
        parser.add_argument(f"--{name}", type=int, metavar="N", help=about)
    for measure in MEASURES.values():
        parser.add_argument(_option(measure.keyword), metavar="N", help=measure.help)
    parser.add_argument(
        "--type",
        action="append",
        type=_limit,
        metavar="TYPE=N",
        help="exit with 1 if there are more layers of this type, also inside other layers; "
        "may be repeated",
    )
    parser.add_argument(
        "--list", action="store_true", help="list every layer, those of nested models indented"
    )
    return parser


def run(options: argparse.Namespace) -> Answer:
    """Count, and judge the count if there is a limit."""
    limits = _limits(options)
    # Late: no other command reads files of weights, nor does --help.
    from pytest_layercount.model.readers.files.stored_weights import holds_weights_alone

    if holds_weights_alone(options.model):
        return _weights(options, limits)
    if options.folded:
        graph = planned(named(options.model), options.model).graph
    else:
        graph = structure(options.model)
    measured = limits.count_in(graph)
    broken = not_kept(limits.judge(measured))
    facts = {
        "model": counted(measured),
        "folded": options.folded,
        "violations": [_violation(limit) for limit in broken],
    }
    listed = rows(graph) if options.list else []
    if listed:
        facts["layers"] = [asdict(row) for row in listed]
    text = _text(measured, broken, large(graph, broken), listed, folded=options.folded)
    return Answer(text, facts, good=not broken)


def _weights(options: argparse.Namespace, limits: Limits) -> Answer:
    """What a file of weights holds, which has no layers but those."""
    from pytest_layercount.cli.weights import answer

    if limits != Limits() or options.count != "layers":
        raise ModelError(f"{options.model}: holds weights and no model, which could be limited")
    return answer(options.model)


def _violation(limit: Limit) -> dict[str, Any]:
    """A limit that is broken, as JSON."""
    type_ = limit.of if limit.name == "types" else ""
    return {"keyword": limit.name, "value": limit.value, "limit": limit.limit, "type": type_}


def _limits(options: argparse.Namespace) -> Limits:
    given = {
        "max": options.max,
        "min": options.min,
        "exactly": options.exactly,
        "types": dict(options.type) if options.type else None,
        **{keyword: _given(options, keyword) for keyword in MEASURES},
        "count": options.count,
        "folded": options.folded,
    }
    arguments = checked(given)
    if limited(arguments):
        return Limits.of(arguments)
    check_folded(folded=options.folded, count=options.count)
    return Limits(count=options.count, folded=options.folded)


def _given(options: argparse.Namespace, keyword: str) -> str | int | None:
    text = getattr(options, keyword)
    return None if text is None else from_text(text)


def _limit(text: str) -> tuple[str, int]:
    name, _, most = text.partition("=")
    if not (name and most.isdecimal()):
        raise argparse.ArgumentTypeError(f"{text!r} is not like BatchNormalization=0")
    return name, int(most)


def _option(keyword: str) -> str:
    """``--max-parameters``."""
    return f"--{keyword.replace('_', '-')}"


def _text(
    measured: LayerCount,
    broken: Sequence[Limit],
    most: Sequence[str],
    listed: Sequence[LayerRow],
    *,
    folded: bool,
) -> str:
    """A count, the limits that it does not keep, and its layers where listed."""
    noun, after = NOUNS[measured.count], " after folding" if folded else ""
    facts = [fact(limit, measured) for limit in broken]
    return "\n".join(
        [
            *(f"{measured.model}: {fact}" for fact in facts or [f"{measured.total} {noun}{after}"]),
            f"counted: {noun} of {measured.model}{after}, {measured.keras}",
            _parameters(measured),
            *(f"{total:6d} {name}" for name, total in measured.by_type.items()),
            *held(measured, broken),
            *most,
            *_listed(listed),
            *_accepted(broken),
        ]
    )


def _listed(rows: Sequence[LayerRow]) -> list[str]:
    """A table of the layers; a nested model is a line above its own, which are indented."""
    if not rows:
        return []
    lines = [("layer", "type", "output", "parameters", "MACs")]
    above: list[str] = []
    for row in rows:
        *models, name = row.path.split("/")
        common = next(
            (depth for depth, (a, b) in enumerate(zip(above, models, strict=False)) if a != b),
            min(len(above), len(models)),
        )
        new = range(common, len(models))
        lines += [("  " * depth + models[depth], "", "", "", "") for depth in new]
        above = models
        macs = "?" if row.macs is None else f"{row.macs:,}"
        shape = ", ".join(map(_shape, row.shapes))
        parameters = "?" if row.parameters is None else f"{row.parameters:,}"
        lines.append(("  " * len(models) + name, row.type, shape, parameters, macs))
    return ["", *table(lines, numbers=2)]


def _shape(shape: Shape) -> str:
    if shape is None:
        return "?"
    return f"({', '.join(map(str, shape))})"


def _accepted(broken: Sequence[Limit]) -> list[str]:
    """The options that the model would keep."""
    over = [
        f"--type {limit.of}={limit.value}"
        if limit.name == "types"
        else f"{_option(limit.name)} {limit.value}"
        for limit in broken
    ]
    return [f"to accept: {' '.join(over)}"] if over else []


def _parameters(measured: LayerCount) -> str:
    trainable = f"{measured.trainable_parameters:,}"
    unknown = f", and of {len(measured.unweighed)} layers not known" if measured.unweighed else ""
    return f"parameters: {measured.parameters:,}, of them {trainable} trainable{unknown}"
