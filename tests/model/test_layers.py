"""What the rows of layer types say, against every layer class of the installed Keras."""

from __future__ import annotations

import inspect
import json
import math
from pathlib import Path
from typing import Any

import pytest

from pytest_layercount import count_layers, read_graph
from pytest_layercount.model.keras.variables import short_name
from pytest_layercount.model.layers import LAYERS, TYPES, WITHOUT_ROW, row_of
from pytest_layercount.model.layers.attention import PROJECTING
from pytest_layercount.model.layers.base import Call, Kernel, LayerType
from tests.conftest import has_keras, needs_keras
from tests.kerases import generation, is_keras_3_3, load_keras, skip_in_keras_3_3
from tests.model.every_layer import CASES, Case

NO_LAYERS = {"AbstractRNNCell", "Layer", "Wrapper"}
"""What others derive from."""

NOT_ALONE = {
    "Bidirectional",
    "Equalization",
    "GRUCell",
    "InputLayer",
    "LSTMCell",
    "Lambda",
    "MaxNumBoundingBoxes",
    "Pipeline",
    "RNN",
    "SimpleRNNCell",
    "SpectralNormalization",
    "StackedRNNCells",
    "TimeDistributed",
}
"""Made of layers or parts of them, of functions, or not to be called on one tensor by itself.

Keras 3.15 makes a cycle of an Equalization of a model's input.
"""


def classes() -> dict[str, Any]:
    """The layer classes of Keras; some have other names as well."""
    keras = load_keras()
    places = [keras.layers, getattr(keras.layers, "experimental", keras.layers)]
    every = [value for place in places for value in vars(place).values() if isinstance(value, type)]
    return {cls.__name__: cls for cls in every if issubclass(cls, keras.layers.Layer)}


def made(case: Case) -> Any:
    """The layer of a case, None where this Keras has no such layer or setting."""
    try:
        return classes()[case.type](**case.settings)
    except (KeyError, TypeError, ValueError):
        return None


def called(case: Case, layer: Any) -> Any:
    """A model that calls the layer."""
    keras = load_keras()
    entries = [keras.Input(shape, dtype=case.dtype) for shape in case.shapes]
    several = case.type in PROJECTING or len(entries) == 1
    results = layer(*entries, **case.call) if several else layer(entries, **case.call)
    return keras.Model(entries, results)


def saved(model: Any, folder: Path) -> Path:
    path = folder / "model.json"
    path.write_text(model.to_json())
    return path


HERE = [case for case in CASES if has_keras() and case.type in classes()]


@needs_keras
def test_each_class_of_keras_has_a_row_and_a_case():
    there = set(classes()) - NO_LAYERS
    assert there - set(TYPES) <= WITHOUT_ROW
    works = {case.type for case in HERE if made(case) is not None}
    assert there - works - NOT_ALONE <= WITHOUT_ROW


def test_a_type_without_a_row_has_none():
    assert not WITHOUT_ROW & set(TYPES)
    assert WITHOUT_ROW | set(TYPES) == LAYERS
    assert row_of("JaxLayer") == row_of("Own") == LayerType()


@needs_keras
@pytest.mark.parametrize("case", HERE, ids=str)
def test_shapes_and_weights_are_those_of_keras(case: Case, tmp_path: Path) -> None:
    layer = made(case)
    if layer is None:
        pytest.skip("this Keras has no such setting")
    if case.type == "MultiHeadAttention" or case.call or "mean" in case.settings:
        skip_in_keras_3_3("takes queries and values of one width, forgets scores and statistics")
    if case.settings.get("output_mode") == "one_hot" and generation(load_keras()) == 2:
        pytest.skip("Keras 2 makes no such row of several")
    if "output_padding" in case.settings:
        skip_in_keras_3_3("does not save output_padding")
    model = called(case, layer)
    path = saved(model, tmp_path)
    graph = read_graph(path)
    (node,) = [node for node in graph.nodes if graph.layers[node.layer].kind != "input"]
    read = graph.layers[node.layer]
    outputs = model.outputs if isinstance(model.outputs, list) else [model.outputs]
    assert list(node.shapes) == [tuple(output.shape) for output in outputs]
    assert read.weighed
    assert read.parameters == layer.count_params() == model.count_params()
    trained = sum(weight.numpy().size for weight in layer.trainable_weights)
    assert read.trainable_parameters == trained
    written = json.loads(path.read_text())["config"]["layers"][-1]["config"]
    assert set(row_of(case.type).writes) <= set(written)


OF_OTHERS = {"projection_dim", "theta", "virtual_batch_size"}
"""Settings of layers that only Keras 2 or the applications have."""


@needs_keras
def test_rows_name_settings_of_keras() -> None:
    if generation(load_keras()) == 2 or is_keras_3_3():
        pytest.skip("only the newest Keras has all of them")
    layers = [(case.type, made(case)) for case in HERE]
    there = {name for _, layer in layers if layer is not None for name in layer.get_config()}
    there |= {
        name for type_, layer in layers for name in row_of(type_).attributes if hasattr(layer, name)
    }
    # Those that are made of layers or functions are no cases, but take these.
    taken = [inspect.signature(cls.__init__).parameters for cls in classes().values()]
    there |= {name for parameters in taken for name in parameters}
    for row in TYPES.values():
        said = {*row.attributes, *row.defaults, *row.writes, *(row.optional or {}).values()}
        assert said <= there | OF_OTHERS


@needs_keras
@pytest.mark.parametrize("type_", sorted(set(TYPES) - NO_LAYERS))
def test_tensors_stand_in_the_order_of_the_call(type_: str) -> None:
    cls = classes().get(type_)
    if cls is None or type_ == "InputLayer":
        pytest.skip("this Keras has no such layer to call")
    taken = list(inspect.signature(cls.call).parameters)
    # Of the states and the mask that recurrent layers take, Keras 2 has the mask first.
    known = [name for name in row_of(type_).arguments if name in taken and name != "mask"]
    assert known == [name for name in taken if name in known]
    if generation(load_keras()) == 3 and type_ != "SimpleRNNCell":  # which says sequence
        assert taken[1] in row_of(type_).arguments


@needs_keras
@pytest.mark.parametrize("cell", ["SimpleRNNCell", "GRUCell", "LSTMCell"])
def test_a_cell_holds_what_its_layer_does(cell: str) -> None:
    layer = classes()[cell](4)
    layer.build((None, 3))
    found = row_of(cell).scalars(layer.get_config(), [(None, 3)])
    assert found == (layer.count_params(), 0)
    whole = row_of(cell.removesuffix("Cell"))
    config = {**layer.get_config(), "return_sequences": False}
    one_step = whole.macs(config, [(1, 1, 3)], (1, 4))
    assert row_of(cell).macs(layer.get_config(), [(1, 3)], (1, 4)) == one_step


@pytest.mark.parametrize(
    ("n", "more", "kernel"),
    [
        (1, {}, 6 * 3 * 4 * 10),
        (2, {}, 6 * 6 * 9 * 4 * 10),
        (2, {"padding": "valid", "strides": (2, 3)}, 3 * 2 * 9 * 4 * 10),
        (2, {"implementation": 2}, 8 * 8 * 6 * 6 * 4 * 10),
        (2, {"implementation": 2, "padding": "same"}, 8 * 8 * 8 * 8 * 4 * 10),
    ],
)
def test_a_kernel_for_each_place(n: int, more: dict[str, Any], kernel: int) -> None:
    """As Keras 2 has it; a kernel that reaches over the border is smaller there."""
    row = row_of(f"LocallyConnected{n}D")
    config = {"filters": 10, "kernel_size": (3,) * n, "strides": (1,) * n, **more}
    (shape,) = row.returns(Call(config, [(None, *(8,) * n, 4)]))
    assert shape is not None
    places = math.prod(size or 1 for size in shape[1:])
    for biased in (True, False):
        found = row.scalars({**config, "use_bias": biased}, [(None, *(8,) * n, 4)])
        assert found == (kernel + places * biased, 0)
    with pytest.raises(ValueError, match="at the border there are fewer"):
        row.scalars({**config, "padding": "same", "implementation": 1}, [(None, *(8,) * n, 4)])


@needs_keras
@pytest.mark.parametrize("type_", ["Equalization"])
def test_a_shape_that_only_keras_says(type_: str) -> None:
    cls = classes().get(type_)
    if cls is None:
        pytest.skip("this Keras has no such layer")
    shape, call = (None, 9, 8, 3), Call({}, [(None, 9, 8, 3)])
    assert row_of(type_).returns(call) == [cls().compute_output_shape(shape)]


def test_a_kernel_is_as_much_work_as_weights_at_each_position():
    assert Kernel(6, (1, 4, 5)).macs == 120
    assert Kernel(6).macs == 6
    with pytest.raises(ValueError, match="a size of an input is not known"):
        assert Kernel(6, (None, 5)).macs


OPTIONAL = [
    (case, name, setting)
    for case in {case.type: case for case in reversed(HERE)}.values()
    for name, setting in (row_of(case.type).optional or {}).items()
]


@needs_keras
@pytest.mark.parametrize(("case", "name", "setting"), OPTIONAL, ids=str)
def test_a_setting_leaves_a_weight_out(case: Case, name: str, setting: str) -> None:
    there = {"bias_axes": "d", **case.settings} if setting == "bias_axes" else case.settings
    names = []
    for settings in (there, {**case.settings, setting: None if "axes" in setting else False}):
        layer = made(Case(case.type, settings, case.shapes, case.dtype))
        if layer is None:
            pytest.skip("this Keras has no such setting")
        called(case, layer)
        names.append({short_name(weight) for weight in layer.weights})
    assert names[0] - names[1] == {name}


WRAPPERS = {
    "Bidirectional": lambda layers: layers.LSTM(3),
    "RNN": lambda layers: layers.LSTMCell(3),
    "SpectralNormalization": lambda layers: layers.Dense(3),
    "TimeDistributed": lambda layers: layers.Dense(3),
}
"""Layers that are made of another one, and which."""
KINDS = {case.type: case for case in reversed(HERE) if row_of(case.type).kernels}


@needs_keras
@pytest.mark.parametrize("type_", sorted({*KINDS, *WRAPPERS}))
def test_what_trains_of_a_frozen_layer_is_what_keras_says(type_: str, tmp_path: Path) -> None:
    if type_ == "SpectralNormalization" and generation(load_keras()) == 2:
        pytest.skip("Keras 2 does not load what it wrote of it")
    if type_ in WRAPPERS:
        inside = WRAPPERS[type_](load_keras().layers)
        case = Case(type_, {"cell" if type_ == "RNN" else "layer": inside}, ((6, 4),))
    else:
        case = KINDS[type_]
    layer = made(Case(case.type, {**case.settings, "trainable": False}, case.shapes))
    if layer is None:
        pytest.skip("this Keras has no such layer")
    if type_ == "MultiHeadAttention":
        skip_in_keras_3_3("takes queries and values of one width")
    path = saved(called(case, layer), tmp_path)
    loaded = load_keras().models.model_from_json(path.read_text())
    trained = sum(weight.numpy().size for weight in loaded.trainable_weights)
    assert count_layers(path).trainable_parameters == trained


@pytest.mark.parametrize(("type_", "gates"), [("GRU", 3), ("LSTM", 4)])
@pytest.mark.parametrize("more", [{}, {"return_sequences": True}, {"return_state": True}])
def test_a_layer_for_one_gpu_is_as_the_other_and_has_two_biases(
    type_: str, gates: int, more: dict[str, Any]
) -> None:
    row, usual = row_of(f"CuDNN{type_}"), row_of(type_)
    config: dict[str, Any] = {"units": 5, **more}
    call = Call(config, [(None, 6, 3)])
    assert row.returns(call) == usual.returns(call)
    assert row.macs(config, call.shapes, row.returns(call)[0]) == 6 * gates * 5 * (3 + 5)
    assert row.scalars(config, call.shapes) == (gates * 5 * (3 + 5 + 2), 0)


NOT_IN_THE_NEWEST = {
    *("AddLoss", "AddMetric", "CuDNNGRU", "CuDNNLSTM", "CustomScaleLayer", "LayerScale"),
    *("LocallyConnected1D", "LocallyConnected2D", "RandomFourierFeatures", "RandomHeight"),
    *("RandomWidth", "StochasticDepth", "SyncBatchNormalization", "ThresholdedReLU"),
}
"""Layers of Keras 2, of models made for it, or of the applications."""


@needs_keras
def test_rows_are_those_of_keras() -> None:
    if generation(load_keras()) == 2 or is_keras_3_3():
        pytest.skip("only the newest Keras has all of them")
    there = classes()
    assert set(TYPES) - set(there) == NOT_IN_THE_NEWEST
    calls = [inspect.signature(cls.call).parameters for cls in there.values()]
    taken = {"constants", *(name for parameters in calls for name in parameters)}  # Keras 2's
    for type_, row in TYPES.items():
        assert set(row.arguments) <= taken, type_
        if type_ in there and type_ != "Bidirectional":  # a wrapper in Keras 2
            assert set(row.bases) <= {base.__name__ for base in there[type_].__mro__}


def test_rows_derive_from_layers() -> None:
    assert {base for row in TYPES.values() for base in row.bases} <= LAYERS | NO_LAYERS
