"""What the subcommands answer, on models that need no Keras."""

from __future__ import annotations

import shutil
from inspect import cleandoc

import pytest

SMALL = {
    "total": 4,
    "count": "layers",
    "by_type": {"Activation": 1, "BatchNormalization": 1, "Conv2D": 1, "InputLayer": 1},
    "parameters": 20,
    "trainable_parameters": 0,
    "model": "small",
    "keras": "Keras 3.15.0",
    "depth": 3,
    "weight_bytes": 80,
    "macs": 9216,
    "uncounted": {},
    "unweighed": [],
}
LEAN = {
    **SMALL,
    "total": 3,
    "by_type": {"Activation": 1, "Conv2D": 1, "InputLayer": 1},
    "parameters": 10,
    "depth": 2,
    "weight_bytes": 40,
}
FOLD = {
    "layer": "batch_normalization2",
    "type": "BatchNormalization",
    "into": ["conv2d1"],
    "rule": "after",
    "condition": "",
}


def same(text, expected):
    assert text == f"{cleandoc(expected)}\n"


def test_count(run):
    code, out, err = run("count", "command_zoo:small")
    assert (code, err) == (0, "")
    same(
        out,
        """
        small: 4 layers
        counted: layers of small, Keras 3.15.0
        parameters: 20, of them 0 trainable
             1 Activation
             1 BatchNormalization
             1 Conv2D
             1 InputLayer
        """,
    )


def test_count_over_its_limits(run):
    limits = ("--max=3", "--type=BatchNormalization=0", "--max-parameters=10")
    code, out, _ = run("count", "command_zoo:small", *limits)
    assert code == 1
    assert out.splitlines()[:3] == [
        "small: 4 layers > max 3 (+1)",
        "small: 1 BatchNormalization > max 0 (+1)",
        "small: 20 parameters > max 10 (+10)",
    ]


def test_count_within_its_limits(run):
    code, out, _ = run("count", "command_zoo:small", "--exactly=3", "--folded")
    assert code == 0
    assert out.splitlines()[0] == "small: 3 layers after folding"


def test_count_as_json(run_json):
    assert run_json("count", "command_zoo:small", "--max=3") == (
        1,
        {
            "schema": 1,
            "command": "count",
            "model": SMALL,
            "folded": False,
            "violations": [{"keyword": "max", "value": 4, "limit": 3, "type": ""}],
        },
    )


def test_explain(run):
    code, out, err = run("explain", "command_zoo:small", "command_zoo:lean")
    assert (code, err) == (1, "")
    same(
        out,
        """
        lean: 4 -> 3 layers (-1)
        compared: layers of small, Keras 3.15.0, with lean, Keras 3.15.0
            -1 batch-norms-folded: 1 BatchNormalization folded into neighbouring layers
               batch_normalization2
        to accept: --ignore batch-norms-folded
        """,
    )


def test_explain_with_every_layer(run):
    _, out, _ = run("explain", "command_zoo:small", "command_zoo:lean", "--all")
    assert "       - batch_normalization2" in out.splitlines()


def test_explain_what_is_ignored(run):
    ignore = ("--ignore", "batch-norms-folded")
    code, out, _ = run("explain", "command_zoo:small", "command_zoo:lean", *ignore)
    assert code == 0
    assert out.splitlines()[2:] == ["ignored: -1 batch-norms-folded"]


def test_explain_a_code_that_does_not_exist(run):
    code, _, err = run("explain", "command_zoo:small", "command_zoo:lean", "--ignore=folded")
    assert code == 2
    assert err.startswith("layercount: explain(ignore=['folded']): there is no cause 'folded'")


def test_explain_the_same(run):
    code, out, _ = run("explain", "command_zoo:small", "command_zoo:small")
    assert code == 0
    assert out.splitlines()[0] == "small: 4 layers each, the same structure"


def test_explain_as_json(run_json):
    cause = {
        "code": "batch-norms-folded",
        "delta": -1,
        "by_type": {"BatchNormalization": -1},
        "before": ["batch_normalization2"],
        "after": [],
        "message": "1 BatchNormalization folded into neighbouring layers",
        "confirmed": None,
    }
    assert run_json("explain", "command_zoo:small", "command_zoo:lean") == (
        1,
        {
            "schema": 1,
            "command": "explain",
            "before": SMALL,
            "after": {**LEAN, "model": "lean"},
            "delta": -1,
            "causes": [cause],
            "changed": [],
            "ignored": [],
        },
    )


def test_graph_as_json(run_json):
    code, found = run_json("graph", "command_zoo:small")
    assert found.pop("dot").startswith("digraph model {")
    assert (code, found) == (
        0,
        {
            "schema": 1,
            "command": "graph",
            "before": SMALL,
            "after": LEAN,
            "folds": [FOLD],
            "refusals": [],
            "removed": [],
            "written": None,
        },
    )


def test_graph_as_text(run, folder):
    code, out, _ = run("graph", "command_zoo:small")
    assert code == 0
    assert run("graph", "command_zoo:small", "-o", "m.dot") == (
        0,
        "small: 4 layers, 3 after folding: drawn to m.dot\n",
        "",
    )
    assert (folder / "m.dot").read_text(encoding="utf-8") == out
    assert run("graph", "command_zoo:lean", "-o", "m.dot")[0] == 0


@pytest.mark.skipif(shutil.which("dot") is None, reason="needs Graphviz")
def test_graph_as_a_picture(run, folder):
    assert run("graph", "command_zoo:small", "--out=m.svg")[0] == 0
    assert (folder / "m.svg").read_text(encoding="utf-8").startswith("<?xml")


@pytest.mark.parametrize(
    ("out", "sentence"),
    [
        ("m.gif", "m.gif: must end with .svg, .png, .pdf or .dot"),
        ("nope/m.svg", "nope/m.svg: its folder is not there"),
        ("folder.svg", "folder.svg: is a folder"),
    ],
)
def test_a_picture_that_cannot_be_written(run, folder, out, sentence):
    (folder / "folder.svg").mkdir()
    code, _, err = run("graph", "command_zoo:small", "-o", out)
    assert (code, err) == (2, f"layercount: {sentence}\n")
