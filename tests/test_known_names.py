"""Names in tables name something: what Keras and TensorFlow do not have is never found."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import pytest_layercount
from tests.conftest import needs_keras
from tests.kerases import generation, is_keras_3_3, load_keras

pytestmark = needs_keras

PACKAGE = Path(pytest_layercount.__file__).parent
OLDER = {
    *("AddLoss", "AddMetric", "CuDNNGRU", "CuDNNLSTM", "DenseFeatures", "LocallyConnected*D"),
    *("RandomFourierFeatures", "SyncBatchNormalization", "ThresholdedReLU"),
    *("ClassMethod", "InstanceMethod", "InstanceProperty", "SlicingOpLambda", "TFOpLambda"),
    *("DynamicEmbedding", "DynamicLookup", "TensorFlowOpLayer"),
}
"""Layers of Keras 2, or of tf_keras alone, that Keras 3 does not have."""
PARTS = {
    *("AdaptiveAveragePooling", "AdaptiveMaxPooling", "AveragePooling", "MaxPooling"),
    *(
        "GlobalAveragePooling",
        "GlobalMaxPooling",
        "Depthwise",
        "Separable",
        "Cell",
        "Global",
        "Avg",
    ),
    *("1D", "2D", "3D"),
}
"""What names begin or end with."""
OTHERS = {"Module", "Operation", "KerasLayer", "ReloadedLayer"}
"""Bases, and classes of TensorFlow Hub and of SavedModels."""
FUNCTIONS = {
    "compare/vocabulary.py": {"_ARITHMETIC", "_ACTIVATIONS", "COMMUTATIVE"},
    "folding/equivalence/specs.py": {"MOVES", "COMPUTES"},
    "model/readers/files/infer.py": {"_COUNTS", "_TRUTHS"},
}
"""Tables of functions, besides those of the rules."""


def tables(file: str) -> Iterator[tuple[str, str]]:
    """The tables of a file or of its classes, and each word in them."""
    tree = ast.parse((PACKAGE / file).read_text("utf-8"))
    for scope in [tree, *(node for node in tree.body if isinstance(node, ast.ClassDef))]:
        for node in scope.body:
            if not isinstance(node, (ast.Assign, ast.AnnAssign)) or node.value is None:
                continue
            target = node.targets[0] if isinstance(node, ast.Assign) else node.target
            name = ast.unparse(target)
            if name.isupper() or name in ("types", "operations"):
                yield from ((name, word) for word in words(node.value))


def words(node: ast.AST) -> Iterator[str]:
    """The words of all texts but those that are put together."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield from node.value.split()
    elif not isinstance(node, ast.JoinedStr):
        for child in ast.iter_child_nodes(node):
            yield from words(child)


def files(*folders: str) -> list[str]:
    found = [path for folder in folders for path in sorted((PACKAGE / folder).rglob("*.py"))]
    return [path.relative_to(PACKAGE).as_posix() for path in found]


def newest() -> bool:
    """Whether this is a Keras that has all that is known of Keras 3."""
    return generation(load_keras()) == 3 and not is_keras_3_3()


def classes() -> set[str]:
    """Layers and operations of Keras, and the operations of TensorFlow."""
    import tensorflow as tf

    keras = load_keras()
    keras.ops.image  # noqa: B018  imports the operations

    def derived(cls: type) -> Iterator[type]:
        for each in cls.__subclasses__():
            yield each
            yield from derived(each)

    operations = {cls.__name__ for cls in derived(keras.Operation)}
    return {*vars(keras.layers), *operations, *dir(tf.raw_ops)}


def functions() -> set[str]:
    import tensorflow as tf

    keras, v1 = load_keras(), tf.compat.v1
    places = (tf, tf.math, tf.nn, tf.image, tf.linalg, tf.random, tf.signal, v1, v1.nn, v1.image)
    return {name for place in (*places, keras.ops, keras.activations) for name in dir(place)}


@pytest.mark.parametrize("file", ["checks/foldable.py", *files("compare", "folding", "model")])
def test_classes(file: str) -> None:
    if not newest():
        pytest.skip("only the newest Keras has all of them")
    said = {word for _, word in tables(file) if re.fullmatch(r"\w*[A-Z0-9]\w*[a-z*]\w*|\w+D", word)}
    known = classes() | OLDER | PARTS | OTHERS
    numbered = {re.sub(r"[123](?=D)", "*", name) for name in known}
    prose = {"Keras", "LoRA", "NaN", "K", "M", "G"}
    assert {word for word in said if re.search("[A-Z]", word)} <= known | numbered | prose


@pytest.mark.parametrize("file", [*FUNCTIONS, *files("folding/rules")])
def test_functions(file: str) -> None:
    if not newest():
        pytest.skip("only the newest Keras has all of them")
    wanted = FUNCTIONS.get(file, {"operations"})
    said = {word for table, word in tables(file) if table in wanted and word.islower()}
    assert said <= functions()
