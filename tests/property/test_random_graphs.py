"""Random graphs of all supported layers: folding must be right on every one."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from tests.conftest import has_keras, needs_keras
from tests.kerases import computing_in, load_keras
from tests.property.recipe import Recipe
from tests.property.strategy import FAMILIES, recipes

pytestmark = [needs_keras, pytest.mark.timeout(0 if "LAYERCOUNT_GRAPHS" in os.environ else 900)]

if has_keras():
    from pytest_layercount import check_equivalence, fold
    from pytest_layercount.folding.plan import ALL_PASSES, PASSES
    from tests.property.checks import Options, check, make

ASKED_FOR = "LAYERCOUNT_GRAPHS" in os.environ
PARTS = 4 if ASKED_FOR else 1  # so that several workers have something to do
GRAPHS = int(os.environ.get("LAYERCOUNT_GRAPHS", "100")) // PARTS
COMMON = settings(
    deadline=None,
    derandomize=not ASKED_FOR,
    database=None,
    print_blob=False,
    suppress_health_check=list(HealthCheck),
)
EVERYWHERE = frozenset(
    {"Model", "reshape", "transpose", "relu", "add", "subtract", "multiply", "divide"}
)


def available() -> frozenset[str]:
    """The kinds of layers that the installed Keras has."""
    if not has_keras():
        return EVERYWHERE
    kinds = {kind.name for family in FAMILIES.values() for kind in family}
    return EVERYWHERE | {name for name in kinds if hasattr(load_keras().layers, name)}


@pytest.fixture(params=range(PARTS), autouse=True)
def part(request: pytest.FixtureRequest) -> int:
    """When asked for, each part draws graphs of its own."""
    return request.param


@pytest.fixture
def float64() -> Iterator[None]:
    with computing_in("float64"):
        yield


@pytest.fixture(autouse=True)
def unoptimised() -> Iterator[None]:
    """TensorFlow's graph optimiser takes longer than what it saves here."""
    import tensorflow as tf

    tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": True})
    yield
    tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": False})


@settings(COMMON, max_examples=GRAPHS * 7 // 10)
@given(recipe=recipes(available()))
@pytest.mark.usefixtures("float64")
def test_folding_random_graphs(recipe: Recipe) -> None:
    for label in check(recipe):
        event(label)


@settings(COMMON, max_examples=GRAPHS * 2 // 10)
@given(recipe=recipes(available()), unshare=st.booleans(), chosen=st.data())
@pytest.mark.usefixtures("float64")
def test_folding_random_graphs_with_options(
    recipe: Recipe, unshare: bool, chosen: st.DataObject
) -> None:
    more = chosen.draw(st.sets(st.sampled_from(ALL_PASSES[len(PASSES) :])), label="more passes")
    every = range(len(recipe.outputs))
    kept = chosen.draw(st.none() | st.sets(st.sampled_from(every), min_size=1), label="outputs")
    passes = tuple(name for name in ALL_PASSES if name in {*PASSES, *more})
    outputs = None if kept is None else tuple(sorted(kept))
    check(recipe, Options(passes, unshare, outputs))


@settings(COMMON, max_examples=GRAPHS // 10)
@given(recipe=recipes(available(), largest=20))
def test_equivalence_of_random_graphs(recipe: Recipe) -> None:
    """``check_equivalence`` raises no alarm, on models as users build them."""
    built = make(recipe)
    equivalence = check_equivalence(built.model, fold(built.model).model)
    assert equivalence.equivalent, equivalence.worst
