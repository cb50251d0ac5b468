"""The pytest hooks: who is called. And the fixtures, for pytest to find.

What a suite without models does not need is imported when the first of them is there.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import pytest

from pytest_layercount import carrier, hookspecs, settings
from pytest_layercount.fixtures import (
    assert_equivalent_after_fold,
    assert_foldable,
    assert_layer_count,
    assert_matches_baseline,
    assert_same_structure,
)
from pytest_layercount.measures import marker_help

if TYPE_CHECKING:
    from pytest_layercount.session.models import Models

__all__ = [
    "assert_equivalent_after_fold",
    "assert_foldable",
    "assert_layer_count",
    "assert_matches_baseline",
    "assert_same_structure",
]


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options and the keys of the configuration file."""
    settings.add(parser)


def pytest_addhooks(pluginmanager: pytest.PytestPluginManager) -> None:
    """Make the hooks known that a conftest.py may implement."""
    pluginmanager.add_hookspecs(hookspecs)


def pytest_configure(config: pytest.Config) -> None:
    """Read the settings; make the mark known, also to ``--strict-markers``."""
    settings.read(config)
    config.addinivalue_line("markers", marker_help())
    config.pluginmanager.register(Run(config), "layercount-run")
    config.add_cleanup(hookspecs.answer_through(config.hook.pytest_layercount_rule))
    if settings.settings(config).trust_stored_code:
        from pytest_layercount.model.keras.load import trusting_stored_code

        trusting = ExitStack()
        trusting.enter_context(trusting_stored_code())
        config.add_cleanup(trusting.close)


class Part(Protocol):
    """A part of the session, in the process that reports: it takes what tests send."""

    def take(self, report: pytest.TestReport, parcels: Sequence[Mapping[str, Any]]) -> None:
        """Take what came with the report of a test, if anything did."""

    def finish(self, session: pytest.Session) -> bool:
        """Write what is to be written; False fails the run."""

    def show(self, terminal: pytest.TerminalReporter) -> None:
        """Say what became of it."""


class Run:
    """The hooks of a run, and the parts of the session that answer them."""

    def __init__(self, config: pytest.Config) -> None:
        self.config = config
        self.seen = carrier.Seen()
        self.parts: dict[carrier.Kind, Part] = {}
        self.models: Models | None = None
        asked = settings.settings(config)
        compares = asked.record is not None or asked.against is not None
        if asked.auto or compares:
            from pytest_layercount.session.models import Models

            self.models = Models(config)
        self.names_models = settings.names_models(config) or "chosen" in carrier.told(config)
        if self.names_models:
            from pytest_layercount.named import choose

            choose(config)
        if carrier.is_controller(config):
            carrier.told(config)["folds"] = settings.shows_folds(config)
            if compares:
                self.part("records")
            if asked.report or asked.pictures:
                self.part("reports")

    def part(self, kind: carrier.Kind) -> Part:
        """The part that takes parcels of this kind, made for the first of them."""
        if kind not in self.parts:
            self.parts[kind] = self._made(kind)
        return self.parts[kind]

    def _made(self, kind: carrier.Kind) -> Part:
        if kind == "baselines":
            from pytest_layercount.session.baselines import Baselines

            return Baselines(self.config, self.seen)
        if kind == "records":
            from pytest_layercount.session.records import Records

            return Records(self.config)
        from pytest_layercount.session.reports import Reports

        return Reports(self.config)

    def pytest_report_header(self) -> str:
        """Say which versions count the layers."""
        from pytest_layercount.versions import header

        return header()

    # Under pytest-xdist: what the controller tells workers, and what they have seen.

    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(self, node: Any) -> None:
        """Tell a worker what all processes must know alike."""
        carrier.tell(node)

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        """Take over what a worker has seen."""
        self.seen.take_over(node)

    # Collection

    def pytest_ignore_collect(self, collection_path: Path) -> bool | None:
        """Note a folder of baselines, in which there are no tests."""
        if collection_path.name != carrier.FOLDER:
            return None
        self.seen.folders.add(str(collection_path))
        return True

    @pytest.hookimpl(wrapper=True)
    def pytest_make_collect_report(
        self, collector: pytest.Collector
    ) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
        """Report bad mark arguments as pytest reports a test file it cannot import."""
        report = yield
        if report.passed and any(map(_is_marked, (collector, *report.result))):
            from pytest_layercount.marker import report_problems

            report_problems(collector, report)
        return report

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Note what was collected."""
        self.seen.note(report)

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection_modifyitems(
        self, session: pytest.Session, items: list[pytest.Item]
    ) -> None:
        """Add the tests of models that are named, before ``-k`` and others choose."""
        if self.names_models:
            from pytest_layercount.named import collect

            items += collect(session)

    def pytest_deselected(self, items: Sequence[pytest.Item]) -> None:
        """Note that tests were left out."""
        self.seen.left_out = self.seen.left_out or bool(items)

    # Fixtures and tests

    @pytest.hookimpl(wrapper=True)
    def pytest_fixture_setup(
        self, fixturedef: pytest.FixtureDef[Any], request: pytest.FixtureRequest
    ) -> Generator[None, object, object]:
        """Look for models in what a fixture returns."""
        __tracebackhide__ = True  # what a fixture raises passes through here
        if self.models is None:
            return (yield)
        return (yield from self.models.look(fixturedef, request))

    def pytest_fixture_post_finalizer(self, fixturedef: pytest.FixtureDef[Any]) -> None:
        """Forget what a fixture returned, as pytest does."""
        if self.models is not None:
            self.models.forget(fixturedef)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> Generator[None, object, object]:
        """Set up the fixture that a mark names, like those that the test requests."""
        __tracebackhide__ = True
        if not _is_marked(item):
            return (yield)
        from pytest_layercount.marker import set_up

        return (yield from set_up(item))

    @pytest.hookimpl(wrapper=True, trylast=True)
    def pytest_runtest_call(self, item: pytest.Item) -> Generator[None, object, object]:
        """Judge the test's models before its body runs.

        Inside all other wrappers, so that xfail and captured output treat the
        verdict as they treat the body.
        """
        __tracebackhide__ = True
        found: list[str] = []
        if _is_marked(item):
            from pytest_layercount.marker import failures

            found = failures(item)
        if self.models is not None:
            return (yield from self.models.judge(item, found))
        if found:
            from pytest_layercount.failure import fail

            fail(item, found)
        return (yield)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Send what was found out along with the test's report."""
        report = yield
        loaded = carrier.load(item, report)
        if "reports" in loaded:
            from pytest_layercount.session.reports import show_with_test

            show_with_test(item, report, loaded["reports"])
        return report

    # In the process that reports

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Take off the report what was sent with it."""
        carrier.name_subtest(report)
        if carrier.is_controller(self.config):
            self.seen.note_test(report)
            parcels = carrier.unload(report)
            for kind in parcels:
                self.part(kind)
            for kind, part in self.parts.items():
                part.take(report, parcels.get(kind, ()))

    # Before xdist sends what a worker has put out, and before others ask how the run ended.
    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Let the parts finish. What goes wrong there fails a run that passed or had no tests."""
        if not carrier.is_controller(self.config):
            self.seen.hand_over(self.config)
        elif not session.config.option.collectonly:
            if self.seen.folders:
                self.part("baselines")
            finished = [part.finish(session) for part in self.parts.values()]
            passed = session.exitstatus in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED)
            if passed and not all(finished):
                session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Say what became of it."""
        for kind in sorted(self.parts, key=_SHOWN.index):
            self.parts[kind].show(terminalreporter)


_SHOWN = ("records", "baselines", "reports")


def _is_marked(node: object) -> bool:
    mark: object = getattr(node, "get_closest_marker", lambda _: None)("layercount")
    return mark is not None
