"""Operations as TensorFlow could have traced them, at the edges of what makes them a layer."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from pytest_layercount.model.graph import Layer, Shape
from pytest_layercount.model.readers.tensorflow.build import graph_of_function
from pytest_layercount.model.readers.tensorflow.composites import scale_of
from pytest_layercount.model.readers.tensorflow.ops import Function, Op

LINE = (None, 6, 4)


def entry(shape: Shape = LINE, dtype: str = "float32", name: str = "x") -> Op:
    return Op(name, "Placeholder", shapes=(shape,), dtypes=(dtype,))


def constant(value: Any, dtype: str = "float32") -> Op:
    """A constant; the shape of none but a vector is looked at."""
    shape = (len(value),) if isinstance(value, tuple) else ()
    return Op("constant", "Const", shapes=(shape,), dtypes=(dtype,), value=value)


def variable(size: int, name: str = "v") -> Op:
    attributes = {"shape": (size,)}
    return Op(name, "VarHandleOp", shapes=((size,),), attributes=attributes, variable=name)


def pack(*inputs: int) -> Op:
    """Numbers put together to one vector."""
    refs = tuple((place, 0) for place in inputs)
    return Op("pack", "Pack", refs, ((len(inputs),),), dtypes=("int32",))


def op(type_: str, *inputs: int, shape: Shape = LINE, scope: str = "layer", **more: Any) -> Op:
    """An operation in a scope that reads what stands at these places."""
    name = "_".join([type_, *map(str, inputs)])
    name = f"model/{scope}/{name}" if scope else name
    return Op(name, type_, tuple((place, 0) for place in inputs), (shape,), **more)


def layers(*ops: Op) -> list[Layer]:
    """What operations amount to, the last of which gives the result."""
    entries = [(place, op) for place, op in enumerate(ops) if op.type == "Placeholder"]
    inputs = {op.name: place for place, op in entries if op.variable is None}
    function = Function("f", "2.15", ops, inputs, {"y": (len(ops) - 1, 0)}, frozenset({"v"}))
    graph = graph_of_function(function)
    return [layer for layer in graph.layers if layer.kind != "input"]


def types(*ops: Op) -> list[str]:
    return [layer.operation or layer.type for layer in layers(*ops)]


@pytest.mark.parametrize(
    ("before", "after", "type_", "target"),
    [
        ((2, 6, 4), (2, 24), "Flatten", None),
        ((2, 6, 4), (2, 3, 8), "Reshape", (3, 8)),
        ((2, 6, 4), (4, 12), "reshape", None),
        ((2, 6, 4), (None, 24), "reshape", None),
        ((None, 6, 4), (2, 24), "reshape", None),
        ((None, 6, 4), (None, 24), "Flatten", None),
        ((None, 6, 4), (None, 4), "reshape", None),
        ((None, 6, 4), (None, 3, None), "Reshape", (3, 8)),
        ((None, 6, 4), (None, 3, 8), "Reshape", (3, 8)),
        ((None, None, 4), (None, None, 2), "Reshape", (-1, 2)),
        ((None, None, 4), (None, 12), "Flatten", None),
        ((2, 6, 4), (2, 3, None), "Reshape", (3, 8)),
        ((2, 6, 4), (2, None, None), "Reshape", (-1, -1)),
        (None, (None, 3, 8), "reshape", None),
        ((2, 6, 4), None, "reshape", None),
    ],
)
def test_a_reshape_that_keeps_the_batch(
    before: Shape, after: Shape, type_: str, target: Any
) -> None:
    shape = constant((2, 24), "int32")
    (layer,) = layers(entry(before), shape, op("Reshape", 0, 1, shape=after))
    assert (layer.operation or layer.type, layer.config.get("target_shape")) == (type_, target)


@pytest.mark.parametrize(
    ("begin", "before", "after", "cropping"),
    [
        ((0, 1, 0), (None, 6, 4), (None, 3, 4), (1, 2)),
        ((0, -4, 0), (None, 6, 4), (None, 3, 4), (2, 1)),
        ((0, 0, 0), (None, 6, 4), (None, 6, 4), (0, 0)),
        ((0, 1, 2, 0), (2, 6, 8, 4), (2, 3, 5, 4), ((1, 2), (2, 1))),
        ((0, 1, 2, 3, 0), (2, 6, 8, 9, 4), (2, 3, 5, 1, 4), ((1, 2), (2, 1), (3, 5))),
        ((0, 4, 0), (None, 6, 4), (None, 3, 4), None),
        ((1, 1, 0), (3, 6, 4), (2, 3, 4), None),
        ((0, 1, 1), (None, 6, 4), (None, 3, 3), None),
        ((0, 1), (None, 6, 4), (None, 3, 4), None),
        ((0, 1, 0), (None, 6, 4), (None, 3), None),
        ((0, 1), (None, 6), (None, 3), None),
        ((0, 1, 1, 1, 1, 0), (2, 6, 6, 6, 6, 4), (2, 3, 3, 3, 3, 4), None),
        ((0, 1, 0), (None, None, 4), (None, 3, 4), None),
        ((0, 1, 0), (None, 6, 4), (None, None, 4), None),
        ((0, 1, 0), None, (None, 3, 4), None),
        ((0, 1, 0), (None, 6, 4), None, None),
        (1, (None, 6, 4), (None, 3, 4), None),
    ],
)
def test_a_slice_that_crops(begin: Any, before: Shape, after: Shape, cropping: Any) -> None:
    steps = tuple(1 for _ in begin) if isinstance(begin, tuple) else 1
    # What it takes last would be the ends: of these only the shapes are looked at.
    taken = entry(before), constant(begin, "int32"), constant((), "int32"), constant(steps, "int32")
    (layer,) = layers(*taken, op("StridedSlice", 0, 1, 2, 3, shape=after))
    assert layer.config.get("cropping") == cropping
    dimensions = len(cropping) if cropping and isinstance(cropping[0], tuple) else 1
    wanted = f"Cropping{dimensions}D" if cropping else "StridedSlice"
    assert layer.type == wanted
    assert layer.config.get("data_format") == ("channels_last" if cropping else None)


@pytest.mark.parametrize("steps", [(1, 2, 1), (1, -1, 1), None])
def test_a_slice_with_steps_does_not_crop(steps: Any) -> None:
    taken = entry((None, 6, 4)), constant((0, 0, 0), "int32"), constant((), "int32")
    (layer,) = layers(
        *taken, constant(steps, "int32"), op("StridedSlice", 0, 1, 2, 3, shape=(None, 3, 4))
    )
    assert layer.type == "StridedSlice"


def test_a_slice_outside_of_a_layer_is_an_operation() -> None:
    sliced = op("StridedSlice", 0, 1, shape=(None, 3, 4), scope="")
    again = op("Relu", 2, shape=(None, 3, 4))
    assert types(entry(), constant((0, 1, 0), "int32"), sliced, again) == ["strided_slice", "ReLU"]


@pytest.mark.parametrize(
    ("before", "after", "scale"),
    [
        ((None, 6, 4, 3), (None, 12, 12, 3), (2, 3)),
        ((None, 6, 4, 3), (None, 12, 13, 3), None),
        ((None, 6, 4, 3), (None, None, 12, 3), None),
        ((None, None, 4, 3), (None, 12, 12, 3), None),
        ((None, 0, 4, 3), (None, 0, 4, 3), None),
        ((None, 6, 3), (None, 12, 12, 3), None),
        (None, (None, 12, 3), None),
        ((None, 6, 3), None, None),
    ],
)
def test_how_much_larger_space_has_become(before: Shape, after: Shape, scale: Any) -> None:
    assert scale_of(before, after) == scale


@pytest.mark.parametrize(
    ("type_", "number", "wanted"),
    [
        ("RealDiv", 2.0, ["Average"]),
        ("RealDiv", 3.0, ["Add+RealDiv"]),
        ("RealDiv", 0.5, ["Add+RealDiv"]),
        ("Mul", 0.5, ["Average"]),
        ("Mul", 1.0, ["Add+Mul"]),
        ("Mul", 2.0, ["Add+Mul"]),
    ],
)
def test_an_average_divides_by_how_many_there_are(
    type_: str, number: float, wanted: list[str]
) -> None:
    two = entry(), entry(name="y"), constant(number)
    assert types(*two, op("AddV2", 0, 1), op(type_, 3, 2)) == wanted
    split = op("AddV2", 0, 1, scope="one"), op(type_, 3, 2, scope="two")
    assert types(*two, *split) == ["Add", {"RealDiv": "divide", "Mul": "multiply"}[type_]]


def test_a_chain_of_sums_in_a_scope_is_one_layer_and_one_of_differences_is_none() -> None:
    four = [entry(name=name) for name in "xyzw"]
    assert types(*four, op("AddV2", 0, 1), op("AddV2", 4, 2), op("AddV2", 5, 3)) == ["Add"]
    pairs = op("AddV2", 0, 1), op("AddV2", 2, 3), op("AddV2", 4, 5)
    assert types(*four, *pairs) == ["Add", "Add"]
    assert types(*four, op("Sub", 0, 1), op("Sub", 4, 2)) == ["Subtract", "Subtract"]
    scopes = [op("AddV2", 0, 1, scope="one"), op("AddV2", 4, 2, scope="one/two")]
    assert types(*four, *scopes) == ["Add", "Add"]


def test_three_are_averaged_by_a_third() -> None:
    three = entry(), entry(name="y"), entry(name="z"), constant(1 / 3)
    added = op("AddV2", 0, 1), op("AddV2", 4, 2)
    assert types(*three, *added, op("Mul", 5, 3)) == ["Average"]


def test_a_scale_of_each_channel_in_a_scope_of_its_own_is_a_layer() -> None:
    scaled = layers(entry(), variable(4), op("Mul", 0, 1))
    assert [(layer.type, layer.parameters, layer.builtin) for layer in scaled] == [
        ("LayerScale", 4, True)
    ]
    for size, scope in ((6, "layer"), (1, "layer"), (4, "")):
        after = op("Relu", 2, scope="other")
        first = layers(entry(), variable(size), op("Mul", 0, 1, scope=scope), after)[0]
        assert (first.type, first.parameters, first.builtin) == ("Mul", size, False)


def test_casts_between_floats_are_none_and_a_layer_begins_with_others() -> None:
    cast = op("Cast", 0, dtypes=("float16",))
    assert types(entry(), cast, op("Relu", 1)) == ["ReLU"]
    assert types(entry(), op("Cast", 0, dtypes=("int32",)), op("Abs", 1)) == ["abs"]
    whole = entry(dtype="uint8")
    assert types(whole, op("Cast", 0), op("Relu", 1)) == ["ReLU"]
    apart = op("Cast", 0, scope="one"), op("Relu", 1, scope="two")
    assert types(whole, *apart) == ["cast", "ReLU"]


@pytest.mark.parametrize(
    ("axes", "shape", "layer"),
    [
        ((1,), LINE, "GlobalMaxPooling1D"),
        (1, LINE, "GlobalMaxPooling1D"),
        ((2,), LINE, "GlobalMaxPooling1D"),
        ((-2,), LINE, "GlobalMaxPooling1D"),
        ((1, 2), LINE, "max"),
        ((0,), LINE, "max"),
        ((1,), (None, 4), "max"),
        ((1, 2), (None, 6, 8, 4), "GlobalMaxPooling2D"),
        ((3, 2), (None, 4, 6, 8), "GlobalMaxPooling2D"),
        ((1, 3), (None, 6, 8, 4), "max"),
        ((1, 2, 3), (None, 5, 6, 7, 4), "GlobalMaxPooling3D"),
        ((1, 2, 3, 4), (None, 5, 6, 7, 8, 4), "max"),
        ((1,), None, "max"),
    ],
)
def test_the_largest_over_all_of_space(axes: Any, shape: Shape, layer: str) -> None:
    (found,) = layers(entry(shape), constant(axes, "int32"), op("Max", 0, 1))
    assert (found.operation or found.type) == layer
    first = {"GlobalMaxPooling1D": ((2,),), "GlobalMaxPooling2D": ((3, 2),)}.get(layer, ())
    if layer != "max":
        wanted = "channels_first" if axes in first else "channels_last"
        assert (found.config["data_format"], found.config["keepdims"]) == (wanted, False)


@pytest.mark.parametrize(
    ("pads", "padding"),
    [
        (((0, 0), (1, 2), (0, 0)), (1, 2)),
        (((0, 0), (0, 0), (1, 2)), (1, 2)),
        (((0, 0), (0, 0), (0, 0)), (0, 0)),
        (((0, 0), (1, 2), (0, 1)), None),
        (((1, 0), (1, 2), (0, 0)), None),
        (((0, 0), (1, 2)), None),
        (((0, 0), (1, 2), (3, 4), (0, 0)), ((1, 2), (3, 4))),
        (((0, 0), (1, 2), (3, 4), (5, 6), (0, 0)), ((1, 2), (3, 4), (5, 6))),
        (((0, 0), (0, 0), (3, 4), (5, 6), (7, 8)), ((3, 4), (5, 6), (7, 8))),
        (((0, 0), (1, 2), (3, 4), (5, 6), (7, 8), (0, 0)), None),
        ((), None),
    ],
)
def test_zeros_around_space(pads: Any, padding: Any) -> None:
    (layer,) = layers(entry(), constant(pads, "int32"), op("Pad", 0, 1))
    assert layer.config.get("padding") == padding
    if padding is None:
        assert layer.operation == "pad"
    else:
        assert layer.type == f"ZeroPadding{len(pads) - 2}D"
        wanted = "channels_first" if any(pads[-1]) else "channels_last"
        assert layer.config["data_format"] == wanted


@pytest.mark.parametrize(("value", "layer"), [(0, "ZeroPadding1D"), (0.5, "pad_v2"), (1, "pad_v2")])
def test_only_zeros_around_space(value: float, layer: str) -> None:
    pads = constant(((0, 0), (1, 2), (0, 0)), "int32")
    assert types(entry(), pads, constant(value), op("PadV2", 0, 1, 2)) == [layer]


def kernel(*sizes: int) -> Op:
    """A variable of these sizes; of four axes with a window, as convolutions have."""
    attributes = {"shape": sizes}
    return Op("v", "VarHandleOp", shapes=(sizes,), attributes=attributes, variable="v")


WINDOW = {"strides": (1, 1, 2, 1), "dilations": (1, 1, 1, 1), "padding": "VALID"}
FIRST = {"strides": (1, 1, 1, 2), "dilations": (1, 1, 1, 1), "data_format": "NCHW"}
ONCE = {"strides": (1, 1, 1, 1), "dilations": (1, 1, 1, 1), "padding": "VALID"}
IMAGE = (None, 1, 6, 4)


@pytest.mark.parametrize(
    ("expanded", "squeezed", "sizes", "attributes", "strides"),
    [
        (1, (1,), (1, 3), WINDOW, (2,)),
        (-3, (1,), (1, 3), WINDOW, (2,)),
        (2, (2,), (3, 1), WINDOW, (1,)),
        (2, (-2,), (1, 3), FIRST, (2,)),
        (3, (3,), (3, 1), FIRST, (1,)),
        # The window is larger than 1 over the axis, or another axis is squeezed.
        (1, (1,), (2, 3), WINDOW, None),
        (2, (2,), (1, 3), WINDOW, None),
        (1, (2,), (1, 3), WINDOW, None),
        (1, (1, 2), (1, 3), WINDOW, None),
        (1, (), (1, 3), WINDOW, None),
        # The axis is that of the channels, or the batch, or not told.
        (3, (3,), (1, 3), WINDOW, None),
        (1, (1,), (1, 3), FIRST, None),
        (0, (0,), (1, 3), WINDOW, None),
        (None, (1,), (1, 3), WINDOW, None),
    ],
)
def test_a_window_over_an_axis_of_one_place(
    expanded: Any, squeezed: Any, sizes: Any, attributes: Any, strides: Any
) -> None:
    found = layers(
        entry(),
        constant(expanded, "int32"),
        op("ExpandDims", 0, 1, shape=IMAGE),
        kernel(*sizes, 4, 5),
        op("Conv2D", 2, 3, shape=IMAGE, attributes=attributes),
        op("Squeeze", 4, attributes={"squeeze_dims": squeezed}),
    )
    if strides is None:
        assert [layer.type for layer in found] == ["ExpandDims", "Conv2D", "Squeeze"]
        assert found[1].config["kernel_size"] == sizes
    else:
        (layer,) = found
        settings = [layer.config[name] for name in ("kernel_size", "strides", "dilation_rate")]
        assert (layer.type, settings) == ("Conv1D", [(3,), strides, (1,)])


@pytest.mark.parametrize(
    ("there", "back", "scope", "turned"),
    [
        ((0, 2, 3, 1), (0, 3, 1, 2), "layer", True),
        ((0, 3, 2, 1), (0, 3, 2, 1), "layer", False),
        ((0, 2, 3, 1), (0, 2, 3, 1), "layer", False),
        ((0, 3, 1, 2), (0, 3, 1, 2), "layer", False),
        ((0, 2, 3, 1), (0, 3, 1, 2), "", False),
    ],
)
def test_a_window_between_two_turns(there: Any, back: Any, scope: str, turned: bool) -> None:
    found = layers(
        entry(IMAGE),
        constant(there, "int32"),
        op("Transpose", 0, 1, shape=IMAGE, scope=scope),
        op("MaxPool", 2, shape=IMAGE, scope=scope, attributes={"ksize": (1, 2, 3, 1)}),
        constant(back, "int32"),
        op("Transpose", 3, 4, shape=IMAGE, scope=scope),
    )
    pool = next(layer for layer in found if layer.type == "MaxPooling2D")
    assert len(found) == (1 if turned else 3)
    assert pool.config["data_format"] == ("channels_first" if turned else "channels_last")
    assert pool.config["pool_size"] == (2, 3)


@pytest.mark.parametrize(
    ("blocks", "made", "attributes", "dilation", "padding"),
    [
        ((2,), (None, 8, 6, 4), ONCE, (2, 1), "valid"),
        ((2, 1), (None, 8, 6, 4), ONCE, (2, 1), "valid"),
        ((2, 3), (None, 8, 3, 4), ONCE, (2, 3), "valid"),
        ((2, 3), (None, 12, 6, 4), ONCE, (2, 3), "same"),
        ((2, 3), (None, 10, 6, 4), ONCE, (2, 3), None),
        ((2, 3), (None, None, 6, 4), ONCE, (2, 3), None),
        # Over the channels, by strides, by an operation that pads, or by an unknown number.
        ((1, 1, 2), (None, 8, 6, 4), ONCE, None, "valid"),
        ((2, 1), (None, 8, 6, 4), WINDOW, None, "valid"),
        ((2, 1), (None, 8, 6, 4), {**ONCE, "padding": "SAME"}, None, "same"),
        (None, (None, 8, 6, 4), ONCE, None, "valid"),
    ],
)
def test_a_window_with_holes(
    blocks: Any, made: Shape, attributes: Any, dilation: Any, padding: Any
) -> None:
    found = layers(
        entry((None, 12, 6, 4)),
        constant(blocks, "int32"),
        op("SpaceToBatchND", 0, 1, shape=(None, 6, 6, 4)),
        kernel(3, 2, 4, 4) if blocks == (2, 3) else kernel(3, 1, 4, 4),
        op("Conv2D", 2, 3, shape=(None, 6, 6, 4), attributes=attributes),
        op("BatchToSpaceND", 4, 1, shape=made),
    )
    layer = next(layer for layer in found if layer.type == "Conv2D")
    assert len(found) == (1 if dilation else 3)
    assert layer.config["dilation_rate"] == (dilation or (1, 1))
    assert layer.config["padding"] == padding


@pytest.mark.parametrize(
    ("pads", "value", "causal"),
    [
        (((0, 0), (2, 0), (0, 0)), None, True),
        (((0, 0), (2, 0), (0, 0)), 0.0, True),
        (((0, 0), (2, 0), (0, 0)), 1.0, False),
        (((0, 0), (1, 0), (0, 0)), None, False),
        (((0, 0), (0, 2), (0, 0)), None, False),
        (((0, 0), (2, 0), (1, 0)), None, False),
        (((1, 0), (2, 0), (0, 0)), None, False),
    ],
)
def test_a_window_that_reaches_back(pads: Any, value: float | None, causal: bool) -> None:
    pad = [op("Pad", 0, 1)] if value is None else [constant(value), op("PadV2", 0, 1, 2)]
    place = 2 + len(pad)
    found = layers(
        entry(),
        constant(pads, "int32"),
        *pad,
        constant(1, "int32"),
        op("ExpandDims", place - 1, place, shape=IMAGE),
        kernel(1, 3, 4, 5),
        op("Conv2D", place + 1, place + 2, shape=IMAGE, attributes=WINDOW),
        op("Squeeze", place + 3, attributes={"squeeze_dims": (1,)}),
    )
    assert found[-1].type == "Conv1D"
    assert found[-1].config["padding"] == ("causal" if causal else "valid")
    assert len(found) == (1 if causal else 2)


@pytest.mark.parametrize(
    ("name", "scope"),
    [
        ("net/conv1d_transpose/conv1d_transpose/ExpandDims", "net/conv1d_transpose"),
        ("net/conv1d_transpose/conv1d_transpose", "net/conv1d_transpose"),
        ("net/conv1d_transpose/BiasAdd", "net/conv1d_transpose"),
        ("net/up/conv_transpose/Squeeze", "net/up"),
        ("net/up/conv_transpose_1/Squeeze", "net/up"),
        ("net/conv_transpose/Relu", "net/conv_transpose"),
        ("net/up/atrous_conv2d_transpose/SpaceToBatchND", "net/up"),
        ("net/separable_conv2d/separable_conv2d/depthwise", "net/separable_conv2d"),
        ("net/separable_conv2d/separable_conv2d/SpaceToBatchND", "net/separable_conv2d"),
        ("net/separable_conv2d/BiasAdd", "net/separable_conv2d"),
        ("net/conv/Conv1D/PartitionedCall/ExpandDims", "net/conv"),
        ("Squeeze", ""),
    ],
)
def test_the_scope_of_a_layer(name: str, scope: str) -> None:
    assert Op(name, "Any").scope == scope


@pytest.mark.parametrize(
    ("least", "sizes", "begin", "name"),
    [
        (0, (9, 4), (0,), "Embedding"),
        (1, (9, 4), (0,), "own"),
        (0, (8, 4), (0,), "own"),
        (0, (4, 9), (1,), "own"),
        (0, None, (0,), "own"),
    ],
)
def test_a_table_of_which_indices_count_from_the_end(
    least: int, sizes: Any, begin: Any, name: str
) -> None:
    (layer,) = layers(
        entry((None, 6), "int32"),
        kernel(9, 4),
        constant(least, "int32"),
        op("Less", 0, 2, shape=(None, 6)),
        constant(sizes, "int32"),
        constant(begin, "int32"),
        constant((begin[0] + 1,), "int32"),
        Op("size", "StridedSlice", ((4, 0), (5, 0), (6, 0)), ((),), dtypes=("int32",)),
        op("AddV2", 0, 7, shape=(None, 6)),
        op("SelectV2", 3, 8, 0, shape=(None, 6)),
        op("GatherV2", 1, 9),
    )
    assert (layer.type == "Embedding") == (name == "Embedding")
    assert layer.builtin == (name == "Embedding")
    assert layer.parameters == 9 * 4


def repeated(axis: int, parts: int, order: list[int], joined: int | None = None) -> list[Op]:
    """Data of shape (batch, 2, 3, 4) that is split along an axis, and parts of it joined."""
    shape = [None, 2, 3, 4]
    size = shape[axis] or 0
    part = tuple(size // parts if place == axis else n for place, n in enumerate(shape))
    made = tuple(size // parts * len(order) if n == axis else s for n, s in enumerate(shape))
    return [
        entry(tuple(shape)),
        constant(axis, "int32"),
        Op("model/layer/split", "Split", ((1, 0), (0, 0)), (part,) * parts, ("float32",) * parts),
        constant(axis if joined is None else joined, "int32"),
        Op("model/layer/c", "ConcatV2", (*((2, n) for n in order), (3, 0)), (made,)),
    ]


@pytest.mark.parametrize(
    ("axis", "parts", "order", "joined"),
    [
        (1, 2, [0, 0, 1, 1], None),
        (1, 2, [0, 1, 0, 1], None),
        (1, 2, [0, 0, 1], None),
        (1, 1, [0, 0], None),
        (1, 2, [0, 0, 1, 1], 2),
    ],
)
def test_parts_joined_once_more(
    axis: int, parts: int, order: list[int], joined: int | None
) -> None:
    ops = repeated(axis, parts, order, joined)
    shape = ops[-1].shapes[0] or ()
    made = (*shape[:2], shape[2] * 2, 4)  # type: ignore[operator]
    columns = [
        constant(2, "int32"),
        Op("model/layer/split_1", "Split", ((5, 0), (4, 0)), ((*shape[:2], 1, 4),) * 3),
        Op("model/layer/d", "ConcatV2", (*((6, n // 2) for n in range(6)), (5, 0)), (made,)),
    ]
    (layer,) = layers(*ops, *columns)
    if (order, joined) == ([0, 0, 1, 1], None):
        assert layer.type == "UpSampling2D"
        assert layer.config["size"] == (2, 2)
        assert layer.config["data_format"] == "channels_last"
    else:
        assert not layer.builtin


@pytest.mark.parametrize(
    ("place", "numbers", "after", "size"),
    [
        (2, (1, 1, 3, 1), (None, 18, 4), (3,)),
        (-2, (1, 1, 3, 1), (None, None, None), (3,)),
        (2, (1, 1, 3, 1), (None, 6, 12), None),
        (2, (1, 1, 3, 2), (None, 18, 8), None),
        (2, (2, 1, 3, 1), (None, 18, 4), None),
        (1, (1, 3, 1, 1), (None, 6, 4), None),
        (3, (1, 1, 1, 3), (None, 6, 12), None),
        (2, (1, 1, 3, 1), (None, 72), None),
        (2, (1, 3, 1), (None, 18, 4), None),
        (0, (3, 1, 1, 1), (None, 6, 4), None),
    ],
)
@pytest.mark.parametrize("packed", [False, True])
def test_a_line_tiled(place: int, numbers: Any, after: Shape, size: Any, packed: bool) -> None:
    count = len(numbers)
    each = [constant(number, "int32") for number in numbers]
    whole = [pack(*range(2, 2 + count))] if packed else [constant(numbers, "int32")]
    at = 2 + count
    tall = (None, 6, 1, 4)
    found = layers(
        entry(),
        constant(place, "int32"),
        *each,
        *whole,
        op("ExpandDims", 0, 1, shape=tall),
        op("Tile", at + 1, at, shape=(None, 6, 3, 4)),
        constant((), "int32"),
        op("Reshape", at + 2, at + 3, shape=after),
    )
    assert [layer.type == "UpSampling1D" for layer in found] == [size is not None]
    assert found[0].config.get("size") == size


@pytest.mark.parametrize(
    ("kind", "attributes", "shape", "joins"),
    [
        ("BiasAdd", {}, (5,), True),
        ("BiasAdd", {"data_format": "NCHW"}, (5,), False),
        ("AddV2", {}, (5,), True),
        ("AddV2", {}, (1, 1, 5), True),
        ("AddV2", {}, (1,), True),
        ("AddV2", {}, (5, 1), False),
        ("AddV2", {}, (5, 5), False),
        ("AddV2", {}, (4,), False),
    ],
)
@pytest.mark.parametrize("depthwise", [False, True])
def test_what_is_added_for_each_channel_is_a_bias(
    kind: str, attributes: Any, shape: Any, joins: bool, depthwise: bool
) -> None:
    for first in (False, True):
        # The channels first: five of them stand where the others have one of five rows.
        data_format = {"data_format": "NCHW" if first else "NHWC"}
        bias = {"shape": shape}
        found = layers(
            entry((None, 5, 5, 5)),
            kernel(1, 1, 5, 1) if depthwise else kernel(1, 1, 5, 5),
            op(
                "DepthwiseConv2dNative" if depthwise else "Conv2D",
                0,
                1,
                shape=(None, 5, 5, 5),
                attributes={**ONCE, **data_format},
            ),
            Op("b", "VarHandleOp", shapes=(shape,), attributes=bias, variable="b"),
            op(kind, 2, 3, shape=(None, 5, 5, 5), attributes=attributes),
        )
        wanted = joins if not first or shape == (1,) else attributes != {}
        assert [layer.config.get("use_bias") for layer in found][:1] == [wanted]
        assert len(found) == (1 if wanted else 2)


@pytest.mark.parametrize(
    ("value", "held", "type_", "weights"),
    [
        ((1.0, 1.0, 1.0, 1.0), "c", "LayerScale", 4),
        ((1.0, 1.0, 1.0, 1.0), None, "multiply", 0),
        ((1.0,), "c", "multiply", 0),
        (1.0, "c", "multiply", 0),
    ],
)
def test_a_constant_that_a_function_captured_is_a_weight_unless_it_is_one_number(
    value: Any, held: str | None, type_: str, weights: int
) -> None:
    captured = replace(constant(value), variable=held)
    (found,) = layers(entry(), captured, op("Mul", 0, 1))
    assert (found.operation or found.type, found.parameters) == (type_, weights)


def test_what_is_captured_otherwise_is_a_weight_of_one_number_too() -> None:
    held = replace(entry((), name="v"), variable="v")
    (found,) = layers(entry(), held, op("Mul", 0, 1))
    assert found.parameters == 1


@pytest.mark.parametrize(
    ("division", "bound", "type_"),
    [
        ("Div", "Maximum", "Normalization"),
        ("RealDiv", "Maximum", "Normalization"),
        ("DivNoNan", "Maximum", "BatchNormalization"),
        ("RealDiv", "AddV2", "BatchNormalization"),
    ],
)
def test_only_a_deviation_that_is_bounded_from_below_is_that_of_a_normalization(
    division: str, bound: str, type_: str
) -> None:
    (found,) = layers(
        entry(),
        variable(4, "mean"),
        op("Sub", 0, 1),
        variable(4, "variance"),
        op("Sqrt", 3, shape=(4,)),
        constant(0.25),
        op(bound, 4, 5, shape=(4,)),
        op(division, 2, 6),
    )
    assert (found.type, found.parameters) == (type_, 8)
    assert found.config["epsilon"] == (0.25 if type_ == "Normalization" else None)


@pytest.mark.parametrize(
    ("window", "strides", "depth", "bias", "name", "scope", "joins"),
    [
        ((1, 1), (1, 1), 4, False, "separable_conv2d", "layer", True),
        ((1, 1), (2, 2), 4, False, "separable_conv2d", "layer", False),
        ((1, 2), (1, 1), 4, False, "separable_conv2d", "layer", False),
        ((1, 1), (1, 1), 2, False, "separable_conv2d", "layer", False),
        ((1, 1), (1, 1), 4, True, "separable_conv2d", "layer", False),
        ((1, 1), (1, 1), 4, False, "another", "layer", False),
        ((1, 1), (1, 1), 4, False, "separable_conv2d", "", False),
    ],
)
def test_two_kernels_that_are_one_layer(
    window: Any, strides: Any, depth: int, bias: bool, name: str, scope: str, joins: bool
) -> None:
    prefix = f"{scope}/" if scope else ""
    places = {"shapes": (IMAGE,), "attributes": ONCE}
    once_more = {**ONCE, "strides": (1, *strides, 1)}
    first = Op(f"{prefix}separable_conv2d/depthwise", "DepthwiseConv2dNative", ((0, 0), (1, 0)))
    added = Op("b", "VarHandleOp", shapes=((4,),), attributes={"shape": (4,)}, variable="b")
    biases = [added, Op(f"{prefix}BiasAdd", "BiasAdd", ((2, 0), (3, 0)), (IMAGE,))]
    last = 3 + 2 * bias
    found = layers(
        entry(IMAGE),
        kernel(3, 3, 4, 1),
        Op(first.name, first.type, first.inputs, **places),  # type: ignore[arg-type]
        *(biases if bias else []),
        Op(
            "w",
            "VarHandleOp",
            shapes=((*window, depth, 5),),
            attributes={"shape": ()},
            variable="w",
        ),
        Op(f"{prefix}{name}", "Conv2D", ((last - 1, 0), (last, 0)), (IMAGE,), attributes=once_more),
    )
    assert ([layer.type for layer in found] == ["SeparableConv2D"]) == joins
    assert len(found) == (1 if joins else 2)


def test_a_window_over_volumes_between_two_shapings_stays() -> None:
    volume = (None, 1, 6, 4, 4)
    found = types(
        entry((None, 6, 4, 4)),
        constant(1, "int32"),
        op("ExpandDims", 0, 1, shape=volume),
        op("MaxPool3D", 2, shape=volume, attributes={"ksize": (1, 1, 2, 2, 1)}),
        op("Squeeze", 3, shape=(None, 6, 4, 4), attributes={"squeeze_dims": (1,)}),
    )
    assert found == ["ExpandDims+MaxPooling3D+Squeeze"]


@pytest.mark.parametrize("padding", ["VALID", "SAME"])
@pytest.mark.parametrize("scope", ["layer", ""])
def test_zeros_in_front_of_a_window_that_pads_itself(padding: str, scope: str) -> None:
    found = layers(
        entry(),
        constant(((0, 0), (2, 0), (0, 0)), "int32"),
        op("Pad", 0, 1, scope=scope),
        constant(1, "int32"),
        op("ExpandDims", 2, 3, shape=IMAGE, scope=scope),
        kernel(1, 3, 4, 5),
        op("Conv2D", 4, 5, shape=IMAGE, attributes={**WINDOW, "padding": padding}, scope=scope),
        op("Squeeze", 6, attributes={"squeeze_dims": (1,)}, scope=scope),
    )
    causal = (padding, scope) == ("VALID", "layer")
    assert found[-1].config["padding"] == ("causal" if causal else padding.lower())
    assert len(found) == (1 if causal else 2)


@pytest.mark.parametrize("start", [3, 0])
def test_a_line_repeated_twice_is_not_repeated_once(start: int) -> None:
    """The second time what the first has made, or the line itself."""
    (layer, *more) = layers(
        entry((None, 2, 4)),
        constant(1, "int32"),
        Op("layer/split", "Split", ((1, 0), (0, 0)), ((None, 1, 4),) * 2, ("float32",) * 2),
        Op("layer/c", "ConcatV2", ((2, 0), (2, 0), (2, 1), (2, 1), (1, 0)), ((None, 4, 4),)),
        Op("layer/split_1", "Split", ((1, 0), (start, 0)), ((None, 1, 4),) * 2, ("float32",) * 2),
        Op("layer/d", "ConcatV2", ((4, 0), (4, 0), (4, 1), (4, 1), (1, 0)), ((None, 4, 4),)),
        op("AddV2", 3, 5, shape=(None, 4, 4), scope="after") if start == 0 else op("Relu", 5),
    )
    assert layer.type != "UpSampling1D"
    assert "UpSampling1D" not in {one.type for one in more}


def test_an_image_repeated_along_one_axis_and_beside_it_along_the_other() -> None:
    rows = repeated(1, 2, [0, 0, 1, 1])
    found = types(
        *rows,
        constant(2, "int32"),
        Op(
            "model/layer/split_1",
            "Split",
            ((5, 0), (0, 0)),
            ((None, 2, 1, 4),) * 3,
            ("float32",) * 3,
        ),
        Op("model/layer/d", "ConcatV2", (*((6, n // 2) for n in range(6)), (5, 0)), (IMAGE,)),
        op("AddV2", 4, 7, scope="after"),
    )
    assert "UpSampling2D" not in found


def test_a_table_of_which_other_indices_are_counted_from_the_end() -> None:
    found = layers(
        entry((None, 6), "int32"),
        entry((None, 6), "int32", name="y"),
        kernel(9, 4),
        constant(0, "int32"),
        op("Less", 1, 3, shape=(None, 6)),
        constant((9, 4), "int32"),
        constant((0,), "int32"),
        constant((1,), "int32"),
        Op("size", "StridedSlice", ((5, 0), (6, 0), (7, 0)), ((),), dtypes=("int32",)),
        op("AddV2", 0, 8, shape=(None, 6)),
        op("SelectV2", 4, 9, 0, shape=(None, 6)),
        op("GatherV2", 2, 10),
    )
    assert "Embedding" not in {layer.type for layer in found}


@pytest.mark.parametrize("times", [(1, 1), (2, 3), None])
def test_an_image_resized_by_a_product(times: Any) -> None:
    sizes = [constant((6, 6), "int32"), constant(times, "int32")]
    product = Op("product", "Mul", ((1, 0), (2, 0)), ((2,),), dtypes=("int32",))
    shape = (None, None, None, 4)
    (layer,) = layers(entry(shape), *sizes, product, op("ResizeBilinear", 0, 3, shape=shape))
    assert layer.type == ("UpSampling2D" if times else "Resizing")
    assert layer.config.get("size") == times


@pytest.mark.parametrize("slot", [None, 1, 2, 3, 4])
@pytest.mark.parametrize("first", ["data", "variable"])
def test_a_fused_normalization_by_numbers_that_are_computed_from_data_is_none(
    slot: int | None, first: str
) -> None:
    taken = [0 if first == "data" else 1, 2, 3, 4, 5]
    if slot is not None:
        taken[slot] = 0
    elif first == "variable":
        return  # nothing is computed from data
    found = layers(
        entry(IMAGE),
        kernel(*(size or 1 for size in IMAGE)),
        *(variable(4, name) for name in ("gamma", "beta", "mean", "variance")),
        op("FusedBatchNormV3", *taken, shape=IMAGE, attributes={"epsilon": 0.5}),
    )
    assert (found[-1].type == "BatchNormalization") == (slot is None)
