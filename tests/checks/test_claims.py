"""Which test uses which baseline, once in each run of the test."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from pytest_layercount import carrier
from pytest_layercount.checks.claims import Claim, claim_of


def test_a_name_is_used_once_until_the_test_is_over() -> None:
    config = SimpleNamespace(
        stash=pytest.Stash(),
        rootpath=Path("/suite"),
        inipath=None,
        invocation_params=SimpleNamespace(dir=Path("/suite")),
        getoption=lambda *_: None,
    )
    item: Any = SimpleNamespace(
        path=Path("/suite/test_it.py"),
        config=config,
        name="test_it",
        nodeid="test_it.py::test_it",
    )
    reports: dict[str, Any] = {
        when: SimpleNamespace(when=when) for when in ("setup", "call", "teardown")
    }
    assert claim_of(item, "it") is not None
    carrier.load(item, reports["setup"])
    assert claim_of(item, "it") is None
    carrier.load(item, reports["call"])
    assert claim_of(item, "it") is None
    carrier.load(item, reports["teardown"])
    (data,) = carrier.unload(reports["setup"])["baselines"]
    assert Claim(**data).name == "it"
    assert carrier.unload(reports["call"]) == carrier.unload(reports["teardown"]) == {}
    assert claim_of(item, "it") is not None  # the test runs again
