"""A call of every layer class that Keras has, most of them in several ways."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

IMAGE, LINE, VOLUME, WORDS = (9, 8, 3), (7, 3), (6, 5, 4, 3), (3,)
DISTORTING = (
    "AugMix",
    "CutMix",
    "RandAugment",
    "RandomBrightness",
    "RandomColorDegeneration",
    "RandomContrast",
    "RandomElasticTransform",
    "RandomErasing",
    "RandomGaussianBlur",
    "RandomGrayscale",
    "RandomHeight",
    "RandomHue",
    "RandomInvert",
    "RandomPerspective",
    "RandomRotation",
    "RandomSaturation",
    "RandomSharpness",
    "RandomWidth",
)


class Case(NamedTuple):
    """What a layer is made with, and the shapes of the tensors that it is called with."""

    type: str
    settings: dict[str, Any]
    shapes: tuple[tuple[int | None, ...], ...]
    dtype: str = "float32"
    call: dict[str, Any] = {}  # noqa: RUF012

    def __str__(self) -> str:
        said = "-".join(f"{name}={value}" for name, value in (self.settings | self.call).items())
        return f"{self.type}-{said}".replace(" ", "")[:70]


def space(n: int) -> tuple[int, ...]:
    """The shape of a sample with ``n`` spatial axes."""
    return {1: LINE, 2: IMAGE, 3: VOLUME}[n]


def of(shape: tuple[int | None, ...], dtype: str = "float32", /, **types: Any) -> Iterator[Case]:
    """Types called on one tensor, each with each of its settings."""
    for name, several in types.items():
        for settings in several if isinstance(several, list) else [several]:
            yield Case(name, settings, (shape,), dtype)


def windows() -> Iterator[Case]:
    """Layers that slide windows or move positions."""
    for n in (1, 2, 3):
        here, first = space(n), (4, *space(n)[:-1])
        several = [
            {"filters": 4, "kernel_size": 3},
            {"filters": 4, "kernel_size": 2, "strides": 2, "padding": "same", "use_bias": False},
            {"filters": 4, "kernel_size": 2, "dilation_rate": 2},
        ]
        yield from of(here, **{f"Conv{n}D": several, f"Conv{n}DTranspose": several[:2]})
        grown = {"filters": 4, "kernel_size": 3, "strides": 2, "output_padding": 1}
        for padding in ("valid", "same"):
            yield from of(here, **{f"Conv{n}DTranspose": {**grown, "padding": padding}})
        yield from of((*here[:-1], 4), **{f"Conv{n}D": {**several[0], "groups": 2}})
        channels_first = {**several[0], "data_format": "channels_first"}
        yield from of(first, **{f"Conv{n}D": channels_first})
        yield Case(f"ConvLSTM{n}D", several[0], ((2, *here),))
        yield Case(f"ConvLSTM{n}D", {**several[1], "return_sequences": True}, ((2, *here),))
        if n < 3:
            apart = [
                {"kernel_size": 3},
                {"kernel_size": 2, "strides": 2, "depth_multiplier": 2, "padding": "same"},
                {"kernel_size": 2, "use_bias": False},
            ]
            into = [{**settings, "filters": 4} for settings in apart]
            yield from of(here, **{f"DepthwiseConv{n}D": apart, f"SeparableConv{n}D": into})
            local = [several[0], {**several[0], "strides": 2, "implementation": 2}]
            yield from of(here, **{f"LocallyConnected{n}D": local})
        for kind in ("Average", "Max"):
            yield from of(here, **{f"{kind}Pooling{n}D": [{}, {"pool_size": 3, "strides": 1}]})
            yield from of(here, **{f"Adaptive{kind}Pooling{n}D": {"output_size": 2}})
            yield from of(here, **{f"Global{kind}Pooling{n}D": [{}, {"keepdims": True}]})
        yield from of(here, **{f"ZeroPadding{n}D": [{}, {"padding": 2}]})
        yield from of(here, **{f"Cropping{n}D": {}, f"UpSampling{n}D": [{}, {"size": 3}]})
        yield from of(
            first, **{f"UpSampling{n}D": {"data_format": "channels_first"}} if n > 1 else {}
        )


def weighted() -> Iterator[Case]:
    """Layers of kernels that see all of their input, and normalizations."""
    yield from of(LINE, Dense=[{"units": 4}, {"units": 4, "use_bias": False}])
    yield from of(
        LINE,
        EinsumDense=[
            {"equation": "abc,cd->abd", "output_shape": (None, 5), "bias_axes": "d"},
            {"equation": "abc,cde->abde", "output_shape": (7, 2, 5), "bias_axes": "de"},
            {"equation": "...c,cd->...d", "output_shape": 5},
        ],
    )
    yield from of(WORDS, "int32", Embedding=[{"input_dim": 9, "output_dim": 4}])
    yield from of(
        WORDS,
        "int32",
        Embedding={"input_dim": 9, "output_dim": 4, "mask_zero": True},
        ReversibleEmbedding=[
            {"input_dim": 9, "output_dim": 4},
            {"input_dim": 9, "output_dim": 4, "tie_weights": False},
        ],
    )
    normalized = [{}, {"scale": False}, {"center": False, "axis": 1}]
    yield from of(IMAGE, BatchNormalization=normalized, LayerNormalization=normalized)
    yield from of(IMAGE, LayerNormalization={"axis": [1, 2]}, SyncBatchNormalization={})
    yield from of(IMAGE, GroupNormalization=[{"groups": 3}, {"groups": 1, "scale": False}])
    yield from of(IMAGE, RMSNormalization=[{}, {"axis": 1}], UnitNormalization={})
    yield from of(IMAGE, Normalization=[{}, {"mean": 1.0, "variance": 2.0}, {"axis": None}])
    yield from of(IMAGE, LayerScale={"init_values": 0.5, "projection_dim": 3})
    yield from of(IMAGE, PReLU=[{}, {"shared_axes": [1, 2]}])
    fourier = [{"output_dim": 4, **more} for more in ({}, {"scale": 2.0}, {"trainable": True})]
    yield from of((5,), RandomFourierFeatures=fourier)


def recurrent() -> Iterator[Case]:
    """Layers that take steps."""
    several = [{"units": 4}, {"units": 4, "return_sequences": True, "use_bias": False}]
    yield from of(LINE, SimpleRNN=several, LSTM=several, GRU=several)
    yield from of(LINE, GRU={"units": 4, "reset_after": False})
    yield from of(LINE, LSTM={"units": 4, "return_state": True})


def attention() -> Iterator[Case]:
    """Layers that take queries, values and keys."""
    three = ((5, 6), (7, 8), (7, 9))
    for shapes in (three[:2], three):
        yield Case("MultiHeadAttention", {"num_heads": 2, "key_dim": 3}, shapes)
    more = {"num_heads": 2, "key_dim": 3, "value_dim": 5, "output_shape": 4, "use_bias": False}
    yield Case("MultiHeadAttention", more, three)
    yield Case("MultiHeadAttention", {"num_heads": 2, "key_dim": 3, "use_gate": True}, three)
    like = ((5, 6), (7, 6))
    grouped = {"head_dim": 3, "num_query_heads": 4, "num_key_value_heads": 2}
    for settings in ({}, {"use_bias": False}, {"use_gate": True}):
        yield Case("GroupedQueryAttention", {**grouped, **settings}, like)
    for settings in ({}, {"use_scale": True}, {"score_mode": "concat"}):
        yield Case("Attention", settings, like)
    for settings in ({}, {"use_scale": False}):
        yield Case("AdditiveAttention", settings, like)
    scores = {"return_attention_scores": True}
    yield Case("Attention", {}, like, call=scores)
    # Keras 3 says of symbolic tensors that there are as many keys as queries.
    yield Case("MultiHeadAttention", {"num_heads": 2, "key_dim": 3}, ((5, 6), (5, 8)), call=scores)


def shaping() -> Iterator[Case]:
    """Layers without weights that move, join or drop elements, or pass them on."""
    yield from of(IMAGE, Flatten={}, Permute={"dims": (3, 1, 2)}, Reshape={"target_shape": (-1, 6)})
    yield from of(WORDS, RepeatVector={"n": 4})
    two = (IMAGE, IMAGE)
    for name in ("Add", "Average", "Maximum", "Minimum", "Multiply", "Subtract"):
        yield Case(name, {}, two)
        yield Case(name, {}, (IMAGE, (1, 1, 3)))
    yield Case("Concatenate", {}, two)
    yield Case("Concatenate", {"axis": 1}, two)
    yield Case("Dot", {"axes": 1}, (LINE, LINE))
    yield Case("Dot", {"axes": (2, 2)}, (LINE, LINE))
    yield Case("Dot", {"axes": 1}, (WORDS, WORDS))
    yield from of(IMAGE, Activation={"activation": "relu"}, ActivityRegularization={})
    yield from of(IMAGE, ELU={}, Identity={}, LeakyReLU={}, Masking={}, ReLU={}, Softmax={})
    yield from of(IMAGE, ThresholdedReLU={}, Rescaling={"scale": 0.5})
    dropped = {"rate": 0.2}
    yield from of(IMAGE, AlphaDropout=dropped, Dropout=dropped, GaussianDropout=dropped)
    yield from of(IMAGE, GaussianNoise={"stddev": 0.2}, StochasticDepth=dropped)
    for n in (1, 2, 3):
        yield from of(space(n), **{f"SpatialDropout{n}D": dropped})


def images() -> Iterator[Case]:
    """Layers that work on pictures and sound."""
    size = {"height": 5, "width": 4}
    yield from of(IMAGE, CenterCrop=size, RandomCrop=size, Resizing=size)
    factor = {"factor": 0.5}
    for name in [
        "RandomBrightness",
        "RandomColorDegeneration",
        "RandomContrast",
        "RandomErasing",
        "RandomGaussianBlur",
        "RandomGrayscale",
        "RandomHeight",
        "RandomHue",
        "RandomInvert",
        "RandomPerspective",
        "RandomRotation",
        "RandomSaturation",
        "RandomSharpness",
        "RandomWidth",
        "RandomElasticTransform",
        "CutMix",
        "RandAugment",
        "AugMix",
    ]:
        yield Case(name, factor, (IMAGE,))
    yield from of(
        IMAGE,
        AutoContrast={},
        ContrastLimitedAdaptiveHistogramEqualization={},
        MixUp={},
        RandomColorJitter={},
        RandomFlip={},
        RandomPosterization={"factor": 4},
        RandomShear={"x_factor": 0.1, "y_factor": 0.1},
        RandomTranslation={"height_factor": 0.1, "width_factor": 0.1},
        RandomZoom={"height_factor": 0.1},
        Solarization={},
    )
    mel = {"fft_length": 64, "sequence_stride": 16, "num_mel_bins": 8}
    yield Case("MelSpectrogram", mel, ((256,),))
    plain: dict[str, Any] = {"frame_length": 12, "window": None}  # windows need SciPy
    several = [
        plain,
        {**plain, "frame_step": 4, "mode": "stft", "expand_dims": True},
        {**plain, "fft_length": 20, "mode": "real", "padding": "same"},
    ]
    yield from of((64, 2), STFTSpectrogram=several)
    first = {**several[1], "data_format": "channels_first"}
    yield from of((2, 64), STFTSpectrogram=[first, {**first, "expand_dims": False}])


def encoding() -> Iterator[Case]:
    """Layers that look up, hash or split into bins."""
    yield from of(WORDS, "int32", CategoryEncoding=[{"num_tokens": 4}])
    bins = {"bin_boundaries": [0.0, 1.0]}
    yield from of(WORDS, Discretization=[bins, {**bins, "output_mode": "multi_hot"}])
    yield from of(
        WORDS,
        "string",
        Hashing=[
            {"num_bins": 5},
            {"num_bins": 5, "output_mode": "count"},
            {"num_bins": 5, "output_mode": "one_hot"},
        ],
    )
    yield Case("HashedCrossing", {"num_bins": 5}, ((1,), (1,)), "int32")
    yield from of(WORDS, "int64", IntegerLookup={"vocabulary": [3, 4, 5]})
    yield from of(WORDS, "string", StringLookup={"vocabulary": ["a", "b"]})
    yield from of(WORDS, "string", StringLookup={"vocabulary": ["a"], "output_mode": "multi_hot"})
    yield from of(
        (1,), "string", TextVectorization={"vocabulary": ["a"], "output_sequence_length": 4}
    )


CASES: tuple[Case, ...] = (
    *windows(),
    *weighted(),
    *recurrent(),
    *attention(),
    *shaping(),
    *images(),
    *encoding(),
)
