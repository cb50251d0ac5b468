"""The one object behind every report: what a check found out about a model.

It is plain data of a few kilobytes. Workers send it to the controller; models stay
where they are. Auto-generated names, which depend on what was built before, are
replaced (see :mod:`pytest_layercount.model.names`), so that the same suite gives the
same judgements in any order and any number of processes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, is_dataclass, replace
from typing import Any, Literal

from pytest_layercount.text import printable

Outcome = Literal["passed", "failed", "expected"]
"""``expected``: the check failed, and the test wanted it to."""


@dataclass(frozen=True)
class Limit:
    """A limit that a model was judged by.

    ``name`` is the keyword that set it, ``of`` what was counted: ``"layers"``,
    ``"nodes"``, ``"top"``, a number of :class:`Facts` or a layer type. A number within its
    limit is not ``kept`` where a part of the model is not known. ``folded`` says that the
    folded model was counted.
    """

    name: str
    of: str
    limit: int
    value: int
    kept: bool
    folded: bool = False


@dataclass(frozen=True)
class Refused:
    """A layer that folding leaves in place, and why."""

    layer: str
    type: str
    reason: str
    message: str


@dataclass(frozen=True)
class Facts:
    """What there is to say of a model whatever it is judged by.

    ``types`` and ``folded_types`` map layer types to their numbers, before and
    after folding. What folds is planned only where something shows it: where
    ``folded_layers`` is None nobody asked, or ``unplanned`` says what went wrong.
    ``depth`` is the number of calls on the longest way through the model,
    ``macs`` are multiply-accumulates for one sample, without those of the layers in
    ``uncounted``, which maps their paths to the reason.
    """

    keras: str
    layers: int
    nodes: int
    depth: int
    parameters: int
    trainable_parameters: int
    weight_bytes: int
    macs: int
    types: Mapping[str, int]
    uncounted: Mapping[str, str]
    folded_layers: int | None = None
    folded_types: Mapping[str, int] = field(default_factory=dict)
    refusals: tuple[Refused, ...] = ()
    unplanned: str = ""


@dataclass(frozen=True)
class Step:
    """One cause of a change: ``delta`` layers, and the paths of those concerned."""

    code: str
    delta: int
    message: str
    layers: tuple[str, ...] = ()


@dataclass(frozen=True)
class Growth:
    """How a model changed against its baseline: what that had, and what made the difference.

    ``baseline`` is the file, from the root of the test suite. ``allowed`` is how much the
    model may grow, ``"5%"``, empty if not at all. ``folded`` says that the folded model is
    meant, ``same`` that nothing differs but names.
    """

    baseline: str
    layers: int
    parameters: int
    steps: tuple[Step, ...] = ()
    allowed: str = ""
    folded: bool = False
    same: bool = False


@dataclass(frozen=True)
class Judgement:
    """What one check of one test found out about one model.

    ``subtest`` is what pytest calls the subtest in which it was judged, empty in none.
    ``model`` is what the model is called, by the fixture that returned it and its
    parameters where there is one, ``where`` the file or folder of this fixture.
    ``check`` is ``"layercount"``, ``"foldable"``, ``"equivalent"``, ``"structure"`` or
    ``"baseline"``. ``message`` is empty, or what was wrong in one line, and ``accept``
    what would make the check pass. ``facts`` is
    None where the model could not be read. ``picture`` names the drawing of the model
    before and after folding, where a report may show one, and ``failure`` that of what was
    judged, where it failed.
    """

    test: str
    model: str
    where: str
    check: str
    outcome: Outcome
    message: str = ""
    accept: str = ""
    limits: tuple[Limit, ...] = ()
    facts: Facts | None = None
    growth: Growth | None = None
    picture: str = ""
    failure: str = ""
    subtest: str = ""

    @property
    def tested_in(self) -> str:
        """The test, and its subtest where there is one."""
        return f"{self.test} {self.subtest}".rstrip()

    def by_subtest(self) -> Judgement:
        """The same, its model called by the subtest that made it, if no fixture gave it."""
        made = self.subtest and not self.where
        return replace(self, model=f"{self.model} {self.subtest}") if made else self

    def as_data(self) -> dict[str, Any]:
        """Dictionaries, lists, printable text and numbers only: a worker can send it."""
        data: dict[str, Any] = _plain(self)
        return data


def from_data(data: Mapping[str, Any]) -> Judgement:
    """The judgement that ``as_data()`` was called on."""
    return Judgement(
        **{
            **data,
            "limits": tuple(Limit(**each) for each in data["limits"]),
            "facts": data["facts"] and _facts(data["facts"]),
            "growth": data["growth"] and _growth(data["growth"]),
        }
    )


def _facts(data: Mapping[str, Any]) -> Facts:
    return Facts(**{**data, "refusals": tuple(Refused(**each) for each in data["refusals"])})


def _growth(data: Mapping[str, Any]) -> Growth:
    steps = tuple(Step(**{**each, "layers": tuple(each["layers"])}) for each in data["steps"])
    return Growth(**{**data, "steps": steps})


def _plain(tree: Any) -> Any:
    if is_dataclass(tree):  # ``asdict`` would copy all of it first, for every test
        return {one.name: _plain(getattr(tree, one.name)) for one in fields(tree)}
    if isinstance(tree, Mapping):
        return {printable(name): _plain(item) for name, item in tree.items()}
    if isinstance(tree, str):
        return printable(tree)
    if isinstance(tree, (list, tuple)):
        return [_plain(item) for item in tree]
    return tree
