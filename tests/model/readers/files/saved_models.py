"""Models of every shape, for comparing what a file says with what the live model says."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.kerases import generation, is_keras_3_3, load_keras

Build = Callable[[Any, Any], Any]


def sequential(keras: Any, layers: Any) -> Any:
    return keras.Sequential(
        [
            keras.Input((8, 8, 3)),
            layers.ZeroPadding2D(((0, 1), (2, 3))),
            layers.Conv2D(4, 3, strides=2, use_bias=False),
            layers.BatchNormalization(),
            layers.ReLU(6.0),
            layers.Dropout(0.5),
            layers.Flatten(),
            layers.Dense(3, activation="softmax"),
        ]
    )


def sequential_built_late(keras: Any, layers: Any) -> Any:
    model = keras.Sequential([layers.Dense(4, name="first"), layers.Dense(2, name="second")])
    model.build((None, 5))
    return model


def nested(keras: Any, layers: Any) -> Any:
    stem = keras.Sequential(
        [keras.Input((8, 8, 3)), layers.Conv2D(4, 3, name="conv"), layers.BatchNormalization()],
        name="stem",
    )
    entry = keras.Input((6, 6, 4))
    block = keras.Model(entry, layers.Add()([entry, layers.Dense(4)(entry)]), name="block")
    late = keras.Sequential([layers.Dense(5, name="late_dense")], name="late")
    image = keras.Input((8, 8, 3), name="image")
    x = stem(image)
    x = block(block(x))
    x = late(x)
    return keras.Model(image, [x, block(stem(image))], name="outer")


def nested_twice(keras: Any, layers: Any) -> Any:
    inner = keras.Sequential([keras.Input((4,)), layers.Dense(4, name="dense")], name="inner")
    entry = keras.Input((4,))
    middle = keras.Model(entry, layers.Activation("tanh")(inner(entry)), name="middle")
    outer = keras.Input((4,))
    return keras.Model(outer, layers.Dense(2)(middle(middle(outer), training=False)))


def nested_at_another_size(keras: Any, layers: Any) -> Any:
    entry = keras.Input((None, None, 3))
    inner = keras.Model(entry, layers.Conv2D(4, 3, name="conv")(entry), name="inner")
    image = keras.Input((16, 12, 3))
    return keras.Model(image, layers.Flatten()(inner(image)))


def shared(keras: Any, layers: Any) -> Any:
    left, right = keras.Input((4,), name="left"), keras.Input((4,), name="right")
    dense, norm = layers.Dense(4, name="dense"), layers.BatchNormalization(name="norm")
    one, two = norm(dense(left)), norm(dense(right))
    return keras.Model([left, right], dense(layers.Concatenate()([one, two])[:, :4]))


def dictionaries(keras: Any, layers: Any) -> Any:
    left, right = keras.Input((4,), name="left"), keras.Input((4,), name="right")
    inner = keras.Model(
        {"left": left, "right": right},
        {"a": layers.Dense(3, name="for_left")(left), "b": layers.Dense(5)(right)},
        name="inner",
    )
    one, two = keras.Input((4,), name="one"), keras.Input((4,), name="two")
    made = inner({"right": one, "left": two})
    return keras.Model({"one": one, "two": two}, {"x": made["b"], "y": made["a"]})


def unused_input(keras: Any, layers: Any) -> Any:
    used, unused = keras.Input((4,), name="used"), keras.Input((2,), name="unused")
    return keras.Model([used, unused], layers.Dense(2)(used))


def operations(keras: Any, layers: Any) -> Any:
    entry = keras.Input((6, 4))
    x = (layers.Dense(4)(entry) * 2.0 + 1.0) / 4.0
    x = 1.0 - x
    x = layers.BatchNormalization()(x)
    return keras.Model(entry, layers.Dense(2)(x[:, 1:3] - x[:, 2:4]))


def constants(keras: Any, layers: Any) -> Any:
    import numpy as np

    entry = keras.Input((4, 3))
    x = layers.Dense(3)(entry) * np.array([1.0, 2.0, 3.0], "float32")
    return keras.Model(entry, layers.Dense(2)(x))


def training_flags(keras: Any, layers: Any) -> Any:
    entry = keras.Input((4,))
    x = layers.Dropout(0.5, name="always")(layers.Dense(4)(entry), training=True)
    x = layers.BatchNormalization(name="never")(x, training=False)
    frozen = layers.BatchNormalization(trainable=False, name="frozen")(x)
    return keras.Model(entry, layers.Dense(2, trainable=False)(frozen))


def spatial(keras: Any, layers: Any) -> Any:
    image = keras.Input((16, 18, 6))
    branches = [
        layers.Conv2D(4, 3, padding="same", dilation_rate=2)(image),
        layers.DepthwiseConv2D(3, padding="same", depth_multiplier=2)(image),
        layers.SeparableConv2D(5, 3, padding="same", depth_multiplier=2)(image),
        layers.Conv2D(4, 3, groups=2, padding="same", activation="relu")(image),
    ]
    x = layers.Concatenate()(branches)
    x = layers.MaxPooling2D(3, 2, padding="same")(x)
    x = layers.Conv2DTranspose(4, 3, strides=2)(x)
    x = layers.Conv2DTranspose(4, 4, strides=2, padding="same", output_padding=1)(x)
    x = layers.Cropping2D(((1, 2), (0, 3)))(x)
    x = layers.UpSampling2D((2, 3), interpolation="bilinear")(x)
    x = layers.AveragePooling2D(2)(x)
    x = layers.PReLU(shared_axes=[1, 2])(x)
    x = layers.LeakyReLU()(x)
    x = layers.Resizing(9, 7)(x)
    pooled = layers.GlobalAveragePooling2D(keepdims=True)(x)
    x = layers.Multiply()([x, pooled])
    return keras.Model(image, [layers.GlobalMaxPooling2D()(x), layers.Permute((3, 1, 2))(x)])


def lines_and_volumes(keras: Any, layers: Any) -> Any:
    line, volume = keras.Input((12, 3)), keras.Input((6, 6, 6, 2))
    x = layers.Conv1D(4, 3, padding="causal")(line)
    x = layers.SeparableConv1D(4, 3)(x)
    x = layers.ZeroPadding1D(2)(x)
    x = layers.Conv1DTranspose(4, 3, strides=2)(x)
    x = layers.Cropping1D(1)(x)
    x = layers.UpSampling1D(2)(x)
    x = layers.MaxPooling1D()(x)
    y = layers.Conv3D(4, 2)(volume)
    y = layers.AveragePooling3D(2)(y)
    y = layers.Conv3DTranspose(3, 2)(y)
    return keras.Model([line, volume], [layers.GlobalAveragePooling1D()(x), layers.Flatten()(y)])


def dense_of_all_kinds(keras: Any, layers: Any) -> Any:
    entry = keras.Input((6, 8))
    x = layers.EinsumDense("...x,xy->...y", output_shape=5, bias_axes="y")(entry)
    x = layers.EinsumDense("abc,cde->abde", output_shape=(None, 2, 3), bias_axes="de")(x)
    x = layers.Reshape((6, 6))(x)
    x = layers.LayerNormalization(axis=[1, 2])(x)
    x = layers.GroupNormalization(groups=3)(x)
    x = layers.UnitNormalization()(x)
    x = layers.Rescaling([1.0] * 6, 0.5)(x)
    x = layers.Normalization(mean=[0.0] * 6, variance=[4.0] * 6)(x)
    x = layers.Normalization()(x)
    x = layers.TimeDistributed(layers.Dense(4, use_bias=False))(x)
    last = layers.RepeatVector(3)(layers.Flatten()(x))
    return keras.Model(entry, layers.Dot(axes=-1)([last, last]))


def recurrent(keras: Any, layers: Any) -> Any:
    words = keras.Input((7,), dtype="int32")
    x = layers.Embedding(20, 6, mask_zero=True)(words)
    x = layers.Dropout(0.1)(x)
    x = layers.Bidirectional(layers.LSTM(3, return_sequences=True))(x)
    x = layers.BatchNormalization()(x)
    x = layers.GRU(4, return_sequences=True)(x)
    x = layers.SimpleRNN(4, return_sequences=True)(x)
    x, state = layers.GRU(4, return_state=True)(x)
    return keras.Model(words, [layers.Dense(2)(x), state])


def cells(keras: Any, layers: Any) -> Any:
    words = keras.Input((7,), dtype="int32")
    embedding = getattr(layers, "ReversibleEmbedding", layers.Embedding)  # since Keras 3.13
    x = layers.RNN([layers.LSTMCell(3), layers.GRUCell(4)], return_sequences=True)(
        layers.Add()([embedding(20, 6)(words), layers.Embedding(20, 6)(words)])
    )
    # That of tf_keras does not work where tf.keras is Keras 3.
    own = keras.__name__ == "tf_keras"
    spectral = (lambda layer: layer) if own else layers.SpectralNormalization
    x = spectral(layers.Conv1D(5, 3, use_bias=False))(x)
    x = layers.Bidirectional(layers.RNN(layers.SimpleRNNCell(2)))(x)
    return keras.Model(words, spectral(layers.Dense(2))(x))


def masked(keras: Any, layers: Any) -> Any:
    entry = keras.Input((7, 4))
    x = layers.Masking()(entry)
    x = layers.Dense(4, activation="gelu")(x)
    x = layers.Add()([x, layers.Activation("relu")(x)])
    return keras.Model(entry, layers.LSTM(3)(layers.BatchNormalization()(x)))


def attention(keras: Any, layers: Any) -> Any:
    entry = keras.Input((7, 8))
    x = layers.MultiHeadAttention(2, 4)(entry, entry)
    x = layers.LayerNormalization()(layers.Add()([x, entry]))
    x, scores = layers.MultiHeadAttention(2, 4, use_bias=False)(x, x, return_attention_scores=True)
    x = layers.Attention(use_scale=True)([x, x])
    return keras.Model(entry, [layers.Dense(2)(x), scores])


def keywords(keras: Any, layers: Any) -> Any:
    """Arguments by keyword, in another order than the layers take them."""
    width = 8 if is_keras_3_3() else 6  # Keras 3.3 attends to values as wide as the query alone
    query, value, key = keras.Input((2, 8)), keras.Input((3, width)), keras.Input((3, 10))
    mask, state = keras.Input((2, 3), dtype="bool"), keras.Input((4,))
    inputs = [query, value, key, mask, state]
    value = layers.BatchNormalization(name="of_value")(value)
    seen = [
        layers.MultiHeadAttention(2, 5, value_dim=7)(query, value, key),
        layers.MultiHeadAttention(2, 5, value_dim=7)(key=key, value=value, query=query),
        layers.MultiHeadAttention(2, 5)(query, attention_mask=mask, value=value),
    ]
    sequence = layers.BatchNormalization(name="of_sequence")(layers.Add()(seen))
    start = layers.BatchNormalization(name="of_state")(state)
    data = "sequences" if is_keras3() else "inputs"
    x = layers.GRU(4, return_sequences=True)(initial_state=[start], **{data: sequence})
    last = layers.Dense(3, name="last")(inputs=layers.BatchNormalization()(inputs=x))
    return keras.Model(inputs, last)


def mixed_precision(keras: Any, layers: Any) -> Any:
    entry = keras.Input((8, 8, 3))
    x = layers.Conv2D(4, 3, dtype="mixed_float16")(entry)
    x = layers.BatchNormalization(dtype="mixed_float16")(x)
    return keras.Model(entry, layers.Flatten(dtype="float32")(x))


def custom(keras: Any, layers: Any) -> Any:
    entry = keras.Input((8, 8, 3))
    x = own_convolution()(4, 3, name="own")(entry)
    x = layers.BatchNormalization()(x)
    x = layers.Activation(own_activation(), name="own_activation")(x)
    return keras.Model(entry, layers.Conv2D(2, 1, activation=own_activation())(x))


def channels_first(keras: Any, layers: Any) -> Any:
    image = keras.Input((3, 8, 8))
    x = layers.Conv2D(4, 3, data_format="channels_first")(image)
    x = layers.BatchNormalization(axis=1)(x)
    x = layers.ZeroPadding2D(1, data_format="channels_first")(x)
    x = layers.MaxPooling2D(data_format="channels_first")(x)
    return keras.Model(image, layers.Flatten(data_format="channels_first")(x))


_OWN: dict[str, Any] = {}


def own_convolution() -> Any:
    """A user's layer, registered."""
    if "layer" not in _OWN:
        keras = load_keras()

        @keras.saving.register_keras_serializable(package="own")
        class Conv2D(keras.layers.Conv2D):  # type: ignore[misc,name-defined]
            pass

        _OWN["layer"] = Conv2D
    return _OWN["layer"]


def own_activation() -> Any:
    """A user's activation. One called ``relu`` older versions save as Keras's own."""
    if "activation" not in _OWN:
        keras = load_keras()

        @keras.saving.register_keras_serializable(package="own")
        def own_relu(x: Any) -> Any:
            return x

        _OWN["activation"] = own_relu
    return _OWN["activation"]


BUILDERS: dict[str, Build] = {
    build.__name__: build
    for build in (
        attention,
        channels_first,
        constants,
        custom,
        dense_of_all_kinds,
        dictionaries,
        keywords,
        lines_and_volumes,
        masked,
        mixed_precision,
        nested,
        nested_at_another_size,
        nested_twice,
        operations,
        recurrent,
        cells,
        sequential,
        sequential_built_late,
        shared,
        spatial,
        training_flags,
        unused_input,
    )
}
APPLICATIONS = (
    "ResNet50",
    "MobileNetV3Small",
    "EfficientNetB0",
    "InceptionResNetV2",
    "ConvNeXtTiny",
)


def build(name: str) -> Any:
    """The model called ``name``, of the installed Keras."""
    keras = load_keras()
    if name in APPLICATIONS:
        return getattr(keras.applications, name)(weights=None)
    return BUILDERS[name](keras, keras.layers)


def is_keras3() -> bool:
    """Whether the installed Keras is of the third generation."""
    return generation(load_keras()) == 3
