"""How what a process finds out comes to the one that reports it.

Under pytest-xdist tests run in workers, while baselines, records and reports are written
once, by the controller. What a test has to hand over travels on its report, and what a
worker saw while it collected as xdist's ``workeroutput``. What all processes must know
alike is told to workers as ``workerinput``. Without xdist one process does both.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping
from typing import Any, Literal, Protocol, TypedDict

import pytest

NAME = "layercount"
"""The attribute of a report, and the key of a worker's input and output."""

FOLDER = "__layercount__"
"""The folder of baselines, beside the tests that use them."""

Kind = Literal["baselines", "records", "reports"]
"""What a parcel is for: the part of the session that takes it."""


class Parcel(Protocol):
    """What a test has to hand over."""

    def packed(self, item: pytest.Item, report: pytest.TestReport) -> Mapping[str, Any]:
        """What JSON can hold of it, once the report of the test is there."""


class Told(TypedDict, total=False):
    """What all processes are told.

    ``folds`` says that the run shows of every model what folds in it, ``pictures`` is the
    folder for drawings of the models. ``chosen`` are the node ids of named models, which run
    ``alone`` or with the suite.
    """

    folds: bool
    pictures: str
    chosen: list[str]
    alone: bool


_TOLD = pytest.StashKey[Told]()
_SENT = pytest.StashKey[list[tuple[Kind, Parcel]]]()
_LOADED = pytest.StashKey[int]()


def is_controller(config: pytest.Config) -> bool:
    """Whether this process reports what tests find out, and writes files."""
    return not hasattr(config, "workerinput")


def told(config: pytest.Config) -> Told:
    """What this process was told, or tells others."""
    told: Told = getattr(config, "workerinput", {}).get(NAME, {})
    return config.stash.setdefault(_TOLD, told)


def tell(node: Any) -> None:
    """Tell the worker of ``node``, before it starts."""
    node.workerinput[NAME] = told(node.config)


def send(config: pytest.Config, kind: Kind, parcel: Parcel) -> None:
    """Let ``parcel`` travel with the next report of the test that runs."""
    config.stash.setdefault(_SENT, []).append((kind, parcel))


def sent(config: pytest.Config, kind: Kind) -> list[Parcel]:
    """What the test that runs has sent so far."""
    return [parcel for known, parcel in config.stash.get(_SENT, ()) if known == kind]


def load(item: pytest.Item, report: pytest.TestReport) -> Mapping[Kind, list[Mapping[str, Any]]]:
    """Put what was sent since the last report on ``report``, and return it.

    It is one text, because xdist sends neither lone surrogates nor subclasses of numbers.
    """
    stash = item.config.stash
    everything = stash.get(_SENT, [])
    loaded: dict[Kind, list[Mapping[str, Any]]] = defaultdict(list)
    for kind, parcel in everything[stash.get(_LOADED, 0) :]:
        loaded[kind].append(parcel.packed(item, report))
    stash[_LOADED] = len(everything)
    if report.when == "teardown":
        stash[_SENT], stash[_LOADED] = [], 0
    if loaded:
        setattr(report, NAME, json.dumps(loaded))
    return loaded


def name_subtest(report: pytest.TestReport) -> None:
    """Say of the judgements on ``report`` in which subtest they were made.

    pytest 9, and the plugin pytest-subtests for older ones, tell it in the headline of the
    report, after the name of the test. xdist writes values otherwise when the report has
    travelled, and so it is said by the process that runs the test.
    """
    if NAME not in report.__dict__:
        return
    subtest = (report.head_line or "").removeprefix(report.location[2]).strip()
    if subtest:
        from pytest_layercount.text import printable

        loaded = json.loads(getattr(report, NAME))
        for judgement in loaded.get("reports", ()):
            judgement["subtest"] = judgement["subtest"] or printable(subtest)
        setattr(report, NAME, json.dumps(loaded))


def unload(report: pytest.TestReport) -> Mapping[Kind, list[dict[str, Any]]]:
    """Take what was sent off ``report``, where other plugins need not see it."""
    unloaded: Mapping[Kind, list[dict[str, Any]]] = json.loads(report.__dict__.pop(NAME, "{}"))
    return unloaded


class Seen:
    """What was collected, in this process or in workers, and what became of the tests.

    ``folders`` hold baselines, ``collected`` are the node ids of folders and files. Whether
    tests were ``left_out``, ``skipped`` or ``failed`` decides whether what no test uses can
    be told.
    """

    def __init__(self) -> None:
        self.folders: set[str] = set()
        self.collected: set[str] = set()
        self.skipped: set[str] = set()
        self.failed: set[str] = set()
        self.left_out = False

    def note(self, report: pytest.CollectReport) -> None:
        """Note what was collected, and what could not be."""
        if "::" not in report.nodeid:
            self.collected.add(report.nodeid)
        if report.failed:
            self.left_out = True
        elif report.skipped:
            self.skipped.add(report.nodeid)

    def note_test(self, report: pytest.TestReport) -> None:
        """Note a test that did not pass, and so may have left out some of what it does."""
        if not report.passed:
            self.failed.add(report.nodeid)

    def hand_over(self, config: pytest.Config) -> None:
        """Give it to the controller, at the end of a worker."""
        sets = ("folders", "collected", "skipped")
        output: dict[str, Any] = {name: sorted(getattr(self, name)) for name in sets}
        config.workeroutput[NAME] = {**output, "left_out": self.left_out}  # type: ignore[attr-defined]

    def take_over(self, node: Any) -> None:
        """Add what the worker of ``node`` saw; one that crashed has run who knows what."""
        output = getattr(node, "workeroutput", {}).get(NAME, {"left_out": True})
        self.left_out = self.left_out or output["left_out"]
        for name in output.keys() - {"left_out"}:
            getattr(self, name).update(output[name])
