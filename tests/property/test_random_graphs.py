"""Random graphs of all supported layers: folding must be right on every one.

Few of them, and always the same, unless LAYERCOUNT_GRAPHS says how many.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.conftest import has_keras, needs_keras
from tests.kerases import computing_in, load_keras
from tests.property.facts import missing, table
from tests.property.recipe import Recipe, Step
from tests.property.strategy import FAMILIES, recipes

ASKED_FOR = os.environ.get("LAYERCOUNT_GRAPHS")

pytestmark = [needs_keras, pytest.mark.timeout(0 if ASKED_FOR else 600)]

if has_keras():
    from pytest_layercount import ModelError, check_equivalence, fold
    from pytest_layercount.folding.plan import ALL_PASSES, PASSES
    from tests.property.checks import Options, check, make
    from tests.property.outcome import make_inputs, run

PARTS = 4 if ASKED_FOR else 1  # so that several workers have something to do
GRAPHS = int(ASKED_FOR or 60)
LARGEST = 40 if ASKED_FOR else 30
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


def share(percent: int) -> settings:
    """As many examples as this share of the graphs has in each part."""
    return settings(COMMON, max_examples=max(1, GRAPHS * percent // 100 // PARTS))


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


@pytest.mark.usefixtures("float64")
def test_folding_random_graphs() -> None:
    """And of every sort of graph there must have been enough."""
    seen: Counter[str] = Counter()

    @share(70)
    @given(recipe=recipes(available(), largest=LARGEST))
    def run(recipe: Recipe) -> None:
        seen.update(["random graphs", *check(recipe)])

    run()
    print(table(seen))  # noqa: T201  shown by pytest -rP
    assert not missing(seen), f"too few graphs of some sorts: {missing(seen)}"


@share(20)
@given(recipe=recipes(available(), largest=LARGEST), unshare=st.booleans(), chosen=st.data())
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


@share(10)
@given(recipe=recipes(available(), largest=min(LARGEST, 20)))
def test_equivalence_of_random_graphs(recipe: Recipe) -> None:
    """``check_equivalence`` raises no alarm, on models as users build them."""
    built = make(recipe)
    folded, equivalence, problem = fold(built.model).model, None, ""
    try:
        equivalence = check_equivalence(built.model, folded)
    except ModelError as error:
        problem = str(error)
    if "cannot be run on" in problem:
        # Keras itself may not: a mask of one rank less than what a wrapper makes of its input.
        with pytest.raises(ValueError, match="mask"):
            run(built.model, built, make_inputs(built, recipe.seed), xla=False)
    elif equivalence is None:
        assert "are not finite" in problem
        assert spreads_nan(recipe), problem
    else:
        assert equivalence.equivalent, equivalence.worst


def spreads_nan(recipe: Recipe) -> bool:
    """Whether Keras itself may give no number: the average of a sample that is masked whole is
    0 / 0, and the statistics of a batch take it to all other samples.
    """
    steps = list(steps_of(recipe))
    masked = any(step.config.get("mask_zero") for step in steps)
    average = any(step.kind == "GlobalAveragePooling1D" for step in steps)
    return masked and average and any(step.training for step in steps)


def steps_of(recipe: Recipe) -> Iterator[Step]:
    """The steps of a recipe and of the models in it."""
    for step in recipe.steps:
        yield step
        if step.kind == "Model":
            yield from steps_of(step.config["recipe"])
