"""Models as plain data: nothing here needs a Keras."""

from tests.graphs import chain, of_size

small = chain("InputLayer", "Conv2D", "BatchNormalization", "Activation", name="small")
lean = chain("InputLayer", "Conv2D", "Activation", name="lean")
last = chain("InputLayer", "Activation", "BatchNormalization", "Activation", name="last")
grown = chain(
    "InputLayer", *["Conv2D", "BatchNormalization", "Activation"] * 2, "Dense", name="grown"
)
large = of_size(40, name="large")


def fails():
    raise ValueError("no weights")
