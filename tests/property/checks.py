"""What must hold of folding any model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from hypothesis import assume

from pytest_layercount import fold, plan_fold, read_graph
from pytest_layercount.folding.equivalence.randomise import is_untrained
from pytest_layercount.folding.plan import PASSES
from pytest_layercount.folding.reasons import REASONS
from pytest_layercount.model.readers.live import open_model
from tests.folding.harness import types_of
from tests.kerases import load_keras
from tests.property.build import Built, build
from tests.property.facts import facts
from tests.property.outcome import differences
from tests.property.recipe import Recipe
from tests.property.statistics import randomise


@dataclass(frozen=True)
class Options:
    """What ``fold`` is asked for; ``outputs`` are positions."""

    passes: tuple[str, ...] = PASSES
    unshare: bool = False
    outputs: tuple[int, ...] | None = None

    def given(self, recipe: Recipe) -> dict[str, Any]:
        """The keyword arguments for ``fold``."""
        outputs: Any = self.outputs
        if outputs is not None and recipe.named:
            outputs = [f"out{number}" for number in outputs]
        elif outputs is not None:
            outputs = list(outputs)
        return {"passes": self.passes, "unshare": self.unshare, "outputs": outputs}


DEFAULT = Options()


def make(recipe: Recipe) -> Built:
    keras = load_keras()
    keras.backend.clear_session()
    built = build(keras, recipe)
    randomise(built.model, recipe.seed)
    return built


def check(recipe: Recipe, options: Options = DEFAULT) -> tuple[str, ...]:
    """Everything that must hold of folding any model; returns what sort of graph it was."""
    built = make(recipe)
    before = snapshot(built.model)
    result = fold(built.model, **options.given(recipe))
    assert_same(before, snapshot(built.model))
    if options == DEFAULT:
        assert_planned(built.model, result)
    assert_explained(built.model, result, unshare=options.unshare)
    if not is_untrained(open_model(built.model)):  # merged, they count as trained ever after
        assert_idempotent(result.model, options)
    conditioning = assert_equivalent(built, result.model, recipe.seed, options.outputs)
    return (*facts(recipe, before["graph"], result), conditioning)


def snapshot(model: Any) -> dict[str, Any]:
    """All of a model that folding must leave alone."""
    layers = list(model._flatten_layers())
    return {
        "graph": read_graph(model),
        "layers": [id(layer) for layer in layers],
        "configs": [repr(layer.get_config()) for layer in layers if not is_model(layer)],
        "flags": [(layer.trainable, layer.built) for layer in layers],
        "nodes": [(len(layer._inbound_nodes), len(layer._outbound_nodes)) for layer in layers],
        "variables": [id(weight) for weight in model.weights],
        "weights": model.get_weights(),
    }


def is_model(layer: Any) -> bool:
    return any(base.__name__ == "Model" for base in type(layer).__mro__)


def assert_same(before: dict[str, Any], after: dict[str, Any]) -> None:
    assert all(map(np.array_equal, before.pop("weights"), after.pop("weights")))
    for what, value in before.items():
        assert after[what] == value, what


def assert_planned(model: Any, result: Any) -> None:
    plan = plan_fold(model, resolve=True)
    assert plan.folds == result.folds
    assert plan.refusals == result.refusals
    assert sorted(types_of(plan.graph)) == sorted(types_of(read_graph(result.model)))
    # What folds by structure alone folds, unless the values let what takes it up fold before it:
    #
    #     Dense(relu) ── BatchNormalization ── Add      by structure the Add folds into the norm;
    #     where its shift is zero, the norm folds into the Dense, and nothing is left for the Add
    folded = {made.layer for made in result.folds}
    for planned in plan_fold(model).folds:
        assert planned.condition or not folded.isdisjoint((planned.layer, *planned.into)), planned


def assert_explained(model: Any, result: Any, *, unshare: bool) -> None:
    paths = {layer.path for layer in read_graph(model).layers}
    for refusal in result.refusals:
        assert refusal.reason in REASONS
        # A copy of a shared layer is called like it, with a number.
        named = {refusal.layer, refusal.blocker} - paths
        assert not named or (unshare and {path.rpartition("_")[0] for path in named} <= paths)
        assert refusal.blocker in refusal.message


def assert_idempotent(folded: Any, options: Options) -> None:
    again = fold(folded, passes=options.passes, unshare=options.unshare)
    assert not again.folds
    assert not again.removed
    ours, theirs = folded.get_weights(), again.model.get_weights()
    assert len(ours) == len(theirs)
    assert all(map(np.array_equal, ours, theirs))


def assert_equivalent(built: Built, folded: Any, seed: int, outputs: tuple[int, ...] | None) -> str:
    found = differences(built, folded, seed, outputs)
    assume(all(np.isfinite(magnitude) for _, _, magnitude in found))
    for difference, limit, magnitude in found:
        assert difference <= limit, (
            f"off by {difference:.3g}, may be {limit:.3g} of {magnitude:.3g}"
        )
    ill = any(limit > 1e-4 * magnitude > 0 for _, limit, magnitude in found)
    return "ill-conditioned" if ill else "well-conditioned"
