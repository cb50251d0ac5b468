"""The same applications as Keras 2 and Keras 3 save them."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from pytest_layercount import explain

DATA = Path(__file__).parent.parent / "model" / "data"

pytestmark = pytest.mark.skipif(not DATA.exists(), reason="needs the saved structures")


@pytest.fixture
def saved(tmp_path):
    def unpack(name):
        path = tmp_path / f"{name}.json"
        path.write_bytes(gzip.decompress((DATA / f"{name}.json.gz").read_bytes()))
        return path

    return unpack


def explained(explanation):
    assert not explanation.changed
    assert not explanation.unexplained
    assert sum(cause.delta for cause in explanation.causes) == explanation.delta
    return {cause.code: (cause.delta, cause.by_type) for cause in explanation.causes}


def test_mobilenet_v3_small(saved):
    one, two = saved("mobilenet_v3_small-keras2"), saved("mobilenet_v3_small-keras3")
    explanation = explain(one, two)
    assert (explanation.before.total, explanation.after.total) == (239, 164)
    assert explained(explanation) == {
        "operations": (-56, {"TFOpLambda": -56}),
        "hard-swish": (-19, {"Activation": 19, "Multiply": -19, "ReLU": -19}),
    }
    assert explained(explain(two, one)) == {
        "operations": (56, {"TFOpLambda": 56}),
        "hard-swish": (19, {"Activation": -19, "Multiply": 19, "ReLU": 19}),
    }
    by_node = explained(explain(one, two, count="nodes"))
    assert {code: delta for code, (delta, _) in by_node.items()} == {"hard-swish": -57}


@pytest.mark.parametrize(("count", "before", "after"), [("top", 153, 135), ("layers", 157, 139)])
def test_convnext_tiny(saved, count, before, after):
    explanation = explain(saved("convnext_tiny-keras2"), saved("convnext_tiny-keras3"), count=count)
    assert (explanation.before.total, explanation.after.total) == (before, after)
    assert explained(explanation) == {"operations": (-18, {"TFOpLambda": -18})}
