"""Text that was to name a model and does not, or names something else."""

from __future__ import annotations

from collections.abc import Sequence

from pytest_layercount.text import short

FORMS = "a saved model (detector.keras) or code (package.module:build(depth=3))"


def neither(text: str) -> str:
    """Neither a file nor code."""
    return f"{text or 'no model'}: no such file; name {FORMS}"


def not_a_module(text: str, module: str) -> str:
    """What stands before the colon is no module."""
    return f"{text}: {module!r} is not the name of a module; name {FORMS}"


def not_a_call(text: str, code: str) -> str:
    """What stands after the colon is neither a name nor a call."""
    return f"{text}: {code!r} is neither a name nor a call of one; name {FORMS}"


def not_a_literal(text: str, argument: str) -> str:
    """An argument that would have to be evaluated."""
    return f"{text}: the argument {argument} is not a literal like 3, 'text', (1, 2) or None"


def no_module(text: str, module: str) -> str:
    """A module that is not there."""
    return f"{text}: there is no module {module!r}{_install(module)}"


def needs_module(text: str, module: str, missing: str) -> str:
    """A module that needs another one."""
    return f"{text}: {module} needs the module {missing!r}, which is not there{_install(missing)}"


def import_raised(text: str, module: str, error: BaseException) -> str:
    """A module that cannot be imported."""
    return f"{text}: importing {module} raised {_said(error)}"


def no_attribute(text: str, module: str, name: str, close: Sequence[str]) -> str:
    """A name that the module does not have."""
    meant = f"; did you mean {close[0]!r}?" if close else ""
    return f"{text}: {module} has nothing called {name!r}{meant}"


def raised(text: str, error: BaseException) -> str:
    """A call that failed."""
    return f"{text}: the call raised {_said(error)}"


def not_a_model(text: str, found: object) -> str:
    """Something else than a model."""
    return f"{text}: gives {short(found)}, of type {type(found).__name__}, not a Keras model"


def _install(module: str) -> str:
    known = module in ("keras", "tensorflow", "tf_keras")
    return '; pip install "pytest-layercount[tensorflow]"' if known else ""


def _said(error: BaseException) -> str:
    """``ValueError: the first line of what it says``."""
    kind, text = type(error).__name__, str(error).strip()
    return f"{kind}: {text.splitlines()[0]}" if text else kind
