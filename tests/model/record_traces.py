"""Write what TensorFlow traces of layers, and the layers: ``data/traces-*.json.gz``.

Run ``python -m tests.model.record_traces`` once with TensorFlow 2.15 (Keras 2) and once with
2.21 (Keras 3). ``readers/test_traces.py`` reads the files in every environment.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict
from typing import Any

import numpy as np

from tests.model.recorded import DATA

IMAGE, LINE, VOLUME = (8, 6, 4), (6, 4), (4, 6, 8, 4)

FIRST = {"data_format": "channels_first"}
SMALL = {"filters": 3, "kernel_size": 2}
SAME, TWICE, DILATED = {"padding": "same"}, {"strides": 2}, {"dilation_rate": 2}

# Layers with a window over one and two spatial axes, recorded with the channels first and last.
LINES: tuple[tuple[str, dict[str, Any]], ...] = (
    ("Conv1D", {**SMALL, **SAME, **TWICE}),
    ("Conv1D", {**SMALL, **SAME, **DILATED, "activation": "relu"}),
    ("Conv1D", {**SMALL, **TWICE, "padding": "causal"}),
    ("Conv1DTranspose", {**SMALL, **TWICE}),
    ("Conv1DTranspose", {**SMALL, **SAME, "activation": "relu", "use_bias": False}),
    ("Conv1DTranspose", {**SMALL, **DILATED}),
    ("SeparableConv1D", {**SMALL, **TWICE}),
    ("SeparableConv1D", {**SMALL, **SAME, "depth_multiplier": 2, "activation": "relu"}),
    ("SeparableConv1D", {**SMALL, **DILATED, "use_bias": False}),
    ("SeparableConv1D", {**SMALL, **DILATED, "padding": "causal"}),
    ("DepthwiseConv1D", {"kernel_size": 2, **TWICE}),
    ("DepthwiseConv1D", {"kernel_size": 2, "depth_multiplier": 2, "activation": "relu"}),
    ("DepthwiseConv1D", {"kernel_size": 2, **SAME, **DILATED, "use_bias": False}),
    ("MaxPooling1D", {"pool_size": 3, **TWICE}),
    ("AveragePooling1D", {"pool_size": 2, **SAME}),
)
IMAGES: tuple[tuple[str, dict[str, Any]], ...] = (
    ("Conv2D", {**SMALL, **SAME, "dilation_rate": (2, 1)}),
    ("Conv2DTranspose", {**SMALL, "strides": (2, 1)}),
    ("Conv2DTranspose", {**SMALL, **DILATED}),
    ("SeparableConv2D", {**SMALL, **TWICE}),
    ("SeparableConv2D", {**SMALL, **SAME, **DILATED}),
    ("DepthwiseConv2D", {"kernel_size": (3, 2), **TWICE}),
    ("DepthwiseConv2D", {"kernel_size": 2, **DILATED, "activation": "relu"}),
    ("MaxPooling2D", {"pool_size": (3, 2)}),
    ("AveragePooling2D", {"pool_size": 2, **SAME}),
)

# Layers by what makes them: the kind, its arguments, and the shapes of what they are called on.
LAYERS: tuple[tuple[Any, ...], ...] = (
    ("Activation", {"activation": "gelu"}, LINE),
    ("Activation", {"activation": "hard_sigmoid"}, LINE),
    ("Activation", {"activation": "hard_silu"}, LINE),
    ("Activation", {"activation": "exponential"}, LINE),
    ("Activation", {"activation": "elu"}, LINE),
    ("Activation", {"activation": "log_softmax"}, LINE),
    ("Activation", {"activation": "relu6"}, LINE),
    ("Activation", {"activation": "selu"}, LINE),
    ("Activation", {"activation": "sigmoid"}, LINE),
    ("Activation", {"activation": "softmax"}, LINE),
    ("Activation", {"activation": "softplus"}, LINE),
    ("Activation", {"activation": "softsign"}, LINE),
    ("Activation", {"activation": "swish"}, LINE),
    ("Activation", {"activation": "tanh"}, LINE),
    ("LeakyReLU", {}, LINE),
    ("ReLU", {}, LINE),
    ("PReLU", {}, LINE),
    ("Add", {}, LINE, LINE),
    ("Add", {}, LINE, LINE, LINE),
    ("Average", {}, LINE, LINE),
    ("Average", {}, LINE, LINE, LINE),
    ("Subtract", {}, LINE, LINE),
    ("Multiply", {}, LINE, LINE, LINE),
    ("Maximum", {}, LINE, LINE, LINE),
    ("Minimum", {}, LINE, LINE),
    ("Concatenate", {"axis": 1}, LINE, LINE),
    ("BatchNormalization", {}, IMAGE),
    ("BatchNormalization", {"scale": False, "epsilon": 0.01}, LINE),
    ("BatchNormalization", {"center": False, "axis": 1}, LINE),
    ("LayerNormalization", {}, LINE),
    ("LayerNormalization", {"scale": False, "epsilon": 0.01}, LINE),
    ("LayerNormalization", {"center": False}, LINE),
    ("LayerNormalization", {"axis": 1}, LINE),
    ("LayerNormalization", {"axis": (1, 2)}, LINE),
    ("RMSNormalization", {"epsilon": 0.01}, LINE),
    ("Normalization", {"mean": [1.0, 2.0, 3.0, 4.0], "variance": [1.0, 4.0, 9.0, 2.0]}, LINE),
    ("Rescaling", {"scale": 0.5, "offset": -1.0}, IMAGE),
    ("Conv1D", {"filters": 3, "kernel_size": 2, "dilation_rate": 2}, LINE),
    ("Conv1D", {"filters": 3, "kernel_size": 2, "padding": "causal"}, LINE),
    ("Conv2D", {"filters": 6, "kernel_size": (3, 2), "groups": 2, "strides": 2}, IMAGE),
    ("Conv2D", {"filters": 3, "kernel_size": 3, "dilation_rate": 2, "padding": "same"}, IMAGE),
    ("Conv2D", {"filters": 3, "kernel_size": 3, "activation": "relu"}, IMAGE),
    ("Conv2D", {"filters": 3, "kernel_size": 1, "activation": "gelu", "use_bias": False}, IMAGE),
    ("Conv3D", {"filters": 3, "kernel_size": 2, "strides": (1, 2, 1)}, VOLUME),
    ("Conv2DTranspose", {"filters": 3, "kernel_size": 3, "strides": 2}, IMAGE),
    ("DepthwiseConv2D", {"kernel_size": 3, "depth_multiplier": 2, "padding": "same"}, IMAGE),
    ("SeparableConv2D", {"filters": 3, "kernel_size": 3}, IMAGE),
    ("Dense", {"units": 3}, (4,)),
    ("Dense", {"units": 3, "activation": "softmax", "use_bias": False}, LINE),
    ("EinsumDense", {"equation": "abc,cd->abd", "output_shape": (None, 5)}, LINE),
    ("Embedding", {"input_dim": 9, "output_dim": 5}, ("int32", 3)),
    ("MultiHeadAttention", {"num_heads": 2, "key_dim": 3, "value_dim": 5}, LINE, LINE),
    ("AveragePooling1D", {"pool_size": 2}, LINE),
    ("AveragePooling2D", {"pool_size": (2, 3), "strides": 1}, IMAGE),
    ("MaxPooling2D", {"pool_size": 3, "strides": 2, "padding": "same"}, IMAGE),
    ("MaxPooling3D", {"pool_size": 2}, VOLUME),
    ("GlobalAveragePooling1D", {}, LINE),
    ("GlobalAveragePooling2D", {"keepdims": True}, IMAGE),
    ("GlobalAveragePooling2D", {"data_format": "channels_first"}, IMAGE),
    ("GlobalMaxPooling2D", {}, IMAGE),
    ("GlobalMaxPooling3D", {"keepdims": True}, VOLUME),
    ("ZeroPadding1D", {"padding": (1, 2)}, LINE),
    ("ZeroPadding2D", {"padding": ((0, 1), (2, 3))}, IMAGE),
    ("ZeroPadding2D", {"padding": (1, 2), "data_format": "channels_first"}, IMAGE),
    ("ZeroPadding3D", {"padding": 1}, VOLUME),
    ("Cropping1D", {"cropping": (1, 2)}, LINE),
    ("Cropping1D", {"cropping": (2, 0)}, LINE),
    ("Cropping2D", {"cropping": ((1, 2), (0, 3))}, IMAGE),
    ("Cropping3D", {"cropping": 1}, VOLUME),
    ("UpSampling1D", {"size": 3}, LINE),
    ("UpSampling2D", {"size": (2, 3)}, IMAGE),
    ("UpSampling2D", {"size": 2, "interpolation": "bilinear"}, IMAGE),
    ("UpSampling3D", {"size": (1, 2, 3)}, VOLUME),
    ("Resizing", {"height": 5, "width": 7}, IMAGE),
    ("Resizing", {"height": 5, "width": 7, "interpolation": "nearest"}, IMAGE),
    ("Resizing", {"height": 5, "width": 7, "interpolation": "bicubic"}, IMAGE),
    ("Flatten", {}, IMAGE),
    ("Reshape", {"target_shape": (3, 8)}, LINE),
    ("Reshape", {"target_shape": (-1, 8)}, LINE),
    ("Permute", {"dims": (2, 1)}, LINE),
    ("Permute", {"dims": (3, 1, 2)}, IMAGE),
    ("RepeatVector", {"n": 3}, (4,)),
    *(
        (kind, {**settings, **(FIRST if first else {})}, LINE)
        for first in (False, True)
        for kind, settings in LINES
    ),
    *((kind, {**settings, **FIRST}, IMAGE) for kind, settings in IMAGES),
    *((kind, settings, IMAGE) for kind, settings in IMAGES),
    ("MaxPooling3D", {"pool_size": (1, 2, 3), **FIRST}, VOLUME),
    ("AveragePooling3D", {"pool_size": 2, "padding": "same", **FIRST}, VOLUME),
    ("Conv3D", {"filters": 3, "kernel_size": 2, "dilation_rate": 2, **FIRST}, VOLUME),
    ("Conv3DTranspose", {"filters": 3, "kernel_size": 2, "strides": 2, **FIRST}, VOLUME),
    ("Embedding", {"input_dim": 9, "output_dim": 5}, (3,)),
    ("Embedding", {"input_dim": 9, "output_dim": 5}, ("int64", None)),
    ("UpSampling1D", {"size": 2}, (None, 4)),
    ("UpSampling2D", {"size": (3, 2)}, (None, 6, 4)),
    ("UpSampling2D", {"size": (3, 2), **FIRST}, IMAGE),
    ("UpSampling2D", {"size": (3, 2), **FIRST}, (4, None, None)),
    ("UpSampling2D", {"size": (3, 2), "interpolation": "bilinear", **FIRST}, IMAGE),
    ("UpSampling3D", {"size": (1, 2, 3), **FIRST}, VOLUME),
    ("UpSampling3D", {"size": (1, 2, 3)}, (None, None, None, 4)),
)


def traced(call: Callable[..., Any], *specs: tuple[Any, ...]) -> dict[str, Any]:
    """What TensorFlow traces of a call, as plain data."""
    import tensorflow as tf

    from pytest_layercount.model.readers.tensorflow.functions import traced_function

    given = [
        tf.TensorSpec((None, *sizes), dtype) for dtype, sizes in (split(spec) for spec in specs)
    ]
    return asdict(traced_function(tf.function(call).get_concrete_function(*given)))


def split(spec: tuple[Any, ...]) -> tuple[str, tuple[Any, ...]]:
    """The data type and the sizes of an input; the first is left out where it is float32."""
    return (spec[0], spec[1:]) if isinstance(spec[0], str) else ("float32", spec)


def layers() -> Iterator[tuple[str, dict[str, Any]]]:
    """Every layer that this Keras has, with what it is and what TensorFlow traces of it."""
    import keras

    from pytest_layercount import read_graph

    for number, (kind, settings, *specs) in enumerate(LAYERS):
        keras.backend.clear_session()
        try:
            layer = getattr(keras.layers, kind)(**settings)
        except (AttributeError, ValueError):
            continue
        entries = [keras.Input(sizes, dtype=dtype) for dtype, sizes in map(split, specs)]
        made = layer(*entries) if kind == "MultiHeadAttention" else layer(_alone(entries))
        model = keras.Model(entries, made)
        trace = traced(lambda *given, model=model: model(list(given), training=False), *specs)
        found = next(one for one in read_graph(model).layers if one.type == kind)
        weights = {"trainable": layer.trainable_weights, "parameters": layer.weights}
        yield (
            f"{kind} {number}",
            {
                "function": trace,
                "type": kind,
                "config": dict(found.config),
                **{
                    name: sum(int(np.prod(weight.shape)) for weight in held)
                    for name, held in weights.items()
                },
            },
        )


def plain(value: Any) -> Any:
    """A number of NumPy's, or a set."""
    return value.item() if hasattr(value, "item") else sorted(value)


def _alone(values: list[Any]) -> Any:
    return values[0] if len(values) == 1 else values


def functions() -> Mapping[str, tuple[Any, ...]]:
    """Functions written by hand, with what is given to them; what they are says the test."""
    import tensorflow as tf

    image, nn = tf.image, tf.nn
    table = tf.Variable(np.ones((9, 5), "float32"))
    gamma = tf.Variable(np.ones(4, "float32"))
    return {
        "silu by hand": (lambda x: x * tf.sigmoid(x), LINE),
        "a gate that is not silu": (lambda x, y: x * tf.sigmoid(y), LINE, LINE),
        "hard sigmoid of Keras 2": (
            lambda x: tf.clip_by_value(x * 0.2 + 0.5, 0.0, 1.0),
            LINE,
        ),
        "flatten": (lambda x: tf.reshape(x, (-1, 24)), LINE),
        "a reshape of the batch": (lambda x: tf.reshape(x, (-1, 4)), LINE),
        "a permutation of the batch": (lambda x: tf.transpose(x, (1, 0, 2)), LINE),
        "a permutation": (lambda x: tf.transpose(x, (0, 2, 1)), LINE),
        "zeros on one side": (lambda x: tf.pad(x, ((0, 0), (1, 0), (0, 0))), LINE),
        "ones around": (lambda x: tf.pad(x, ((0, 0), (1, 1), (0, 0)), constant_values=1.0), LINE),
        "channels padded": (lambda x: tf.pad(x, ((0, 0), (1, 1), (0, 1))), LINE),
        "the batch padded": (lambda x: tf.pad(x, ((0, 1), (1, 1), (0, 0))), LINE),
        "twice as large": (lambda x: image.resize(x, (16, 12), "nearest"), IMAGE),
        "as large": (lambda x: image.resize(x, (8, 6), "bilinear"), IMAGE),
        "not whole times as large": (lambda x: image.resize(x, (12, 12), "bicubic"), IMAGE),
        "a table": (lambda x: tf.gather(table, x), ("int32", 3)),
        "a choice of data": (
            lambda x, i: tf.gather(x, i, axis=1, batch_dims=1),
            LINE,
            ("int32", 3),
        ),
        "a mean over space": (lambda x: tf.reduce_mean(x, (1, 2)), IMAGE),
        "a mean over channels": (lambda x: tf.reduce_mean(x, -1), IMAGE),
        "the largest, channels first": (lambda x: tf.reduce_max(x, (2, 3), keepdims=True), IMAGE),
        "the largest of all": (lambda x: tf.reduce_max(x, (0, 1, 2, 3)), IMAGE),
        "a scale per channel": (lambda x: x * gamma, LINE),
        "concat": (lambda x, y: tf.concat((x, y), 1), LINE, LINE),
        "leaky": (nn.leaky_relu, LINE),
        "crop": (lambda x: x[:, 1:-2], LINE),
        "crop from behind": (lambda x: x[:, -5:-1, 2:], IMAGE),
        "channels cut": (lambda x: x[..., 1:], LINE),
        "every second": (lambda x: x[:, ::2], LINE),
    }


if __name__ == "__main__":
    import tensorflow as tf

    record = {
        "layers": dict(layers()),
        "functions": {name: traced(*spec) for name, spec in functions().items()},
    }
    raw = json.dumps(record, separators=(",", ":"), default=plain).encode()
    version = ".".join(tf.__version__.split(".")[:2])
    (DATA / f"traces-{version}.json.gz").write_bytes(gzip.compress(raw, mtime=0))
