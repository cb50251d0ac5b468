"""Where outputs are compared, before a last activation and after it: on graphs without Keras."""

from __future__ import annotations

import pytest

from pytest_layercount.folding.equivalence.copies import End, measurable
from pytest_layercount.model.graph import Value
from pytest_layercount.model.readers.live import OpenModel
from tests.folding.drawing import graph


def end(*lines: str) -> End:
    """The only end of a model, the last line of which is called ``last``."""
    text = "\n".join(["x: Input() -> 8 4", *lines, "return last"])
    _, (found,) = measurable(OpenModel(graph(text), (), None))
    return found


DENSE = "d: Dense(x) -> 8 3"


@pytest.mark.parametrize(
    ("last", "before", "activation"),
    [
        ("last: Dense(x) -> 8 3 activation=softmax", Value(1, 1), ("softmax", -1)),
        ("last: Dense(x) -> 8 3 activation=tanh", Value(1, 1), ("tanh", -1)),
        ("last: EinsumDense(x) -> 8 3 activation=sigmoid", Value(1, 1), ("sigmoid", -1)),
        ("last: Activation(d) -> 8 3 activation=softmax", Value(1), ("softmax", -1)),
        ("last: Softmax(d) -> 8 3", Value(1), ("softmax", -1)),
        ("last: Softmax(d) -> 8 3 axis=1", Value(1), ("softmax", 1)),
        ("last: Softmax(d, x) -> 8 3", None, ()),
        ("last: Dense(x) -> 8 3 activation=relu", None, ()),
        ("last: LSTM(x) -> 8 3 activation=tanh", None, ()),
        ("last: Activation(d) -> 8 3 activation=relu", None, ()),
    ],
)
def test_a_last_activation_is_the_same_in_a_layer_and_by_itself(
    last: str, before: Value | None, activation: tuple[str, int]
) -> None:
    found = end(*[DENSE] * ("d" in last.partition("(")[2].partition(")")[0]), last)
    assert (found.before, found.activation) == (before, activation)
