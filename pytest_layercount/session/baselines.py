"""Baselines over a run: which tests use which, what is written at the end, which none uses.

What is collected is noted in the process that collects, every worker under xdist; baselines
are written by the one that reports, the controller.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from pytest_layercount.carrier import Seen
from pytest_layercount.checks.claims import Claim, shown, update_command
from pytest_layercount.settings import settings
from pytest_layercount.text import cut, number, page, printable


class Baselines:
    """Gathers the claims of all tests, and settles them when all have run."""

    def __init__(self, config: pytest.Config, seen: Seen) -> None:
        self._config = config
        self._seen = seen
        self._claims: dict[str, dict[str, Claim]] = {}
        self._errors: list[str] = []
        self._said: list[str] = []

    def take(self, report: pytest.TestReport, claims: Sequence[Mapping[str, Any]]) -> None:  # noqa: ARG002
        """Take what a test claims."""
        for claim in (Claim(**data) for data in claims):
            self._claims.setdefault(_key(claim.path), {})[claim.test] = claim

    def finish(self, session: pytest.Session) -> bool:
        """Write what is to be written, and say what is wrong with the others."""
        self._errors += self._clashes()
        self._write()
        drifted = [claim for claim in self._all() if claim.drifted]
        if drifted:
            self._said.append(to_record(drifted, "whose model differs within what is allowed"))
        partial = [claim for claim in self._all() if claim.partial]
        if partial:
            self._said.append(
                to_record(partial, "of an old format, in which other settings go unseen")
            )
        unused = list(self._unused()) if self._is_complete(session) else []
        if unused:
            strict = settings(self._config).strict_baselines
            said = self._errors if strict else self._said
            fails = ["they fail the run: layercount_strict_baselines is set"]
            lines = fails if strict else []
            said.append(listed("{} that no test uses, to be deleted:", unused, *lines))
        return not self._errors

    def show(self, terminal: pytest.TerminalReporter) -> None:
        """Say what was written, what is wrong, and what can be done."""
        if self._said or self._errors:
            terminal.section("layercount baselines")
        for text in self._said:
            terminal.write_line(printable(text))
        for text in self._errors:
            terminal.write_line(printable(text), red=True)

    def _all(self) -> list[Claim]:
        """The claims that are undisputed, in the order of their files."""
        alone = [next(iter(by.values())) for by in self._claims.values() if len(by) == 1]
        return sorted(alone, key=lambda claim: claim.shown)

    def _clashes(self) -> list[str]:
        found = []
        for by in self._claims.values():
            if len(by) > 1:
                made = sorted(by.values(), key=lambda claim: claim.test)
                names = {claim.test: claim.name for claim in made}
                found.append(clash(made[0].shown, names))
        return sorted(found)

    def _write(self) -> None:
        written = []
        for claim in self._all():
            if claim.text is None:
                continue
            from pytest_layercount.kept.baseline import BaselineError, save

            try:
                save(Path(claim.path), claim.shown, claim.text)
                written.append(claim.shown)
            except BaselineError as error:
                self._errors.append(str(error))
        if written:
            self._said.append(listed("wrote {}:", written))

    def _is_complete(self, session: pytest.Session) -> bool:
        """Whether every test of the folders given has run: no file, no selection, no early end."""
        option = self._config.option
        chosen = any(getattr(option, name, None) for name in ("lf", "ignore", "ignore_glob"))
        stopped = bool(session.shouldfail or session.shouldstop)
        ended = session.exitstatus in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED)
        start = self._config.invocation_params.dir
        folders = all((start / argument).is_dir() for argument in self._config.args)
        return ended and folders and not (chosen or stopped or self._seen.left_out)

    def _unused(self) -> Iterator[str]:
        """The baselines that no test claims, though none that might have was kept from it."""
        for folder in sorted(self._seen.folders):
            for path in sorted(Path(folder).glob("*.txt")):
                if _key(str(path)) not in self._claims and not self._may_be_used(path):
                    yield shown(path, self._config)

    def _may_be_used(self, path: Path) -> bool:
        from pytest_layercount.kept.baseline import BaselineError, load

        try:
            found = load(path, path.name)
        except BaselineError:
            return False
        folder = shown(path.parent.parent, self._config)
        test = (found.test if folder == "." else f"{folder}/{found.test}") if found else ""
        file = test.partition("::")[0]
        if file not in self._seen.collected and (self._config.rootpath / file).is_file():
            return True  # a conftest.py or another plugin keeps it from being collected
        skipped = any(test.startswith(f"{node}::") or test == node for node in self._seen.skipped)
        return test in self._seen.failed or skipped


def _key(path: str) -> str:
    """The same for files whose names only some systems tell apart."""
    folder, name = os.path.split(path)
    return os.path.join(folder, name.casefold())  # noqa: PTH118 -- half of it is no path


def listed(head: str, files: Sequence[str], *more: str) -> str:
    """The ``files`` of baselines below a line about how many they are."""
    shown = cut([f"    {file}" for file in files], 10, indent="    ")
    return page(head.format(number(len(files), "baseline")), *shown, *more)


def to_record(claims: Sequence[Claim], which: str) -> str:
    """Baselines ``which`` may stay as they are, and how to write them anew."""
    command = f"to record the models as they are: {update_command(claims)}"
    return listed(f"{{}} {which}:", [claim.shown for claim in claims], command)


def clash(file: str, names: Mapping[str, str]) -> str:
    """Tests that mean the same file."""
    tests = cut([f"    {test}" for test in names], 4, indent="    ")
    if len(set(names.values())) > 1:
        why = f"the names {' and '.join(map(repr, sorted(set(names.values()))))} need one file"
    else:
        why = f"they claim the one name {next(iter(names.values()))!r}"
    return page(f"{file}: not written, {why}:", *tests, "give each its own with name=")
