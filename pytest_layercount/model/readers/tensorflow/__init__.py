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
    """Tell whether ``candidate`` is a ``tf.function`` traced for one signature."""
    return _is_a(candidate, "ConcreteFunction", "tensorflow.")


def is_untraced(candidate: object) -> bool:
    """Tell whether ``candidate`` is a ``tf.function`` itself: it may have any number of graphs."""
    return _is_a(candidate, "Function", "polymorphic_function")


def _is_a(candidate: object, name: str, module: str) -> bool:
    bases = type(candidate).__mro__
    return any(base.__name__ == name and module in base.__module__ for base in bases)


def read_function(function: Any) -> ModelGraph:
    """The structure of a concrete function, as a graph of layers.

    Raises:
        ModelError: its graph holds what TensorFlow cannot describe.
    """
    from pytest_layercount.model.readers.tensorflow.build import graph_of_function
    from pytest_layercount.model.readers.tensorflow.functions import traced_function

    return graph_of_function(traced_function(function))
