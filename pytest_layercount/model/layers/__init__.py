"""The layer types of Keras, of all its versions: a type is one row, a family one file.

To teach the package a layer type, give it a row in the file of its family; if a map can be
folded into it or pass through it, a rule in ``folding/rules`` says how.
"""

from __future__ import annotations

from collections.abc import Mapping

from pytest_layercount.model.layers import (
    attention,
    convolution,
    dense,
    elementwise,
    encoding,
    images,
    merging,
    normalization,
    operations,
    pooling,
    recurrent,
    shaping,
    wrappers,
)
from pytest_layercount.model.layers.base import LayerType
from pytest_layercount.model.layers.names import names

TYPES: Mapping[str, LayerType] = {
    **attention.TYPES,
    **convolution.TYPES,
    **dense.TYPES,
    **elementwise.TYPES,
    **encoding.TYPES,
    **images.TYPES,
    **merging.TYPES,
    **normalization.TYPES,
    **pooling.TYPES,
    **recurrent.TYPES,
    **shaping.TYPES,
    **wrappers.TYPES,
}

WITHOUT_ROW = names("""
    ClassMethod DenseFeatures DynamicEmbedding DynamicLookup FlaxLayer Functional
    InstanceMethod InstanceProperty JaxLayer Sequential SlicingOpLambda TFOpLambda TFSMLayer
    TensorFlowOpLayer TorchModuleWrapper
    """)
"""Layer types of which no row tells what they return and hold.

Readers open models and know Keras 2's calls of functions by the function. Of all others it is
said to users that a shape, a size or how much is multiplied is not known.
"""

LAYERS = frozenset(TYPES) | WITHOUT_ROW
KNOWN = LAYERS | frozenset(operations.TYPES)
"""What a layer can be called that is Keras's own, or that TensorFlow makes of one."""

_ROWS: Mapping[str, LayerType] = {**operations.TYPES, **TYPES}
_NOTHING = LayerType()


def row_of(type_: str) -> LayerType:
    """The row of a layer type of Keras's own; an empty row for all others."""
    return _ROWS.get(type_, _NOTHING)
