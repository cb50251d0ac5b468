"""The ``assert_*`` fixtures: what each is called with, and the types to annotate them with.

The checks that they make are :mod:`pytest_layercount.checks`, imported by the first call.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, NoReturn

import pytest

from pytest_layercount.settings import settings

if TYPE_CHECKING:
    from pytest_layercount.checks.growth import BaselineComparison
    from pytest_layercount.compare.explain import Explanation
    from pytest_layercount.folding.equivalence import FoldCheck
    from pytest_layercount.folding.plan import Plan
    from pytest_layercount.model.count import Count, LayerCount
    from pytest_layercount.report.judging import judging


class _Assertion:
    """What a fixture returns, to be called in tests.

    Keywords that nobody knows are taken as well, to be refused as the mark refuses them.
    """

    name: ClassVar[str]
    check: ClassVar[str]

    def __init__(self, config: pytest.Config) -> None:
        self._config = config

    def __repr__(self) -> str:
        return f"<{self.name}>"

    def _judging(self, model: Any) -> judging:
        from pytest_layercount.report.judging import judging

        return judging(self._config, self.check, model)


class _arguments_of:  # noqa: N801  used as a word in a with statement
    """Refuse ``unknown`` keywords, and say of wrong arguments which fixture they were given to.

    It is a class because a failure would be shown inside ``contextlib`` otherwise, and not
    at the user's line.
    """

    def __init__(self, fixture: _Assertion, unknown: Mapping[str, object]) -> None:
        self._fixture, self._unknown = fixture, unknown

    def __enter__(self) -> None:
        __tracebackhide__ = True
        if self._unknown:
            from pytest_layercount.checks.arguments import ArgumentError, check_keyword

            call: Any = type(self._fixture)
            name = min(self._unknown)
            try:
                check_keyword(name, self._unknown[name], call.__call__.__kwdefaults__)
            except ArgumentError as error:
                raise error.of(self._fixture.name) from None

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        __tracebackhide__ = True
        if error is None:
            return
        from pytest_layercount.checks.arguments import ArgumentError

        if isinstance(error, ArgumentError):
            raise error.of(self._fixture.name) from None


class AssertLayerCount(_Assertion):
    """The type of the :func:`assert_layer_count` fixture."""

    name = "assert_layer_count"
    check = "layercount"

    def __call__(
        self,
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
        **unknown: NoReturn,
    ) -> LayerCount:
        """Fail unless ``model`` keeps the limits; return what was counted."""
        __tracebackhide__ = True
        given = dict(locals())  # the keywords, each by the name that the mark knows it by
        from pytest_layercount.checks.arguments import checked
        from pytest_layercount.checks.layercount import KEYWORDS, Limits, check_limits

        with _arguments_of(self, unknown):
            asked = {name: value for name, value in given.items() if name in KEYWORDS}
            limits = Limits.of(checked(asked))
            with self._judging(model) as subject:
                return check_limits(subject, limits, info)


class AssertFoldable(_Assertion):
    """The type of the :func:`assert_foldable` fixture."""

    name = "assert_foldable"
    check = "foldable"

    def __call__(
        self,
        model: Any,
        *,
        types: Sequence[str] | None = None,
        except_: Mapping[str, str] | None = None,
        info: str | None = None,
        **unknown: NoReturn,
    ) -> Plan:
        """Fail unless every batch normalization folds, or layer of ``types``; return the plan."""
        __tracebackhide__ = True
        from pytest_layercount.checks.foldable import (
            check_exceptions,
            check_foldable,
            check_types,
        )

        with _arguments_of(self, unknown):
            names, exceptions = check_types(types), check_exceptions(except_)
            with self._judging(model) as subject:
                return check_foldable(subject, names, exceptions, info)


class AssertEquivalentAfterFold(_Assertion):
    """The type of the :func:`assert_equivalent_after_fold` fixture."""

    name = "assert_equivalent_after_fold"
    check = "equivalent"

    def __call__(
        self,
        model: Any,
        *,
        inputs: Any = None,
        seed: int = 0,
        info: str | None = None,
        **unknown: NoReturn,
    ) -> FoldCheck:
        """Fail unless folding keeps the outputs; return what was compared."""
        __tracebackhide__ = True
        from pytest_layercount.checks.equivalent import check_equivalent

        with (
            _arguments_of(self, unknown),
            self._judging(model) as subject,
        ):
            return check_equivalent(subject, inputs, seed, info)


class AssertSameStructure(_Assertion):
    """The type of the :func:`assert_same_structure` fixture."""

    name = "assert_same_structure"
    check = "structure"

    def __call__(
        self,
        a: Any,
        b: Any,
        *,
        ignore: Sequence[str] = (),
        count: Count = "layers",
        info: str | None = None,
        **unknown: NoReturn,
    ) -> Explanation:
        """Fail unless ``a`` and ``b`` have the same structure; return the explanation."""
        __tracebackhide__ = True
        from pytest_layercount.checks.arguments import checked
        from pytest_layercount.checks.structure import check_codes, check_structure

        with _arguments_of(self, unknown):
            codes = check_codes(ignore)
            counted: Count = checked({"count": count})["count"] or "layers"
            with self._judging(b) as subject:
                return check_structure(a, subject, codes, counted, info)


class AssertMatchesBaseline(_Assertion):
    """The type of the :func:`assert_matches_baseline` fixture."""

    name = "assert_matches_baseline"
    check = "baseline"

    def __init__(self, item: pytest.Item) -> None:
        super().__init__(item.config)
        self._item = item

    def __call__(
        self,
        model: Any,
        name: str | None = None,
        *,
        max_growth: int | str | None = None,
        metrics: Sequence[str] | None = None,
        info: str | None = None,
        **unknown: NoReturn,
    ) -> BaselineComparison | None:
        """Fail unless ``model`` is as its baseline has it; return what was compared."""
        __tracebackhide__ = True
        from pytest_layercount.checks.baseline import check_asked, check_baseline, default_name

        with _arguments_of(self, unknown):
            asked = check_asked(name, max_growth, metrics)
            with self._judging(model) as subject:
                name = name or default_name(self._item)
                update = settings(self._config).update
                return check_baseline(self._item, subject, asked, name, info, update=update)


@pytest.fixture(scope="session")
def assert_layer_count(pytestconfig: pytest.Config) -> AssertLayerCount:
    """Assert how many layers a model has.

    ``max``, ``min``, ``exactly``, ``types`` (a maximum for each layer type, for classes
    that derive from it and for what is inside layers that stay whole too) and
    ``max_parameters``, ``max_trainable``, ``max_bytes``, ``max_depth`` and ``max_macs``
    are the limits; at least one must be given. ``count`` says
    what a layer is and ``folded=True`` judges what is left after folding. The
    model may be a Keras model, the path of a saved one, or a ``ModelGraph``.
    """
    return AssertLayerCount(pytestconfig)


@pytest.fixture(scope="session")
def assert_foldable(pytestconfig: pytest.Config) -> AssertFoldable:
    """Assert that a model's batch normalizations disappear at inference.

    Those of classes that derive from Keras's and those inside layers that stay whole are
    judged with them. ``types`` names the layer types to judge instead. ``except_`` maps the paths
    of layers that may stay to the reason why; an exception that no longer
    applies fails too. So does a model in which nothing is there to judge:
    it would pass for the wrong reason. That a model has no batch normalization
    *left* is ``assert_layer_count(model, types={"BatchNormalization": 0})``.
    """
    return AssertFoldable(pytestconfig)


@pytest.fixture(scope="session")
def assert_equivalent_after_fold(pytestconfig: pytest.Config) -> AssertEquivalentAfterFold:
    """Assert that folding a model keeps its outputs.

    Both models run on the same inputs: ``inputs``, or ones made from the model's
    own input specification and ``seed``. Where the batch normalizations are
    untrained, a copy with randomised statistics is folded instead, because
    with the initial ones a wrong fold goes unnoticed. A model in which nothing
    folds fails: there is nothing to compare.
    """
    return AssertEquivalentAfterFold(pytestconfig)


@pytest.fixture(scope="session")
def assert_same_structure(pytestconfig: pytest.Config) -> AssertSameStructure:
    """Assert that two models have the same structure, whatever their layers are called.

    Each may be a Keras model, the path of a saved one, or a ``ModelGraph``, and they
    may be of different Keras versions. ``ignore`` lists the codes of causes that may
    make a difference, like ``"batch-norms-folded"``, and ``"changed"`` for layers
    configured otherwise. ``count`` says what a layer is.
    """
    return AssertSameStructure(pytestconfig)


@pytest.fixture
def assert_matches_baseline(request: pytest.FixtureRequest) -> AssertMatchesBaseline:
    """Assert that a model is as its baseline, a file in the repository, has it.

    Without more the whole structure must be the same, names apart. With ``max_growth``,
    a number or text like ``"5%"``, the ``metrics`` (``("layers",)`` if not given) may grow
    by so much and shrink by any. ``name`` is needed where a test has several models.
    ``pytest --layercount-update`` writes the baselines as the models are now.
    """
    return AssertMatchesBaseline(request.node)
