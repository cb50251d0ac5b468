"""Tests of models that are named on the command line or in the configuration file.

They stand in no file: each model gives three, ``layercount::MODEL::budget``,
``foldable`` and ``equivalent``. What is named is looked up when tests are collected and
made when the first of them runs.
"""

from __future__ import annotations

import sys
from collections.abc import Collection, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pytest_layercount import carrier
from pytest_layercount.checks.equivalent import check_equivalent
from pytest_layercount.checks.foldable import BATCH_NORMS, check_foldable, foldability
from pytest_layercount.checks.layercount import Limits, check_limits
from pytest_layercount.checks.subject import Subject, said_plainly
from pytest_layercount.errors import LayercountError
from pytest_layercount.failure import Failed
from pytest_layercount.report.judging import judging
from pytest_layercount.settings import NAMED, is_named, settings
from pytest_layercount.target import Target, parse_target
from pytest_layercount.text import number, printable


def choose(config: pytest.Config) -> None:
    """Choose what is to run: the suite, models that are named, or both.

    Node ids of named models can be given to pytest, which would look for files of this name.
    A model named on the command line runs alone where no path is given; those of the
    configuration file run with the suite. Workers get other arguments, and are told.
    """
    told = carrier.told(config)
    if "chosen" not in told:
        told["chosen"] = [argument for argument in config.args if is_named(argument)]
        given = config.args_source is config.ArgsSource.ARGS
        paths = given and len(told["chosen"]) < len(config.args)
        named = bool(told["chosen"]) or config.getoption("layercount_models") is not None
        told["alone"] = named and not paths
    others = [argument for argument in config.args if not is_named(argument)]
    config.args = [] if told["alone"] else others


def collect(session: pytest.Session) -> list[pytest.Item]:
    """The tests of the models named; an error in a name is one of collecting it."""
    config = session.config
    chosen = carrier.told(config)["chosen"]
    named = dict.fromkeys(map(_model_of, chosen) if chosen else settings(config).models)
    base = Path.cwd()
    if config.getoption("layercount_models") is None and config.inipath is not None:
        base = config.inipath.parent
    if named:
        sys.path[:0] = {str(config.rootpath), str(base)}.difference(sys.path)
    items: list[pytest.Item] = []
    for text in named:
        model: NamedModel = NamedModel.from_parent(
            session,
            name=text,
            nodeid=NAMED + printable(text),
            path=config.rootpath / NAMED.rstrip(":"),
        )
        model.base = base
        items += session.genitems(model)
    return [item for item in items if not chosen or _is_chosen(item.nodeid, chosen)]


def _is_chosen(node_id: str, chosen: Collection[str]) -> bool:
    return any(node_id == one or node_id.startswith(f"{one}::") for one in chosen)


def _model_of(node_id: str) -> str:
    """``zoo:small`` of ``layercount::zoo:small::budget`` and of ``layercount::zoo:small``."""
    text = node_id.removeprefix(NAMED)
    model, _, check = text.rpartition("::")
    return model if check in {kind.__name__.lower() for kind in _CHECKS} else text


class NamedModel(pytest.Collector):
    """A model that is named, and made once for all its tests."""

    base = Path()
    target: Target

    def collect(self) -> Iterator[pytest.Item]:
        """Look up what is named."""
        self.target = parse_target(self.name)
        if not self.target.module:
            self.target = replace(self.target, path=str(self.base / self.target.path))
        self.target.check()
        for kind in _CHECKS:
            yield kind.from_parent(self, name=kind.__name__.lower(), path=self.path)

    def model(self) -> Any:
        """The model, made when it is first asked for."""
        if not hasattr(self, "_model"):
            with said_plainly(self.name):
                self._model = self.target.model()
        return self._model

    def teardown(self) -> None:
        """Let go of the model after the last of its tests."""
        vars(self).pop("_model", None)

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException]) -> Any:  # type: ignore[override]
        """An error of ours is one sentence."""
        if isinstance(excinfo.value, LayercountError):
            return str(excinfo.value)
        return super().repr_failure(excinfo)


class _Check(pytest.Item):
    """One check of a named model."""

    check: str

    def runtest(self) -> None:
        """Judge the model; skip where there is nothing to judge."""
        assert isinstance(self.parent, NamedModel)
        with judging(self.config, self.check, None, self.parent.name) as subject:
            subject.model = self.parent.model()
            nothing = self.judge(subject)
        if nothing:
            raise pytest.skip.Exception(printable(nothing), _use_item_location=True)

    def judge(self, subject: Subject) -> str:
        """Fail, or say why there is nothing to judge."""
        raise NotImplementedError

    def reportinfo(self) -> tuple[Path, int, str]:
        """Where the check is: in no file."""
        named = printable(self.parent.name if self.parent else self.name)
        return self.path, 0, f"{self.check} of {named}"

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException]) -> Any:  # type: ignore[override]
        """A failure of ours needs no traceback."""
        if isinstance(excinfo.value, (Failed, LayercountError)):
            return str(excinfo.value)
        return super().repr_failure(excinfo)


class Budget(_Check):
    """The limits of the suite, kept by this model."""

    check = "layercount"

    def judge(self, subject: Subject) -> str:
        """Count it; without a limit there is nothing to judge."""
        given = settings(self.config).limits
        limits = Limits.of(given) if given else Limits()
        measured = check_limits(subject, limits, options=True)
        has = f"{measured.model} has {number(measured.total, 'layer')}"
        return "" if given else f"{has}; to keep it so: --layercount-max={measured.total}"


class Foldable(_Check):
    """Batch normalizations that all fold."""

    check = "foldable"

    def judge(self, subject: Subject) -> str:
        """Plan the folds; without batch normalizations there is nothing to judge."""
        plan = subject.plan()
        if not foldability(plan, BATCH_NORMS, {}).judged:
            return f"{plan.graph.name} has no batch normalization"
        check_foldable(subject)
        return ""


class Equivalent(_Check):
    """Outputs that folding keeps."""

    check = "equivalent"

    def judge(self, subject: Subject) -> str:
        """Fold and compare; where nothing folds there is nothing to judge."""
        plan = subject.plan()
        if not (plan.folds or plan.removed):
            return f"{plan.graph.name} has nothing that folds, so there is nothing to compare"
        check_equivalent(subject)
        return ""


_CHECKS = (Budget, Foldable, Equivalent)
