"""``layercount count`` of a file that holds weights alone."""

from __future__ import annotations

import numpy as np
import pytest

h5py = pytest.importorskip("h5py")


@pytest.fixture
def file(folder):
    """Weights of two layers, as Keras 2 writes them."""
    with h5py.File(folder / "w.h5", "w") as file:
        file.attrs["layer_names"], file.attrs["keras_version"] = (
            [b"stem", b"relu", b"head"],
            "2.15.0",
        )
        for layer, shape in (("stem", (3, 3, 3, 8)), ("relu", None), ("head", (8, 1000))):
            group = file.create_group(layer)
            names = [f"{layer}/kernel:0", f"{layer}/bias:0"] if shape else []
            group.attrs["weight_names"] = [name.encode() for name in names]
            for name, size in zip(names, (shape, (shape or [0])[-1:]), strict=bool(names)):
                group[name] = np.zeros(size, "float32")
    return "w.h5"


def test_its_layers_are_listed(run, file):
    code, out, err = run("count", file)
    assert (code, err) == (0, "")
    assert out.splitlines() == [
        "w.h5: 2 layers with weights, 2 saved layers as Keras counts",
        "written by Keras 2.15.0",
        "parameters: 9,224, 36.9kB",
        "",
        "layer  weights           type     parameters",
        "stem   (3, 3, 3, 8) (8)  float32         224",
        "head   (8, 1000) (1000)  float32       9,000",
    ]


def test_as_json(run_json, file):
    code, found = run_json("count", file)
    assert code == 0
    assert found["saved_layers"] == 2
    assert [layer["path"] for layer in found["layers"]] == ["stem", "head"]
    assert found["layers"][0]["weights"][0] == {
        "name": "kernel",
        "shape": [3, 3, 3, 8],
        "dtype": "float32",
        "place": "/stem/stem/kernel:0",
    }


@pytest.mark.parametrize("limit", [["--max", "3"], ["--folded"], ["--count", "nodes"]])
def test_it_is_no_model_that_could_be_limited(run, file, limit):
    code, _, err = run("count", file, *limit)
    assert code == 2
    assert "w.h5: holds weights and no model" in err


def test_other_commands_say_where_its_layers_are_listed(run, file):
    code, _, err = run("fold", file)
    assert code == 2
    assert "layercount count w.h5 lists them" in err
