"""The matrix itself is tested: rules that are wrong on purpose must not pass it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from pytest_layercount.folding.affine import Affine
from pytest_layercount.folding.rule import Side, Site
from pytest_layercount.folding.rules import batch_norm, embedding, merge, reshape, weighted
from tests.folding.harness import Case, Kit, check

Fault = Callable[[pytest.MonkeyPatch], None]


def conv(k: Kit, **kwargs: Any) -> Any:
    return k.chain((6, 6, 4), k.Conv2D(4, 3, name="f", **kwargs), k.bn())


AFTER = Case("after", conv, "bn>f", "Conv2D")
BEFORE = Case(
    "before",
    lambda k: k.chain((6, 6, 4), k.bn(), k.Conv2D(4, 3, groups=2, name="f")),
    "bn>f",
    "Conv2D",
)
DEPTHWISE = Case(
    "depthwise",
    lambda k: k.chain((6, 6, 4), k.DepthwiseConv2D(3, depth_multiplier=2, name="f"), k.bn()),
    "bn>f",
    "DepthwiseConv2D",
)
TRANSPOSED = Case(
    "transposed",
    lambda k: k.chain((6, 6, 4), k.Conv2DTranspose(4, 3, name="f"), k.bn()),
    "bn>f",
    "Conv2DTranspose",
)
SAME = Case(
    "same",
    lambda k: k.chain((6, 6, 4), k.bn(), k.Conv2D(4, 3, padding="same", name="f")),
    "bn>f",
    "Conv2D",
)
ROWS = Case(
    "rows",
    lambda k: k.chain((4, 5, 4), k.Conv2D(4, 1, name="f"), k.bn(axis=1)),
    "bn>f",
    "Conv2D",
)
FLATTEN = Case(
    "flatten",
    lambda k: k.chain((3, 4, 2), k.bn(), k.Flatten(), k.Dense(5, name="f")),
    "bn>f",
    "Flatten Dense",
)
DIFFERENCE = Case(
    "difference",
    lambda k: k.chain(
        (5,),
        lambda x: k.Subtract()([k.Dense(4, name="a")(x), k.Dense(4, name="b")(x)]),
        k.bn(),
    ),
    "bn>a+b",
    "Dense Dense Subtract",
)
TABLE = Case(
    "table",
    lambda k: k.chain((7,), k.Embedding(5, 4, name="f"), k.bn(), dtype="int32"),
    "bn>f",
    "Embedding",
)
POOLED = Case(
    "pooled",
    lambda k: k.chain((6, 6, 4), k.Conv2D(4, 1, name="f"), k.MaxPooling2D(2), k.bn()),
    "bn>f",
    "Conv2D MaxPooling2D",
)


def statistics(change: Callable[[dict[str, Any], Site], tuple[Any, Any]]) -> Fault:
    """A batch norm that reads its map otherwise."""

    def wrong(site: Site, weights: Any) -> tuple[Any, Any]:
        return change({name: np.asarray(value) for name, value in weights.items()}, site)

    return lambda patch: patch.setattr(batch_norm, "scale_and_shift", wrong)


def without_epsilon(w: dict[str, Any], site: Site) -> tuple[Any, Any]:
    scale = w["gamma"] / np.sqrt(w["moving_variance"])
    return scale, w["beta"] - scale * w["moving_mean"]


def mean_added(w: dict[str, Any], site: Site) -> tuple[Any, Any]:
    scale = w["gamma"] / np.sqrt(w["moving_variance"] + site.config["epsilon"])
    return scale, w["beta"] + scale * w["moving_mean"]


def not_rooted(w: dict[str, Any], site: Site) -> tuple[Any, Any]:
    scale = w["gamma"] / (w["moving_variance"] + site.config["epsilon"])
    return scale, w["beta"] - scale * w["moving_mean"]


def beta_scaled(w: dict[str, Any], site: Site) -> tuple[Any, Any]:
    scale = w["gamma"] / np.sqrt(w["moving_variance"] + site.config["epsilon"])
    return scale, scale * (w["beta"] - w["moving_mean"])


def one_channel_off(w: dict[str, Any], site: Site) -> tuple[Any, Any]:
    scale = w["gamma"] / np.sqrt(w["moving_variance"] + site.config["epsilon"])
    return np.roll(scale, 1), w["beta"] - scale * w["moving_mean"]


def bias_dropped(patch: pytest.MonkeyPatch) -> None:
    right = weighted.Weighted.absorbed

    def wrong(self: Any, site: Site, side: Side, weights: Any, maps: Any) -> Any:
        return right(self, site, side, {**weights, "bias": 0 * weights["bias"]}, maps)

    patch.setattr(weighted.Weighted, "absorbed", wrong)


def bias_unscaled(patch: pytest.MonkeyPatch) -> None:
    right = weighted.Weighted.absorbed

    def wrong(self: Any, site: Site, side: Side, weights: Any, maps: Any) -> Any:
        new = right(self, site, side, weights, maps)
        return {**new, "bias": weights["bias"] + maps[0].shift}

    patch.setattr(weighted.Weighted, "absorbed", wrong)


def kernel(kind: Any, change: Callable[[Any, Any], Any], name: str = "kernel") -> Fault:
    def wrong(self: Any, weights: Any, scale: Any) -> Any:
        return {name: change(weights[name], scale)}

    return lambda patch: patch.setattr(kind, "scale_out", wrong)


def groups_ignored(patch: pytest.MonkeyPatch) -> None:
    def wrong(self: Any, site: Site, weights: Any, channels: Any) -> Any:
        seen = channels[: weights["kernel"].shape[-2]]
        return np.repeat(seen[:, None], weights["kernel"].shape[-1], axis=1)

    patch.setattr(weighted.Convolution, "_seen", wrong)


def response_forgotten(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(weighted.Convolution, "response", lambda *args: 0.0)


def padding_ignored(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(weighted.Convolution, "pads", lambda self, site: False)


def axis_ignored(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(
        batch_norm,
        "normalised_axis",
        lambda site: None if site.input is None else len(site.input) - 1,
    )


def tiled_the_other_way(patch: pytest.MonkeyPatch) -> None:
    right = reshape.carried

    def wrong(*args: Any, **kwargs: Any) -> Any:
        place, index = right(*args, **kwargs)
        return place, np.sort(index)

    patch.setattr(reshape, "carried", wrong)


def shift_to_both(patch: pytest.MonkeyPatch) -> None:
    def wrong(self: Any, site: Site, affine: Affine) -> Any:
        return (merge.Route({0: affine, 1: affine}),)

    patch.setattr(merge.Subtract, "pass_up", wrong)


def shift_forgotten(patch: pytest.MonkeyPatch) -> None:
    def wrong(self: Any, site: Site, side: Side, weights: Any, maps: Any) -> Any:
        return {"embeddings": weights["embeddings"] * maps[0].scale}

    patch.setattr(embedding.Embedding, "absorbed", wrong)


def negative_through_maxima(patch: pytest.MonkeyPatch) -> None:
    from pytest_layercount.folding.rules.pooling import MaxPooling

    patch.setattr(MaxPooling, "needs", lambda self, site: ())


FAULTS: dict[str, tuple[Case, Fault]] = {
    "epsilon left out": (AFTER, statistics(without_epsilon)),
    "sign of the mean": (AFTER, statistics(mean_added)),
    "variance not rooted": (AFTER, statistics(not_rooted)),
    "beta before gamma": (AFTER, statistics(beta_scaled)),
    "one channel off": (AFTER, statistics(one_channel_off)),
    "bias dropped": (AFTER, bias_dropped),
    "bias not scaled": (AFTER, bias_unscaled),
    "kernel scaled along its input": (
        AFTER,
        kernel(weighted.Convolution, lambda kernel, scale: kernel * scale[:, None]),
    ),
    "transposed kernel scaled along its input": (
        TRANSPOSED,
        kernel(weighted.Transposed, lambda kernel, scale: kernel * scale),
    ),
    "depth multiplier order": (
        DEPTHWISE,
        kernel(
            weighted.Depthwise,
            lambda kernel, scale: kernel * scale.reshape(kernel.shape[-1], kernel.shape[-2]).T,
            "depthwise_kernel",
        ),
    ),
    "groups ignored": (BEFORE, groups_ignored),
    "response to the shift forgotten": (BEFORE, response_forgotten),
    "padding ignored": (SAME, padding_ignored),
    "axis ignored": (ROWS, axis_ignored),
    "tiled the other way": (FLATTEN, tiled_the_other_way),
    "shift to both terms of a difference": (DIFFERENCE, shift_to_both),
    "shift forgotten": (TABLE, shift_forgotten),
    "negative scales through maxima": (POOLED, negative_through_maxima),
}


@pytest.mark.parametrize(("case", "fault"), FAULTS.values(), ids=FAULTS)
def test_the_matrix_notices(
    case: Case, fault: Fault, kit: Kit, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A wrong rule folds as if it were right: it is the outputs that give it away."""
    fault(monkeypatch)
    with pytest.raises(AssertionError, match="outputs differ"):
        check(case, kit)
