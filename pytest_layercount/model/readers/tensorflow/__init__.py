"""Functions that TensorFlow has traced: their operations as layers and calls.

======================  ===============================================================
``functions``           from a concrete function or SavedModel to plain operations
``kernels``             convolutions and dense layers, with their biases
``affine``              batch normalizations in each form, and preprocessing
``activations``         swish and the hard activations, written out
``composites``          layers that are several operations
``singles``             operations that are a layer by themselves
``scopes``              what one scope made is one layer
======================  ===============================================================

A function is recognised by its class: importing this imports nothing.
"""

from __future__ import annotations

from typing import Any

from pytest_layercount.model.graph import ModelGraph


def is_function(candidate: object) -> bool:
    """Whether ``candidate`` is a function as ``tf.function`` traces it for given arguments."""
    return any(
        base.__name__ == "ConcreteFunction" and base.__module__.startswith("tensorflow.")
        for base in type(candidate).__mro__
    )


def is_untraced(candidate: object) -> bool:
    """Whether ``candidate`` is a ``tf.function``, which stands for any number of graphs."""
    return any(
        base.__name__ == "Function" and "polymorphic_function" in base.__module__
        for base in type(candidate).__mro__
    )


def read_function(function: Any) -> ModelGraph:
    """The structure of a concrete function.

    Raises:
        ModelError: its graph holds what TensorFlow cannot describe.
    """
    from pytest_layercount.model.readers.tensorflow.build import graph_of_function
    from pytest_layercount.model.readers.tensorflow.functions import traced_function

    return graph_of_function(traced_function(function))
