"""What is wrong with an argument of the mark or of a fixture."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from pytest_layercount.text import cut, page, short


def bad_arguments(function: str, arguments: Mapping[str, object], problem: str) -> str:
    """``layercount(max=-1): must not be negative``."""
    given = ", ".join(
        f"{name}={short(value)}" if name else short(value) for name, value in arguments.items()
    )
    return f"{function}({given}): {problem}"


def located(sentence: str, file: str, line: int | None, name: str) -> str:
    """``sentence``, and below it where to go; ``line`` counts from zero."""
    place = file if line is None else f"{file}:{line + 1}"
    return f"{sentence}\n{place}: {name}" if name else f"{sentence}\n{place}"


def bad_marks(sentences: Sequence[str]) -> str:
    """All that is wrong with the marks of a file or class."""
    return page(*cut(sentences, 10))


def unknown_argument(name: str, close: Sequence[str], known: Collection[str]) -> str:
    """A keyword that does not exist."""
    if close:
        return f"unknown argument {name!r}; did you mean {close[0]!r}?"
    return f"unknown argument {name!r}; there are {', '.join(known)}"


def positional(keyword: str, value: object) -> str:
    """An argument without its keyword."""
    return f"takes keywords only; did you mean {keyword}={short(value)}?"


def of_the_suite(problem: str, names: Sequence[str]) -> str:
    """A mark that contradicts the settings of the whole suite."""
    option = f"--layercount-{names[0].replace('_', '-')}"
    return (
        f"{problem}; {names[0]} is a limit of the whole suite ({option}, layercount_{names[0]}): "
        f"give the mark a {names[0]} of its own, or {names[0]}=None"
    )


def unknown_count(known: Sequence[str]) -> str:
    """A way to count that does not exist."""
    return f"must be one of {', '.join(map(repr, known))}"


def unknown_type(name: str, close: str | None) -> str:
    """A layer type that does not exist."""
    if close:
        return f"there is no layer type {name!r}; did you mean {close!r}?"
    return f"there is no layer type {name!r}: no class of Keras or of yours is called so"


def unlimited_type(name: str, why: str) -> str:
    """A class that no layer counts as; ``why`` is what ``why_unlimited`` says of it."""
    problem = {
        "every": f"every layer is of the class {name!r}",
        "model": f"{name!r} is a class of models, which are opened and do not count themselves "
        "but with count='top'",
        "base": f"no layer counts as a {name!r}, which is a class inside Keras",
    }
    return f"{problem[why]}; name the types of layers that you mean"


def unknown_metric(metric: object, close: Sequence[str], known: Collection[str]) -> str:
    """A number that is not measured."""
    if close:
        return f"there is no metric {short(metric)}; did you mean {close[0]!r}?"
    return f"there is no metric {short(metric)}; there are {', '.join(known)}"


def unknown_code(code: object, close: Sequence[str], known: Sequence[str]) -> str:
    """A cause to ignore that does not exist."""
    if close:
        return f"there is no cause {short(code)}; did you mean {close[0]!r}?"
    return f"there is no cause {short(code)}; there are {', '.join(known)}"


NO_LIMIT = "sets no limit; give one, like max=150"
MIN_ABOVE_MAX = "min is greater than max, so no model can pass"
EXACTLY_AND_BOUNDS = "exactly already is both bounds; drop min and max"
FOLDED_AND_TOP = "a folded model is counted opened; use count='layers' or 'nodes'"
NOT_WHOLE = "must be a whole number"
NEGATIVE = "must not be negative"
NOT_A_SIZE = "must be a whole number like 5_000_000, or text like '300k', '5M', '1.2B'"
NOT_BYTES = "must be a whole number of bytes, or text like '500kB', '20MB', '1.5GiB'"
NOT_A_GROWTH = "must be a whole number that is not negative, or text like '5%'"
NOT_METRICS = "must be a list or tuple of metrics, like ('layers', 'parameters')"
NOT_A_FLAG = "must be True or False"
NOT_TEXT = "must be text that is not empty"
NOT_TYPES = "must map layer types to their maximum, like {'BatchNormalization': 0}"
NOT_TYPE_NAMES = "must be a list or tuple of layer types, like ('BatchNormalization',)"
NOT_CODES = "must be a list or tuple of the codes of causes, like ('batch-norms-folded',)"
NOT_EXCEPTIONS = "must map layer paths to reasons, like {'stem/bn': 'read by the debugger'}"

FOLDS_NOW = "folds now; remove the exception"
