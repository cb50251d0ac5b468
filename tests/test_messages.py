"""Every message whole, as a user reads it."""

from __future__ import annotations

from textwrap import dedent
from types import SimpleNamespace

import pytest

from pytest_layercount import messages
from pytest_layercount.criteria import Violation
from pytest_layercount.errors import first_line, reading_needs_tensorflow
from pytest_layercount.fixture_models import no_model
from pytest_layercount.foldable import Foldability
from pytest_layercount.folding.plan import Refusal
from pytest_layercount.model.count import LayerCount
from pytest_layercount.text import HEADLINE, PAGE, headline, page, size

RESNET = LayerCount(
    total=187,
    count="layers",
    by_type={
        "BatchNormalization": 57,
        "Conv2D": 57,
        "Activation": 51,
        "Add": 16,
        "InputLayer": 1,
        "ZeroPadding2D": 2,
        "Dense": 1,
        "GlobalAveragePooling2D": 1,
        "MaxPooling2D": 1,
    },
    parameters=25_636_712,
    trainable_parameters=25_583_592,
    model="resnet_s",
    keras="Keras 3.15.1",
)


def same(text: str, expected: str) -> None:
    assert text == dedent(expected).strip("\n")
    assert len(text.splitlines()) <= PAGE


def refusals(count: int, reason: str = "several-consumers") -> tuple[Refusal, ...]:
    return tuple(
        Refusal(
            layer=f"stage{number}/bn",
            type="BatchNormalization",
            reason=reason,
            blocker=f"stage{number}/conv",
            message=f"the output of stage{number}/conv is also used elsewhere",
        )
        for number in range(count)
    )


def test_too_many_layers():
    text = messages.counts.layer_count(
        RESNET, [Violation("max", 187, 150)], place="detector", note="has to fit the camera"
    )
    same(
        text,
        """
        resnet_s: 187 layers > max 150 (+37)
        counted: layers of fixture detector, Keras 3.15.1
            57 BatchNormalization
            57 Conv2D
            51 Activation
            16 Add
             1 InputLayer
             2 ZeroPadding2D
             1 Dense
             2 of 2 other types
        note: has to fit the camera
        to judge what is left after folding batch normalizations: folded=True
        to accept: max=187
        """,
    )


def test_too_much_of_everything():
    violations = [
        Violation("max", 187, 150),
        Violation("types", 57, 0, "BatchNormalization"),
        Violation("max_parameters", 25_636_712, 5_000_000),
    ]
    text = messages.counts.layer_count(RESNET, violations, folded=True)
    assert text.splitlines()[:4] == [
        "resnet_s: 187 folded layers > max 150 (+37)",
        "and 57 folded BatchNormalization > max 0 (+57)",
        "and 25,636,712 parameters > max 5M (+20,636,712)",
        "counted: layers of resnet_s after folding, Keras 3.15.1",
    ]
    accept = "to accept: max=187, max_parameters=25636712, types={'BatchNormalization': 57}"
    assert text.splitlines()[-1] == accept


@pytest.mark.parametrize(
    ("violation", "count", "first"),
    [
        (Violation("min", 187, 200), "layers", "resnet_s: 187 layers < min 200 (-13)"),
        (Violation("exactly", 187, 180), "nodes", "resnet_s: 187 nodes != exactly 180 (+7)"),
        (Violation("max", 187, 1), "top", "resnet_s: 187 top-level layers > max 1 (+186)"),
    ],
)
def test_other_limits(violation, count, first):
    measured = LayerCount(**{**vars(RESNET), "count": count})
    line = messages.counts.layer_count(measured, [violation]).splitlines()[0]
    assert line == first
    assert len(line) <= HEADLINE


def test_several_models():
    same(
        messages.counts.joined(
            ["a: 5 layers > max 4 (+1)\ncounted: ...", "b: 6 layers > max 4\nmore"]
        ),
        """
        a: 5 layers > max 4 (+1)
        counted: ...
        also: b: 6 layers > max 4
        """,
    )


def test_no_model():
    same(
        no_model({"tmp_path": "PosixPath", "data": "list"}, None),
        """
        layercount: found no model to judge
        the fixtures that the test asks for: tmp_path (PosixPath), data (list)
        a mark judges what fixtures return: ask for one that returns a Keras model,
        or name it: @pytest.mark.layercount(model="name", ...)
        a model that the test makes itself is judged in its body, with the fixture
        assert_layer_count: assert_layer_count(model, max=...)
        """,
    )


def test_no_model_and_no_fixtures():
    assert "asks for: none\n" in no_model({}, None)


def test_no_model_in_the_fixture_named():
    same(
        no_model({"data": "list"}, "data"),
        """
        layercount: found no model to judge
        the fixture 'data' that model= names gives no Keras model: list
        give it one: return a model, the path of a saved one, or a list or dict of models
        """,
    )


def test_bad_arguments_with_their_place():
    problem = messages.arguments.unknown_argument("maximum", ["max"], ["max", "min"])
    sentence = messages.arguments.bad_arguments("layercount", {"maximum": 3}, problem)
    same(
        messages.arguments.located(sentence, "tests/test_net.py", 11, "TestNet::test_size"),
        """
        layercount(maximum=3): unknown argument 'maximum'; did you mean 'max'?
        tests/test_net.py:12: TestNet::test_size
        """,
    )
    assert messages.arguments.located("x", "test_net.py", None, "") == "x\ntest_net.py"


def test_long_values_are_abridged():
    sentence = messages.arguments.bad_arguments(
        "layercount", {"model": "n" * 500}, messages.arguments.NOT_TEXT
    )
    assert len(sentence) < 150


def test_install_tensorflow():
    assert reading_needs_tensorflow("net.keras") == (
        "reading 'net.keras' needs TensorFlow, which is not installed: "
        'pip install "pytest-layercount[tensorflow]"'
    )


def test_layers_that_stay():
    found = Foldability(49, refusals(3) + refusals(1, "training-call"), (), {})
    same(
        messages.folds.foldable("resnet50v2", found, ["BatchNormalization"], note="for the edge"),
        """
        resnet50v2: 4 of 49 batch norms stay
        several-consumers (3): normalize on the branch, after the layer that only this branch uses
            stage0/bn: the output of stage0/conv is also used elsewhere
            stage1/bn: the output of stage1/conv is also used elsewhere
            stage2/bn: the output of stage2/conv is also used elsewhere
        training-call (1): call it without training=True
            stage0/bn: the output of stage0/conv is also used elsewhere
        note: for the edge
        to accept: except_={"stage0/bn": "why", ...}
        """,
    )


def test_layers_that_stay_and_exceptions_that_are_stale_fit_a_page():
    reasons = ["several-consumers", "training-call", "activation", "nonlinear", "tied"]
    staying = tuple(refusal for reason in reasons for refusal in refusals(9, reason))
    stale = {f"bn{number}": messages.arguments.FOLDS_NOW for number in range(9)}
    unexplained = tuple(f"odd{number}" for number in range(9))
    found = Foldability(60, staying, unexplained, stale)
    text = messages.folds.foldable("net", found, ["BatchNormalization", "Rescaling"], note="why")
    assert text.splitlines()[0] == "net: 54 of 60 layers stay"
    assert "and 2 more reasons" in text
    assert "not known to the plan: odd0" in text
    assert len(text.splitlines()) <= PAGE
    assert text.splitlines()[-1] == 'to accept: except_={"stage0/bn": "why", ...}'


def test_stale_exceptions():
    stale = {
        "stem/bn": messages.arguments.FOLDS_NOW,
        "stem/bm": messages.folds.no_such_layer(["stem/bn"]),
        "head": messages.folds.no_such_layer([]),
    }
    same(
        messages.folds.foldable("net", Foldability(9, (), (), stale), ["BatchNormalization"]),
        """
        net: 3 stale exceptions
        except_['stem/bn']: folds now; remove the exception
        except_['stem/bm']: no layer of the types judged has this path; did you mean 'stem/bn'?
        except_['head']: no layer of the types judged has this path
        """,
    )


def test_nothing_to_judge():
    same(
        messages.folds.foldable("net", Foldability(0, (), (), {}), ["BatchNormalization"]),
        """
        net: 0 batch norms to judge
        the model has no layer of type BatchNormalization
        to assert that none is left:
            assert_layer_count(model, types={'BatchNormalization': 0})
        """,
    )


def test_nothing_folded():
    same(
        messages.folds.nothing_folded("net", refusals(1)),
        """
        net: 0 layers fold, 1 refused
        nothing was folded, so there is nothing to compare
        several-consumers (1): normalize on the branch, after the layer that only this branch uses
            stage0/bn: the output of stage0/conv is also used elsewhere
        """,
    )


def test_not_equivalent():
    scores = SimpleNamespace(
        name="scores", difference=0.031, limit=4e-12, magnitude=1.25, equivalent=False
    )
    boxes = SimpleNamespace(name="boxes", equivalent=True)
    equivalence = SimpleNamespace(
        outputs=(scores, boxes),
        worst=scores,
        first="stage2/conv",
        dtype="float64",
        seed=7,
        cause="",
    )
    check = SimpleNamespace(
        equivalence=equivalence, randomised=True, result=SimpleNamespace(folds=(1, 2))
    )
    same(
        messages.folds.not_equivalent("resnet_s", check, note="for the edge"),
        """
        resnet_s: off by 3.1e-02 > limit 4.0e-12
        worst output: scores, values up to 1.2e+00 (1 of 2 outputs differ)
        first layer that differs: stage2/conv
        compared in float64, seed 7 on a copy with randomised batch-norm statistics
        note: for the edge
        to look closer: pytest_layercount.fold(model).folds (2 folds)
        layers that this package brings are meant to fold exactly: please report it
        """,
    )


def test_equivalent_outputs_of_different_layers():
    scores, conv = (
        SimpleNamespace(name=name, difference=0.5, limit=0.1, magnitude=1.0, equivalent=same)
        for name, same in (("scores", True), ("stage2/conv", False))
    )
    equivalence = SimpleNamespace(
        outputs=(scores,), worst=conv, first="stage2/conv", dtype="float32", seed=0, cause=""
    )
    check = SimpleNamespace(
        equivalence=equivalence, randomised=False, result=SimpleNamespace(folds=(1,))
    )
    assert messages.folds.not_equivalent("net", check).splitlines()[:4] == [
        "net: off by 5.0e-01 > limit 1.0e-01",
        "worst layer: stage2/conv, values up to 1.0e+00 (0 of 1 outputs differ)",
        "first layer that differs: stage2/conv",
        "compared in float32, seed 0",
    ]


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (0, "0"),
        (999, "999"),
        (1_000, "1k"),
        (1_250, "1.25k"),
        (1_234, "1,234"),
        (5_000_000, "5M"),
        (5_000_001, "5,000,001"),
        (1_200_000_000, "1.2B"),
    ],
)
def test_sizes_are_said_exactly(number, text):
    assert size(number) == text


def test_a_long_name_makes_room_for_the_numbers():
    line = headline("inception_resnet_v2_backbone", "782 layers > max 700 (+82)")
    assert line == "inception_resnet…: 782 layers > max 700 (+82)"
    assert len(line) == HEADLINE


def test_a_page_ends():
    text = page("first", "\n".join("x" * 40))
    assert len(text.splitlines()) == PAGE
    assert text.splitlines()[-1] == "(41 lines in all)"


def test_costs_beyond_their_limits():
    costly = LayerCount(
        **{**vars(RESNET), "depth": 52, "weight_bytes": 102_546_848, "macs": 4_089_184_256}
    )
    violations = [
        Violation("max_macs", 4_089_184_256, 4_000_000_000),
        Violation("max_bytes", 102_546_848, 20_000_000),
        Violation("max_depth", 52, 50),
        Violation("max_trainable", 25_583_592, 25_000_000),
    ]
    text = messages.counts.layer_count(costly, violations)
    assert text.splitlines()[:4] == [
        "resnet_s: 4.089G MACs > max 4G (+89.18M)",
        "and 102.5MB of weights > max 20MB (+82.55MB)",
        "and 52 calls deep > max 50 (+2)",
        "and 25,583,592 trainable parameters > max 25M (+583,592)",
    ]
    assert text.splitlines()[-1] == (
        "to accept: max_macs=4089184256, max_bytes=102546848, max_depth=52, max_trainable=25583592"
    )


def test_a_number_of_macs_that_is_not_known():
    unknown = {"stem": "a size in its shapes is not known: (None, None, None, 3)"}
    costly = LayerCount(**{**vars(RESNET), "uncounted": unknown})
    text = messages.counts.layer_count(costly, [Violation("max_macs", 0, 4)])
    assert text.splitlines()[0] == "resnet_s: 1 layer without a known number of MACs"
    assert "not known: stem: a size in its shapes is not known: (None, None, None, 3)" in text
    assert text.splitlines()[-1] == "to accept: max_macs=None"


KERAS_3 = """\
Exception encountered when calling Picky.call().

\x1b[1mCould not automatically infer the output shape / dtype of 'picky'. Error encountered:

4 wanted, 0 given\x1b[0m

Arguments received by Picky.call():
  • args=..."""
KERAS_2 = """\
Exception encountered when calling layer "picky" (type Picky).

in user code:

    File "a.py", line 67, in call  *
        raise ValueError(...)

    ValueError: 4 wanted, 0 given


Call arguments received by layer "picky" (type Picky):
  • inputs=..."""


@pytest.mark.parametrize("said", ["4 wanted, 0 given\nand more", KERAS_2, KERAS_3])
def test_what_keras_writes_around_an_error_is_left_out(said):
    assert first_line(ValueError(said)) == "4 wanted, 0 given"
    assert first_line(KeyError()) == "KeyError"
