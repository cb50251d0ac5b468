"""Layers that stay where they should fold: the whole text."""

from __future__ import annotations

from pytest_layercount.checks.foldable import Foldability, failure_text
from pytest_layercount.folding.plan import Refusal
from pytest_layercount.text import PAGE
from tests.texts import same


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


def test_layers_that_stay():
    found = Foldability(49, refusals(3) + refusals(1, "training-call"), (), {})
    same(
        failure_text("resnet50v2", found, ["BatchNormalization"], note="for the edge"),
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
    stale = {f"bn{number}": "folds now; remove the exception" for number in range(9)}
    unexplained = tuple(f"odd{number}" for number in range(9))
    found = Foldability(60, staying, unexplained, stale)
    text = failure_text("net", found, ["BatchNormalization", "Rescaling"], note="why")
    assert text.splitlines()[0] == "net: 54 of 60 layers stay"
    assert "and 2 more reasons" in text
    assert "not known to the plan: odd0" in text
    assert len(text.splitlines()) <= PAGE
    assert text.splitlines()[-1] == 'to accept: except_={"stage0/bn": "why", ...}'


def test_stale_exceptions():
    stale = {
        "stem/bn": "folds now; remove the exception",
        "stem/bm": "no layer of the types judged has this path; did you mean 'stem/bn'?",
        "head": "no layer of the types judged has this path",
    }
    same(
        failure_text("net", Foldability(9, (), (), stale), ["BatchNormalization"]),
        """
        net: 3 stale exceptions
        except_['stem/bn']: folds now; remove the exception
        except_['stem/bm']: no layer of the types judged has this path; did you mean 'stem/bn'?
        except_['head']: no layer of the types judged has this path
        """,
    )


def test_nothing_to_judge():
    same(
        failure_text("net", Foldability(0, (), (), {}), ["BatchNormalization"]),
        """
        net: 0 batch norms to judge
        the model has no layer of type BatchNormalization
        to assert that none is left:
            assert_layer_count(model, types={'BatchNormalization': 0})
        """,
    )
