"""Models for the tests, and a note of what the plugin says of each test."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from textwrap import dedent

import pytest
import zoo

NOTES: list[str] = []


def pytest_addoption(parser):
    parser.addoption("--grown", action="store_true")


@pytest.fixture
def small():
    return zoo.small


@pytest.fixture
def last():
    return zoo.last


@pytest.fixture
def growing(request):
    return zoo.grown if request.config.getoption("--grown") else replace(zoo.small, name="grown")


@pytest.fixture
def number():
    return 3


@pytest.hookimpl(trylast=True)
def pytest_runtest_logreport(report):
    if report.outcome != "passed" or report.sections:
        NOTES.append(f"{report.nodeid} [{report.when}]: {report.outcome}\n{_ours(report)}\n")


def pytest_collectreport(report):
    if report.failed:
        NOTES.append(f"{report.nodeid} [collection]: {report.outcome}\n{_ours(report)}\n")


def _ours(report):
    """The error's lines, without the test's source around them."""
    text = report.longreprtext
    errors = re.findall(r"(?m)^E(?:   (.*)|)$", text)
    return dedent("\n".join(errors)) if errors else text


@pytest.hookimpl(tryfirst=True)
def pytest_unconfigure(config):
    Path(config.rootpath, "noted.txt").write_text("\n".join(NOTES), encoding="utf-8")
