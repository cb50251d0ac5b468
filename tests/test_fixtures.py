"""The ``assert_*`` fixtures: verdicts, what they return, and how failures look."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

import pytest_layercount
from tests.conftest import needs_keras
from tests.graphs import as_layer, chain, of_size


def foldable():
    return chain("InputLayer", "Conv2D", "BatchNormalization", "Activation")


def blocked():
    """Its first batch normalization folds, its last one cannot."""
    return chain("InputLayer", "Conv2D", "BatchNormalization", "Activation", "BatchNormalization")


# assert_layer_count


def test_count_returns_what_it_measured(assert_layer_count):
    counted = assert_layer_count(of_size(3, name="net"), max=3, types={"Dense": 2})
    assert (counted.total, counted.model, counted.parameters) == (3, "net", 20)
    assert counted.by_type == {"Dense": 2, "InputLayer": 1}


def test_count_fails_as_an_assertion_and_as_pytest_does(assert_layer_count):
    for kind in (AssertionError, pytest.fail.Exception):
        with pytest.raises(kind, match=re.escape("net: 3 layers > max 2 (+1)\n")):
            assert_layer_count(of_size(3), max=2)


def test_count_takes_the_keywords_of_the_mark(assert_layer_count):
    model = of_size(3)
    assert_layer_count(model, min=3)
    assert_layer_count(model, exactly=2, count="nodes")
    assert_layer_count(model, max_parameters="1k")
    assert assert_layer_count(foldable(), folded=True, exactly=3).by_type["Conv2D"] == 1
    with pytest.raises(AssertionError, match="20 parameters > max 19"):
        assert_layer_count(model, max_parameters=19)


def test_count_says_what_was_counted_and_the_info(assert_layer_count):
    with pytest.raises(AssertionError) as failure:
        assert_layer_count(of_size(3), count="nodes", max=1, info="for the camera")
    assert "counted: nodes of net, Keras 3.15.0" in str(failure.value)
    assert "note: for the camera" in str(failure.value)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({}, "assert_layer_count(count='layers', folded=False): sets no limit; "),
        ({"max": -1}, "assert_layer_count(max=-1): must not be negative"),
        ({"min": 2, "max": 1}, "assert_layer_count(min=2, max=1): min is greater than max"),
        ({"max": 1, "count": "nope"}, "assert_layer_count(count='nope'): must be one of "),
    ],
)
def test_count_refuses_arguments_that_mean_nothing(assert_layer_count, arguments, said):
    with pytest.raises(pytest_layercount.ArgumentError, match=re.escape(said)):
        assert_layer_count(of_size(3), **arguments)


def test_what_is_no_model_is_said_plainly(
    assert_layer_count, assert_foldable, assert_same_structure
):
    for check in (
        lambda: assert_layer_count([1], max=1),
        lambda: assert_foldable([1]),
        lambda: assert_same_structure(foldable(), [1]),
    ):
        with pytest.raises(AssertionError, match="expected a Keras model"):
            check()


# assert_foldable


def test_foldable_returns_the_plan(assert_foldable):
    plan = assert_foldable(foldable())
    assert [fold.layer for fold in plan.folds] == ["batch_normalization2"]


def test_foldable_fails_and_says_which_stays_and_why(assert_foldable):
    with pytest.raises(AssertionError) as failure:
        assert_foldable(blocked(), info="for the edge")
    text = str(failure.value)
    assert text.startswith("net: 1 of 2 batch norms stay\n")
    assert "    batch_normalization4: a scale would move through activation3" in text
    assert text.endswith(
        'note: for the edge\nto accept: except_={"batch_normalization4": "why", ...}'
    )


def test_foldable_accepts_named_exceptions(assert_foldable):
    plan = assert_foldable(blocked(), except_={"batch_normalization4": "read by the debugger"})
    assert len(plan.refusals) == 1


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("batch_normalization2", "folds now; remove the exception"),
        ("batch_normalization5", "has this path; did you mean 'batch_normalization4'?"),
        ("conv2d1", "no layer of the types judged has this path"),
    ],
)
def test_foldable_complains_about_exceptions_that_do_not_apply(assert_foldable, path, said):
    excepted = {"batch_normalization4": "read by the debugger", path: "why"}
    with pytest.raises(AssertionError, match=re.escape(said)) as failure:
        assert_foldable(blocked(), except_=excepted)
    assert str(failure.value).startswith("net: 1 stale exception\n")


def test_foldable_does_not_pass_when_there_is_nothing_to_judge(assert_foldable):
    with pytest.raises(AssertionError, match="net: 0 batch norms to judge\n"):
        assert_foldable(chain("InputLayer", "Conv2D", "Activation"))


def test_foldable_judges_a_layer_that_the_plan_knows_nothing_about(assert_foldable):
    own = replace(as_layer("BatchNormalization", 2), path="own", builtin=False)
    with pytest.raises(AssertionError, match="net: 1 of 1 batch norms stay\n") as failure:
        assert_foldable(chain("InputLayer", "Conv2D", own))
    assert "own" in str(failure.value)


def test_foldable_judges_other_layers_only_when_asked(assert_foldable):
    rescaling = replace(as_layer("Rescaling", 3), config={"scale": 2.0, "offset": 0.5})
    model = chain("InputLayer", "Conv2D", "BatchNormalization", "Activation", rescaling)
    assert_foldable(model)
    with pytest.raises(AssertionError, match="net: 1 of 1 Rescaling stay"):
        assert_foldable(model, types=["Rescaling"])
    with pytest.raises(AssertionError, match="net: 1 of 2 layers stay"):
        assert_foldable(model, types=["Rescaling", "BatchNormalization"])


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"types": "BatchNormalization"}, "assert_foldable(types='BatchNormalization'): must be"),
        ({"types": []}, "assert_foldable(types=[]): must be a list or tuple of layer types"),
        ({"except_": ["bn"]}, "assert_foldable(except_=['bn']): must map layer paths to reasons"),
        ({"except_": {"bn": ""}}, "assert_foldable(except_={'bn': ''}): must map layer paths"),
    ],
)
def test_foldable_refuses_arguments_that_mean_nothing(assert_foldable, arguments, said):
    with pytest.raises(pytest_layercount.ArgumentError, match=re.escape(said)):
        assert_foldable(foldable(), **arguments)


# assert_same_structure


def test_same_structure_passes_for_other_names_and_returns_the_explanation(assert_same_structure):
    explanation = assert_same_structure(foldable(), replace(foldable(), name="renamed"))
    assert explanation.same
    assert (explanation.before.total, explanation.delta) == (4, 0)


def test_same_structure_fails_and_says_why(assert_same_structure):
    lean = chain("InputLayer", "Conv2D", "Activation", name="lean")
    with pytest.raises(AssertionError) as failure:
        assert_same_structure(foldable(), lean, info="for the edge")
    text = str(failure.value)
    assert text.startswith("lean: 4 -> 3 layers (-1)\n")
    assert "    -1 batch-norms-folded: 1 BatchNormalization folded into neighb" in text
    assert "\nnote: for the edge\n" in text
    assert text.endswith("to accept: ignore=('batch-norms-folded',)")


def test_same_structure_ignores_what_it_is_told_to(assert_same_structure):
    lean = chain("InputLayer", "Conv2D", "Activation")
    explanation = assert_same_structure(foldable(), lean, ignore=["batch-norms-folded"])
    assert [cause.delta for cause in explanation.causes] == [-1]
    with pytest.raises(AssertionError):
        assert_same_structure(foldable(), lean, ignore=["no-ops"])


def test_same_structure_counts_as_it_is_told_to(assert_same_structure):
    functional, sequential = foldable(), replace(foldable(), sequential=True)
    assert_same_structure(functional, sequential, count="nodes")
    with pytest.raises(AssertionError, match=re.escape("net: 4 -> 3 layers (-1)")):
        assert_same_structure(functional, sequential)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"ignore": "no-ops"}, "assert_same_structure(ignore='no-ops'): must be a list or tuple"),
        ({"ignore": ["noops"]}, "there is no cause 'noops'; did you mean 'no-ops'?"),
        ({"ignore": [3]}, "there is no cause 3; there are activation-layers, "),
        ({"count": "nope"}, "assert_same_structure(count='nope'): must be one of 'layers', "),
    ],
)
def test_same_structure_refuses_arguments_that_mean_nothing(assert_same_structure, arguments, said):
    with pytest.raises(pytest_layercount.ArgumentError, match=re.escape(said)):
        assert_same_structure(foldable(), foldable(), **arguments)


# How failures look


def test_a_failure_shows_the_users_line_and_none_of_ours(suite):
    suite.makepyfile(
        test_it="""
        from tests.graphs import of_size
        from pytest_layercount import AssertLayerCount

        def test_it(assert_layer_count: AssertLayerCount):
            assert_layer_count(of_size(3), max=2)
        """
    )
    for options in ([], ["-n", "2"]):
        result = suite.runpytest(*options)
        result.assert_outcomes(failed=1)
        result.stdout.fnmatch_lines(
            [
                ">       assert_layer_count(of_size(3), max=2)",
                "E       Failed: net: 3 layers > max 2 (+1)",
                "E       to accept: max=3",
                "test_it.py:5: Failed",
                "FAILED test_it.py::test_it - Failed: net: 3 layers > max 2 (+1)",
            ]
        )
        result.stdout.no_fnmatch_line("*fixtures.py*")
        result.stdout.no_fnmatch_line("*measure.py*")


def test_fixtures_serve_unittest_and_fixtures_of_any_scope(suite):
    suite.makepyfile(
        """
        import unittest
        import pytest
        from tests.graphs import of_size

        @pytest.fixture(scope="session")
        def checked(assert_layer_count):
            return assert_layer_count(of_size(3), exactly=3)

        def test_scope(checked):
            assert checked.total == 3

        class TestIt(unittest.TestCase):
            @pytest.fixture(autouse=True)
            def take(self, assert_layer_count):
                self.assert_layer_count = assert_layer_count

            def test_good(self): self.assert_layer_count(of_size(3), max=3)
            def test_bad(self): self.assert_layer_count(of_size(3), max=2)
            def test_caught(self):
                with self.assertRaises(AssertionError):
                    self.assert_layer_count(of_size(3), max=2)
        """
    )
    suite.runpytest().assert_outcomes(passed=3, failed=1)


# With Keras


@pytest.fixture(scope="module")
def network():
    import keras
    from keras import layers

    image = keras.Input((8, 8, 3))
    x = layers.Conv2D(4, 3, use_bias=False, name="conv")(image)
    x = layers.BatchNormalization(name="bn")(x)
    x = layers.Activation("relu", name="relu")(x)
    x = layers.Flatten()(x)
    return keras.Model(image, layers.Dense(2)(x), name="network")


@needs_keras
class TestKeras:
    def test_count(self, network, assert_layer_count):
        assert assert_layer_count(network, exactly=6, max_parameters=500).total == 6
        assert assert_layer_count(network, exactly=5, folded=True).total == 5

    @pytest.mark.parametrize("suffix", [".keras", ".h5"])
    @pytest.mark.filterwarnings("ignore")
    def test_count_of_a_saved_model(self, network, assert_layer_count, tmp_path, suffix):
        network.save(tmp_path / f"network{suffix}")
        assert_layer_count(tmp_path / f"network{suffix}", exactly=6)
        assert_layer_count(str(tmp_path / f"network{suffix}"), exactly=5, folded=True)

    def test_a_file_that_is_not_there(self, assert_layer_count, tmp_path):
        with pytest.raises(AssertionError, match=r"nope\.keras"):
            assert_layer_count(tmp_path / "nope.keras", max=1)

    def test_foldable(self, network, assert_foldable):
        (fold,) = assert_foldable(network).folds
        assert (fold.layer, fold.into) == ("bn", ("conv",))

    def test_equivalent(self, network, assert_equivalent_after_fold):
        check = assert_equivalent_after_fold(network)
        assert check.randomised
        assert check.equivalence.equivalent
        assert (check.result.before.total, check.result.after.total) == (6, 5)

    def test_equivalent_when_nothing_folds(self, assert_equivalent_after_fold):
        import keras

        model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)], name="plain")
        with pytest.raises(AssertionError, match=r"^plain: 0 layers fold, 0 refused"):
            assert_equivalent_after_fold(model)

    def test_the_mark(self, suite):
        suite.makeconftest(
            """
            import pytest
            import keras

            @pytest.fixture
            def dense():
                model = [keras.Input((4,)), keras.layers.Dense(2), keras.layers.ReLU()]
                return keras.Sequential(model, name="dense")
            """
        )
        suite.makepyfile(
            """
            import pytest

            @pytest.mark.layercount(exactly=2)
            def test_good(dense): pass

            @pytest.mark.layercount(max=1)
            def test_bad(dense): pass
            """
        )
        # In a process of its own, because TensorFlow cannot be imported twice in one.
        result = suite.runpytest_subprocess()
        result.assert_outcomes(passed=1, failed=1)
        result.stdout.fnmatch_lines(["dense: 2 layers > max 1 (+1)"])


def test_wrong_folds_are_failures(assert_equivalent_after_fold, monkeypatch):
    from types import SimpleNamespace

    pytest.importorskip("pytest_layercount.folding.equivalence")
    from pytest_layercount.folding import equivalence

    output = SimpleNamespace(
        name="scores", difference=0.5, limit=1e-12, magnitude=1.0, equivalent=False
    )
    compared = SimpleNamespace(
        equivalent=False,
        outputs=(output,),
        worst=output,
        first="conv",
        dtype="float64",
        seed=3,
        cause="",
    )
    result = SimpleNamespace(
        before=SimpleNamespace(model="net"), folds=(1,), removed=(), refusals=()
    )
    check = SimpleNamespace(equivalence=compared, result=result, randomised=False)
    monkeypatch.setattr(equivalence, "check_fold", lambda model, *, inputs, seed: check)
    with pytest.raises(AssertionError, match=re.escape("net: off by 5.0e-01 > limit 1.0e-12\n")):
        assert_equivalent_after_fold(of_size(3), seed=3)


def test_none_counts_layers(assert_same_structure, assert_layer_count):
    assert assert_same_structure(of_size(3), of_size(3), count=None).before.count == "layers"
    assert assert_layer_count(of_size(3), max=3, count=None).count == "layers"


@pytest.mark.parametrize(
    ("fixture", "argument", "problem"),
    [
        ("assert_layer_count", "maximum", "did you mean 'max'?"),
        ("assert_foldable", "type", "did you mean 'types'?"),
        ("assert_equivalent_after_fold", "tolerance", "there are inputs, seed, info"),
        ("assert_same_structure", "metrics", "there are ignore, count, info"),
        ("assert_matches_baseline", "max_grow", "did you mean 'max_growth'?"),
    ],
)
def test_an_unknown_argument_is_answered_as_in_the_mark(fixture, argument, problem, request):
    models = [of_size(3)] * (2 if fixture == "assert_same_structure" else 1)
    with pytest.raises(pytest_layercount.LayercountError) as raised:
        request.getfixturevalue(fixture)(*models, **{argument: 3})
    assert str(raised.value) == f"{fixture}({argument}=3): unknown argument '{argument}'; {problem}"
