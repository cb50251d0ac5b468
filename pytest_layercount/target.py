"""Models named in a line of text: a saved file, or code that makes one.

::

    models/detector.keras
    keras.applications:MobileNetV2(weights=None)
    detectors.zoo:small

Arguments are literals, taken apart and never evaluated. A callable that is named
without parentheses is called without arguments, unless it is a model itself.
"""

from __future__ import annotations

import ast
import difflib
import importlib
import inspect
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pytest_layercount.errors import INSTALL, LayercountError, ModelError, with_its_type
from pytest_layercount.text import short

FORMS = "a saved model (detector.keras) or code (package.module:build(depth=3))"
_SUFFIXES = (".h5", ".hdf5", ".json", ".keras")
_MODULE = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*")


class TargetError(LayercountError, ValueError):
    """The text cannot name a model."""


@dataclass(frozen=True)
class Target:
    """A model that is named, not made yet. ``module`` is empty if ``path`` is a file's."""

    text: str
    path: str
    module: str = ""
    called: bool = False
    args: tuple[Any, ...] = ()
    kwargs: Mapping[str, Any] = field(default_factory=dict)

    def model(self) -> Any:
        """The model: a live one, or the path of the file that holds it.

        Raises:
            ModelError: there is no such module or attribute, calling it raised, or
                what it gives is not a model.
        """
        if not self.module:
            return Path(self.path)
        from pytest_layercount.model.readers import is_model

        found = self._found(_imported(self.module, self.text))
        if self.called or (callable(found) and not is_model(found)):
            found = self._result(found)
        if not is_model(found):
            given = f"{short(found)}, of type {type(found).__name__}"
            raise ModelError(f"{self.text}: gives {given}, not a Keras model")
        return found

    def check(self) -> None:
        """Find what is named, and make nothing of it yet.

        Raises:
            ModelError: there is no such file, module or attribute, or what is called
                does not take these arguments.
        """
        if not self.module:
            if not Path(self.path).exists():
                raise ModelError(_no_file(self.text))
            return
        found = self._found(_imported(self.module, self.text))
        if self.called:
            try:
                inspect.signature(found).bind(*self.args, **self.kwargs)
            except TypeError as error:
                raise ModelError(self._raised(error)) from None
            except ValueError:
                pass  # Written in C, perhaps: the call will tell.

    def _found(self, owner: Any) -> Any:
        for name in self.path.split("."):
            try:
                owner = getattr(owner, name)
            except AttributeError:
                close = difflib.get_close_matches(name, dir(owner), n=1)
                meant = f"; did you mean {close[0]!r}?" if close else ""
                problem = f"{self.module} has nothing called {name!r}{meant}"
                raise ModelError(f"{self.text}: {problem}") from None
        return owner

    def _raised(self, error: BaseException) -> str:
        return f"{self.text}: the call raised {with_its_type(error)}"

    def _result(self, maker: Any) -> Any:
        try:
            return maker(*self.args, **self.kwargs)
        except (Exception, SystemExit) as error:
            raise ModelError(self._raised(error)) from error


def parse_target(text: str) -> Target:
    """Take ``text`` apart without importing or evaluating anything.

    Raises:
        TargetError: it can be neither a file nor code.
    """
    module, colon, code = text.partition(":")
    if text.endswith(_SUFFIXES) or _exists(text):
        return Target(text, text)
    if not (module and colon and code):
        raise TargetError(_no_file(text))
    if not _MODULE.fullmatch(module) or module.endswith(".py"):
        raise TargetError(f"{text}: {module!r} is not the name of a module; name {FORMS}")
    try:
        tree = ast.parse(code.strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        raise TargetError(_not_a_call(text, code)) from None
    if not isinstance(tree, ast.Call):
        return Target(text, _dotted(tree, text, code), module)
    return Target(
        text,
        _dotted(tree.func, text, code),
        module,
        called=True,
        args=tuple(_literal(each, text) for each in tree.args),
        kwargs={each.arg or "**": _literal(each, text) for each in tree.keywords},
    )


def _exists(text: str) -> bool:
    try:
        return bool(text) and Path(text).exists()
    except (OSError, ValueError):  # too long, or with characters that no path has
        return False


def _dotted(tree: ast.expr, text: str, code: str) -> str:
    """``a.b`` of the expression ``a.b``."""
    if isinstance(tree, ast.Name):
        return tree.id
    if isinstance(tree, ast.Attribute):
        return f"{_dotted(tree.value, text, code)}.{tree.attr}"
    raise TargetError(_not_a_call(text, code))


def _literal(tree: ast.expr | ast.keyword, text: str) -> Any:
    value = tree.value if isinstance(tree, ast.keyword) else tree
    unpacked = isinstance(tree, ast.keyword) and tree.arg is None
    try:
        if not unpacked:
            return ast.literal_eval(value)
    except (ValueError, TypeError, MemoryError, RecursionError):
        pass
    argument = f"the argument {ast.unparse(tree)}"
    raise TargetError(f"{text}: {argument} is not a literal like 3, 'text', (1, 2) or None")


def _imported(name: str, text: str) -> Any:
    """The module ``name``, or what a module has under that name: ``tensorflow.keras``."""
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if not f"{name}.".startswith(f"{error.name}."):
            problem = f"{name} needs the module {error.name!r}, which is not there"
            raise ModelError(f"{text}: {problem}{_install(str(error.name))}") from error
    except (Exception, SystemExit) as error:
        raise ModelError(f"{text}: importing {name} raised {with_its_type(error)}") from error
    outer, _, inner = name.rpartition(".")
    owner = _imported(outer, text) if outer else None
    if owner is None or not hasattr(owner, inner):
        raise ModelError(f"{text}: there is no module {name!r}{_install(name)}")
    return getattr(owner, inner)


def _no_file(text: str) -> str:
    return f"{text or 'no model'}: no such file; name {FORMS}"


def _not_a_call(text: str, code: str) -> str:
    return f"{text}: {code!r} is neither a name nor a call of one; name {FORMS}"


def _install(module: str) -> str:
    known = module in ("keras", "tensorflow", "tf_keras")
    return f"; {INSTALL}" if known else ""
