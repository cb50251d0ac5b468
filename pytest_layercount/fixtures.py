"""The ``assert_*`` fixtures and the types to annotate them with.

What they do is :mod:`pytest_layercount.assertions`, imported by the first test that asks
for one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

import pytest

from pytest_layercount.report.recorder import recorder

if TYPE_CHECKING:
    from pytest_layercount.baselines.growth import BaselineComparison
    from pytest_layercount.compare.explain import Explanation
    from pytest_layercount.folding.equivalence import FoldCheck
    from pytest_layercount.folding.plan import Plan
    from pytest_layercount.model.count import Count, LayerCount


class AssertLayerCount(Protocol):
    """The type of the :func:`assert_layer_count` fixture."""

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
    ) -> LayerCount:
        """Fail unless ``model`` keeps the limits; return what was counted."""


class AssertFoldable(Protocol):
    """The type of the :func:`assert_foldable` fixture."""

    def __call__(
        self,
        model: Any,
        *,
        types: Sequence[str] = ...,
        except_: Mapping[str, str] | None = None,
        info: str | None = None,
    ) -> Plan:
        """Fail unless every layer of ``types`` folds; return the plan."""


class AssertEquivalentAfterFold(Protocol):
    """The type of the :func:`assert_equivalent_after_fold` fixture."""

    def __call__(
        self,
        model: Any,
        *,
        inputs: Any = None,
        seed: int = 0,
        info: str | None = None,
    ) -> FoldCheck:
        """Fail unless folding keeps the outputs; return what was compared."""


class AssertSameStructure(Protocol):
    """The type of the :func:`assert_same_structure` fixture."""

    def __call__(
        self,
        a: Any,
        b: Any,
        *,
        ignore: Sequence[str] = (),
        count: Count = "layers",
        info: str | None = None,
    ) -> Explanation:
        """Fail unless ``a`` and ``b`` have the same structure; return the explanation."""


class AssertMatchesBaseline(Protocol):
    """The type of the :func:`assert_matches_baseline` fixture."""

    def __call__(
        self,
        model: Any,
        name: str | None = None,
        *,
        max_growth: int | str | None = None,
        metrics: Sequence[str] | None = None,
        info: str | None = None,
    ) -> BaselineComparison | None:
        """Fail unless ``model`` is as its baseline has it; return what was compared."""


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
    from pytest_layercount.assertions import Bound, assert_layer_count

    return Bound(assert_layer_count, recorder(pytestconfig))


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
    from pytest_layercount.assertions import Bound, assert_foldable

    return Bound(assert_foldable, recorder(pytestconfig))


@pytest.fixture(scope="session")
def assert_equivalent_after_fold(pytestconfig: pytest.Config) -> AssertEquivalentAfterFold:
    """Assert that folding a model keeps its outputs.

    Both models run on the same inputs: ``inputs``, or ones made from the model's
    own input specification and ``seed``. Where the batch normalizations are
    untrained, a copy with randomised statistics is folded instead, because
    with the initial ones a wrong fold goes unnoticed. A model in which nothing
    folds fails: there is nothing to compare.
    """
    from pytest_layercount.assertions import Bound, assert_equivalent_after_fold

    return Bound(assert_equivalent_after_fold, recorder(pytestconfig))


@pytest.fixture(scope="session")
def assert_same_structure(pytestconfig: pytest.Config) -> AssertSameStructure:
    """Assert that two models have the same structure, whatever their layers are called.

    Each may be a Keras model, the path of a saved one, or a ``ModelGraph``, and they
    may be of different Keras versions. ``ignore`` lists the codes of causes that may
    make a difference, like ``"batch-norms-folded"``, and ``"changed"`` for layers
    configured otherwise. ``count`` says what a layer is.
    """
    from pytest_layercount.assertions import Bound, assert_same_structure

    return Bound(assert_same_structure, recorder(pytestconfig))


@pytest.fixture
def assert_matches_baseline(request: pytest.FixtureRequest) -> AssertMatchesBaseline:
    """Assert that a model is as its baseline, a file in the repository, has it.

    Without more the whole structure must be the same, names apart. With ``max_growth``,
    a number or text like ``"5%"``, the ``metrics`` (``("layers",)`` if not given) may grow
    by so much and shrink by any. ``name`` is needed where a test has several models.
    ``pytest --layercount-update`` writes the baselines as the models are now.
    """
    from pytest_layercount.assertions import Bound, assert_matches_baseline

    return Bound(assert_matches_baseline, request.node)
