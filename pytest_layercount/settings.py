"""What holds for a whole run: the keys of the configuration file and the options.

A field of :class:`Settings` is both: ``auto`` is the key ``layercount_auto`` and the option
``--layercount-auto``. To add one is to add its line there. So is each limit of the measures.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import PurePath
from typing import Any, Literal, NamedTuple, get_args

import pytest

from pytest_layercount.measures import MEASURES

Update = Literal["all", "new"]
Weights = Literal["seeded", "own"]
NAMED = "layercount::"
"""What the node ids of models that are named begin with."""

REPORTS = (".html", ".json", ".md")
"""What the name of a report ends in."""

_TEXT: Any = str | int if pytest.version_tuple >= (9, 2) else "string"
"""A key with one value. Where pytest can, it takes the bare numbers of ``pytest.toml``."""


class _Key(NamedTuple):
    """How a field is given.

    ``read`` makes its value of what was written and raises a ValueError that says
    what it should have been. ``ini`` is pytest's type for the key, None if there
    is no key; ``option`` is what argparse is told, and ``flag`` what the option is
    called where the field's name would not do.
    """

    read: Callable[[Any], Any]
    help: str
    ini: Any
    option: Mapping[str, Any]
    flag: str = ""


def _limit(name: str, help_: str) -> _Key:
    """A limit that a mark may set as well, by the same name and checked the same way."""
    return _Key(lambda value: _checked(name, value), help_, _TEXT, {"metavar": "N"})


def _value(read: Callable[[str], Any], help_: str, metavar: str) -> Any:
    """One value, ``None`` where it is not given."""
    option = {"metavar": metavar}
    return field(default=None, metadata={"key": _Key(read, help_, _TEXT, option)})


def _flag(help_: str) -> Any:
    """Yes or no; the option has a counterpart that begins with ``--no-``."""
    option = {"action": argparse.BooleanOptionalAction}
    return field(default=False, metadata={"key": _Key(bool, help_, "bool", option)})


def _values(read: Callable[[str], Any], help_: str, metavar: str, flag: str = "") -> Any:
    """Any number of values: a line each, or an option each."""

    def read_all(given: Sequence[str]) -> tuple[Any, ...]:
        return tuple(read(one) for one in given)

    option = {"metavar": metavar, "action": "append"}
    return field(default=(), metadata={"key": _Key(read_all, help_, "linelist", option, flag)})


def _command(choices: Sequence[str], help_: str) -> Any:
    """An option alone, not for the configuration file; without a value it means the first."""

    def read(given: str) -> str:
        if given not in choices:
            # Perhaps a path that was meant for pytest.
            raise ValueError(
                f"must be {' or '.join(choices)}; tests to run stand before the option"
            )
        return given

    option = {"nargs": "?", "const": choices[0], "metavar": "|".join(choices)}
    return field(default=None, metadata={"key": _Key(read, help_, None, option)})


def _report(file: str) -> str:
    if PurePath(file).suffix not in REPORTS:
        raise ValueError(f"the name of a report ends in {', '.join(REPORTS[:-1])} or {REPORTS[-1]}")
    return file


def _choice(choices: Sequence[str], help_: str) -> Any:
    """One of ``choices``, the first where nothing is given."""

    def read(given: str) -> str:
        if given not in choices:
            raise ValueError(f"must be {' or '.join(choices)}")
        return given

    option = {"metavar": "|".join(choices)}
    return field(default=choices[0], metadata={"key": _Key(read, help_, _TEXT, option)})


def _file(help_: str) -> Any:
    """A file, an option alone: it is another one in every run."""
    return field(default=None, metadata={"key": _Key(_path, help_, None, {"metavar": "FILE"})})


def _path(given: str) -> str:
    if not given or given.endswith(("/", "\\")):
        raise ValueError("must be the name of a file")
    return given


def _checked(name: str, value: str | int) -> Any:
    from pytest_layercount.checks.arguments import ArgumentError, checked, from_text

    try:
        return checked({name: from_text(value)})[name]
    except ArgumentError as error:
        raise ValueError(error.problem) from None


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What the configuration file and the command line say, the command line winning."""

    limits: Mapping[str, Any] = field(default_factory=dict)
    """The limits of the whole suite, by the keywords of a mark."""
    auto: bool = _flag("judge every model that a fixture returns, without any mark")
    strict_baselines: bool = _flag("fail a complete run that leaves baselines unused")
    update: Update | None = _command(  # noqa: RUF009 -- a field
        get_args(Update), "write the baselines as the models are now; new: only missing ones"
    )
    report: tuple[str, ...] = _values(
        _report, "write what was found out about the models: .md, .json or .html", "FILE"
    )
    report_changes: bool = _flag(
        "write markdown reports of what failed or changed only, and none where nothing did"
    )
    models: tuple[str, ...] = _values(
        str,
        "judge this model, with no test file: package.module:build(depth=3) or model.keras",
        "MODEL",
        "--layercount-model",
    )
    record: str | None = _file("record every model that a fixture returns")
    against: str | None = _file("fail where a model is not what this record says")
    weights: Weights = _choice(  # noqa: RUF009 -- a field
        get_args(Weights), "what recorded models are run with: the same weights everywhere, or own"
    )
    expected_differences: tuple[str, ...] = _values(
        str,
        "a difference from a record that may be: 'model: cause: reason'",
        "TEXT",
        "--layercount-expected-difference",
    )
    trust_stored_code: bool = _flag("load model files that hold Python code, which runs it")
    pictures: str | None = _value(str, "write a picture of each model that fails here", "DIR")


_LIMITS = {
    "max": _limit("max", "a maximum for the layers of every model judged"),
    **{keyword: _limit(keyword, measure.help) for keyword, measure in MEASURES.items()},
}
KEYS: Mapping[str, _Key] = _LIMITS | {
    one.name: one.metadata["key"] for one in fields(Settings) if one.metadata
}
"""How each setting is given, by its name."""

_STASH = pytest.StashKey[Settings]()


def add(parser: pytest.Parser) -> None:
    """Make the keys and options known to pytest."""
    group = parser.getgroup("layercount", "structure of Keras models")
    for setting, key in KEYS.items():
        name, option = _ini(setting), _option(setting)
        group.addoption(option, dest=name, default=None, help=key.help, **key.option)
        if key.ini:
            parser.addini(name, key.help, type=key.ini, default=None)


def read(config: pytest.Config) -> None:
    """Read and check what was given; a mistake is a usage error."""
    given = {name: value for name in KEYS if (value := _given(config, name)) is not None}
    limits = {name: given.pop(name) for name in _LIMITS if name in given}
    config.stash[_STASH] = Settings(**given, limits=limits)


def settings(config: pytest.Config) -> Settings:
    """The settings of a run."""
    return config.stash[_STASH]


def names_models(config: pytest.Config) -> bool:
    """Whether models are named, by a setting or by node ids."""
    return bool(settings(config).models or any(map(is_named, config.args)))


def is_named(argument: str) -> bool:
    """Whether an argument is the node id of a model that is named."""
    return argument.startswith(NAMED)


def shows_folds(config: pytest.Config) -> bool:
    """Whether the run shows of every model what folds, which takes long to find out.

    Of a model that fails it is always shown, and so it need not be planned for a run in
    which all models pass.
    """
    asked = settings(config)
    pages = (config.getoption(name, None) for name in ("htmlpath", "xmlpath"))
    return bool(
        config.getoption("verbose", 0) > 0  # not there with ``-p no:terminal``
        or asked.report
        or asked.pictures
        or os.environ.get("GITHUB_STEP_SUMMARY")
        or any(pages)
    )


def _ini(name: str) -> str:
    return f"layercount_{name}"


def _option(name: str) -> str:
    return KEYS[name].flag or f"--{_ini(name)}".replace("_", "-")


def _given(config: pytest.Config, name: str) -> Any:
    """What the command line says, or else the file, read and checked."""
    key = KEYS[name]
    written = config.getoption(_ini(name))
    if written is not None:
        return _read(key, _option(name), written)
    if key.ini is None:
        return None
    try:
        written = config.getini(_ini(name))
    except (TypeError, ValueError, pytest.UsageError) as error:
        problem = "must be true or false" if key.ini == "bool" else str(error)
        raise _bad(_ini(name), problem, config) from None
    return None if written is None else _read(key, _ini(name), written, config)


def _read(key: _Key, name: str, written: Any, config: pytest.Config | None = None) -> Any:
    try:
        return key.read(written)
    except ValueError as error:
        given = written if isinstance(written, (str, int)) else ", ".join(written)
        raise _bad(f"{name}={given}", str(error), config) from None


def _bad(given: str, problem: str, config: pytest.Config | None) -> pytest.UsageError:
    from pytest_layercount.text import printable

    file = f" in {config.inipath.name}" if config is not None and config.inipath else ""
    return pytest.UsageError(printable(f"{given}{file}: {problem}"))
