"""The picture of a model: its text, and what Graphviz makes of it."""

from __future__ import annotations

import re
import shutil
import subprocess
import xml.etree.ElementTree as ET
from dataclasses import replace
from html import unescape

import pytest

from pytest_layercount.compare.explain import explain
from pytest_layercount.errors import LayercountError
from pytest_layercount.folding.planner import plan_graph
from pytest_layercount.model.graph import Layer
from pytest_layercount.report import graphviz
from pytest_layercount.report.boxes import COLOURS
from pytest_layercount.report.chains import Row, chains, shortened
from pytest_layercount.report.drawing import (
    LEGEND,
    NOTHING,
    difference_text,
    dot_text,
    judged_text,
    svg,
)
from pytest_layercount.report.graphviz import run_dot
from tests.compare.sketch import Sketch
from tests.graphs import chain

needs_graphviz = pytest.mark.skipif(shutil.which("dot") is None, reason="needs Graphviz")

NASTY = 'a"b<c>&\\N ünï\n{x|y} \x00 ]]>'


def two_branches():
    net = Sketch()
    x = net.add("BatchNormalization", net.add("Conv2D", net.input()))
    x = net.add("Dropout", x)
    y = net.add("BatchNormalization", net.add("ReLU", x))
    return net.model(net.add("Add", x, net.add("Conv2D", y)), name="branches")


def drawn(graph):
    return dot_text(graph, plan_graph(graph))


def rows(text):
    """The rows of all boxes as (background, words), for each of the two models."""
    sides = text.split("subgraph cluster_b {")
    found = []
    for side in sides:
        cells = re.findall(r"<tr>(.*?)</tr>", side)
        plain = [re.sub("<[^>]*>", " ", cell).replace(" &#215; ", "x") for cell in cells]
        found.append([" ".join(unescape(cell).split()) for cell in plain])
    return found


def test_chains_end_where_branches_meet_or_part():
    assert chains(two_branches()) == [[0, 1, 2, 3], [4, 5, 6], [7]]


def test_chains_end_where_a_nested_model_begins():
    layers = ["InputLayer", Layer("inner/a", "ReLU"), Layer("inner/b", "ReLU"), "Dense"]
    assert chains(chain(*layers)) == [[0], [1, 2], [3]]


def test_chains_end_at_outputs():
    graph = chain("InputLayer", "Dense", "Dense")
    graph = replace(graph, outputs=[graph.nodes[2].inputs[0], graph.outputs])
    assert chains(graph) == [[0, 1], [2]]


def test_what_repeats_itself_is_shown_once():
    tokens = list("xabababyz")
    found = shortened(range(9), lambda node: tokens[node])
    assert found == [Row(0), Row(1), Row(2, 2, 2), Row(7), Row(8)]
    assert shortened(range(4), lambda node: "aabb"[node]) == [Row(n) for n in range(4)]
    assert shortened(range(50), lambda node: "a") == [Row(0, 49, 1)]


def test_both_models_with_what_folding_does():
    text = drawn(two_branches())
    before, after = rows(text)
    assert before[0] == " ".join(
        LEGEND[state] for state in ("folds", "refused", "removed", "absorbs")
    )
    assert "label=<<b>branches: 8 layers</b>>" in text
    assert "label=<<b>folded: 6 layers</b>>" in text
    assert "BatchNormalization batchnormalization_2 8x8x4 into conv2d_1" in before
    assert "Dropout dropout_3 8x8x4" in before
    assert before[6] == "BatchNormalization batchnormalization_5 8x8x4 stays: shift-not-zero"
    types = [row.split()[0] for row in after]
    assert types == ["InputLayer", "Conv2D", "ReLU", "BatchNormalization", "Conv2D", "Add"]
    for state in ("folds", "refused", "removed", "absorbs"):
        background, _ = COLOURS[state]
        assert f'bgcolor="{background}"' in text, state


def test_the_same_model_gives_the_same_text():
    assert drawn(two_branches()) == drawn(two_branches())


def test_a_model_in_which_nothing_folds_says_so():
    (legend, *_), _ = rows(drawn(chain("InputLayer", "Dense")))
    assert legend == NOTHING


def test_nested_models_are_frames_within_frames():
    layers = [Layer(path, "ReLU") for path in ("a/b/x", "a/b/y", "a/z", "w", "ab/x")]
    text = drawn(chain("InputLayer", *layers))
    titles = re.findall(r"shape=plaintext, fontsize=12, label=<(\w+)>\];", text)
    assert titles == ["a", "b", "ab"] * 2
    assert text.count("{") == text.count("}")


def test_names_are_markup_nowhere():
    text = drawn(chain("InputLayer", Layer(NASTY, "<b>"), Layer("x" * 99, "Dense"), name=NASTY))
    assert "<c>" not in text
    assert "&lt;c&gt;&amp;&#92;&#92;N ünï�{x|y}" in text
    assert "&lt;b&gt;" in text
    assert f"{'x' * 20}…{'x' * 19}<" in text


@needs_graphviz
def test_graphviz_shows_names_as_they_are():
    graph = chain("InputLayer", Layer(NASTY, "Dense"), Layer(f"{NASTY}/x", "ReLU"), name=NASTY)
    text = svg(graph, plan_graph(graph))
    assert text.startswith("<svg")
    shown = {element.text for element in ET.fromstring(text).iter() if element.text}
    assert 'a"b<c>&\\N ünï�{x|y} � ]]>' in shown


@needs_graphviz
@pytest.mark.parametrize(
    ("form", "start"), [("png", b"\x89PNG"), ("svg", b"<?xml"), ("pdf", b"%PDF")]
)
def test_graphviz_writes_the_format_asked_for(form, start):
    graph = two_branches()
    assert run_dot(dot_text(graph, plan_graph(graph)), form).startswith(start)


@needs_graphviz
def test_a_format_that_graphviz_does_not_know():
    graph = two_branches()
    with pytest.raises(LayercountError, match=r"^Graphviz failed: Format: \"nope\" not recog"):
        run_dot(dot_text(graph, plan_graph(graph)), "nope")


def test_no_graphviz(monkeypatch):
    monkeypatch.setenv("PATH", "")
    with pytest.raises(LayercountError) as raised:
        graphviz.run_dot("digraph {}", "svg")
    assert str(raised.value) == (
        "drawing needs Graphviz, and its program dot is not on the PATH: "
        "apt install graphviz, brew install graphviz, or see graphviz.org/download"
    )


def test_a_layout_that_takes_too_long(monkeypatch):
    def slow(*command, timeout, **how):
        raise subprocess.TimeoutExpired(command, timeout)

    monkeypatch.setattr(shutil, "which", lambda name: name)
    monkeypatch.setattr(subprocess, "run", slow)
    with pytest.raises(LayercountError) as raised:
        graphviz.run_dot("digraph {}", "svg")
    assert str(raised.value) == "Graphviz did not lay out the model within 60 seconds"


def test_two_models_have_the_colours_of_their_difference():
    one = chain("InputLayer", "Conv2D", "BatchNormalization", "Activation", name="one")
    two = chain("InputLayer", "Conv2D", "Activation", "Dense", "Dense", name="two")
    layers = list(two.layers)
    layers[1] = replace(layers[1], config={**layers[1].config, "strides": (2, 2)})
    two = replace(two, layers=tuple(layers))
    explanation = explain(one, two)
    text = difference_text(one, two, explanation)
    for state, rows in (
        ("gone", [path for cause in explanation.causes for path in cause.before]),
        ("new", [path for cause in explanation.causes for path in cause.after]),
        ("changed", 2 * explanation.changed),
    ):
        background, _ = COLOURS[state]
        # A cell for type, name, details, shape and note; and one in the legend.
        assert text.count(f'bgcolor="{background}"') == 5 * len(rows) + bool(rows), state
    assert "one: 4 layers" in text
    assert "two: 5 layers" in text
    assert "batch-norms-folded" in text
    assert "strides" in text


def test_two_models_that_are_the_same_have_no_colours():
    one = chain("InputLayer", "Conv2D")
    text = difference_text(one, one, explain(one, one))
    assert "nothing differs but names" in text
    assert not any(f'bgcolor="{colour}"' in text for colour, _ in COLOURS.values())


@pytest.mark.parametrize(
    ("config", "parameters", "details"),
    [
        ({"kernel_size": (3, 3), "strides": (1, 1)}, 1792, "3 x 3, 1,792"),
        ({"kernel_size": (3, 5), "strides": (2, 2)}, 0, "3 x 5 / 2"),
        ({"kernel_size": (3,), "strides": (2,)}, 5, "3 / 2, 5"),
        ({"kernel_size": 3, "strides": 1}, 5, "3, 5"),
        ({"pool_size": (2, 2), "strides": (2, 1)}, 0, "2 x 2 / 2 x 1"),
        ({"pool_size": "odd", "strides": {"a": 1}}, 0, ""),
        ({}, 0, ""),
    ],
)
def test_windows_strides_and_parameters_stand_on_a_layer(config, parameters, details):
    layer = Layer("net/one", "Conv2D", "layer", config=config, parameters=parameters)
    text = dot_text(chain("InputLayer", layer), plan_graph(chain("InputLayer", layer)))
    cell = f'<font point-size="9">{details.replace("x", "&#215;") or "&#160;"}</font>'
    assert cell in text


def test_a_failure_is_the_model_alone_or_what_folding_leaves_of_it():
    graph = two_branches()
    plan = plan_graph(graph)
    (whole,), (folded,) = (
        rows(judged_text(graph, plan, folded=folded)) for folded in (False, True)
    )
    before, after = rows(dot_text(graph, plan))
    assert whole == [whole[0], *before[1:]]
    assert folded == [folded[0], *after]
    states = [" ".join(LEGEND[state] for state in ("folds", "refused", "removed"))]
    assert [whole[0], folded[0]] == [*states, f"{LEGEND['refused']} {LEGEND['absorbs']}"]
    assert "label=<<b>branches: 8 layers</b>>" in judged_text(graph, plan, folded=False)
    assert "label=<<b>branches, folded: 6 layers</b>>" in judged_text(graph, plan, folded=True)


def test_nothing_that_folds_away_is_drawn_in_the_folded_model():
    graph = two_branches()
    plan = plan_graph(graph)
    gone = {*plan.removed, *(fold.layer for fold in plan.folds)}
    assert gone == {"batchnormalization_2", "dropout_3"}
    text = judged_text(graph, plan, folded=True)
    assert not [path for path in gone if path in text]
    assert not [state for state in ("folds", "removed") if LEGEND[state] in text]
