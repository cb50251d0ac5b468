"""Write what Keras 2.15 says of small models beside their configurations: ``data/keras2.json.gz``.

Run ``python -m tests.model.record_keras2`` where Keras 2.15 is installed. Tests read the file
in every environment, those without any Keras among them: see ``readers/files/test_keras2.py``.
"""

from __future__ import annotations

import gzip
import json
from base64 import b64encode
from collections.abc import Iterator, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from tests.model.recorded import OF_KERAS2

IMAGE, FREE, LINE, VOLUME = (8, 6, 3), (None, None, 3), (6, 4), (6, 5, 4, 3)
ANY_LINE = (None, 4)
WORDS = ("int32", 3)
TRUTH = ("bool", 6, 4)
TEXT = ("string", 3)
ONES = np.ones((4, 7), "float32")


def functions() -> Mapping[str, tuple[Any, ...]]:
    """Calls of TensorFlow, and what is given to them: see :func:`fed`."""
    import tensorflow as tf

    image, nn, v1 = tf.image, tf.nn, tf.compat.v1
    kernel1, kernel2 = np.ones((3, 3, 5), "float32"), np.ones((3, 2, 3, 5), "float32")
    kernel3, apart = np.ones((2, 2, 2, 3, 2), "float32"), np.ones((3, 2, 3, 2), "float32")
    return {
        # Images of another size
        "resize": (lambda x: image.resize(x, (5, 7)), IMAGE),
        "resize by name": (lambda x: image.resize(x, size=[5, 7], method="nearest"), IMAGE),
        "resize, sizes unknown": (lambda x: image.resize(x, (5, 7)), FREE),
        "resize to a computed size": (lambda x, y: image.resize(x, tf.shape(y)[1:3]), IMAGE, FREE),
        "resize_images": (lambda x: v1.image.resize_images(x, (5, 7)), IMAGE),
        "resize_bilinear": (lambda x: v1.image.resize_bilinear(x, (5, 7)), IMAGE),
        "resize_bicubic": (lambda x: v1.image.resize_bicubic(x, (5, 7)), IMAGE),
        "resize_area": (lambda x: v1.image.resize_area(x, (5, 7)), IMAGE),
        "resize_nearest": (lambda x: v1.image.resize_nearest_neighbor(x, (5, 7)), IMAGE),
        "resize_with_pad": (lambda x: image.resize_with_pad(x, 5, 7), IMAGE),
        "resize_with_crop_or_pad": (lambda x: image.resize_with_crop_or_pad(x, 5, 7), IMAGE),
        "crop_to_bounding_box": (lambda x: image.crop_to_bounding_box(x, 1, 2, 5, 4), IMAGE),
        "pad_to_bounding_box": (lambda x: image.pad_to_bounding_box(x, 1, 2, 9, 10), IMAGE),
        "central_crop": (lambda x: image.central_crop(x, 0.5), IMAGE),
        "central_crop, an odd rest": (lambda x: image.central_crop(x, 0.3), IMAGE),
        "rgb_to_grayscale": (image.rgb_to_grayscale, IMAGE),
        "grayscale_to_rgb": (image.grayscale_to_rgb, (8, 6, 1)),
        "flip": (image.flip_left_right, IMAGE),
        "adjust_contrast": (lambda x: image.adjust_contrast(x, 0.5), IMAGE),
        "per_image_standardization": (image.per_image_standardization, IMAGE),
        # Padding, tiling, repeating
        "pad": (lambda x: tf.pad(x, [[0, 0], [1, 2], [3, 1], [0, 0]]), IMAGE),
        "pad, sizes unknown": (lambda x: tf.pad(x, [[0, 0], [1, 2], [3, 1], [1, 0]]), FREE),
        "pad by name": (lambda x: tf.pad(x, paddings=[[0, 0], [1, 0], [0, 2]]), LINE),
        "tile": (lambda x: tf.tile(x, [1, 2, 3, 1]), IMAGE),
        "tile, sizes unknown": (lambda x: tf.tile(x, [1, 2, 3, 2]), FREE),
        "repeat": (lambda x: tf.repeat(x, 2, axis=1), IMAGE),
        "repeat from behind": (lambda x: tf.repeat(x, 3, axis=-1), LINE),
        "repeat, sizes unknown": (lambda x: tf.repeat(x, 3, axis=1), FREE),
        "repeat each": (lambda x: tf.repeat(x, [1, 2, 3, 4], axis=-1), LINE),
        "repeat all": (lambda x: tf.repeat(x, 2), LINE),
        # Joining and taking apart
        "stack": (lambda x: tf.stack([x, x]), LINE),
        "stack from behind": (lambda x: tf.stack([x, x, x], axis=-2), LINE),
        "stack within": (lambda x: tf.stack([x, x], axis=1), ANY_LINE),
        "unstack": (lambda x: tf.unstack(x, axis=1), LINE),
        "unstack from behind": (lambda x: tf.unstack(x, axis=-1), LINE),
        "unstack a number": (lambda x: tf.unstack(x, num=2, axis=1), ANY_LINE),
        "split": (lambda x: tf.split(x, 2, axis=-1), LINE),
        "split, size unknown": (lambda x: tf.split(x, 2, axis=1), ANY_LINE),
        "split unevenly": (lambda x: tf.split(x, [1, -1, 2], axis=1), LINE),
        "split into sizes": (lambda x: tf.split(x, [1, 3], axis=2), LINE),
        "split a rest, size unknown": (lambda x: tf.split(x, [1, -1], axis=1), ANY_LINE),
        "concat": (lambda x, y: tf.concat([x, y], 1), LINE, ANY_LINE),
        "concat from behind": (lambda x, y: tf.concat([x, y], axis=-1), LINE, (6, 5)),
        "add_n": (lambda x, y: tf.add_n([x, y]), LINE, LINE),
        # Picking
        "gather": (lambda x: tf.gather(x, [0, 2], axis=1), IMAGE),
        "gather from behind": (lambda x: tf.gather(x, [0, 2], axis=-1), IMAGE),
        "gather one": (lambda x: tf.gather(x, 1, axis=1), LINE),
        "gather rows": (lambda x: tf.gather(x, [[0, 0], [0, 0]]), LINE),
        "gather in batches": (lambda x, i: tf.gather(x, i, batch_dims=1), LINE, WORDS),
        "gather along": (lambda x, i: tf.gather(x, i, axis=2, batch_dims=1), LINE, WORDS),
        "slice": (lambda x: tf.slice(x, [0, 1, 2, 0], [-1, 3, -1, 2]), IMAGE),
        "slice, sizes unknown": (lambda x: tf.slice(x, [0, 1, 0, 0], [-1, -1, 3, -1]), FREE),
        "argmax": (tf.argmax, LINE),
        "argmax from behind": (lambda x: tf.argmax(x, axis=-1), LINE),
        "argmin": (lambda x: tf.argmin(x, axis=1, output_type=tf.int32), LINE),
        "argmax by its old name": (lambda x: v1.argmax(x, dimension=2), LINE),
        "top_k": (lambda x: tf.math.top_k(x, 2), LINE),
        "top_k, the top": (tf.math.top_k, LINE),
        "one_hot": (lambda i: tf.one_hot(i, 5), WORDS),
        "one_hot within": (lambda i: tf.one_hot(i, 5, axis=1), WORDS),
        "one_hot of halves": (lambda i: tf.one_hot(i, 5, dtype="float16"), WORDS),
        "embedding_lookup": (lambda i: nn.embedding_lookup(ONES, i), WORDS),
        "where": (lambda x, y: tf.where(x > 0, x, y), LINE, LINE),
        "where of a truth": (lambda b, x: tf.where(b, x, 0.0), TRUTH, LINE),
        "item": (lambda x: x[:, 1], LINE),
        "slices": (lambda x: x[:, ::2, 1:-1], IMAGE),
        "ellipsis": (lambda x: x[..., :2], IMAGE),
        "ellipsis before": (lambda x: x[..., 1:3, 0], IMAGE),
        "new axis": (lambda x: x[:, None, ..., tf.newaxis], LINE),
        "slices, sizes unknown": (lambda x: x[:, 1:, :, :2], FREE),
        # Windows
        "avg_pool": (lambda x: nn.avg_pool(x, 2, 2, "VALID"), IMAGE),
        "avg_pool1d": (lambda x: nn.avg_pool1d(x, 3, 2, "SAME"), LINE),
        "avg_pool2d": (lambda x: nn.avg_pool2d(x, [3, 2], [2, 1], "VALID"), IMAGE),
        "avg_pool3d": (lambda x: nn.avg_pool3d(x, 2, 2, "SAME"), VOLUME),
        "max_pool": (lambda x: nn.max_pool(x, [1, 3, 2, 1], [1, 2, 3, 1], "SAME"), IMAGE),
        "max_pool1d": (lambda x: nn.max_pool1d(x, ksize=3, strides=1, padding="VALID"), LINE),
        "max_pool2d": (lambda x: nn.max_pool2d(x, 3, 2, "SAME"), FREE),
        "max_pool3d": (lambda x: nn.max_pool3d(x, 2, 1, "VALID"), VOLUME),
        "conv1d": (lambda x: nn.conv1d(x, kernel1, 2, "SAME"), (6, 3)),
        "conv2d": (lambda x: nn.conv2d(x, kernel2, 2, "VALID"), IMAGE),
        "conv2d with all": (
            lambda x: nn.conv2d(x, kernel2, [1, 2, 1, 1], "SAME", dilations=1),
            FREE,
        ),
        "conv3d": (lambda x: nn.conv3d(x, kernel3, [1, 1, 2, 1, 1], "VALID"), VOLUME),
        "conv2d_transpose": (
            lambda x: nn.conv2d_transpose(x, np.ones((2, 2, 5, 3), "float32"), (2, 16, 12, 5), 2),
            ("float32", 2, 8, 6, 3),
        ),
        "depthwise": (lambda x: nn.depthwise_conv2d(x, apart, [1, 2, 2, 1], "SAME"), IMAGE),
        "depthwise, valid": (lambda x: nn.depthwise_conv2d(x, apart, [1, 1, 1, 1], "VALID"), IMAGE),
        "space_to_depth": (lambda x: nn.space_to_depth(x, 2), IMAGE),
        "space_to_depth, sizes unknown": (lambda x: nn.space_to_depth(x, 2), FREE),
        "depth_to_space": (lambda x: nn.depth_to_space(x, 2), (4, 3, 12)),
        "depth_to_space, sizes unknown": (lambda x: nn.depth_to_space(x, 2), (None, None, 12)),
        # Products
        "matmul": (lambda x: tf.matmul(x, x, transpose_b=True), LINE),
        "matmul turned": (lambda x: tf.matmul(x, x, transpose_a=True), LINE),
        "matmul by a constant": (lambda x: tf.matmul(x, ONES), LINE),
        "matmul of a constant": (lambda x: tf.matmul(np.ones((5, 6), "float32"), x), LINE),
        "tensordot": (lambda x: tf.tensordot(x, ONES, axes=1), LINE),
        "tensordot along": (lambda x: tf.tensordot(x, ONES, [[2], [0]]), LINE),
        "tensordot of two": (
            lambda x: tf.tensordot(x, np.ones((7, 4, 6), "float32"), [[1, -1], [2, 1]]),
            LINE,
        ),
        # Sizes and axes
        "shape": (tf.shape, IMAGE),
        "shape in 64 bits": (lambda x: tf.shape(x, out_type=tf.int64), LINE),
        "size": (tf.size, LINE),
        "rank": (tf.rank, LINE),
        "ones": (lambda x: tf.ones(tf.shape(x)), LINE),
        "zeros": (lambda x: tf.zeros((tf.shape(x)[0], 4)), LINE),
        "fill": (lambda x: tf.fill(tf.shape(x), 0.5), LINE),
        "broadcast_to": (lambda x: tf.broadcast_to(x, (2, 6, 4)), ("float32", 2, 1, 4)),
        "ensure_shape": (lambda x: tf.ensure_shape(x, (None, 6, 4)), ANY_LINE),
        "reshape": (lambda x: tf.reshape(x, (-1, 24)), LINE),
        "reshape a rest": (lambda x: tf.reshape(x, [2, -1]), ("float32", 2, 6, 4)),
        "reshape to computed sizes": (lambda x: tf.reshape(x, [tf.shape(x)[0], 24]), LINE),
        "reshape to another's": (lambda x, y: tf.reshape(x, tf.shape(y)), LINE, IMAGE),
        "transpose": (tf.transpose, LINE),
        "transpose to": (lambda x: tf.transpose(x, [0, 3, 1, 2]), IMAGE),
        "transpose from behind": (lambda x: tf.transpose(x, perm=[0, -1, 1]), LINE),
        "matrix_transpose": (tf.linalg.matrix_transpose, IMAGE),
        "expand_dims": (lambda x: tf.expand_dims(x, 1), LINE),
        "expand_dims from behind": (lambda x: tf.expand_dims(x, axis=-1), LINE),
        "squeeze": (lambda x: tf.squeeze(x, 1), (1, 8, 3)),
        "squeeze from behind": (lambda x: tf.squeeze(x, axis=[-1, 2]), (8, 1, 1)),
        "crelu": (nn.crelu, LINE),
        # Along axes
        "reduce_mean": (lambda x: tf.reduce_mean(x, [1, 2], keepdims=True), IMAGE),
        "reduce_max": (lambda x: tf.reduce_max(x, axis=-1), IMAGE),
        "reduce_sum": (tf.reduce_sum, IMAGE),
        "reduce_std": (lambda x: tf.math.reduce_std(x, axis=1), IMAGE),
        "reduce_any": (lambda b: tf.reduce_any(b, axis=1), TRUTH),
        "reduce_all": (lambda b: tf.reduce_all(b, axis=-1, keepdims=True), TRUTH),
        "count_nonzero": (lambda x: tf.math.count_nonzero(x, axis=1), LINE),
        "norm": (lambda x: tf.norm(x, axis=-1, keepdims=True), IMAGE),
        "moments": (lambda x: nn.moments(x, [1, 2]), IMAGE),
        "logsumexp": (lambda x: tf.reduce_logsumexp(x, axis=1), LINE),
        "cumsum": (lambda x: tf.cumsum(x, axis=1), LINE),
        "sort": (tf.sort, LINE),
        "argsort": (tf.argsort, LINE),
        "softmax": (nn.softmax, LINE),
        "l2_normalize": (lambda x: tf.math.l2_normalize(x, axis=-1), IMAGE),
        # By elements
        "add a number": (lambda x: x + 1.0, LINE),
        "subtract from": (lambda x: 1.0 - x, LINE),
        "multiply by channel": (lambda x: x * np.array([1.0, 2.0, 3.0, 4.0], "float32"), LINE),
        "divide wider": (lambda x: x / np.ones((5, 1, 4), "float32"), ("float32", 1, 6, 4)),
        "multiply two": (lambda x, y: x * y, LINE, (1, 4)),
        "maximum": (tf.maximum, ANY_LINE, LINE),
        "floor": (lambda x: x // 2.0, LINE),
        "power": (lambda x: x**2.0, LINE),
        "negative": (lambda x: -x, LINE),
        "greater": (lambda x: x > 0.5, LINE),
        "equal": (tf.equal, LINE, (6, 1)),
        "logical_not": (tf.logical_not, TRUTH),
        "logical_and": (tf.logical_and, TRUTH, TRUTH),
        "is_finite": (tf.math.is_finite, LINE),
        "cast": (lambda x: tf.cast(x, "float16"), LINE),
        "cast to whole numbers": (lambda x: tf.cast(x, tf.int32), LINE),
        "clip": (lambda x: tf.clip_by_value(x, -1.0, 1.0), LINE),
        "relu6": (nn.relu6, LINE),
        "gelu": (nn.gelu, LINE),
        "stop_gradient": (tf.stop_gradient, LINE),
    }


# Layers by what makes them: the kind, its arguments, and what they are called on.
LAYERS: tuple[tuple[Any, ...], ...] = (
    ("CategoryEncoding", {"num_tokens": 4, "output_mode": "multi_hot"}, WORDS),
    ("CategoryEncoding", {"num_tokens": 4, "output_mode": "one_hot"}, ("int32", 1)),
    ("Discretization", {"bin_boundaries": [0.0, 1.0]}, (3,)),
    ("Discretization", {"bin_boundaries": [0.0, 1.0], "output_mode": "one_hot"}, (1,)),
    ("Hashing", {"num_bins": 5}, TEXT),
    ("Hashing", {"num_bins": 5, "output_mode": "count"}, WORDS),
    ("HashedCrossing", {"num_bins": 5}, [("int32", 1), ("int32", 1)]),
    ("HashedCrossing", {"num_bins": 5, "output_mode": "one_hot"}, [("int32", 1), ("int32", 1)]),
    ("IntegerLookup", {"vocabulary": [3, 4, 5]}, ("int64", 3)),
    ("IntegerLookup", {"vocabulary": [3, 4, 5], "invert": True}, ("int64", 3)),
    ("StringLookup", {"vocabulary": ["a", "b"]}, TEXT),
    ("StringLookup", {"vocabulary": ["a"], "output_mode": "multi_hot"}, TEXT),
    (
        "StringLookup",
        {"vocabulary": ["a"], "max_tokens": 9, "pad_to_max_tokens": True, "output_mode": "count"},
        TEXT,
    ),
    ("StringLookup", {"vocabulary": ["a"], "invert": True}, ("int64", 3)),
    ("TextVectorization", {"vocabulary": ["a"]}, ("string", 1)),
    ("TextVectorization", {"vocabulary": ["a"], "output_sequence_length": 4}, ("string", 1)),
    ("TextVectorization", {"vocabulary": ["a"], "output_mode": "count"}, ("string", 1)),
    ("ConvLSTM1D", {"filters": 4, "kernel_size": 2, "strides": 2, "padding": "same"}, (3, 6, 2)),
    ("ConvLSTM2D", {"filters": 4, "kernel_size": 2, "return_sequences": True}, (3, 6, 6, 2)),
    ("Conv2D", {"filters": 4, "kernel_size": 3, "dilation_rate": 2}, IMAGE),
    ("Conv2D", {"filters": 6, "kernel_size": 3, "groups": 3, "padding": "same"}, FREE),
    ("Conv2DTranspose", {"filters": 4, "kernel_size": 3, "strides": 2}, IMAGE),
    ("SeparableConv1D", {"filters": 4, "kernel_size": 3, "padding": "causal"}, LINE),
    ("DepthwiseConv2D", {"kernel_size": 3, "depth_multiplier": 2}, IMAGE),
    ("LocallyConnected1D", {"filters": 4, "kernel_size": 3}, LINE),
    ("LocallyConnected1D", {"filters": 4, "kernel_size": 3, "use_bias": False}, LINE),
    (
        "LocallyConnected2D",
        {"filters": 4, "kernel_size": 3, "implementation": 2, "strides": 2, "padding": "same"},
        IMAGE,
    ),
    ("GRU", {"units": 5, "reset_after": False}, LINE),
    ("GRU", {"units": 5, "return_sequences": True, "return_state": True}, LINE),
    ("LSTM", {"units": 5, "return_state": True}, LINE),
    ("SimpleRNN", {"units": 5, "use_bias": False}, LINE),
    ("Resizing", {"height": 5, "width": 7}, ("uint8", 8, 6, 3)),
    ("Resizing", {"height": 5, "width": 7, "interpolation": "nearest"}, ("uint8", 8, 6, 3)),
    ("UpSampling2D", {"size": (2, 3)}, IMAGE),
    ("UpSampling2D", {"interpolation": "nearest"}, ("int32", 8, 6, 3)),
    ("UpSampling2D", {"interpolation": "bilinear"}, ("int32", 8, 6, 3)),
    ("CenterCrop", {"height": 5, "width": 4}, IMAGE),
    ("RandomFlip", {}, IMAGE),
    ("RandomHeight", {"factor": 0.2}, IMAGE),
    ("RandomWidth", {"factor": 0.2}, IMAGE),
    ("SpatialDropout1D", {"rate": 0.2}, LINE),
    ("Embedding", {"input_dim": 9, "output_dim": 4}, WORDS),
    ("EinsumDense", {"equation": "abc,cd->abd", "output_shape": (None, 5)}, LINE),
    ("BatchNormalization", {"scale": False}, IMAGE),
    ("BatchNormalization", {"trainable": False}, IMAGE),
    ("LayerNormalization", {"axis": [1, 2]}, IMAGE),
    ("GroupNormalization", {"groups": 3}, IMAGE),
    ("UnitNormalization", {}, LINE),
    ("Normalization", {"axis": None, "mean": 0.5, "variance": 2.0}, LINE),
    ("Normalization", {"axis": -1}, LINE),
    ("Softmax", {"axis": 1}, LINE),
    ("PReLU", {"shared_axes": [1]}, LINE),
    ("Dot", {"axes": (1, 2)}, [(6, 4), (5, 6)]),
    ("Concatenate", {"axis": 1}, [(6, 4), ANY_LINE]),
    ("Add", {}, [ANY_LINE, LINE]),
    ("Average", {}, [LINE, (1, 4)]),
    ("Add", {}, [("int32", 6, 4), ("int32", 6, 4)]),
    ("Permute", {"dims": (2, 1)}, LINE),
    ("RepeatVector", {"n": 3}, (4,)),
    ("Reshape", {"target_shape": (-1, 2)}, LINE),
    ("Flatten", {"data_format": "channels_first"}, IMAGE),
    ("Cropping2D", {"cropping": ((1, 2), (0, 3))}, IMAGE),
    ("ZeroPadding1D", {"padding": (1, 2)}, LINE),
    ("GlobalMaxPooling2D", {"keepdims": True}, IMAGE),
    ("AveragePooling1D", {"pool_size": 3, "strides": 2, "padding": "same"}, LINE),
    ("Attention", {"use_scale": True}, [LINE, LINE]),
    ("AdditiveAttention", {}, [LINE, LINE]),
)


def others() -> Iterator[tuple[str, Any]]:
    """Models whose configurations are written in a way of their own."""
    import keras

    layers = keras.layers
    for mode in ("concat", "sum", None):
        back = layers.GRU(5, go_backwards=True, use_bias=False, trainable=mode == "sum")
        there = layers.LSTM(5 if mode == "sum" else 3)
        entry = keras.Input(LINE)
        both = layers.Bidirectional(there, backward_layer=back, merge_mode=mode)
        yield f"a way back of its own, {mode}", keras.Model(entry, both(entry))
    for mode in ("mul", None):
        entry = keras.Input(LINE)
        both = layers.Bidirectional(layers.LSTM(3, return_state=True), merge_mode=mode)
        yield f"both ways with states, {mode}", keras.Model(entry, both(entry))
    entry = keras.Input((3, *LINE))
    steps = layers.TimeDistributed(layers.TimeDistributed(layers.Dense(3)))
    yield "a wrapper in a wrapper", keras.Model(entry, steps(entry))
    entry = keras.Input(LINE)
    twice = layers.MultiHeadAttention(2, 3, value_dim=5)
    made = twice(entry, value=entry, key=entry), twice(entry, entry, return_attention_scores=True)
    yield "attention by name", keras.Model(entry, made)
    entry = {"one": keras.Input(LINE, name="one"), "two": keras.Input(LINE, name="two")}
    made = {"sum": layers.Add()([entry["one"], entry["two"]]), "twice": entry["one"] * 2.0}
    yield "inputs and outputs by name", keras.Model(entry, made)
    inner = keras.Sequential([layers.Dense(3, name="inside"), layers.Dropout(0.5)], name="inner")
    first, second = keras.Input(LINE), keras.Input(LINE)
    yield "a model called twice", keras.Model([first, second], [inner(first), inner(second)])
    sized = keras.Sequential([keras.Input(LINE), layers.Dense(3)], name="sized")
    entry = keras.Input(ANY_LINE)
    yield "a model fed another shape", keras.Model(entry, layers.Dense(2)(sized(entry)))
    deep = keras.Sequential([sized, layers.Dense(2)])
    deep.build((None, 6, 4))
    yield "a sequential model in another", deep
    late = keras.Sequential([layers.Dense(3), layers.BatchNormalization()])
    late.build((None, 6, 4))
    yield "a sequential model that was built", late
    entry = keras.Input(LINE)
    hidden = layers.Dense(3)(entry)
    model = keras.Model(entry, layers.Dense(2)(hidden))
    model.add_loss(keras.backend.mean(hidden))
    model.add_metric(keras.backend.sum(hidden), name="total")
    yield "losses that were added", model
    entry = keras.Input((4,), dtype="float16")
    half = layers.Dense(3, dtype="mixed_float16")(entry)
    yield "mixed precision", keras.Model(entry, layers.Activation("relu", dtype="float32")(half))
    entry = keras.Input((5,), dtype="int32")
    masked = layers.LSTM(3)(layers.Embedding(7, 4, mask_zero=True)(entry))
    yield "a mask", keras.Model(entry, masked)


def fed(spec: Any) -> Any:
    """An input; before its sizes stands its data type, before all of them, batch too, float32."""
    import keras

    if isinstance(spec, list):
        return [fed(one) for one in spec]
    dtype, sizes = (spec[0], spec[1:]) if spec and isinstance(spec[0], str) else ("float32", spec)
    if dtype == "float32" and spec[:1] == ("float32",):
        return keras.Input(batch_shape=sizes, dtype=dtype)
    return keras.Input(sizes, dtype=dtype)


def models() -> Iterator[tuple[str, Any]]:
    """Every model with what it is called in the file."""
    import keras

    for name, (call, *specs) in functions().items():
        keras.backend.clear_session()
        entries = fed(specs)
        made = call(*entries)
        ends = list(made) if isinstance(made, (list, tuple)) else made
        yield name, keras.Model(entries, ends)
    for number, (kind, settings, spec) in enumerate(LAYERS):
        keras.backend.clear_session()
        entry = fed(spec)
        yield f"{kind} {number}", keras.Model(entry, getattr(keras.layers, kind)(**settings)(entry))
    keras.backend.clear_session()
    yield from others()


def said_of(model: Any) -> dict[str, Any]:
    """A model's configuration, and what Keras says of the model and of each layer's calls."""
    import tensorflow as tf

    def sizes(weights: Any) -> int:
        return sum(int(np.prod(weight.shape)) for weight in weights)

    def tensors(tree: Any) -> list[Any]:
        return [[list(tensor.shape), tensor.dtype.name] for tensor in tf.nest.flatten(tree)]

    return {
        "config": json.loads(model.to_json()),
        "layers": {
            layer.name: {
                "type": type(layer).__name__,
                "parameters": sizes(layer.weights),
                "trainable": sizes(layer.trainable_weights),
                "outputs": [tensors(node.outputs) for node in layer.inbound_nodes],
            }
            for layer in model.layers
        },
        "outputs": tensors(model.outputs),
        "parameters": sizes(model.weights),
        "trainable": sizes(model.trainable_weights),
    }


def saved_files() -> dict[str, str]:
    """What stands in the folder of a SavedModel, in ASCII: beside the graph since TensorFlow 2.5.

    Before it stood in the graph itself, of which only the objects are kept here.
    """
    import keras
    from keras.protobuf import saved_metadata_pb2
    from tensorflow.core.protobuf import saved_model_pb2

    entry = keras.Input(LINE)
    hidden = keras.layers.BatchNormalization()(keras.layers.Dense(3)(entry))
    with TemporaryDirectory() as folder:
        keras.Model(entry, keras.layers.Add()([hidden, hidden])).save(folder, save_format="tf")
        beside = (Path(folder) / "keras_metadata.pb").read_bytes()
    old = saved_model_pb2.SavedModel()
    objects = old.meta_graphs.add().object_graph_def.nodes
    for node in saved_metadata_pb2.SavedMetadata.FromString(beside).nodes:
        while len(objects) <= node.node_id:
            objects.add()
        objects[node.node_id].user_object.metadata = node.metadata
        objects[node.node_id].user_object.identifier = node.identifier
    files = {"keras_metadata.pb": beside, "saved_model.pb": old.SerializeToString()}
    return {name: b64encode(raw).decode() for name, raw in files.items()}


if __name__ == "__main__":
    import keras

    said = {name: said_of(model) for name, model in models()}
    record = {"keras": keras.__version__, "models": said, "files": saved_files()}
    raw = json.dumps(record, separators=(",", ":")).encode()
    OF_KERAS2.write_bytes(gzip.compress(raw, mtime=0))
