"""What the ``assert_*`` fixtures do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from inspect import signature
from typing import TYPE_CHECKING, Any

import pytest

from pytest_layercount import messages
from pytest_layercount.baselines.check import default_name
from pytest_layercount.baselines.judge import against_baseline, check_asked
from pytest_layercount.criteria import ArgumentError, check_keyword, checked, criteria
from pytest_layercount.failure import Failed
from pytest_layercount.foldable import BATCH_NORMS, check_exceptions, check_types, foldability
from pytest_layercount.measure import said_plainly, source
from pytest_layercount.report.limits import limits
from pytest_layercount.report.recorder import Recorder, recorder
from pytest_layercount.structure import check_codes, check_count, difference

if TYPE_CHECKING:
    from pytest_layercount.baselines.growth import BaselineComparison
    from pytest_layercount.compare.explain import Explanation
    from pytest_layercount.folding.equivalence import FoldCheck
    from pytest_layercount.folding.plan import Plan
    from pytest_layercount.model.count import Count, LayerCount


class Bound(partial[Any]):
    """A fixture that knows where to record; a traceback shows it by its name."""

    def __call__(self, /, *args: Any, **kwargs: Any) -> Any:
        """Call it; a keyword that it does not have is answered as in the mark."""
        __tracebackhide__ = True
        parameters = signature(self.func).parameters.values()
        known = [one.name for one in parameters if one.kind is one.KEYWORD_ONLY]
        with _arguments_of(self.func.__name__):
            for name in sorted(kwargs.keys() - {one.name for one in parameters}):
                check_keyword(name, kwargs[name], known)
        return super().__call__(*args, **kwargs)

    def __repr__(self) -> str:
        return f"<{self.func.__name__}>"


def assert_layer_count(
    record: Recorder,
    model: Any,
    *,
    max: int | None = None,
    min: int | None = None,
    exactly: int | None = None,
    count: Count = "layers",
    folded: bool = False,
    types: Mapping[str, int] | None = None,
    max_parameters: int | str | None = None,
    max_trainable: int | str | None = None,
    max_bytes: int | str | None = None,
    max_depth: int | None = None,
    max_macs: int | str | None = None,
    info: str | None = None,
) -> LayerCount:
    """Fail unless ``model`` keeps the limits; return what was counted."""
    __tracebackhide__ = True
    bounds: dict[str, object] = {"max": max, "min": min, "exactly": exactly, "types": types}
    costs: dict[str, object] = {
        "max_parameters": max_parameters,
        "max_trainable": max_trainable,
        "max_bytes": max_bytes,
        "max_depth": max_depth,
        "max_macs": max_macs,
    }
    with _arguments_of("assert_layer_count"):
        asked = criteria(checked({**bounds, **costs, "count": count, "folded": folded}))
    with record.judging("layercount", model) as subject:
        measured = subject.count(asked)
        with _arguments_of("assert_layer_count"):
            violations = asked.violations(measured)
        subject.limits = limits(asked, measured)
        if violations:
            raise Failed(
                messages.counts.layer_count(
                    measured,
                    violations,
                    folded=asked.folded,
                    note=info,
                    large=subject.large(violations),
                )
            )
    return measured


def assert_foldable(
    record: Recorder,
    model: Any,
    *,
    types: Sequence[str] = BATCH_NORMS,
    except_: Mapping[str, str] | None = None,
    info: str | None = None,
) -> Plan:
    """Fail unless every layer of ``types`` folds; return the plan."""
    __tracebackhide__ = True
    with _arguments_of("assert_foldable"):
        names, exceptions = check_types(types), check_exceptions(except_)
    with record.judging("foldable", model) as subject:
        planned = subject.plan()
        with _arguments_of("assert_foldable"):
            result = foldability(planned, names, exceptions)
        if not result.good:
            raise Failed(messages.folds.foldable(planned.graph.name, result, names, note=info))
    return planned


def assert_equivalent_after_fold(
    record: Recorder,
    model: Any,
    *,
    inputs: Any = None,
    seed: int = 0,
    info: str | None = None,
) -> FoldCheck:
    """Fail unless folding keeps the outputs; return what was compared."""
    __tracebackhide__ = True
    with record.judging("equivalent", model) as subject:
        name = subject.graph().name
        with said_plainly(model):
            from pytest_layercount.folding.equivalence import check_fold

            check = check_fold(model, inputs=inputs, seed=seed)
        if not (check.result.folds or check.result.removed):
            raise Failed(messages.folds.nothing_folded(name, check.result.refusals, note=info))
        if not check.equivalence.equivalent:
            raise Failed(messages.folds.not_equivalent(name, check, note=info))
    return check


def assert_same_structure(
    record: Recorder,
    a: Any,
    b: Any,
    *,
    ignore: Sequence[str] = (),
    count: Count = "layers",
    info: str | None = None,
) -> Explanation:
    """Fail unless ``a`` and ``b`` have the same structure; return the explanation."""
    __tracebackhide__ = True
    with _arguments_of("assert_same_structure"):
        codes = check_codes(ignore)
        check_count(count)
    with record.judging("structure", b) as subject:
        one, two = source(a), subject.source()
        from pytest_layercount.compare.explain import explain_sources

        found = difference(explain_sources(one, two, count), codes)
        if not found.good:
            raise Failed(messages.pairs.not_same_structure(found, note=info))
    return found.explanation


def assert_matches_baseline(
    item: pytest.Item,
    model: Any,
    name: str | None = None,
    *,
    max_growth: int | str | None = None,
    metrics: Sequence[str] | None = None,
    info: str | None = None,
) -> BaselineComparison | None:
    """Fail unless ``model`` is as its baseline has it; return what was compared."""
    __tracebackhide__ = True
    with _arguments_of("assert_matches_baseline"):
        asked = check_asked(name, max_growth, metrics)
    with recorder(item.config).judging("baseline", model) as subject:
        return against_baseline(item, subject, asked, name or default_name(item), info)


class _arguments_of:  # noqa: N801  used as a word in a with statement
    """Say with what is wrong with an argument which function it was given to."""

    def __init__(self, function: str) -> None:
        self.function = function

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        __tracebackhide__ = True
        if isinstance(error, ArgumentError):
            sentence = messages.arguments.bad_arguments(
                self.function, error.arguments, error.problem
            )
            raise ArgumentError(error.arguments, sentence) from None
