"""What the command ``layercount`` says: its help, its answers and its complaints."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_layercount.checks import foldable, layercount, structure
from pytest_layercount.checks.measures import NOUNS
from pytest_layercount.text import cut, some

if TYPE_CHECKING:
    from pytest_layercount.checks.judgement import Limit
    from pytest_layercount.checks.structure import Difference
    from pytest_layercount.compare.explain import Explanation
    from pytest_layercount.folding.plan import Fold, Plan, Refusal
    from pytest_layercount.model.count import LayerCount, LayerRow
    from pytest_layercount.model.graph import Shape


@dataclass(frozen=True)
class Words:
    """The help of a subcommand: one line, examples, and a line for each option."""

    line: str
    examples: str
    options: Mapping[str, str]

    @property
    def about(self) -> dict[str, Any]:
        """As argparse takes it."""
        return {
            "help": self.line,
            "allow_abbrev": False,
            "description": f"{self.line[0].upper()}{self.line[1:]}.",
            "epilog": f"examples:\n{self.examples}",
        }


ABOUT = "Count, fold, explain and draw Keras models."
EPILOG = """\
A MODEL is a saved model, or code that makes one, its arguments being literals:
  detector.keras
  "keras.applications:MobileNetV2(weights=None)"
  detectors.zoo:build

exit codes: 0 good, 1 the models differ or a limit is not kept, 2 wrong usage or no such model"""
MODEL = "a saved model (detector.keras) or code (package.module:build(depth=3))"
HOW = "every layer, every call of one, or what model.layers lists (default: %(default)s)"
JSON = "print JSON instead of text"
TRUST = "load a model file even if Python code is stored in it, which runs that code"
TRACEBACK = "show where an unexpected error comes from"

COUNT = Words(
    "how many layers a model has",
    """\
  layercount count detector.keras --max 150 --max-parameters 5M
  layercount count "detectors.zoo:build(depth=3)" --folded --type BatchNormalization=0""",
    {
        "folded": "judge what is left after folding",
        "max": "exit with 1 if there are more",
        "min": "exit with 1 if there are fewer",
        "exactly": "exit with 1 if there are more or fewer",
        "type": "exit with 1 if there are more layers of this type, also inside other layers; "
        "may be repeated",
        "list": "list every layer, those of nested models indented",
    },
)
EXPLAIN = Words(
    "why two models count differently",
    """\
  layercount explain trained.keras deployed.keras --ignore batch-norms-folded
  layercount explain old.h5 "detectors.zoo:build()" --count top""",
    {
        "other": "the model to compare with",
        "ignore": "the code of a cause that may make a difference; may be repeated",
        "all": "list every layer concerned",
    },
)
FOLD = Words(
    "fold batch normalizations and other affine layers",
    """\
  layercount fold detector.keras                     what would fold, and what not, and why
  layercount fold detector.keras lean.keras --strict
  layercount fold detector.keras lean.keras --passes affine,identity,activation --output main""",
    {
        "out": "write the folded model here: .keras or .h5",
        "passes": "what is done: affine,identity by default; also activation,padding,collapse",
        "output": "keep this output, by name or position, and what it needs; may be repeated",
        "unshare": "give the calls of a shared layer copies where that lets more fold",
        "strict": "exit with 1 and write nothing if a batch normalization stays",
        "force": "write over OUT if it is there",
        "all": "list every layer concerned",
    },
)
GRAPH = Words(
    "draw a model before and after folding, or what two models differ in",
    """\
  layercount graph detector.keras -o detector.svg
  layercount graph trained.keras deployed.keras -o difference.svg
  layercount graph "detectors.zoo:build()" | dot -Tpdf > detector.pdf""",
    {
        "other": "a model to compare with: layers of one alone, and changed ones, have a colour",
        "out": "write the picture here: .svg, .png, .pdf or .dot; without it, print DOT",
    },
)

COMPARE = Words(
    "the models of a test suite in several TensorFlow and Keras versions",
    """\
  pytest --layercount-record=records/tf-2.15.json
  layercount compare records/*.json --expect "detector: operations: not layers in Keras 3"
  layercount compare records/*.json --markdown > upgrade.md""",
    {
        "record": "what pytest --layercount-record=FILE wrote, the oldest version first",
        "expect": "a difference that may be, as 'model: cause: reason'; may be repeated",
        "markdown": "print the matrix as a markdown table",
    },
)

INTERRUPTED = "interrupted"
SAME_FILE = "this is the model itself; name another file"
EXISTS = "is there already; --force writes over it"
IS_FOLDER = "is a folder"
NO_FOLDER = "its folder is not there"


def unexpected(error: Exception) -> str:
    """An error that nobody thought of."""
    said = (str(error).strip() or "nothing said").splitlines()[0]
    return f"{type(error).__name__}: {said} (layercount --traceback shows where)"


def not_a_type_limit(text: str) -> str:
    """A limit for a type that is none."""
    return f"{text!r} is not like BatchNormalization=0"


def not_a_pass(name: str, known: Sequence[str]) -> str:
    """A pass that does not exist."""
    return f"there is no pass {name!r}; there are {', '.join(known)}"


def other_format(suffixes: Sequence[str]) -> str:
    """A file of a format that is not written."""
    return f"must end with {', '.join(suffixes[:-1])} or {suffixes[-1]}"


def not_saved(path: Path, error: Exception) -> str:
    """A model that Keras does not save."""
    said = (str(error).strip() or "nothing said").splitlines()[0]
    return f"{path}: Keras cannot save the folded model: {type(error).__name__}: {said}"


def option(keyword: str) -> str:
    """``--max-parameters``."""
    return f"--{keyword.replace('_', '-')}"


def count(
    measured: LayerCount,
    broken: Sequence[Limit],
    large: Sequence[str],
    listed: Sequence[LayerRow],
    *,
    folded: bool,
) -> str:
    """A count, the limits that it does not keep, and its layers where listed."""
    noun, after = NOUNS[measured.count], " after folding" if folded else ""
    facts = [layercount.fact(limit, measured) for limit in broken]
    return "\n".join(
        [
            *(f"{measured.model}: {fact}" for fact in facts or [f"{measured.total} {noun}{after}"]),
            f"counted: {noun} of {measured.model}{after}, {measured.keras}",
            _parameters(measured),
            *(f"{total:6d} {name}" for name, total in measured.by_type.items()),
            *layercount.held(measured, broken),
            *large,
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
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return ["", *(_aligned(line, widths) for line in lines)]


def _aligned(cells: Sequence[str], widths: Sequence[int]) -> str:
    numbers = len(cells) - 2
    aligned = (
        cell.rjust(width) if place >= numbers else cell.ljust(width)
        for place, (cell, width) in enumerate(zip(cells, widths, strict=True))
    )
    return "  ".join(aligned).rstrip()


def _shape(shape: Shape) -> str:
    if shape is None:
        return "?"
    return f"({', '.join(map(str, shape))})"


def _accepted(broken: Sequence[Limit]) -> list[str]:
    """The options that the model would keep."""
    over = [
        f"--type {limit.of}={limit.value}"
        if limit.name == "types"
        else f"{option(limit.name)} {limit.value}"
        for limit in broken
    ]
    return [f"to accept: {' '.join(over)}"] if over else []


def _parameters(measured: LayerCount) -> str:
    trainable = f"{measured.trainable_parameters:,}"
    unknown = f", and of {len(measured.unweighed)} layers not known" if measured.unweighed else ""
    return f"parameters: {measured.parameters:,}, of them {trainable} trainable{unknown}"


def explanation(found: Difference, *, whole: bool) -> str:
    """How two models differ."""
    codes = [*(cause.code for cause in found.causes), *["changed"] * bool(found.changed)]
    accept = " ".join(f"--ignore {code}" for code in dict.fromkeys(codes))
    return "\n".join(
        [
            f"{found.explanation.after.model}: {structure.fact(found)}",
            structure.compared(found),
            *structure.all_differences(found, whole=whole),
            *([f"to accept: {accept}"] if accept else []),
        ]
    )


def fold(
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
            *foldable.reasons(plan.refusals, whole=whole),
            *layercount.unseen(after.hidden_from("BatchNormalization")),
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


def difference_drawn(explanation: Explanation, out: Path) -> str:
    """Where the picture of two models is."""
    before, after = explanation.before, explanation.after
    counted = f"{before.total} -> {after.total} layers ({explanation.delta:+d})"
    return f"{before.model} and {after.model}: {counted}: drawn to {out}"


def drawn(before: LayerCount, after: LayerCount, out: Path) -> str:
    """Where the picture is."""
    return f"{before.model}: {before.total} layers, {after.total} after folding: drawn to {out}"
