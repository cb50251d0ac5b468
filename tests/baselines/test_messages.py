"""What is said about baselines, whole."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

from pytest_layercount import messages
from pytest_layercount.baselines.growth import compare
from pytest_layercount.checks.arguments import Allowance
from pytest_layercount.kept.baseline import baseline, written
from pytest_layercount.messages.baselines import Where
from pytest_layercount.model.graph import Layer
from tests.graphs import CONFIGS, chain, of_size
from tests.texts import same

WHERE = Where(
    model="detector",
    file="tests/__layercount__/test_detector.test_it.txt",
    command="pytest tests/test_detector.py::test_it --layercount-update",
    allowed="5%",
)
SMALL = chain("InputLayer", "Conv2D", "BatchNormalization", "Activation", "Flatten", "Dense")
LARGE = chain("InputLayer", *["Conv2D", "BatchNormalization"] * 2, "Activation", "Flatten", "Dense")


def of(graph):
    return baseline("test_detector.py::test_it", "test_detector.test_it", "layers", graph)


def test_grown():
    found = compare(of(SMALL), of(LARGE), ("layers",), Allowance(percent=Decimal(5)))
    same(
        messages.baselines.grown(found, WHERE, note="has to fit the camera"),
        """
        detector: 6 -> 8 layers (+2)
        allowed: 5% more, 0 layers
        first: the baseline tests/__layercount__/test_detector.test_it.txt, Keras 3.15.0
        second: the model as it is, Keras 3.15.0
            +2 added: 1 Conv2D and 1 BatchNormalization only in the second model
               conv2d3, batch_normalization4
        note: has to fit the camera
        to accept: pytest tests/test_detector.py::test_it --layercount-update
        """,
    )


def test_grown_in_two_numbers_by_more_than_so_many():
    found = compare(of(SMALL), of(LARGE), ("parameters", "nodes"), Allowance(1))
    where = replace(WHERE, allowed="1")
    same(
        "\n".join(messages.baselines.grown(found, where).splitlines()[:3]),
        """
        detector: 30 -> 50 parameters (+20)
        and 5 -> 7 nodes (+2)
        allowed: 1 parameter, 1 node more
        """,
    )


def test_configured_otherwise():
    wide = Layer("wide", "Dense", config={**CONFIGS["Dense"], "units": 9})
    narrow = Layer("wide", "Dense", config={**CONFIGS["Dense"], "units": 7})
    found = compare(of(chain("InputLayer", narrow)), of(chain("InputLayer", wide)), (), Allowance())
    same(
        messages.baselines.grown(found, WHERE),
        """
        detector: 2 layers, 1 difference
        first: the baseline tests/__layercount__/test_detector.test_it.txt, Keras 3.15.0
        second: the model as it is, Keras 3.15.0
               changed: 1 in both models
               wide: units 7 -> 9
        to accept: pytest tests/test_detector.py::test_it --layercount-update
        """,
    )


def test_missing():
    text = written(of(of_size(20)))
    said = messages.baselines.missing("detector", 20, WHERE.file, text, f"{WHERE.command}=new")
    same(
        said,
        """
        detector: no baseline yet, has 20 layers
        would be written to tests/__layercount__/test_detector.test_it.txt:
            test: test_detector.py::test_it
            name: test_detector.test_it
            judged: layers
            keras: Keras 3.15.0
            model: Functional
            layers: 20
            nodes: 19
            top: 20
            depth: 19
            parameters: 190
            trainable: 0
            bytes: 760
            macs: 19456
            InputLayer() -> (None, 8, 8, 4) | input_layer0
            Dense() -> (None, 8, 8, 4) | 10 parameters, 0 trained | dense1
            Dense() -> (None, 8, 8, 4) | 10 parameters, 0 trained | dense2
            Dense() -> (None, 8, 8, 4) | 10 parameters, 0 trained | dense3
            and 17 more
        to write it: pytest tests/test_detector.py::test_it --layercount-update=new
        """,
    )


def test_drifted_unused_and_written():
    same(
        messages.baselines.drifted(["a.txt"], "pytest test_a.py::test_it --layercount-update"),
        """
        1 baseline whose model differs within what is allowed:
            a.txt
        to record the models as they are: pytest test_a.py::test_it --layercount-update
        """,
    )
    assert messages.baselines.unused(
        [f"{n}.txt" for n in range(20)], strict=False
    ).splitlines() == [
        "20 baselines that no test uses, to be deleted:",
        *(f"    {n}.txt" for n in range(10)),
        "    and 10 more",
    ]
    same(
        messages.baselines.wrote(["a.txt", "b.txt"]),
        """
        wrote 2 baselines:
            a.txt
            b.txt
        """,
    )


def test_clashes():
    same(
        messages.baselines.clash("x.txt", {"t.py::one": "x", "t.py::two": "x"}),
        """
        x.txt: not written, they claim the one name 'x':
            t.py::one
            t.py::two
        give each its own with name=
        """,
    )
    same(
        messages.baselines.clash("x.txt", {"t.py::one": "X", "t.py::two": "x"}),
        """
        x.txt: not written, the names 'X' and 'x' need one file:
            t.py::one
            t.py::two
        give each its own with name=
        """,
    )


def test_one_sentence_each():
    say = messages.baselines
    assert say.damaged("x.txt", 3, say.NOT_A_LINE) == (
        "x.txt:3: damaged baseline: is not the call of a layer as a baseline has it; "
        "restore it, or accept the model as it is"
    )
    assert say.cannot_read("x.txt", "Permission denied") == (
        "cannot read the baseline x.txt: Permission denied"
    )
    assert say.cannot_write("x.txt", "Permission denied") == (
        "cannot write the baseline x.txt: Permission denied"
    )
    assert say.claimed_twice("x") == (
        "this test already has a baseline 'x': give each model a name, with name="
    )
    assert say.of_another("x.txt", "y") == "x.txt is the baseline 'y': a copy, or renamed by hand"
    same(
        say.judged_otherwise("x.txt", "layers", "layers after folding", "pytest t.py"),
        """
        x.txt is a baseline of layers, and the test judges layers after folding
        to accept: pytest t.py
        """,
    )
    same(
        say.no_model("x.txt", "bad axis", "pytest t.py"),
        """
        x.txt: damaged baseline: its layers make no model (bad axis)
        to accept the model as it is: pytest t.py
        """,
    )
