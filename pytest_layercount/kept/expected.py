"""Differences that were expected, each with a reason."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from pytest_layercount.errors import LayercountError
from pytest_layercount.kept.differences import CODES, Finding
from pytest_layercount.text import instead

ANY = "*"


class ExpectationError(LayercountError, ValueError):
    """Text that is no expectation."""


@dataclass(frozen=True)
class Expected:
    """A difference of ``model`` (``*`` for any) by the code of its cause, and why it may be."""

    model: str
    cause: str
    reason: str

    def allows(self, model: str, finding: Finding) -> bool:
        """Whether this is the difference that was expected."""
        return self.cause == finding.code and self.model in (ANY, model)

    def __str__(self) -> str:
        return f"{self.model}: {self.cause}: {self.reason}"


_FORM = re.compile(r"(?P<model>.+?):\s+(?P<cause>[\w-]+)(?::\s*(?P<reason>.*))?", re.DOTALL)


def expected(text: str) -> Expected:
    """The expectation ``model: cause: reason``.

    Raises:
        ExpectationError: a part is missing, or there is no such cause.
    """
    found = _FORM.fullmatch(text.strip())
    if found is None:
        raise ExpectationError("must be 'model: cause: reason', with a space after each colon")
    model, cause, reason = found["model"], found["cause"], (found["reason"] or "").strip()
    if cause not in CODES:
        raise ExpectationError(f"there is no cause {cause!r}{instead(cause, CODES)}")
    if not reason:
        raise ExpectationError("must end with a reason: 'model: cause: reason'")
    return Expected(model, cause, reason)


def split(
    model: str, findings: Iterable[Finding], expectations: Iterable[Expected]
) -> tuple[tuple[Finding, ...], tuple[tuple[Finding, Expected], ...]]:
    """The findings that nobody expected, and the others with what expected them."""
    known, new = [], []
    given = list(expectations)
    for finding in findings:
        found = next((one for one in given if one.allows(model, finding)), None)
        if found is None:
            new.append(finding)
        else:
            known.append((finding, found))
    return tuple(new), tuple(known)
