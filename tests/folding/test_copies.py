"""A copy is the model: what its layers hold, or a refusal that names the layer."""

from __future__ import annotations

import functools
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from pytest_layercount import check_equivalence, check_fold, fold
from pytest_layercount.errors import ModelError
from pytest_layercount.model.keras.common import states_of
from pytest_layercount.model.keras.state import State, Unlike
from tests.folding.harness import Kit, randomise
from tests.kerases import skip_in_keras_3_3


@pytest.fixture
def kit(kit: Kit) -> Kit:
    kit.keras.backend.set_floatx("float32")
    return kit


def squared(tensor: Any) -> Any:
    return tensor * tensor


def relu(tensor: Any) -> Any:
    """Called like one of Keras's, and another."""
    return tensor * tensor + 1.0


def own_layer(kit: Kit) -> Any:
    """A class whose configuration forgets all that it is made with."""

    class Own(kit.keras.layers.Layer):  # type: ignore[misc,name-defined]
        mean = 0.0

        def __init__(self, **constants: Any) -> None:
            kept = {key: constants.pop(key) for key in ("name", "dtype") if key in constants}
            constants.pop("trainable", None)
            super().__init__(**kept)
            self.constants = constants.get("constants", [1.0])
            self.table = constants.get("table", {"a": 1.0})
            self._array = constants.get("array", np.ones(4, "float32"))
            self.word = constants.get("word", "same")
            self.function = constants.get("function", squared)
            self.settings = constants.get("settings", SimpleNamespace(scale=1.0))
            self.optional = constants.get("optional")
            self.calls = 0

        def call(self, inputs: Any) -> Any:
            self.calls += 1
            self.last = inputs
            factor = self.constants[0] * self.table["a"] * self.settings.scale
            return self.function(inputs - self.mean) * factor * self._array

        def compute_output_shape(self, shape: Any) -> Any:
            return shape

        def get_config(self) -> Any:
            return super().get_config()

    return Own


def model_with(kit: Kit, layer: Any, before: Any = None, after: Any = None) -> Any:
    """The layer, behind a batch norm that folds."""
    model = kit.chain(
        (4,),
        kit.Dense(4, name="dense"),
        kit.bn(),
        kit.ReLU(),
        *([before] if before else []),
        layer,
        *([after] if after else []),
        kit.Dense(2, name="head"),
    )
    random = np.random.default_rng(0)
    for name in ("dense", "bn", "head"):
        own = model.get_layer(name)
        own.set_weights([random.uniform(0.5, 1.5, each.shape) for each in own.get_weights()])
    return model


def assert_folds(model: Any, times: int = 1) -> Any:
    inputs = np.random.default_rng(1).normal(size=(5, 4)).astype("float32")
    wanted = np.asarray(model(inputs))
    result = fold(model)
    assert len(result.folds) == times
    np.testing.assert_allclose(np.asarray(result.model(inputs)), wanted, rtol=1e-4, atol=1e-4)
    return result


@pytest.mark.parametrize(
    "forgotten",
    [
        {"constants": [2.0]},
        {"constants": [1.0, 2.0]},
        {"table": {"a": 3.0}},
        {"array": np.full(4, 2.0, "float32")},
        {"word": "other"},
        {"settings": SimpleNamespace(scale=2.0)},
        {"optional": 3},
    ],
    ids=str,
)
def test_a_constant_that_the_configuration_forgets(kit: Kit, forgotten: Any) -> None:
    model = model_with(kit, own_layer(kit)(name="own", **forgotten))
    (name,) = forgotten
    with pytest.raises(ModelError, match=f"layer 'own' of type Own .*its _?{name} is .*get_config"):
        fold(model)


def test_a_layer_that_keras_does_not_know_as_a_part(kit: Kit) -> None:
    layer = own_layer(kit)(function=lambda x: x)
    layer.settings = SimpleNamespace(scale=1.0, dense=kit.Dense(4, name="hidden"))
    layer.settings.dense.build((None, 4))
    make = type(layer).__init__

    def remade(self: Any, **constants: Any) -> None:
        make(self, function=constants.pop("function", lambda x: x), **constants)
        self.settings = SimpleNamespace(scale=1.0, dense=kit.Dense(4, name="hidden"))
        self.settings.dense.build((None, 4))

    type(layer).__init__ = remade
    with pytest.raises(ModelError, match="it uses 'hidden', which Keras does not know as a part"):
        fold(model_with(kit, layer))


def test_what_a_call_leaves_behind_is_no_constant(kit: Kit) -> None:
    layer = own_layer(kit)(name="own")
    model = model_with(kit, layer)
    model(np.ones((2, 4), "float32"))
    layer.note = "nobody reads this"
    assert_folds(model)


def test_what_keras_notes_on_a_loaded_layer_is_no_constant(kit: Kit, tmp_path: Path) -> None:
    model = model_with(kit, kit.Conv1D(4, 1, name="own"), kit.Reshape((1, 4)), kit.Flatten())
    model.save(tmp_path / "model.keras")
    assert_folds(kit.keras.models.load_model(tmp_path / "model.keras"))


class Slotted:
    """An object without a dictionary of its attributes."""

    __slots__ = ("scale",)

    def __init__(self) -> None:
        self.scale = 1.0


def test_objects_with_slots_and_numbers_called_like_what_trains(kit: Kit) -> None:
    layer = own_layer(kit)()
    make = type(layer).__init__

    def remade(self: Any, **constants: Any) -> None:
        make(self, **constants)
        self.settings, self.my_constraint = Slotted(), 1.0

    type(layer).__init__ = remade
    layer.settings, layer.my_constraint = Slotted(), 1.0
    assert_folds(model_with(kit, layer))
    layer.my_constraint = 3.0
    with pytest.raises(ModelError, match=r"its my_constraint is 1\.0, not 3\.0"):
        fold(model_with(kit, layer))
    layer.my_constraint, layer.settings.scale = 1.0, 2.0
    with pytest.raises(ModelError, match="its settings is"):
        fold(model_with(kit, layer))


class Scaled:
    """An activation whose configuration forgets what it was made with."""

    def __init__(self, scale: float = 1.0) -> None:
        self.scale = scale

    def __call__(self, tensor: Any) -> Any:
        return tensor * self.scale

    def get_config(self) -> dict[str, Any]:
        return {}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Scaled:
        return cls(**config)


def test_an_activation_object_is_kept_whatever_its_configuration_says(kit: Kit) -> None:
    assert_folds(model_with(kit, kit.Dense(4, activation=Scaled(3.0), name="own")))


def test_a_number_set_later_may_be_rounded_otherwise(kit: Kit) -> None:
    slope = kit.keras.layers.LeakyReLU()
    name = "alpha" if hasattr(slope, "alpha") else "negative_slope"
    model = model_with(kit, slope)
    setattr(slope, name, 0.7)
    assert_folds(model)


def test_an_attribute_set_after_construction(kit: Kit) -> None:
    layer = own_layer(kit)(name="own")
    model = model_with(kit, layer)
    layer.mean = 3.0
    with pytest.raises(ModelError, match=r"'own' of type Own .*its mean is 0\.0, not 3\.0"):
        fold(model)


@pytest.mark.parametrize("name", ["_self_scale", "_keras_scale"])
def test_an_attribute_that_is_called_like_one_of_keras(kit: Kit, name: str) -> None:
    layer = own_layer(kit)(name="own")
    make = type(layer).__init__

    def remade(self: Any, **constants: Any) -> None:
        make(self, **constants)
        setattr(self, name, 1.0)

    type(layer).__init__ = remade
    setattr(layer, name, 1.0)
    assert_folds(model_with(kit, layer))
    setattr(layer, name, 3.0)
    with pytest.raises(ModelError, match=rf"its {name} is 1\.0, not 3\.0"):
        fold(model_with(kit, layer))


def doubling(kit: Kit, base: Any) -> Any:
    """A class that does something around the ``call`` of another."""

    class Doubling(base):  # type: ignore[misc]
        def __call__(self, inputs: Any, *args: Any, **kwargs: Any) -> Any:
            return super().__call__(inputs, *args, **kwargs) * 2.0

    return Doubling


@pytest.mark.parametrize("kind", ["Dense", "Activation", "BatchNormalization", "block"])
def test_a_class_with_a_call_of_its_own(kit: Kit, kind: str) -> None:
    """What it adds stands in the graph, and happens again when the graph is run."""
    arguments = {"Dense": [4], "Activation": ["tanh"]}.get(kind, [])
    base = stack(kit) if kind == "block" else getattr(kit.keras.layers, kind)
    model = model_with(kit, doubling(kit, base)(*arguments, name="own"))
    result = assert_folds(model, times=2)  # the factor that stands in the graph folds as well
    assert check_equivalence(model, result).equivalent


def test_a_class_with_a_call_of_its_own_is_not_followed(kit: Kit) -> None:
    entry = kit.input(4)
    bn = kit.bn()
    own = doubling(kit, kit.keras.Model)(entry, bn(kit.Dense(3)(entry)), name="own")
    said = r"class Doubling of 'own' has a __call__\(\) of its own, .* in the model 'own'"
    with pytest.raises(ModelError, match=said):
        fold(own)
    outer = kit.model(entry, kit.Dense(2)(own(entry)))
    randomise(own, 0, (0.5, 2.0))
    inputs = np.ones((2, 4), "float32")
    wanted = np.asarray(outer(inputs))
    np.testing.assert_allclose(np.asarray(fold(outer).model(inputs)), wanted, rtol=1e-4)

    class Subclassed(kit.keras.Model):  # type: ignore[misc,name-defined]
        def __init__(self, **kwargs: Any) -> None:
            super().__init__(**kwargs)
            self.inside = doubling(kit, kit.keras.layers.Dense)(4, name="inside")

        def call(self, inputs: Any) -> Any:
            return self.inside(inputs)

    model = Subclassed(name="outer")
    model(inputs)
    with pytest.raises(ModelError, match=r"class Doubling of 'inside' has .* in the model 'outer'"):
        fold(model)


def test_activations_that_were_set_later(kit: Kit) -> None:
    entry = kit.input(5, 3)
    both, single = kit.Bidirectional(kit.SimpleRNN(3, return_sequences=True)), kit.LSTM(2)
    hidden = kit.bn()(kit.Dense(3, name="f")(entry))
    model = kit.model(entry, single(both(hidden)))
    randomise(model, 0, (0.5, 2.0))
    both.backward_layer.cell.activation = kit.keras.activations.relu
    single.cell.activation = kit.keras.activations.relu
    inputs = np.random.default_rng(0).normal(size=(4, 5, 3)).astype("float32")
    result = fold(model)
    wanted, folded = np.asarray(model(inputs)), np.asarray(result.model(inputs))
    np.testing.assert_allclose(folded, wanted, rtol=1e-3, atol=1e-5)
    assert check_equivalence(model, result).equivalent


def test_a_layer_as_an_activation_is_copied_or_refused_in_a_sentence(kit: Kit) -> None:
    model = model_with(kit, kit.Dense(4, activation=kit.BatchNormalization(), name="own"))
    if kit.version >= (3, 6):  # Keras 3.3, as Keras 2, reads no layer there
        assert_folds(model)
        return
    said = "layer 'own' of type Dense cannot be copied .*; give it a function or a name where"
    with pytest.raises(ModelError, match=said) as raised:
        fold(model)
    assert len(str(raised.value)) < 300


def test_a_normalization_whose_weights_were_set_without_the_rest(kit: Kit) -> None:
    norm = kit.Normalization()
    model = kit.chain((4,), norm, kit.Dense(3, name="f"), kit.bn())
    randomise(model, 0, (0.5, 2.0))
    for bound in (0.0, 2.0):
        norm.adapt_mean.assign(norm.adapt_mean + bound)
        inputs = np.random.default_rng(0).normal(size=(5, 4)).astype("float32")
        checked, result = check_fold(model), fold(model)
        wanted, folded = np.asarray(model(inputs)), np.asarray(result.model(inputs))
        np.testing.assert_allclose(folded, wanted, rtol=1e-4, atol=1e-5)
        assert len(result.folds) == 2
        assert checked.equivalence.equivalent, checked.equivalence


def test_constants_of_keras_own_layers(kit: Kit) -> None:
    layer = kit.LayerNormalization(name="own")
    model = model_with(kit, layer)
    layer.epsilon = 2.0  # its configuration says so
    assert_folds(model)
    layer.epsilon = np.float32(2.0)
    layer.get_config = lambda: {"name": "own", "epsilon": 1.0}
    with pytest.raises(ModelError, match=r"'own' of type LayerNormalization .*epsilon"):
        fold(model)


def test_a_function_that_the_configuration_forgets_is_kept(kit: Kit) -> None:
    layer = own_layer(kit)(name="own", function=relu)
    result = assert_folds(model_with(kit, layer))
    assert result.model.get_layer("own").function is relu


def test_a_call_that_was_replaced(kit: Kit) -> None:
    layer = kit.Activation("tanh", name="own")
    model = model_with(kit, layer)
    layer.call = lambda inputs, *args, **kwargs: inputs * 3.0
    with pytest.raises(ModelError, match=r"'own' .*call\(\) was replaced on the instance"):
        fold(model)


class Callable:
    """An object that can be called."""

    def __init__(self, factor: float) -> None:
        self.factor = factor

    def __call__(self, tensor: Any) -> Any:
        return tensor * tensor * self.factor


FUNCTIONS = {
    "lambda": lambda tensor: tensor * 3.0 + tensor * tensor,
    "partial": functools.partial(lambda tensor, power: tensor**power, power=2),
    "function": squared,
    "named like Keras's": relu,
    "object": Callable(2.0),
}


def operation(kit: Kit) -> Any:
    import tensorflow as tf

    return kit.keras.ops.square if kit.generation == 3 else tf.nn.relu6


@pytest.mark.parametrize("kind", [*FUNCTIONS, "operation"])
@pytest.mark.parametrize("where", ["Dense", "Activation", "cell", "TimeDistributed"])
def test_functions_as_activations_are_kept(
    kit: Kit, kind: str, where: str, recwarn: pytest.WarningsRecorder
) -> None:
    function = operation(kit) if kind == "operation" else FUNCTIONS[kind]
    if where == "Dense":
        layers = [kit.Dense(4, activation=function)]
    elif where == "Activation":
        layers = [kit.Activation(function)]
    elif where == "cell":
        layers = [kit.Reshape((4, 1)), kit.SimpleRNN(4, activation=function)]
    else:
        inner = kit.TimeDistributed(kit.Dense(1, activation=function))
        layers = [kit.Reshape((4, 1)), inner, kit.Flatten()]
    model = model_with(kit, kit.keras.Sequential(layers))
    recwarn.clear()
    result = fold(model)
    assert not [each for each in recwarn if "lambda" in str(each.message)]
    assert function in [
        getattr(part, "activation", None) for part in result.model._flatten_layers()
    ]
    assert_folds(model)


def test_functions_that_only_training_asks(kit: Kit) -> None:
    skip_in_keras_3_3("takes no function as a regularizer or constraint")

    def ones(shape: Any, dtype: Any = None, **_: Any) -> Any:
        return np.ones(shape, "float32")

    layer = kit.Dense(
        4,
        kernel_initializer=ones,
        kernel_regularizer=lambda weights: 0.0,
        bias_constraint=lambda weights: weights,
        name="own",
    )
    result = assert_folds(model_with(kit, layer))
    copied = result.model.get_layer("own")
    assert copied.kernel_regularizer is layer.kernel_regularizer
    assert copied.bias_constraint is layer.bias_constraint


def test_a_function_that_looks_at_its_layer_is_not_handed_on(kit: Kit) -> None:
    class Own(kit.keras.layers.Layer):  # type: ignore[misc,name-defined]
        def __init__(self, factor: float = 1.0, **kwargs: Any) -> None:
            super().__init__(**kwargs)
            self.factor = factor
            self.function = lambda tensor: tensor * self.factor

        def call(self, inputs: Any) -> Any:
            return self.function(inputs)

        def get_config(self) -> Any:
            return {**super().get_config(), "factor": self.factor}

        def compute_output_shape(self, shape: Any) -> Any:
            return shape

    layer = Own(2.0, name="own")
    model = model_with(kit, layer)
    folded = assert_folds(model).model
    inputs = np.ones((1, 4), "float32")
    before = np.asarray(folded(inputs))
    layer.factor = 5.0
    assert np.array_equal(np.asarray(folded(inputs)), before)
    layer.function = lambda tensor: tensor + layer.factor
    with pytest.raises(ModelError, match=r"'own' of type Own .*its function is"):
        fold(model)


FORGOTTEN = {
    "LSTM": lambda k: k.LSTM(3, implementation=1, name="own"),
    "a cell": lambda k: k.RNN(k.LSTMCell(3, implementation=1), name="own"),
    "Conv1DTranspose": lambda k: k.Conv1DTranspose(3, 2, strides=2, output_padding=1, name="own"),
    "without a mean": lambda k: k.LayerNormalization(rms_scaling=True, name="own"),
}
"""Layers of Keras's own whose configuration forgets a setting, in one version or another."""


@pytest.mark.parametrize("make", FORGOTTEN.values(), ids=FORGOTTEN)
def test_settings_that_keras_forgets(kit: Kit, make: Any) -> None:
    if kit.generation == 2 and make is FORGOTTEN["without a mean"]:
        pytest.skip("Keras 2 always subtracts the mean")
    inputs = kit.input(4, 3)
    model = kit.model(inputs, make(kit)(kit.bn()(kit.Dense(3, name="f")(inputs))))
    asked = np.random.default_rng(0).normal(1.0, 1.0, (2, 4, 3)).astype("float32")
    result = fold(model)
    assert "bn" in [each.layer for each in result.folds]
    wanted, folded = np.asarray(model(asked)), np.asarray(result.model(asked))
    np.testing.assert_allclose(folded, wanted, rtol=1e-4, atol=1e-5)
    for name in ("implementation", "output_padding", "rms_scaling"):
        before, after = (
            [getattr(part, name, None) for part in each.get_layer("own")._flatten_layers()]
            for each in (model, result.model)
        )
        assert before == after


def stack(kit: Kit) -> Any:
    """A class whose configuration forgets how many layers it has."""

    class Stack(kit.keras.layers.Layer):  # type: ignore[misc,name-defined]
        def __init__(self, kinds: tuple[str, ...] = ("Dense",), **kwargs: Any) -> None:
            super().__init__(**kwargs)
            made = {"Dense": lambda: kit.Dense(4), "ReLU": kit.ReLU}
            self.inside = [made[kind]() for kind in kinds]

        def build(self, shape: Any) -> None:
            for layer in self.inside:
                layer.build(shape)
            super().build(shape)

        def call(self, inputs: Any) -> Any:
            for layer in self.inside:
                inputs = layer(inputs)
            return inputs

        def compute_output_shape(self, shape: Any) -> Any:
            return shape

        def get_config(self) -> Any:
            return super().get_config()

    return Stack


def test_parts_that_the_configuration_forgets(kit: Kit) -> None:
    model = model_with(kit, stack(kit)(("Dense", "Dense"), name="own"))
    with pytest.raises(ModelError, match=r"'own' of type Stack .*its variables are"):
        fold(model)
    model = model_with(kit, stack(kit)(("Dense", "ReLU"), name="own"))
    with pytest.raises(ModelError, match=r"'own' of type Stack .*holds 1 layers, not 2"):
        fold(model)
    assert_folds(model_with(kit, stack(kit)(name="own")))


def test_a_constant_of_a_part(kit: Kit) -> None:
    layer = stack(kit)(name="own")
    model = model_with(kit, layer)
    layer.inside[0].use_bias = False
    with pytest.raises(ModelError, match=r"'own' .*in its part '.*', its use_bias is True"):
        fold(model)


def test_variables_without_a_counterpart_are_never_left_at_random(kit: Kit) -> None:
    """With as many parts and other variables, or other shapes, nothing may be guessed."""
    shape = (None, 4)
    old, new = kit.Dense(4, name="old"), kit.Dense(4, use_bias=False, name="new")
    for layer in (old, new):
        layer.build(shape)
    with pytest.raises(Unlike, match="variables are kernel"):
        State(old, new, {}).settle()
    wide = kit.Dense(5, name="wide")
    wide.build(shape)
    with pytest.raises(Unlike, match="variables are kernel"):
        State(old, wide, {}).settle()
    pair, single = (kit.keras.Sequential([kit.Dense(4) for _ in range(n)]) for n in (2, 1))
    for layer in (pair, single):
        layer.build(shape)
    with pytest.raises(Unlike, match="variables are kernel"):
        State(pair, single, {}).settle()
    with pytest.raises(Unlike, match="variables are kernel"):
        State(single, pair, {}).settle()


STATEFUL: dict[str, Any] = {
    "LSTM": lambda k: k.LSTM(3, stateful=True),
    "a cell": lambda k: k.RNN(k.SimpleRNNCell(3), stateful=True, return_sequences=True),
    "both ways": lambda k: k.Bidirectional(k.GRU(3, stateful=True)),
}


@pytest.mark.parametrize("make", STATEFUL.values(), ids=STATEFUL)
def test_states_that_are_carried_from_call_to_call(kit: Kit, make: Any) -> None:
    inputs = kit.keras.Input(batch_size=2, shape=(5, 3))
    hidden = kit.bn()(kit.Dense(3, name="f")(inputs))
    model = kit.model(inputs, kit.Dense(2)(make(kit)(hidden)))
    trained = make is not STATEFUL["LSTM"]
    if trained:
        randomise(model, 0, (0.5, 2.0))
    asked = np.random.default_rng(0).normal(size=(3, 2, 5, 3)).astype("float32")
    model(asked[0])
    before = [np.asarray(state).copy() for state in states_of(model)]
    assert len(before) == 1 + (make is not STATEFUL["a cell"])
    assert all(map(np.any, before))
    result, checked = fold(model), check_fold(model)
    assert checked.randomised is not trained
    assert checked.equivalence.equivalent, checked.equivalence
    other = fold(model).model
    states_of(other)[0].assign_add(np.ones_like(before[0]))
    assert not check_equivalence(model, other).equivalent
    for state, value in zip(states_of(model), before, strict=True):
        np.testing.assert_array_equal(state, value)
    for each in asked:
        wanted, folded = np.asarray(model(each)), np.asarray(result.model(each))
        np.testing.assert_allclose(folded, wanted, rtol=1e-4, atol=1e-5)


def test_a_bias_that_nobody_trained_is_drawn_and_no_other(kit: Kit) -> None:
    from pytest_layercount.folding.equivalence.randomise import randomised_copy
    from pytest_layercount.model.readers.live import open_model

    model = kit.chain((4,), kit.Dense(3, name="new"), kit.Dense(2, name="trained"))
    kernel, _ = model.get_layer("trained").get_weights()
    model.get_layer("trained").set_weights([kernel, np.array([0.5, 0.0])])
    copy = randomised_copy(open_model(model), seed=0)
    assert np.all(copy.get_layer("new").get_weights()[1] != 0)
    np.testing.assert_array_equal(copy.get_layer("trained").get_weights()[1], [0.5, 0.0])
    assert not model.get_layer("new").get_weights()[1].any()
