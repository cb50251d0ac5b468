"""``layercount fold``: what folds in a model, and the folded model as a file."""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_layercount import opening
from pytest_layercount.checks.foldable import BATCH_NORMS, foldability, reasons
from pytest_layercount.checks.layercount import unseen
from pytest_layercount.cli.answer import Answer, counted, declare, planned
from pytest_layercount.cli.files import check_target
from pytest_layercount.cli.models import MODEL, named
from pytest_layercount.cli.quiet import quiet
from pytest_layercount.errors import ModelError
from pytest_layercount.files import replaced
from pytest_layercount.model.count import count_graph
from pytest_layercount.text import cut, some

if TYPE_CHECKING:
    from pytest_layercount.folding.plan import Fold, Plan, Refusal
    from pytest_layercount.model.count import LayerCount

_EXAMPLES = """\
  layercount fold detector.keras                     what would fold, and what not, and why
  layercount fold detector.keras lean.keras --strict
  layercount fold detector.keras lean.keras --passes affine,identity,activation --output main"""
_SUFFIXES = (".keras", ".h5")


def add(commands: Any) -> argparse.ArgumentParser:
    """Declare the subcommand."""
    parser = declare(
        commands, "fold", "fold batch normalizations and other affine layers", _EXAMPLES
    )
    parser.add_argument("model", metavar="MODEL", help=MODEL)
    parser.add_argument(
        "out",
        metavar="OUT",
        nargs="?",
        type=Path,
        help="write the folded model here: .keras or .h5",
    )
    parser.add_argument(
        "--passes",
        type=_passes,
        metavar="NAMES",
        help="what is done: affine,identity by default; also activation,padding,collapse",
    )
    parser.add_argument(
        "--output",
        action="append",
        metavar="NAME",
        help="keep this output, by name or position, and what it needs; may be repeated",
    )
    parser.add_argument(
        "--unshare",
        action="store_true",
        help="give the calls of a shared layer copies where that lets more fold",
    )
    parser.add_argument(
        "--strict",
        action="store_true",
        help="exit with 1 and write nothing if a batch normalization stays",
    )
    parser.add_argument("--all", action="store_true", help="list every layer concerned")
    parser.add_argument("--force", action="store_true", help="write over OUT if it is there")
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
        _text(before, after, plan, whole=options.all, out=out, written=written),
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
    with quiet(), opening.framework_for(options.model):
        if isinstance(model, Path) and options.out is None and not options.unshare:
            from pytest_layercount.folding.passes.outputs import keep_outputs

            graph = opening.structure(model)
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
        said = (str(error).strip() or "nothing said").splitlines()[0]
        problem = f"Keras cannot save the folded model: {type(error).__name__}: {said}"
        raise ModelError(f"{name}: {problem}") from error


def _passes(text: str) -> tuple[str, ...]:
    from pytest_layercount.folding.plan import ALL_PASSES

    names = tuple(name.strip() for name in text.split(","))
    for name in names:
        if name not in ALL_PASSES:
            problem = f"there is no pass {name!r}; there are {', '.join(ALL_PASSES)}"
            raise argparse.ArgumentTypeError(problem)
    return names


def _text(
    before: LayerCount,
    after: LayerCount,
    plan: Plan,
    *,
    whole: bool,
    out: Path | None,
    written: bool,
) -> str:
    """What folds, what stays and why, and where the folded model is."""
    wrote = "written to" if written else "a batch normalization stays: not written:"
    delta = after.total - before.total
    return "\n".join(
        [
            f"{before.model}: {before.total} -> {after.total} layers ({delta:+d})",
            *_folds(plan, whole),
            *(
                [f"removed: {some(plan.removed, len(plan.removed) if whole else 4)}"]
                if plan.removed
                else []
            ),
            *([f"stay: {_by_type(plan.refusals)}"] if plan.refusals else []),
            *reasons(plan.refusals, whole=whole),
            *unseen(after.hidden_from("BatchNormalization")),
            *([f"{wrote} {out}"] if out else []),
        ]
    )


def _folds(plan: Plan, whole: bool) -> list[str]:
    if not plan.folds:
        return ["nothing folds"]
    shown = [f"    {_into(fold)}" for fold in plan.folds if whole or fold.condition]
    return [f"fold: {_by_type(plan.folds)}", *cut(shown, len(shown) if whole else 3, indent="    ")]


def _into(fold: Fold) -> str:
    condition = f", if {fold.condition}" if fold.condition else ""
    return f"{fold.layer} into {', '.join(fold.into)}{condition}"


def _by_type(layers: Sequence[Fold | Refusal]) -> str:
    types = Counter(layer.type for layer in layers).most_common()
    return ", ".join(f"{total} {name}" for name, total in types)
