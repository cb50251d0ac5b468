"""One function for each tool: a model in, its folded model out.

Each uses the entry that the tool itself uses to fold, and raises ImportError where
the tool is not installed. They are named by distribution.
"""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

Folder = Callable[[Any], Any]


def ours(model: Any) -> Any:
    from pytest_layercount import fold

    return fold(model, passes=("affine",)).model


def model_compression_toolkit(model: Any) -> Any:
    """Reads a graph, substitutes, and builds it back, as at the start of quantization."""
    from model_compression_toolkit.core.common.model_builder_mode import ModelBuilderMode
    from model_compression_toolkit.core.common.quantization.node_quantization_config import (
        ActivationQuantizationMode,
    )
    from model_compression_toolkit.core.common.quantization.quantization_config import (
        DEFAULTCONFIG,
    )
    from model_compression_toolkit.core.common.substitutions.apply_substitutions import substitute
    from model_compression_toolkit.core.keras.back2framework import get_keras_model_builder
    from model_compression_toolkit.core.keras.keras_implementation import KerasImplementation
    from model_compression_toolkit.core.keras.reader.reader import model_reader

    tool = KerasImplementation()
    graph = substitute(model_reader(model), tool.get_substitutions_prepare_graph())
    graph = substitute(graph, tool.get_substitutions_pre_statistics_collection(DEFAULTCONFIG))
    for node in graph.nodes:  # it is asked for a model that is folded, and not quantized
        mode = SimpleNamespace(quant_mode=ActivationQuantizationMode.NO_QUANT)
        node.final_activation_quantization_cfg = mode
    folded, _ = get_keras_model_builder(ModelBuilderMode.FLOAT)(graph=graph).build_model()
    return folded


def tensorflow_batchnorm_folding(model: Any) -> Any:
    from batch_normalization_folding.folder import fold_batchnormalization_layers

    return fold_batchnormalization_layers(model)[0]


def neural_compressor(model: Any) -> Any:
    """What it does to a model before it quantizes it."""
    from neural_compressor.tensorflow.algorithms.static_quant.keras import KerasAdaptor

    adaptor = KerasAdaptor({"device": "cpu", "backend": "itex"})
    adaptor.query_fw_capability(model)
    return adaptor.pre_optimized_model


FOLDERS: dict[str, Folder] = {
    "pytest-layercount": ours,
    "model-compression-toolkit": model_compression_toolkit,
    "tensorflow-batchnorm-folding": tensorflow_batchnorm_folding,
    "neural-compressor": neural_compressor,
}
