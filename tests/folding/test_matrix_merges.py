"""Layers that combine tensors, activations, and several consumers."""

from __future__ import annotations

from tests.folding.harness import Case, Kit, check, matrix


def two(k: Kit, merge, *after):
    """Two convolutions of one input, merged."""
    inputs = k.input(8, 8, 3)
    a, b = k.Conv2D(4, 3, name="a")(inputs), k.Conv2D(4, 3, name="b")(inputs)
    tensor = merge([a, b])
    for layer in after:
        tensor = layer(tensor)
    return k.model(inputs, tensor)


def normalised(k: Kit, merge, **kwargs):
    """Two convolutions with a batch norm each, merged, then a convolution."""
    inputs = k.input(8, 8, 3)
    a = k.bn("bn_a", **kwargs)(k.ReLU(name="ra")(inputs))
    b = k.bn("bn_b", **kwargs)(k.ReLU(name="rb")(inputs))
    return k.model(inputs, k.Conv2D(4, 3, name="f")(merge([a, b])))


def gate(k: Kit, tensor):
    pooled = k.Reshape((1, 1, 4))(k.GlobalAveragePooling2D()(tensor))
    return k.Conv2D(4, 1, activation="sigmoid")(pooled)


def wide_and_narrow(k: Kit):
    inputs = k.input(6)
    narrow = k.bn()(k.Dense(1, name="f")(inputs))
    return k.model(inputs, k.Multiply()([narrow, k.Dense(3, name="g")(inputs)]))


def relu(x):
    """Not Keras's."""
    return x - 1


def linear(x):
    """Not Keras's either."""
    return x * x


class Linear:
    """An object called as a function."""

    def __call__(self, x):
        return x * x

    def get_config(self):
        return {}

    @classmethod
    def from_config(cls, config):
        return cls(**config)


Linear.__name__ = "linear"


UP = [
    Case("Add", lambda k: two(k, k.Add(), k.bn()), "bn>a+b", "Conv2D Conv2D Add"),
    Case("Subtract", lambda k: two(k, k.Subtract(), k.bn()), "bn>a+b", "Conv2D Conv2D Subtract"),
    Case("Average", lambda k: two(k, k.Average(), k.bn()), "bn>a+b", "Conv2D Conv2D Average"),
    Case(
        "Multiply without shift",
        lambda k: two(k, k.Multiply(), k.Rescaling(0.3, name="r")),
        "r>a",
        "Conv2D Conv2D Multiply",
    ),
    Case(
        "Multiply with shift",
        lambda k: two(k, k.Multiply(name="m"), k.bn()),
        "bn!shift-not-zero@m",
        "Conv2D Conv2D Multiply BatchNormalization",
    ),
    Case(
        "Maximum",
        lambda k: two(k, k.Maximum(), k.bn(scale=False)),
        "bn>a+b",
        "Conv2D Conv2D Maximum",
    ),
    Case(
        "Minimum, negative",
        lambda k: two(k, k.Minimum(name="m"), k.bn()),
        "bn!scale-negative@m",
        "Conv2D Conv2D Minimum BatchNormalization",
    ),
    Case(
        "Concatenate",
        lambda k: two(k, k.Concatenate(), k.bn()),
        "bn>a+b",
        "Conv2D Conv2D Concatenate",
    ),
    Case(
        "Concatenate along another axis",
        lambda k: two(k, k.Concatenate(axis=1), k.bn()),
        "bn>a+b",
        "Conv2D Conv2D Concatenate",
    ),
    Case(
        "sum operator",
        lambda k: two(k, lambda x: x[0] + x[1], k.bn()),
        "bn>a+b",
        "Conv2D Conv2D add",
    ),
    Case(
        "difference operator",
        lambda k: two(k, lambda x: x[1] - x[0], k.bn()),
        "bn>a+b",
        "Conv2D Conv2D subtract",
    ),
    Case(
        "the shift goes to the branch that can take it",
        lambda k: two(
            k, lambda x: k.Add(name="s")([k.ReLU(name="r")(x[0]), x[1]]), k.bn(scale=False)
        ),
        "bn>a+b",
        "Conv2D ReLU Conv2D Add",
    ),
    Case(
        "one branch cannot",
        lambda k: two(k, lambda x: k.Add(name="s")([x[0], k.ReLU(name="r")(x[1])]), k.bn()),
        "bn!scale-negative@r",
        "Conv2D Conv2D ReLU Add BatchNormalization",
    ),
    Case(
        "Average, where all of it goes to one branch but the scale",
        lambda k: two(k, lambda x: k.Average()([k.ReLU()(x[0]), x[1]]), k.bn(scale=False)),
        "bn>a+b",
        "Conv2D ReLU Conv2D Average",
    ),
    Case(
        "Average of three",
        lambda k: k.chain(
            (4,), lambda x: k.Average()([k.Dense(3, name=name)(x) for name in "abc"]), k.bn()
        ),
        "bn>a+b+c",
        "Dense Dense Dense Average",
    ),
    Case(
        "the same tensor twice",
        lambda k: k.chain((4,), k.Dense(5, name="f"), lambda x: k.Add(name="s")([x, x]), k.bn()),
        "bn>f",
        "Dense Add",
    ),
    Case(
        "concatenated with itself",
        lambda k: k.chain((4,), k.Dense(5, name="f"), lambda x: k.Concatenate()([x, x]), k.bn()),
        "bn!several-consumers@f",
        "Dense Concatenate BatchNormalization",
    ),
    Case(
        "three branches, through pooling and padding",
        lambda k: k.chain(
            (8, 8, 3),
            lambda x: k.Concatenate()(
                [
                    k.AveragePooling2D(2, 1, padding="same")(k.Conv2D(2, 1, name="a")(x)),
                    k.Dropout(0.1, name="d")(k.Conv2D(3, 1, name="b")(x)),
                    k.Activation("linear", name="l")(k.Conv2D(4, 1, name="c")(x)),
                ]
            ),
            k.bn(),
        ),
        "bn>a+b+c",
        "Conv2D AveragePooling2D Conv2D Conv2D Concatenate",
        removed="d l",
    ),
]
DOWN = [
    Case(
        "Add of two maps with different scales",
        lambda k: normalised(k, k.Add(name="s")),
        "bn_a!shift-not-zero@ra bn_b!shift-not-zero@rb",
        "ReLU ReLU BatchNormalization BatchNormalization Add Conv2D",
    ),
    Case(
        "Multiply of one scaled tensor with itself",
        lambda k: k.chain(
            (4,),
            k.Rescaling([0.3, -2.0, 0.0, 1.0], name="r"),
            lambda x: k.Multiply()([x, x]),
            k.Dense(3, name="f"),
        ),
        "r>f",
        "Multiply Dense",
    ),
    Case(
        "a shift of two of three terms",
        lambda k: k.chain(
            (4,),
            lambda x: [x, *[k.Rescaling(1, 0.3, name="r")(x)] * 2],
            k.Add(),
            k.Dense(3, name="f"),
        ),
        "r>f",
        "Add Dense",
    ),
    Case(
        "a scale of two of three terms",
        lambda k: k.chain(
            (4,), lambda x: [x, *[k.bn()(x)] * 2], k.Add(name="s"), k.Dense(3, name="f")
        ),
        "bn!scale-not-one@s",
        "BatchNormalization Add Dense",
    ),
    Case(
        "Concatenate of two maps",
        lambda k: normalised(k, k.Concatenate()),
        "bn_a>f bn_b>f",
        "ReLU ReLU Concatenate Conv2D",
    ),
]

THROUGH = [
    Case(
        "ReLU, a positive scale",
        lambda k: k.chain((4,), k.Dense(3, name="f"), k.ReLU(), k.Rescaling(0.3, name="r")),
        "r>f",
        "Dense ReLU",
    ),
    Case(
        "LeakyReLU, a negative scale",
        lambda k: k.chain(
            (4,), k.Dense(3, name="f"), k.LeakyReLU(name="n"), k.Rescaling(-0.3, name="r")
        ),
        "r!scale-negative@n",
        "Dense LeakyReLU Rescaling",
    ),
    Case(
        "PReLU",
        lambda k: k.chain((4,), k.Dense(3, name="f"), k.PReLU(), k.Rescaling(0.3, name="r")),
        "r>f",
        "Dense PReLU",
    ),
    Case(
        "PReLU of shared slopes",
        lambda k: k.chain(
            (4, 3),
            k.Rescaling([0.3, 2.0, 0.0], name="r"),
            k.PReLU(shared_axes=[1]),
            k.Conv1D(3, 3, padding="same", name="f"),
        ),
        "r>f",
        "PReLU Conv1D",
    ),
    Case(
        "Activation relu",
        lambda k: k.chain(
            (4,), k.Rescaling(0.3, name="r"), k.Activation("relu"), k.Dense(3, name="f")
        ),
        "r>f",
        "Activation Dense",
    ),
    Case(
        "a shift stops at ReLU",
        lambda k: k.chain((4,), k.Dense(3), k.ReLU(name="n"), k.bn()),
        "bn!shift-not-zero@n",
        "Dense ReLU BatchNormalization",
    ),
    Case(
        "ReLU6",
        lambda k: k.chain(
            (4,), k.Dense(3), k.ReLU(max_value=6, name="n"), k.Rescaling(0.3, name="r")
        ),
        "r!nonlinear@n",
        "Dense ReLU Rescaling",
    ),
    Case(
        "a threshold",
        lambda k: k.chain(
            (4,), k.Dense(3), k.ReLU(threshold=0.1, name="n"), k.Rescaling(0.3, name="r")
        ),
        "r!nonlinear@n",
        "Dense ReLU Rescaling",
    ),
    Case(
        "a slope",
        lambda k: k.chain(
            (4,), k.Dense(3, name="f"), k.ReLU(negative_slope=0.1), k.Rescaling(0.3, name="r")
        ),
        "r>f",
        "Dense ReLU",
    ),
    Case(
        "Softmax is known to be no map",
        lambda k: k.chain((4,), k.Dense(3), k.Softmax(name="n"), k.bn()),
        "bn!nonlinear@n",
        "Dense Softmax BatchNormalization",
    ),
    Case(
        "activations.relu",
        lambda k: k.chain(
            (4,), k.Dense(3, name="f"), k.keras.activations.relu, k.Rescaling(0.3, name="r")
        ),
        "r>f",
        "Dense relu",
        needs=3,
    ),
    Case(
        "nn.relu",
        lambda k: k.chain(
            (4,), k.Dense(3, name="f"), k.keras.activations.relu, k.Rescaling(0.3, name="r")
        ),
        "r>f",
        "Dense relu",
        needs=2,
    ),
]

CONSUMERS = [
    Case(
        "into all of them",
        lambda k: k.chain(
            (6,),
            k.bn(),
            lambda x: k.Add()([k.Dense(3, name="a")(x), k.Dense(3, name="b")(x)]),
        ),
        "bn>a+b",
        "Dense Dense Add",
    ),
    Case(
        "one of them cannot",
        lambda k: k.chain(
            (6,),
            k.bn(),
            lambda x: k.Add()([k.Dense(6, name="a")(x), k.Activation("tanh", name="t")(x)]),
        ),
        "bn!nonlinear@t",
        "BatchNormalization Dense Activation Add",
    ),
    Case(
        "conv output used twice",
        lambda k: k.chain((6,), k.Dense(4, name="f"), lambda x: k.Add(name="s")([k.bn()(x), x])),
        "bn!several-consumers@f",
        "Dense BatchNormalization Add",
    ),
    Case(
        "a skip connection around conv and batch norm",
        lambda k: k.chain(
            (6, 6, 3),
            k.Conv2D(4, 1),
            lambda x: k.Add()([k.bn()(k.Conv2D(4, 3, padding="same", name="f")(x)), x]),
        ),
        "bn>f",
        "Conv2D Conv2D Add",
    ),
    Case(
        "squeeze and excite",
        lambda k: k.chain(
            (6, 6, 3),
            k.Conv2D(4, 1, name="f"),
            k.bn(),
            lambda x: k.Multiply()([x, gate(k, x)]),
        ),
        "bn>f",
        "Conv2D GlobalAveragePooling2D Reshape Conv2D Multiply",
    ),
    Case(
        "a batch norm as wide as one channel, broadcast",
        wide_and_narrow,
        "bn>f",
        "Dense Dense Multiply",
    ),
]


@matrix(*UP)
def test_up(case: Case, kit: Kit) -> None:
    check(case, kit)


@matrix(*DOWN)
def test_down(case: Case, kit: Kit) -> None:
    check(case, kit)


@matrix(*THROUGH)
def test_activations(case: Case, kit: Kit) -> None:
    check(case, kit)


@matrix(*CONSUMERS)
def test_consumers(case: Case, kit: Kit) -> None:
    check(case, kit)


IMPOSTORS = [
    Case(
        "an activation called relu",
        lambda k: k.chain(
            (4,), k.Dense(3), k.Activation(relu, name="n"), k.Rescaling(0.3, name="r")
        ),
        "r!nonlinear@n",
        "Dense Activation Rescaling",
    ),
    Case(
        "an activation called linear",
        lambda k: k.chain((4,), k.Dense(3), k.Activation(linear, name="n"), k.bn()),
        "bn!nonlinear@n",
        "Dense Activation BatchNormalization",
    ),
    Case(
        "an activation inside called linear",
        lambda k: k.chain((4,), k.Dense(3, activation=linear, name="f"), k.bn()),
        "bn!activation@f",
        "Dense BatchNormalization",
    ),
    Case(
        "an object called linear",
        lambda k: k.chain((4,), k.Dense(3, activation=Linear(), name="f"), k.bn()),
        "bn!activation@f",
        "Dense BatchNormalization",
        needs=2,
    ),
    Case(
        "relu with a ceiling",
        lambda k: k.chain(
            (4,),
            k.Dense(3, name="f"),
            lambda x: k.keras.activations.relu(x, max_value=0.5),
            k.Activation("linear", name="l"),
            k.Rescaling(0.3, name="r"),
        ),
        "r!nonlinear@re_lu",
        "Dense relu Rescaling",
        needs=3,
        removed="l",
    ),
]


@matrix(*IMPOSTORS)
def test_impostors(case: Case, kit: Kit) -> None:
    check(case, kit)
