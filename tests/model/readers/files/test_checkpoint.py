"""Checkpoints of TensorFlow, without TensorFlow: their index, their names, and what is damaged."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from pytest_layercount.errors import ModelError
from pytest_layercount.model.readers.files.stored_weights import read_weights
from tests.model.readers.files import tables

VALUE = "/.ATTRIBUTES/VARIABLE_VALUE"
KERNEL = np.arange(12, dtype="float32").reshape(3, 4)
BIAS = np.ones(4, "float32")
STEPS = np.array(7, "int64")


def refusal(path: Path) -> str:
    """What is wrong with the file, in our own words; empty where it can be read."""
    try:
        read_weights(path)
    except ModelError as error:
        return str(error)
    return ""


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    path = tmp_path / "ckpt-1"
    arrays = {
        f"layer_with_weights-{number}/{name}{VALUE}": array
        for number in (0, 2, 10)
        for name, array in (("bias", BIAS), ("kernel", KERNEL * number))
    }
    arrays[f"layer_with_weights-1/layer_with_weights-0/kernel{VALUE}"] = KERNEL.astype("float16")
    arrays[f"layer_with_weights-0/kernel/.OPTIMIZER_SLOT/optimizer/m{VALUE}"] = KERNEL
    arrays[f"optimizer/iter{VALUE}"] = arrays[f"save_counter{VALUE}"] = STEPS
    names = {
        f"layer_with_weights-0/bias{VALUE}": "stem/bias",
        f"layer_with_weights-0/kernel{VALUE}": "stem/kernel",
    }
    tables.write(path, arrays, names)
    return path


@pytest.mark.parametrize("name", ["ckpt-1", "ckpt-1.index"])
def test_layers_stand_in_the_order_of_the_model(checkpoint: Path, name: str) -> None:
    stored = read_weights(checkpoint.with_name(name))
    assert stored.format == "checkpoint"
    assert [layer.path for layer in stored.layers] == [
        "stem",
        "layer_with_weights-1/layer_with_weights-0",
        "layer_with_weights-2",
        "layer_with_weights-10",
    ]
    assert [weight.name for weight in stored.layers[0].weights] == ["bias", "kernel"]
    assert stored.layers[0].shapes == ((4,), (3, 4))
    assert (stored.parameters, stored.bytes) == (3 * 16 + 12, 4 * 3 * 16 + 2 * 12)
    states = [state.place.removesuffix(VALUE).rpartition("/")[2] for state in stored.states]
    assert states == ["m", "iter", "save_counter"]


def test_values_are_read_one_by_one(checkpoint: Path) -> None:
    stored = read_weights(checkpoint)
    for layer, factor in zip(stored.layers, (0, 1, 2, 10), strict=True):
        np.testing.assert_array_equal(stored.read(layer.weights[-1]), KERNEL * factor)


def test_names_of_tensorflow_1(tmp_path: Path) -> None:
    arrays = {
        "MobilenetV1/Conv_0/weights": KERNEL,
        "MobilenetV1/Conv_0/BatchNorm/gamma": BIAS,
        "MobilenetV1/Conv_0/weights/Adam_1": KERNEL,
        "global_step": STEPS,
    }
    tables.write(tmp_path / "model.ckpt", arrays)
    stored = read_weights(tmp_path / "model.ckpt")
    paths = [layer.path for layer in stored.layers]
    assert paths == ["MobilenetV1/Conv_0", "MobilenetV1/Conv_0/BatchNorm"]
    assert len(stored.states) == 2


def test_entries_of_a_list_are_told_apart_by_their_names(tmp_path: Path) -> None:
    keys = [f"variables/{number}{VALUE}" for number in range(3)]
    names = dict(zip(keys, ["conv/kernel", "conv/bias", "dense/kernel"], strict=True))
    tables.write(
        tmp_path / "variables", dict(zip(keys, [KERNEL, BIAS, KERNEL], strict=True)), names
    )
    stored = read_weights(tmp_path / "variables")
    assert [(layer.path, layer.shapes) for layer in stored.layers] == [
        ("conv", ((3, 4), (4,))),
        ("dense", ((3, 4),)),
    ]


def test_an_index_alone_tells_the_shapes(checkpoint: Path) -> None:
    checkpoint.with_name("ckpt-1.data-00000-of-00001").unlink()
    stored = read_weights(checkpoint)
    assert stored.layers[0].path == "layer_with_weights-0"
    with pytest.raises(ModelError, match=r"ckpt-1.*No such file"):
        stored.read(stored.layers[0].weights[0])


def test_a_damaged_index_is_an_error_of_ours(checkpoint: Path) -> None:
    """Cut at every place, and with any byte another: nothing but a sentence that names it."""
    index = checkpoint.with_name("ckpt-1.index")
    raw = index.read_bytes()
    damaged = [raw[:end] for end in range(len(raw))]
    random = np.random.default_rng(0)
    for _ in range(400):
        other = bytearray(raw)
        other[random.integers(len(raw))] = random.integers(256)
        damaged.append(bytes(other))
    refused = 0
    for content in damaged:
        index.write_bytes(content)
        refused += refusal(checkpoint).startswith(str(index))
    assert refused > len(raw)  # whatever is cut off is missed


def test_an_array_longer_than_its_file(checkpoint: Path) -> None:
    data = checkpoint.with_name("ckpt-1.data-00000-of-00001")
    stored = read_weights(checkpoint)
    data.write_bytes(data.read_bytes()[:8])
    with pytest.raises(ModelError, match="damaged"):
        stored.read(stored.layers[-1].weights[-1])


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_a_pipe_is_no_index(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "ckpt.index")
    with pytest.raises(ModelError, match=r"no such file|not a regular file|cannot be read"):
        read_weights(tmp_path / "ckpt")
