"""What a test finds out, on its way to the process that reports it."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from pytest_layercount import carrier


class Parcel:
    def __init__(self, **data: Any) -> None:
        self.data = data

    def packed(self, item: pytest.Item, report: pytest.TestReport) -> dict[str, Any]:
        return {**self.data, "failed": report.failed}


def report(when: str, *, failed: bool = False) -> Any:
    return SimpleNamespace(when=when, failed=failed)


@pytest.fixture
def item() -> Any:
    return SimpleNamespace(config=SimpleNamespace(stash=pytest.Stash()))


def test_what_is_sent_travels_with_the_next_report_and_with_no_other(item):
    reports = [report("setup"), report("call", failed=True), report("teardown")]
    carrier.send(item.config, "reports", Parcel(name="a"))
    carrier.load(item, reports[0])
    carrier.send(item.config, "reports", Parcel(name="b"))
    carrier.send(item.config, "records", Parcel(name="c"))
    carrier.load(item, reports[1])
    carrier.load(item, reports[2])
    found = [carrier.unload(one) for one in reports]
    assert found == [
        {"reports": [{"name": "a", "failed": False}]},
        {
            "reports": [{"name": "b", "failed": True}],
            "records": [{"name": "c", "failed": True}],
        },
        {},
    ]


def test_what_a_test_has_sent_is_known_until_it_is_over(item):
    parcel = Parcel()
    carrier.send(item.config, "baselines", parcel)
    carrier.load(item, report("call"))
    assert carrier.sent(item.config, "baselines") == [parcel]
    assert carrier.sent(item.config, "reports") == []
    carrier.load(item, report("teardown"))
    assert carrier.sent(item.config, "baselines") == []


def test_text_that_xdist_cannot_send_arrives(item):
    sent = report("call")
    carrier.send(item.config, "records", Parcel(text="lone \ud800", number=True))
    carrier.load(item, sent)
    assert getattr(sent, carrier.NAME).isascii()
    assert carrier.unload(sent)["records"][0]["text"] == "lone \ud800"


def test_a_worker_that_crashed_has_seen_who_knows_what():
    seen = carrier.Seen()
    seen.take_over(
        SimpleNamespace(workeroutput={carrier.NAME: {"left_out": False, "folders": ["a"]}})
    )
    assert (seen.left_out, seen.folders) == (False, {"a"})
    seen.take_over(SimpleNamespace())
    assert seen.left_out


SUITE = """
import pytest
from tests.graphs import of_size

@pytest.mark.xdist_group("one")
@pytest.mark.layercount(max=3)
def test_it(net): pass

@pytest.fixture
def net():
    return of_size(3, name="net")
"""


@pytest.mark.parametrize("options", [[], ["-n", "2", "--dist=loadgroup"]])
def test_other_plugins_do_not_meet_it(suite, options):
    suite.makeconftest(
        """
        import os

        def pytest_runtest_logreport(report):
            # A worker of xdist has to keep it on the report; the controller has not.
            if "PYTEST_XDIST_WORKER" not in os.environ:
                assert "layercount" not in vars(report)
        """
    )
    suite.makepyfile(test_it=SUITE)
    result = suite.runpytest_subprocess(*options, "--layercount-report=r.json")
    assert result.ret == 0
    assert '"test": "test_it.py::test_it"' in (suite.path / "r.json").read_text()


def test_nothing_is_shown_where_there_is_no_terminal(suite):
    suite.makepyfile(test_it=SUITE)
    result = suite.runpytest_subprocess("-p", "no:terminal", "--layercount-report=r.json")
    assert result.ret == 0
    assert '"outcome": "passed"' in (suite.path / "r.json").read_text()
