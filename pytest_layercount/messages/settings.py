"""What is wrong with a key of the configuration file or with an option."""

from __future__ import annotations

from collections.abc import Sequence

NOT_A_FILE = "must be the name of a file"
NOT_A_TRUTH = "must be true or false"

AUTO_WITHOUT_LIMIT = "layercount_auto: no limit to judge by; give one, like layercount_max=150"


def bad_setting(given: str, problem: str, file: str | None) -> str:
    """``layercount_max=many in pytest.ini: must be a whole number``."""
    return f"{given} in {file}: {problem}" if file else f"{given}: {problem}"


def not_a_choice(choices: Sequence[str]) -> str:
    """The value of an option that takes few, perhaps a path that was meant for pytest."""
    return f"must be {' or '.join(choices)}; tests to run stand before the option"


def not_a_report(suffixes: Sequence[str]) -> str:
    """A report of an unknown kind."""
    return f"the name of a report ends in {', '.join(suffixes[:-1])} or {suffixes[-1]}"


def not_one_of(choices: Sequence[str]) -> str:
    """The value of a key that takes few."""
    return f"must be {' or '.join(choices)}"
