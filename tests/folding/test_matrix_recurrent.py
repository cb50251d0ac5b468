"""Batch norms around recurrent layers: what comes before goes into the input's kernel."""

from __future__ import annotations

from typing import Any

from tests.folding.harness import Case, Kit, check, matrix


def before(name: str, left: str, layer: Any, *, shape=(6, 3), expected="bn>f", **given) -> Case:
    """A batch norm, then the recurrent layer called ``f``."""
    return Case(name, lambda k: k.chain(shape, k.bn(), layer(k)), expected, left, **given)


def stateful_start(k: Kit):
    """The map reaches the sequence, not the states that another layer makes."""
    inputs, other = k.input(6, 3), k.input(4)
    states = [k.Dense(4)(other), k.Dense(4)(other)]
    return k.model([inputs, other], k.LSTM(4, name="f")(k.bn()(inputs), initial_state=states))


def also_the_start(k: Kit):
    inputs = k.input(6, 4)
    tensor = k.bn()(inputs)
    start = k.GlobalAveragePooling1D()(tensor)
    return k.model(inputs, k.SimpleRNN(4, name="f")(tensor, initial_state=[start]))


def all_states(k: Kit):
    inputs = k.input(6, 3)
    outputs = k.LSTM(4, return_sequences=True, return_state=True, name="f")(k.bn()(inputs))
    return k.model(inputs, outputs)


def of_states(k: Kit):
    inputs = k.input(6, 3)
    _, state = k.GRU(4, return_state=True, name="f")(inputs)
    return k.model(inputs, k.bn()(state))


def by_keyword(name: str, layer: Any, *, shape=(6, 4), state=(4,), states=1) -> list[Case]:
    """A recurrent layer called by keyword: once its sequences are normalized, once its state."""

    def build(k: Kit, *, of_state: bool) -> Any:
        inputs, start = k.input(*shape), k.input(*state)
        norm, called = k.bn(), layer(k)
        given = {"initial_state": [norm(start) if of_state else start, *[start] * (states - 1)]}
        data = "sequences" if k.generation == 3 else "inputs"
        given[data] = inputs if of_state else norm(inputs)
        return k.model([inputs, start], called(**given))

    left = name.partition(" ")[0]
    return [
        Case(f"{name}, sequences by keyword", lambda k: build(k, of_state=False), "bn>f", left),
        Case(
            f"{name}, state by keyword",
            lambda k: build(k, of_state=True),
            "bn!nonlinear@f",
            f"BatchNormalization {left}",
        ),
    ]


def two_ways(k: Kit, forward, backward):
    return k.Bidirectional(forward, backward_layer=backward, name="f")


RECURRENT = [
    before("LSTM", "LSTM", lambda k: k.LSTM(4, name="f")),
    before("GRU", "GRU", lambda k: k.GRU(4, name="f")),
    before("GRU that resets before", "GRU", lambda k: k.GRU(4, reset_after=False, name="f")),
    before("SimpleRNN", "SimpleRNN", lambda k: k.SimpleRNN(4, return_sequences=True, name="f")),
    before("LSTM without bias", "LSTM", lambda k: k.LSTM(4, use_bias=False, name="f")),
    before("GRU without bias", "GRU", lambda k: k.GRU(4, use_bias=False, name="f")),
    before(
        "SimpleRNN without bias", "SimpleRNN", lambda k: k.SimpleRNN(4, use_bias=False, name="f")
    ),
    Case(
        "a scale without bias adds none",
        lambda k: k.chain((6, 3), k.Rescaling(-0.3, name="r"), k.LSTM(4, use_bias=False, name="f")),
        "r>f",
        "LSTM",
    ),
    before(
        "backwards, other implementation, dropout",
        "LSTM",
        lambda k: k.LSTM(4, go_backwards=True, implementation=1, dropout=0.5, name="f"),
    ),
    before("Bidirectional", "Bidirectional", lambda k: k.Bidirectional(k.GRU(4), name="f")),
    before(
        "Bidirectional of two kinds",
        "Bidirectional",
        lambda k: two_ways(
            k,
            k.LSTM(4, return_sequences=True),
            k.GRU(4, return_sequences=True, go_backwards=True),
        ),
    ),
    before(
        "Bidirectional without bias",
        "BatchNormalization Bidirectional",
        lambda k: k.Bidirectional(k.LSTM(4, use_bias=False), name="f"),
        expected="bn!no-bias@f",
    ),
    Case(
        "Bidirectional without bias, a scale",
        lambda k: k.chain(
            (6, 3),
            k.Rescaling([0.3, -2.0, 0.1], name="r"),
            k.Bidirectional(k.LSTM(4, use_bias=False), name="f"),
        ),
        "r>f",
        "Bidirectional",
    ),
    before(
        "a cell of its own kind",
        "BatchNormalization RNN",
        lambda k: k.RNN(k.LSTMCell(4), name="f"),
        expected="bn!no-rule@f",
    ),
    Case(
        "along the steps",
        lambda k: k.chain((6, 3), k.bn(axis=1), k.LSTM(4, name="f")),
        "bn!channel-axis@f",
        "BatchNormalization LSTM",
    ),
    Case(
        "masked steps",
        lambda k: k.chain(
            (6,),
            k.Embedding(5, 4, mask_zero=True),
            k.Activation("tanh", name="t"),
            k.bn(),
            k.GRU(3, name="f"),
            dtype="int32",
        ),
        "bn>f",
        "Embedding Activation GRU",
    ),
    Case("a start of its own", stateful_start, "bn>f", "Dense Dense LSTM"),
    Case(
        "the map reaches the start as well",
        also_the_start,
        "bn!nonlinear@f",
        "BatchNormalization GlobalAveragePooling1D SimpleRNN",
    ),
    *by_keyword("GRU", lambda k: k.GRU(4, name="f")),
    *by_keyword("LSTM", lambda k: k.LSTM(4, name="f"), states=2),
    *by_keyword("SimpleRNN of another width", lambda k: k.SimpleRNN(4, name="f"), shape=(6, 3)),
    *by_keyword("Bidirectional", lambda k: k.Bidirectional(k.GRU(4), name="f"), states=2),
    *by_keyword(
        "ConvLSTM1D",
        lambda k: k.ConvLSTM1D(4, 1, name="f"),
        shape=(3, 7, 4),
        state=(7, 4),
        states=2,
    ),
    Case(
        "TimeDistributed by keyword",
        lambda k: k.chain(
            (6, 3), k.bn(), lambda x: k.TimeDistributed(k.Dense(2), name="f")(inputs=x)
        ),
        "bn>f",
        "TimeDistributed",
    ),
    Case("every state is returned", all_states, "bn>f", "LSTM"),
    Case("after a state", of_states, "bn!nonlinear@f", "GRU BatchNormalization"),
    Case(
        "after, and called for training",
        lambda k: k.chain(
            (6, 3),
            k.bn("a"),
            lambda x: k.LSTM(4, dropout=0.0, name="f")(x, training=True),
            k.bn("b"),
        ),
        "a!training-call@f b!training-call@f",
        "BatchNormalization LSTM BatchNormalization",
    ),
    Case(
        "through pooling",
        lambda k: k.chain((6, 3), k.bn(), k.AveragePooling1D(2), k.LSTM(4, name="f")),
        "bn>f",
        "AveragePooling1D LSTM",
    ),
    before(
        "ConvLSTM1D",
        "ConvLSTM1D",
        lambda k: k.ConvLSTM1D(4, 3, name="f"),
        shape=(3, 7, 2),
    ),
    before(
        "ConvLSTM2D without bias",
        "ConvLSTM2D",
        lambda k: k.ConvLSTM2D(3, (2, 3), use_bias=False, strides=2, name="f"),
        shape=(3, 6, 7, 2),
    ),
    before(
        "ConvLSTM2D that pads",
        "BatchNormalization ConvLSTM2D",
        lambda k: k.ConvLSTM2D(3, 3, padding="same", name="f"),
        shape=(3, 6, 7, 2),
        expected="bn!shift-meets-padding@f",
    ),
]


@matrix(*RECURRENT)
def test_recurrent(case: Case, kit: Kit) -> None:
    check(case, kit)
