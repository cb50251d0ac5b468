"""Limits on layer types: by base class, with what whole layers hold, and of types that exist."""

from __future__ import annotations

import importlib
import re
from dataclasses import replace

import pytest

import pytest_layercount
from pytest_layercount.checks.arguments import checked
from pytest_layercount.checks.layercount import Limits, not_kept
from pytest_layercount.cli import count as count_command
from pytest_layercount.cli import fold as fold_command
from pytest_layercount.cli import main
from pytest_layercount.folding.planner import plan_graph
from pytest_layercount.model.count import count_graph
from pytest_layercount.model.graph import Layer
from tests.conftest import has_keras, needs_keras
from tests.graphs import as_layer, chain
from tests.kerases import load_keras

OWN = Layer(path="own", type="BatchNorm", builtin=False, bases=("BatchNormalization",))
BLOCK = Layer(
    path="block",
    type="Block",
    builtin=False,
    parameters=30,
    inside=(
        as_layer("Conv2D", 0),
        replace(as_layer("BatchNormalization", 1), path="block/bn"),
        Layer(
            "block/inner", "Inner", builtin=False, inside=(replace(OWN, path="block/inner/own"),)
        ),
    ),
)
CLOSED = Layer(path="closed", type="Block", builtin=False, parameters=30, closed=True)
WEIGHTLESS = replace(CLOSED, parameters=0)


def held():
    """One batch normalization in sight, one by another name, two inside a block."""
    return chain("InputLayer", "Conv2D", "BatchNormalization", OWN, BLOCK)


def test_a_count_has_what_whole_layers_hold_beside_what_it_counts():
    counted = count_graph(held())
    assert counted.total == 5
    assert counted.by_type == {
        "BatchNorm": 2,
        "BatchNormalization": 2,
        "Conv2D": 2,
        "Block": 1,
        "Inner": 1,
        "InputLayer": 1,
    }
    assert sum(counted.by_type.values()) == counted.total + len(counted.held)
    assert [(one.path, one.within) for one in counted.held][1:] == [
        ("block/bn", "block"),
        ("block/inner", "block"),
        ("block/inner/own", "block"),
    ]


@pytest.mark.parametrize(
    ("type_", "number"),
    [("BatchNormalization", 4), ("BatchNorm", 2), ("Block", 1), ("Inner", 1), ("Dense", 0)],
)
@pytest.mark.parametrize("count", ["layers", "nodes", "top"])
def test_a_type_is_judged_by_base_class_and_a_subclass_by_its_own_name(type_, number, count):
    assert count_graph(held(), count).number_of(type_) == number
    limits = {"types": {type_: number}, "count": count}
    assert not not_kept(Limits.of(checked(limits)).judge(count_graph(held(), count)))
    if number:
        less = {"types": {type_: number - 1}, "count": count}
        (found,) = not_kept(Limits.of(checked(less)).judge(count_graph(held(), count)))
        assert (found.of, found.value, found.limit) == (type_, number, number - 1)


def test_a_layer_that_is_called_twice_holds_twice_as_many_calls():
    graph = held()
    twice = replace(graph, nodes=(*graph.nodes, graph.nodes[-1]))
    assert count_graph(twice, "nodes").number_of("BatchNormalization") == 6
    assert count_graph(twice).number_of("BatchNormalization") == 4


def test_models_at_the_top_hold_layers_as_well():
    nested = replace(chain("InputLayer", "BatchNormalization"), top=("InputLayer", "Functional"))
    counted = count_graph(nested, "top")
    assert counted.by_type == {"Functional": 1, "InputLayer": 1}
    assert counted.number_of("BatchNormalization") == counted.number_of("Functional") == 1


def test_a_failure_says_how_many_are_inside_and_where(assert_layer_count):
    with pytest.raises(AssertionError) as failure:
        assert_layer_count(held(), types={"BatchNormalization": 0})
    lines = str(failure.value).splitlines()
    assert lines[0] == "net: 4 BatchNormalization > max 0 (+4)"
    inside = "2 BatchNormalization inside layers that stay whole: block/bn, block/inner/own"
    assert inside in lines
    assert lines[-1] == "to accept: types={'BatchNormalization': 4}"
    with pytest.raises(AssertionError, match="of these, 4 inside layers that stay whole"):
        assert_layer_count(held(), max=4)


def test_what_folding_leaves_inside_is_judged(assert_layer_count, assert_foldable):
    with pytest.raises(AssertionError, match="3 folded BatchNormalization > max 0"):
        assert_layer_count(held(), types={"BatchNormalization": 0}, folded=True)
    with pytest.raises(AssertionError, match="net: 3 of 4 batch norms stay\n") as failure:
        assert_foldable(held())
    for path in ("own", "block/bn", "block/inner/own"):
        assert path in str(failure.value)
    with pytest.raises(AssertionError, match="net: 2 of 2 BatchNorm stay\n"):
        assert_foldable(held(), types=["BatchNorm"])
    stay = dict.fromkeys(["own", "block/bn", "block/inner/own"], "measured")
    assert len(assert_foldable(held(), except_=stay).folds) == 1


def test_hidden_normalizations_alone_are_something_to_judge(assert_foldable):
    with pytest.raises(AssertionError, match="net: 2 of 2 batch norms stay\n"):
        assert_foldable(chain("InputLayer", "Conv2D", BLOCK))


def test_other_types_inside_are_judged_when_asked_for(assert_foldable):
    dropout = Layer("block/dropout", "SpatialDropout2D", bases=("Dropout",))
    model = chain("InputLayer", "Conv2D", replace(BLOCK, inside=(dropout,)))
    with pytest.raises(AssertionError, match="net: 1 of 1 Dropout stay\n") as failure:
        assert_foldable(model, types=["Dropout"])
    assert "block/dropout" in str(failure.value)


def test_what_a_file_does_not_tell_is_within_no_limit(assert_layer_count, assert_foldable):
    model = chain("InputLayer", "Conv2D", "BatchNormalization", CLOSED)
    with pytest.raises(AssertionError) as failure:
        assert_layer_count(model, types={"BatchNormalization": 1})
    lines = str(failure.value).splitlines()
    assert lines[0] == "net: 1 layer may hold BatchNormalization"
    assert (
        lines[-1]
        == "what is inside cannot be seen: closed; judge the model that was saved, not its file"
    )
    with pytest.raises(AssertionError, match="net: 1 layer may hold batch norms\n") as failure:
        assert_foldable(model)
    assert 'to accept: except_={"closed": "why", ...}' in str(failure.value)
    assert assert_foldable(model, except_={"closed": "an activation"})
    with pytest.raises(AssertionError, match="net: 1 layer may hold batch norms\n"):
        assert_foldable(chain("InputLayer", CLOSED))


def test_a_layer_without_weights_holds_no_normalization(assert_layer_count, assert_foldable):
    model = chain("InputLayer", "Conv2D", "BatchNormalization", WEIGHTLESS)
    assert assert_layer_count(model, types={"BatchNormalization": 1})
    assert assert_foldable(model)
    with pytest.raises(AssertionError, match="net: 1 layer may hold Dropout\n"):
        assert_layer_count(model, types={"Dropout": 0})


# Types that do not exist


@pytest.mark.parametrize(
    ("type_", "said"),
    [
        ("BatchNormalisation", "no layer type 'BatchNormalisation'; did you mean 'BatchNorm"),
        ("conv2d", "there is no layer type 'conv2d'; did you mean 'Conv2D'?"),
        ("Blok", "there is no layer type 'Blok'; did you mean 'Block'?"),
        ("Qwxyz", "there is no layer type 'Qwxyz': no class of Keras or of yours is called so"),
    ],
)
def test_a_type_that_does_not_exist_is_an_error(assert_layer_count, assert_foldable, type_, said):
    for folded in (False, True):
        with pytest.raises(pytest_layercount.ArgumentError, match=re.escape(said)) as error:
            assert_layer_count(held(), types={"Dense": 0, type_: 0}, folded=folded)
        assert str(error.value).startswith(f"assert_layer_count(types={{{type_!r}: 0}}): ")
    with pytest.raises(pytest_layercount.ArgumentError, match=re.escape(said)) as error:
        assert_foldable(held(), types=["BatchNormalization", type_])
    assert str(error.value).startswith(f"assert_foldable(types=({type_!r},)): ")


@pytest.mark.parametrize(
    ("type_", "said"),
    [
        ("Layer", "every layer is of the class 'Layer'; name the types of layers that you mean"),
        ("Module", "every layer is of the class 'Module'"),
        ("Operation", "every layer is of the class 'Operation'"),
        ("Model", "'Model' is a class of models, which are opened and do not count themselves"),
        ("Functional", "'Functional' is a class of models"),
        ("Sequential", "'Sequential' is a class of models"),
    ],
)
def test_a_class_that_nothing_counts_as_is_an_error(
    assert_layer_count, assert_foldable, type_, said
):
    if has_keras():
        load_keras()
    for folded in (False, True):
        with pytest.raises(pytest_layercount.ArgumentError, match=re.escape(said)):
            assert_layer_count(held(), types={type_: 0}, folded=folded)
    with pytest.raises(pytest_layercount.ArgumentError, match=re.escape(said)):
        assert_layer_count(held(), types={type_: 0}, count="nodes")
    with pytest.raises(pytest_layercount.ArgumentError, match=re.escape(said)):
        assert_foldable(held(), types=[type_])


def test_models_at_the_top_have_types():
    for type_ in ("Functional", "Sequential"):
        limits = {"types": {type_: 0}, "count": "top"}
        assert not not_kept(Limits.of(checked(limits)).judge(count_graph(held(), "top")))


@needs_keras
def test_classes_inside_keras_are_no_types_and_those_that_layers_count_as_are():
    keras = load_keras()
    internal = next(
        cls.__name__ for cls in keras.layers.Conv1D.__mro__ if cls.__name__ in ("BaseConv", "Conv")
    )
    said = f"no layer counts as a {internal!r}, which is a class inside Keras"
    with pytest.raises(pytest_layercount.ArgumentError, match=said):
        not_kept(Limits.of(checked({"types": {internal: 0}})).judge(count_graph(held())))

    class Backbone(keras.Model):
        pass

    class Stem(keras.layers.Layer):
        pass

    with pytest.raises(pytest_layercount.ArgumentError, match="'Backbone' is a class of models"):
        not_kept(Limits.of(checked({"types": {Backbone.__name__: 0}})).judge(count_graph(held())))
    for type_ in ("Wrapper", "RNN", "Dropout", "Conv1D", Stem.__name__):
        assert not not_kept(Limits.of(checked({"types": {type_: 0}})).judge(count_graph(held())))


def test_what_is_proposed_where_there_is_nothing_to_judge_works(
    assert_layer_count, assert_foldable
):
    model = chain("InputLayer", "Conv2D")
    with pytest.raises(AssertionError) as failure:
        assert_foldable(model)
    (proposed,) = re.findall(r"types=(\{.*\})", str(failure.value))
    assert assert_layer_count(model, types=eval(proposed))
    with pytest.raises(pytest_layercount.ArgumentError, match="did you mean 'BatchNormalization'"):
        assert_foldable(model, types=["BatchNormalization2"])


def test_an_operation_is_a_type_of_nodes_only():
    operation = Layer("add", "AddV2", kind="operation", operation="add")
    graph = chain("InputLayer", operation)
    assert not_kept(
        Limits.of(checked({"types": {"AddV2": 0}, "count": "nodes"})).judge(
            count_graph(graph, "nodes")
        )
    )
    with pytest.raises(pytest_layercount.ArgumentError, match="no layer type 'AddV2'"):
        not_kept(Limits.of(checked({"types": {"AddV2": 0}})).judge(count_graph(graph)))


def test_the_mark_says_where_the_type_stands_that_does_not_exist(suite):
    suite.makepyfile(
        test_it="""
        import pytest
        from tests.graphs import chain

        @pytest.fixture
        def detector():
            return chain("InputLayer", "Conv2D")

        @pytest.mark.layercount(types={"BatchNormalisation": 0})
        def test_it(detector): ...
        """
    )
    result = suite.runpytest()
    result.assert_outcomes(failed=1)
    said = "there is no layer type 'BatchNormalisation'; did you mean 'BatchNormalization'[?]"
    result.stdout.fnmatch_lines(
        [f"*layercount(types={{'BatchNormalisation': 0}}): {said}", "*test_it.py:8: test_it"]
    )


def test_the_command_judges_types_as_the_fixtures_do():
    counted = count_graph(held())
    (found,) = not_kept(Limits.of(checked({"types": {"BatchNormalization": 0}})).judge(counted))
    text = count_command._text(counted, [found], (), (), folded=False)
    assert text.startswith("net: 4 BatchNormalization > max 0 (+4)\n")
    assert "2 BatchNormalization inside layers that stay whole: block/bn" in text


def test_the_command_says_what_it_could_not_see_of_a_file(tmp_path, capsys, monkeypatch):
    model = chain("InputLayer", "Conv2D", "BatchNormalization", CLOSED)
    (tmp_path / "types_zoo.py").write_text("")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.chdir(tmp_path)
    importlib.import_module("types_zoo").model = model
    plan, counted = plan_graph(model), count_graph(model)
    text = fold_command._text(counted, counted, plan, whole=False, out=None, written=False)
    assert "what is inside cannot be seen: closed; judge" in text
    assert main(["count", "types_zoo:model", "--type", "BatchNormalization=1"]) == 1
    assert "net: 1 layer may hold BatchNormalization\n" in capsys.readouterr().out
    assert main(["count", "types_zoo:model", "--type", "BatchNorms=1"]) == 2
    assert "did you mean 'BatchNormalization'?" in capsys.readouterr().err


def test_a_wrapper_that_folds_takes_what_it_wraps_along(assert_foldable):
    inner = as_layer("BatchNormalization", 0)
    wrapper = Layer(
        "each",
        "TimeDistributed",
        config={"layer": inner},
        bases=("Wrapper",),
        inside=(replace(inner, path="each/bn"),),
    )
    plan = plan_graph(chain("InputLayer", "Conv2D", wrapper))
    assert [(fold.layer, fold.type) for fold in plan.folds] == [("each", "TimeDistributed")]
    assert assert_foldable(chain("InputLayer", "Conv2D", wrapper))
    stays = chain("InputLayer", "Conv2D", "Activation", wrapper)
    assert [no.layer for no in plan_graph(stays).refusals] == ["each"]  # said once
    with pytest.raises(AssertionError, match="net: 1 of 1 batch norms stay\n") as failure:
        assert_foldable(stays)
    assert 'to accept: except_={"each/bn": "why", ...}' in str(failure.value)


# Live models


@needs_keras
def test_classes_that_are_loaded_are_types(assert_layer_count, tmp_path):
    keras = load_keras()
    layers = keras.layers

    class Elsewhere(layers.Layer):
        """Loaded, and not in the model."""

    model = keras.Sequential([keras.Input((4,)), layers.Dense(2)])
    assert_layer_count(model, types={"Elsewhere": 0, "GaussianNoise": 0, "TFOpLambda": 0})
    with pytest.raises(pytest_layercount.ArgumentError, match="did you mean 'Elsewhere'"):
        assert_layer_count(model, types={"Elswhere": 0})


@needs_keras
def test_a_file_with_layers_of_a_known_class_is_judged_as_the_model(assert_layer_count, tmp_path):
    keras = load_keras()
    layers = keras.layers

    @keras.utils.register_keras_serializable("types")
    class Normed(layers.Layer):
        """A block that a file does not open."""

        def __init__(self, **settings):
            super().__init__(**settings)
            self.norm = layers.BatchNormalization()

        def build(self, shape):
            self.norm.build(shape)
            super().build(shape)

        def call(self, x):
            return self.norm(x)

    path = tmp_path / "model.keras"
    keras.Sequential([keras.Input((4,)), layers.Dense(2), Normed()]).save(path)
    assert assert_layer_count(path, types={"BatchNormalization": 1}, exactly=2)
    with pytest.raises(AssertionError, match="1 BatchNormalization > max 0"):
        assert_layer_count(path, types={"BatchNormalization": 0})
