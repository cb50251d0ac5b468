"""Models as plain data: nothing here needs a Keras."""

from pytest_layercount.model.graph import Layer
from tests.graphs import chain, of_size

small = chain("InputLayer", "Conv2D", "BatchNormalization", "Activation", name="small")
lean = chain("InputLayer", "Conv2D", "Activation", name="lean")
last = chain("InputLayer", "Activation", "BatchNormalization", "Activation", name="last")
grown = chain(
    "InputLayer", *["Conv2D", "BatchNormalization", "Activation"] * 2, "Dense", name="grown"
)
nested = chain(
    "InputLayer",
    Layer("backbone/stem/conv", "Conv2D", "layer", parameters=10),
    Layer("backbone/stem/norm", "BatchNormalization", "layer", parameters=8),
    Layer("backbone/last", "Dense", "layer", parameters=3),
    "Dense",
    name="nested",
)
large = of_size(40, name="large")


def fails():
    raise ValueError("no weights")
