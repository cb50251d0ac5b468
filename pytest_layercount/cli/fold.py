"""``layercount fold``: what folds in a model, and the folded model as a file."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_layercount import messages
from pytest_layercount.checks.foldable import BATCH_NORMS, foldability
from pytest_layercount.cli.answer import Answer, counted, planned
from pytest_layercount.cli.files import check_target
from pytest_layercount.cli.models import framework_for, named
from pytest_layercount.cli.quiet import quiet
from pytest_layercount.errors import ModelError
from pytest_layercount.files import replaced
from pytest_layercount.model.count import count_graph

if TYPE_CHECKING:
    from pytest_layercount.folding.plan import Plan
    from pytest_layercount.model.count import LayerCount

_WORDS = messages.commands.FOLD
_SUFFIXES = (".keras", ".h5")


def add(commands: Any) -> argparse.ArgumentParser:
    """Declare the subcommand."""
    parser: argparse.ArgumentParser = commands.add_parser("fold", **_WORDS.about)
    parser.add_argument("model", metavar="MODEL", help=messages.commands.MODEL)
    parser.add_argument("out", metavar="OUT", nargs="?", type=Path, help=_WORDS.options["out"])
    parser.add_argument("--passes", type=_passes, metavar="NAMES", help=_WORDS.options["passes"])
    parser.add_argument("--output", action="append", metavar="NAME", help=_WORDS.options["output"])
    parser.add_argument("--unshare", action="store_true", help=_WORDS.options["unshare"])
    parser.add_argument("--strict", action="store_true", help=_WORDS.options["strict"])
    parser.add_argument("--all", action="store_true", help=_WORDS.options["all"])
    parser.add_argument("--force", action="store_true", help=_WORDS.options["force"])
    return parser


def run(options: argparse.Namespace) -> Answer:
    """Plan, fold if the plan alone does not tell, and write the folded model if asked to."""
    out = options.out
    if out is not None:
        check_target(out, _SUFFIXES, force=options.force, source=options.model)
    before, after, plan, model = _folded(options)
    stays = foldability(plan, BATCH_NORMS, {}).left
    good = not (options.strict and stays)
    written = good and out is not None
    if written:
        with replaced(out) as path, quiet():
            _save(model, path, out)
    return Answer(
        messages.commands.fold(before, after, plan, whole=options.all, out=out, written=written),
        {
            "before": counted(before),
            "after": counted(after),
            **planned(plan),
            "written": str(out) if written else None,
        },
        good=good,
    )


def _folded(options: argparse.Namespace) -> tuple[LayerCount, LayerCount, Plan, Any]:
    """The counts before and after, the plan and the folded model.

    A file is planned from its structure, without loading it, if it need not be written.
    """
    from pytest_layercount.folding.plan import PASSES
    from pytest_layercount.folding.planner import plan_graph

    passes = options.passes or PASSES
    outputs = [int(one) if one.isdecimal() else one for one in options.output or ()] or None
    model = named(options.model)
    with quiet(), framework_for(options.model):
        if isinstance(model, Path) and options.out is None and not options.unshare:
            from pytest_layercount.folding.passes.outputs import keep_outputs
            from pytest_layercount.model.readers import read_graph

            graph = read_graph(model)
            kept = graph if outputs is None else keep_outputs(graph, outputs)
            plan = plan_graph(kept, passes=passes)
            return count_graph(graph), count_graph(plan.graph), plan, None
        from pytest_layercount.folding.fold import fold

        result = fold(model, outputs=outputs, passes=passes, unshare=options.unshare)
        return result.before, result.after, result.plan, result.model


def _save(model: Any, path: Path, name: Path) -> None:
    try:
        model.save(str(path))
    except OSError:
        raise
    except Exception as error:
        raise ModelError(messages.commands.not_saved(name, error)) from error


def _passes(text: str) -> tuple[str, ...]:
    from pytest_layercount.folding.plan import ALL_PASSES

    names = tuple(name.strip() for name in text.split(","))
    for name in names:
        if name not in ALL_PASSES:
            raise argparse.ArgumentTypeError(messages.commands.not_a_pass(name, ALL_PASSES))
    return names
