"""The shapes that operations return, against the functions themselves, called on arrays."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from pytest_layercount.model.graph import Shape, map_tree
from pytest_layercount.model.layers import operations
from pytest_layercount.model.layers.base import Tensor
from pytest_layercount.model.layers.functions import FUNCTIONS, MOST_PARTS
from pytest_layercount.model.layers.operations import operation_output, operation_outputs
from tests.conftest import needs_keras
from tests.kerases import generation, is_keras_3_3, load_keras, skip_in_keras_3_3

pytestmark = needs_keras


class T:
    """A tensor among the arguments."""

    def __init__(self, *shape: int, dtype: str = "float32") -> None:
        self.shape, self.dtype = shape, dtype

    def __repr__(self) -> str:
        return f"{self.dtype}{list(self.shape)}"


X, LINE, VOLUME = T(2, 8, 6, 3), T(2, 6, 3), T(2, 6, 5, 4, 3)
FIRST = T(2, 3, 8, 6)
TRUTH, WORDS = T(2, 8, 6, 3, dtype="bool"), T(2, 4, dtype="int32")
PLACES = ("ops", "ops.image", "tf", "tf.math", "tf.nn", "tf.image", "tf.linalg", "tf.compat.v1")


def function(path: str) -> Any:
    """What a dotted path names, None where this TensorFlow or Keras has no such function."""
    import tensorflow as tf

    library, *names = path.split(".")
    found = {"tf": tf, "ops": getattr(load_keras(), "ops", None)}[library]
    for name in names:
        found = getattr(found, name, None)
    return found


def home(name: str) -> str:
    """Where a function is to be had; of some, Keras's takes other arguments."""
    places = PLACES[2:] if name in ("count_nonzero", "identity", "norm") else PLACES
    path = next((path for place in places if function(path := f"{place}.{name}")), "")
    if not path and (generation(load_keras()) == 2 or is_keras_3_3()):
        pytest.skip("this Keras has no such operation")
    return path


def check(path: str, *args: Any, **kwargs: Any) -> None:
    """Hold what is said of a call to what the function itself returns."""
    import tensorflow as tf

    def made(leaf: Any) -> Any:
        return tf.ones(leaf.shape, leaf.dtype) if isinstance(leaf, T) else leaf

    def known(leaf: Any) -> Any:
        return Tensor(leaf.shape) if isinstance(leaf, T) else leaf

    there, by_name = map_tree((args, kwargs), made)
    returned = function(path)(*there, **by_name)
    parts = returned if isinstance(returned, (list, tuple)) else [returned]
    found = operation_outputs(path.rpartition(".")[2], *map_tree((args, kwargs), known))
    assert found == [tuple(part.shape) for part in parts], (path, args, kwargs)


# What elementwise functions take beside the tensor.
MORE: dict[str, tuple[Any, ...]] = {
    "adjust_brightness": (0.1,),
    "adjust_contrast": (0.5,),
    "adjust_gamma": (0.5,),
    "adjust_hue": (0.1,),
    "adjust_saturation": (0.5,),
    "band_part": (-1, 0),
    "batch_normalization": (T(3), T(3), T(3), T(3), 0.1),
    "bias_add": (T(3),),
    "cast": ("float16",),
    "clip": (0.0, 1.0),
    "clip_by_norm": (1.0,),
    "clip_by_value": (0.0, 1.0),
    "cumprod": (1,),
    "cumsum": (1,),
    "dropout": (0.5,),
    "reverse": ([1],),
    "roll": (1, 1),
}


@pytest.mark.parametrize("name", sorted(operations._SAME))
def test_of_the_shape_of_what_is_taken(name: str) -> None:
    path = home(name)
    if path == "tf.linalg.normalize":
        pytest.skip("that of TensorFlow returns the norm as well")
    more = (T(3), T(3), -1) if path == "ops.batch_normalization" else MORE.get(name, ())
    check(path, TRUTH if name == "logical_not" else X, *more)


@pytest.mark.parametrize("name", sorted(operations._BROADCAST))
def test_of_two_tensors_of_other_shapes(name: str) -> None:
    path = home(name)
    dtype = "bool" if name.startswith("logical") else "float32"
    pair = (T(2, 8, 1, 3, dtype=dtype), T(6, 1, dtype=dtype))
    check(path, *((TRUTH, *pair) if name == "where" else pair))
    check(path, *((TRUTH,) if name == "where" else ()), pair[0], np.ones((6, 1), dtype))


@pytest.mark.parametrize("name", sorted(operations._REDUCTIONS))
def test_of_what_axes_are_reduced_to(name: str) -> None:
    path = home(name)
    taken = TRUTH if name in ("reduce_all", "reduce_any") else X
    axes = "axes" if name == "moments" else "axis"
    for axis in ((1, 2), (-1,)) if name == "moments" else ((1, 2), -1, None):
        check(path, taken, **{axes: axis})
        check(path, taken, **{axes: axis, "keepdims": True})


@dataclass(frozen=True)
class Path:
    """A function by where it is found; calling it only notes how it is called."""

    path: str

    def __getattr__(self, name: str) -> Path:
        return Path(f"{self.path}.{name}")

    def __call__(self, *args: Any, **kwargs: Any) -> tuple[str, Any, Any]:
        return self.path, args, kwargs


tf, v1, ops = Path("tf"), Path("tf.compat.v1"), Path("ops")
KERNEL = {1: T(3, 3, 4), 2: T(3, 2, 3, 4), 3: T(3, 2, 2, 3, 4)}
SPACE = {1: LINE, 2: X, 3: VOLUME}
STEP: dict[int, Any] = {1: 1, 2: [1] * 4, 3: [1] * 5}
STRIDES: dict[int, Any] = {1: 2, 2: [1, 2, 2, 1], 3: [1, 2, 2, 2, 1]}
CORNER = {"offset_height": 1, "offset_width": 1}
TALL = {"target_height": 15, "target_width": 14}
SMALL = {"target_height": 5, "target_width": 4}
AMOUNTS = [[0, 0], [1, 2], [3, 1], [0, 0]]
MATRIX = np.ones((3, 7), "float32")
PICKED = T(2, 5, dtype="int32")
DEEP = T(3, 2, 3, 2)

PICTURES = [
    tf.image.resize(X, (5, 4)),
    tf.image.resize(X, size=[5, 4]),
    v1.image.resize_area(X, (5, 4)),
    v1.image.resize_bicubic(X, (5, 4)),
    v1.image.resize_bilinear(X, (5, 4)),
    v1.image.resize_images(X, (5, 4)),
    v1.image.resize_nearest_neighbor(X, (5, 4)),
    ops.image.resize(X, (5, 4)),
    ops.image.resize(FIRST, (5, 4), data_format="channels_first"),
    tf.image.resize_with_pad(X, **SMALL),
    tf.image.resize_with_crop_or_pad(X, **SMALL),
    v1.image.resize_image_with_crop_or_pad(X, **TALL),
    tf.image.crop_to_bounding_box(X, **CORNER, **SMALL),
    tf.image.pad_to_bounding_box(X, **CORNER, **TALL),
    *(tf.image.central_crop(X, fraction) for fraction in (0.3, 0.5, 0.7)),
    tf.image.central_crop(X, central_fraction=0.5),
    tf.image.grayscale_to_rgb(T(2, 8, 6, 1)),
    tf.image.rgb_to_grayscale(X),
    tf.nn.space_to_depth(X, 2),
    tf.nn.space_to_depth(T(2, 12, 6, 3), block_size=3, data_format="NHWC"),
    tf.nn.depth_to_space(T(2, 4, 5, 36), 2),
    tf.nn.depth_to_space(T(2, 4, 5, 36), block_size=3),
    ops.depth_to_space(T(2, 4, 5, 36), 2, data_format="channels_last"),
]
WINDOWS = [
    *(
        getattr(tf.nn, f"{kind}_pool{end}")(SPACE[n], 3, 2, padding=padding)
        for kind in ("avg", "max")
        for n in SPACE
        for end in ("", f"{n}d")
        for padding in ("SAME", "VALID")
    ),
    tf.nn.avg_pool2d(X, ksize=2, strides=1, padding="VALID"),
    tf.nn.max_pool2d(X, [1, 3, 2, 1], [1, 2, 1, 1], padding="SAME"),
    tf.nn.max_pool2d(X, [3, 2], [2, 1], padding="VALID"),
    ops.average_pool(X, 3),
    ops.average_pool(X, (3, 2), (2, 1), padding="same"),
    ops.max_pool(X, pool_size=2, strides=1, padding="valid"),
    *(
        getattr(tf.nn, f"conv{n}d")(SPACE[n], KERNEL[n], strides, padding=padding)
        for n in SPACE
        for strides in (STEP[n], STRIDES[n])
        for padding in ("SAME", "VALID")
    ),
    v1.nn.conv1d(LINE, filters=KERNEL[1], stride=2, padding="VALID"),
    v1.nn.conv2d(X, filter=KERNEL[2], strides=2, padding="VALID"),
    tf.nn.conv2d(X, filters=KERNEL[2], strides=2, padding="SAME", dilations=1),
    tf.nn.conv2d(X, KERNEL[2], 2, padding="SAME", data_format="NHWC", dilations=[1] * 4),
    tf.nn.conv2d(X, KERNEL[2], 1, padding="SAME", dilations=[1, 1]),
    tf.nn.depthwise_conv2d(X, DEEP, [1, 2, 2, 1], padding="SAME"),
    tf.nn.depthwise_conv2d(X, filter=DEEP, strides=[1] * 4, padding="VALID"),
    tf.nn.depthwise_conv2d(X, DEEP, [1] * 4, padding="SAME", dilations=[1, 1]),
    tf.nn.conv1d_transpose(LINE, T(3, 4, 3), (2, 12, 4), 2),
    tf.nn.conv2d_transpose(X, T(3, 3, 4, 3), [2, 16, 12, 4], 2),
    tf.nn.conv2d_transpose(X, T(3, 3, 4, 3), output_shape=[2, 16, 12, 4], strides=2),
    tf.nn.conv3d_transpose(VOLUME, T(2, 2, 2, 4, 3), [2, 12, 10, 8, 4], 2),
]
PICKS = [
    *(getattr(tf, name)(X, axis) for name in ("argmax", "argmin") for axis in (0, 1, -1)),
    tf.argmax(X),
    tf.argmax(X, axis=2),
    v1.argmin(X, dimension=2),
    *(ops.argmax(X, axis=axis, keepdims=keep) for axis in (1, -1, None) for keep in (True, False)),
    tf.gather(X, [0, 1]),
    tf.gather(X, T(4, 2, dtype="int32")),
    tf.gather(X, indices=[0, 2], axis=1),
    tf.gather(X, T(4, 2, dtype="int32"), None, -1),
    tf.gather(X, PICKED, batch_dims=1),
    tf.gather(X, PICKED, axis=2, batch_dims=1),
    ops.take(X, [0, 2], axis=1),
    ops.take(X, indices=PICKED, axis=1),
    tf.nn.embedding_lookup(T(9, 4), WORDS),
    tf.nn.embedding_lookup(params=T(9, 4), ids=WORDS),
    tf.one_hot(WORDS, 5),
    tf.one_hot(WORDS, depth=5, axis=1),
    ops.one_hot(WORDS, 5),
    ops.one_hot(WORDS, num_classes=5, axis=-1),
    tf.slice(X, [0, 1, 2, 0], [2, 3, -1, -1]),
    tf.slice(X, begin=[0, 1, 2, 0], size=[2, 3, 4, -1]),
    tf.math.top_k(X),
    tf.math.top_k(X, 2),
    ops.top_k(X, k=3),
]
ARRANGED = [
    tf.broadcast_to(T(1, 6, 3), [2, 6, 3]),
    tf.broadcast_to(T(1, 6, 3), shape=(2, 6, 3)),
    tf.ensure_shape(LINE, (2, 6, 3)),
    tf.linalg.matrix_transpose(X),
    tf.pad(X, AMOUNTS),
    tf.pad(X, paddings=AMOUNTS),
    ops.pad(X, pad_width=AMOUNTS),
    tf.rank(X),
    tf.shape(X),
    tf.size(X),
    tf.repeat(X, 2, 1),
    ops.repeat(X, repeats=3, axis=-1),
    tf.stack([LINE, LINE]),
    tf.stack(values=[LINE, LINE], axis=-1),
    ops.stack([LINE, LINE, LINE], 1),
    ops.stack(x=[LINE, LINE]),
    tf.tile(X, [1, 2, 3, 1]),
    tf.tile(X, multiples=[1, 2, 3, 1]),
    ops.tile(X, repeats=[1, 2, 3, 1]),
    tf.unstack(X),
    tf.unstack(X, None, 1),
    tf.unstack(X, num=6, axis=2),
    tf.split(X, 2),
    tf.split(X, num_or_size_splits=2, axis=1),
    tf.split(X, [1, -1, 4], 1),
    tf.split(X, [1, 2], -1),
    tf.concat([X, X], 1),
    tf.concat(values=[X, X], axis=2),
    tf.concat([LINE, np.ones((2, 6, 5), "float32")], -1),
    ops.concatenate([X, X]),
    ops.concatenate([X, T(2, 8, 6, 5)], axis=-1),
    tf.expand_dims(X, 1),
    ops.expand_dims(X, axis=-2),
    tf.squeeze(T(1, 8, 1, 3)),
    tf.squeeze(T(1, 8, 1, 3), [0, 2]),
    ops.squeeze(T(1, 8, 1, 3), axis=-2),
    tf.reshape(X, (2, 48, 3)),
    tf.reshape(X, shape=(-1, 6)),
    ops.reshape(X, newshape=[2, -1]),
    tf.transpose(X),
    tf.transpose(X, perm=(0, 2, 3, 1)),
    ops.transpose(X, [0, 3, 1, 2]),
    ops.transpose(X, axes=(0, 2, 3, 1)),
]
COMPUTED = [
    tf.nn.crelu(X),
    *(
        library.matmul(*pair)
        for library in (tf, ops)
        for pair in (
            (LINE, T(2, 3, 5)),
            (LINE, MATRIX),
            (T(4, 2), T(7, 2, 5)),
            (T(1, 2, 3), T(8, 3, 4)),
            (T(8, 2, 3), T(1, 3, 4)),
            (T(5, 1, 2, 3), T(8, 3, 4)),
        )
    ),
    tf.matmul(LINE, T(2, 5, 3), transpose_b=True),
    tf.matmul(a=LINE, b=T(2, 6, 5), transpose_a=True),
    ops.matmul(x1=LINE, x2=T(2, 3, 5)),
    tf.tensordot(X, T(3, 7), 1),
    tf.tensordot(X, T(6, 3, 7), axes=2),
    tf.tensordot(a=X, b=MATRIX, axes=[[-1], [0]]),
    ops.tensordot(X, T(3, 8, 7), [[1, 3], [1, 0]]),
    ops.tensordot(x1=X, x2=MATRIX, axes=1),
    tf.add_n([X, X]),
    tf.abs([LINE, LINE]),
    tf.cumsum(X, axis=2),
    tf.reduce_mean(X, [1, 2]),
    tf.reduce_sum(X, -1, True),
    tf.reduce_max([LINE, LINE], 0),
    v1.reduce_sum(X, axis=1, keep_dims=True),
]
CALLS = (*PICTURES, *WINDOWS, *PICKS, *ARRANGED, *COMPUTED)


@pytest.mark.parametrize("call", CALLS, ids=lambda call: f"{call[0]}-{call[1:]}"[:70])
def test_of_a_call(call: tuple[str, Any, Any]) -> None:
    path, args, kwargs = call
    if function(path) is None:
        pytest.skip("this Keras has no such operation")
    if path == "ops.argmax" and kwargs["keepdims"]:
        skip_in_keras_3_3("cannot keep the axis of an argmax")
    check(path, *args, **kwargs)


@pytest.mark.parametrize(
    "spec",
    [
        1,
        slice(None),
        slice(1, -1, 2),
        (slice(None), 2),
        (slice(None), slice(-3, None), None),
        (Ellipsis, slice(2)),
        (Ellipsis, None),
        (0, Ellipsis, None, 1),
        [slice(None), None, -1],
    ],
    ids=str,
)
def test_of_an_index(spec: Any) -> None:
    shape = np.empty(X.shape)[tuple(spec) if isinstance(spec, list) else spec].shape
    for args, kwargs in (((spec,), {}), ((), {"slice_spec": spec}), ((), {"key": spec})):
        assert operation_output("get_item", (Tensor(X.shape), *args), kwargs) == shape


def test_each_function_is_called() -> None:
    called = {path.rpartition(".")[2] for path, *_ in CALLS}
    assert {*FUNCTIONS, *operations._OTHERS} - called == {"fill", "get_item", "ones", "zeros"}


@pytest.mark.parametrize("name", ["fill", "ones", "zeros"])
@pytest.mark.parametrize("keyword", ["", "shape", "dims"])
def test_sizes_that_are_computed_are_not_known(name: str, keyword: str) -> None:
    for sizes, shape in ((Tensor((3,)), (None,) * 3), ([Tensor(()), 4], (None, 4))):
        args, kwargs = ((), {keyword: sizes}) if keyword else ((sizes,), {})
        assert operation_output(name, args, kwargs) == shape


UNKNOWN = Tensor(None)
BATCH = Tensor((None, 8, None, 3))


@pytest.mark.parametrize(
    ("name", "args", "kwargs", "shape"),
    [
        ("cumsum", (BATCH,), {"axis": None}, (None,)),
        ("cumprod", (BATCH,), {"axis": None}, (None,)),
        ("repeat", (BATCH, 2), {}, (None,)),
        ("repeat", (BATCH, Tensor((8,))), {"axis": 1}, (None, None, None, 3)),
        ("pad", (BATCH, Tensor((4, 2))), {}, (None,) * 4),
        ("pad", (BATCH, [[0, 0], [1, Tensor(())], [1, 1], [0, 1]]), {}, (None, None, None, 4)),
        ("tile", (BATCH, [2, 2, 2, Tensor(())]), {}, (None, 16, None, None)),
        ("reshape", (BATCH, Tensor((3,))), {}, (None,) * 3),
        ("reshape", (BATCH, Tensor((None,))), {}, None),
        ("reshape", (BATCH, UNKNOWN), {}, None),
        ("reshape", (BATCH, [Tensor(()), 24]), {}, (None, 24)),
        ("reshape", (BATCH, [-1, 24]), {}, (None, 24)),
        ("resize", (BATCH, Tensor((2,))), {}, (None, None, None, 3)),
        ("resize", (BATCH, [Tensor(()), 5]), {}, (None, None, 5, 3)),
        ("central_crop", (BATCH, 0.5), {}, (None, 4, None, 3)),
        ("one_hot", (BATCH, Tensor(())), {}, (None, 8, None, 3, None)),
        ("top_k", (BATCH, Tensor(())), {}, (None, 8, None, None)),
        ("gather", (BATCH, UNKNOWN), {}, None),
        ("embedding_lookup", (BATCH, UNKNOWN), {}, None),
        ("embedding_lookup", (UNKNOWN, BATCH), {}, None),
        ("matmul", (BATCH, UNKNOWN), {}, None),
        ("matmul", (BATCH, Tensor((3,))), {}, None),
        ("matmul", (Tensor((None, 2, 3)), Tensor((8, 3, 4))), {}, (8, 2, 4)),
        ("tensordot", (BATCH, UNKNOWN, 1), {}, None),
        ("concat", ([BATCH, BATCH], 2), {}, (None, 8, None, 3)),
        ("concat", ([BATCH, UNKNOWN], 1), {}, (None, None, None, 3)),
        ("concat", ([Tensor((None, None, 3)), Tensor((None, 5, 3))], 2), {}, (None, 5, 6)),
        ("concatenate", ([BATCH, Tensor((2, 8, 6, 3))],), {"axis": -1}, (2, 8, 6, 6)),
        ("slice", (BATCH, [0, 2, 1, 0], [-1, -1, -1, 2]), {}, (None, 6, None, 2)),
        ("slice", (BATCH, Tensor((4,)), [2, -1, 2, -1]), {}, (2, None, 2, None)),
        ("broadcast_to", (BATCH, Tensor((4,))), {}, (None,) * 4),
        ("ensure_shape", (BATCH, [-1, 8, 8, 3]), {}, (None, 8, 8, 3)),
        ("crelu", (Tensor((None, 4, None)),), {}, (None, 4, None)),
        ("space_to_depth", (BATCH, 2), {}, (None, 4, None, 12)),
        ("space_to_depth", (BATCH, 2), {"data_format": "NCHW"}, None),
        ("depth_to_space", (Tensor((None, 4, None, None)), 2), {}, (None, 8, None, None)),
        ("avg_pool2d", (BATCH, 2, 2), {}, (None, 4, None, 3)),
        ("avg_pool2d", (BATCH, 2, 2), {"data_format": "NCHW"}, None),
        ("avg_pool2d", (BATCH, 2, 2), {"padding": [[0, 0], [1, 1], [1, 1], [0, 0]]}, None),
        ("conv2d", (BATCH, UNKNOWN, 1), {}, None),
        ("conv2d", (BATCH, T(3, 2, 3, 4), 1), {"dilations": 2}, None),
        ("conv2d", (BATCH, T(3, 2, 3, 4), 1), {"dilation_rate": [2, 1]}, None),
        ("depthwise_conv2d", (BATCH, UNKNOWN, 1), {}, None),
        ("depthwise_conv2d", (BATCH, T(3, 2, 3, 4), 1), {"rate": [2, 2]}, None),
        ("depthwise_conv2d", (BATCH, Tensor((3, 2, None, 2)), 1), {}, (None, 6, None, None)),
        ("add", (BATCH, Tensor((None, 1, 5, 1))), {}, (None, 8, 5, 3)),
        ("multiply", (BATCH, UNKNOWN), {}, None),
        ("abs", (UNKNOWN,), {}, None),
        ("abs", ([BATCH],), {}, BATCH.shape),  # so a file writes a call of one tensor
        ("of the user's own", (BATCH,), {}, None),
    ],
)
def test_of_sizes_that_are_not_known(name: str, args: Any, kwargs: Any, shape: Shape) -> None:
    assert operation_output(name, args, kwargs) == shape


@pytest.mark.parametrize(
    ("name", "args", "kwargs", "shapes"),
    [
        ("unstack", (Tensor((None, None, 3)), 2), {"axis": 1}, [(None, 3)] * 2),
        ("unstack", (Tensor((9999, 3)),), {}, [(3,)] * MOST_PARTS),
        ("split", (BATCH, 3, 2), {}, [BATCH.shape] * 3),
        ("split", (BATCH, 9999, 2), {}, [BATCH.shape] * MOST_PARTS),
        ("split", (BATCH, [2, -1], 2), {}, [(None, 8, 2, 3), BATCH.shape]),
        ("split", (BATCH,), {"indices_or_sections": [1]}, [None]),
        ("split", (UNKNOWN, 2), {}, [None]),
        ("moments", (BATCH,), {"axes": [1]}, [(None, None, 3)] * 2),
    ],
)
def test_of_several_results(name: str, args: Any, kwargs: Any, shapes: list[Shape]) -> None:
    assert operation_outputs(name, args, kwargs) == shapes
