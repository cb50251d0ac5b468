"""The pytest hooks, and the fixtures for pytest to find.

What only tests with models need is imported when the first of them is there.
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import ExitStack

import pytest

from pytest_layercount import hookspecs, settings
from pytest_layercount.checks.measures import marker_help
from pytest_layercount.fixtures import (
    assert_equivalent_after_fold,
    assert_foldable,
    assert_layer_count,
    assert_matches_baseline,
    assert_same_structure,
)
from pytest_layercount.kept import claims
from pytest_layercount.report.recorder import recorder
from pytest_layercount.session import baselines
from pytest_layercount.session.reports import start
from pytest_layercount.text import printable

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


def pytest_configure(config: pytest.Config) -> None:
    """Read the settings; make the mark known, also to ``--strict-markers``."""
    settings.read(config)
    config.addinivalue_line("markers", marker_help())
    start(config)
    baselines.start(config)
    if settings.settings(config).trust_stored_code:
        from pytest_layercount.model.keras.load import trusting_stored_code

        trusting = ExitStack()
        trusting.enter_context(trusting_stored_code())
        config.add_cleanup(trusting.close)
    if settings.settings(config).auto:
        from pytest_layercount.session import limits

        limits.start(config)
    if _names_models(config):
        from pytest_layercount import named

        config.pluginmanager.register(named.Choice(config), "layercount-choice")
    asked = settings.settings(config)
    if asked.record is not None or asked.against is not None:
        from pytest_layercount.session import records

        records.activate(config)
    config.add_cleanup(hookspecs.answer_through(config.hook.pytest_layercount_rule))


def pytest_addhooks(pluginmanager: pytest.PytestPluginManager) -> None:
    """Make the hooks known that a conftest.py may implement."""
    pluginmanager.add_hookspecs(hookspecs)


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(
    collector: pytest.Collector,
) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """Report bad mark arguments as pytest reports a test file it cannot import."""
    report = yield
    found = (collector, *(report.result or ()))
    if report.passed and any(map(_is_marked, found)):
        from pytest_layercount import marker

        problems = marker.problems(collector, report.result or ())
        if problems:
            report.outcome = "failed"
            report.longrepr = printable(problems)
            report.result = []
    return report


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(session: pytest.Session, items: list[pytest.Item]) -> None:
    """Add the tests of models that are named, before ``-k`` and others choose."""
    if session.config.pluginmanager.has_plugin("layercount-choice"):
        from pytest_layercount import named

        items += named.collect(session)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_setup(item: pytest.Item) -> Generator[None, object, object]:
    """Set up the fixture that a mark names, like those that the test requests."""
    if not _is_marked(item):
        return (yield)
    from pytest_layercount import marker

    fixture = marker.request_model(item)
    try:
        return (yield)
    except pytest.FixtureLookupError as error:
        if fixture is None or error.argname != fixture:
            raise
        from pytest_layercount.failure import Failed

        raise Failed(
            f"layercount(model={fixture!r}): no fixture of this name here; "
            "`pytest --fixtures` lists those there are",
            pytrace=False,
        ) from None


@pytest.hookimpl(wrapper=True, trylast=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, object, object]:
    """Judge the test's models before its body runs.

    Inside all other wrappers, so that xfail and captured output treat the
    verdict as they treat the body.
    """
    if _is_marked(item):
        from pytest_layercount import marker

        marker.judge(item)
    return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Send what was judged along with the test's report."""
    report = yield
    recorder(item.config).attach(item, report)
    claims.attach(item, report)
    return report


def _names_models(config: pytest.Config) -> bool:
    """Whether models are named: by a setting, by node ids, or as the controller tells a worker."""
    return bool(
        settings.settings(config).models
        or any(argument.startswith("layercount::") for argument in config.args)
        or "layercount_chosen" in getattr(config, "workerinput", ())
    )


def _is_marked(node: pytest.Item | pytest.Collector) -> bool:
    return node.get_closest_marker("layercount") is not None
