"""Blocks that repeat themselves are drawn once, and arrows run around titles."""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import replace
from html import unescape

import pytest

from pytest_layercount.compare.explain import explain
from pytest_layercount.folding.planner import plan_graph
from pytest_layercount.report.blocks import Block, Wiring, blocks
from pytest_layercount.report.drawing import difference_text, judged_text
from pytest_layercount.report.graphviz import run_dot
from tests.compare.sketch import Sketch
from tests.graphs import SHAPE


def found(reads, outputs=(), looks=None, homes=None):
    """The blocks of chains that read what is given, all chains alike unless they have looks."""
    looks = looks or "x" * len(reads)
    homes = homes or [()] * len(reads)
    wiring = Wiring([tuple(each) for each in reads], outputs or [len(reads) - 1], homes)
    return blocks(wiring, lambda one, two: looks[one] == looks[two])


def residual(count, first=0):
    """Blocks of two chains with a skip around the first, the first block reading ``first``."""
    reads = [[]]
    for _ in range(count):
        source = len(reads) - 1
        reads += [[source], [source, source + 1]]
    return reads


def test_blocks_with_skips_are_found():
    reads = residual(5)
    assert found([*reads, [10]], looks="i" + "ca" * 5 + "d") == [Block(1, 2, 5)]


def test_two_copies_are_both_drawn():
    assert found([*residual(2), [4]], looks="icacad") == []


def test_chains_that_look_otherwise_are_no_copies():
    assert found(residual(5), looks="icacacAcaca") == []
    assert found(residual(7), looks="icacacacAcacaca") == [Block(1, 2, 3), Block(9, 2, 3)]


def test_chains_that_read_otherwise_are_no_copies():
    reads = residual(6)
    reads[8] = [7, 7]  # no skip
    assert found(reads, looks="i" + "ca" * 6) == [Block(1, 2, 3)]


def test_what_all_copies_read_is_read_once():
    """A mask, or the embedding of a time."""
    reads = [[], []]
    for _ in range(4):
        source = len(reads) - 1
        reads += [[source, 0], [source, source + 1]]
    assert found(reads, looks="mi" + "ca" * 4) == [Block(2, 2, 4)]


def test_a_copy_that_is_read_from_afar_is_the_last():
    """A detector's head reads the middle of the backbone: which copy it reads must be seen."""
    reads = [*residual(9), [8, 18]]
    assert found(reads, looks="i" + "ca" * 9 + "d") == [Block(1, 2, 4), Block(9, 2, 5)]


def test_copies_that_are_all_read_from_afar_are_one():
    """The skips of WaveNet."""
    reads = residual(5)
    assert found([*reads, [2, 4, 6, 8, 10]], looks="i" + "ca" * 5 + "+") == [Block(1, 2, 5)]


def test_copies_that_are_outputs_are_all_drawn():
    assert found(residual(4), outputs=[2, 4, 6, 8], looks="i" + "ca" * 4) == []


def test_blocks_inside_blocks():
    reads, looks = [[]], "i"
    for _ in range(3):
        for _ in range(4):
            source = len(reads) - 1
            reads += [[source], [source, source + 1]]
        source = len(reads) - 1
        reads += [[source, source]]
        looks += "ca" * 4 + "p"
    assert found(reads, looks=looks) == [Block(1, 9, 3), Block(1, 2, 4)]


def test_a_block_begins_where_the_fewest_values_cross():
    """The sum that ends a block with a projection looks like one that ends a block."""
    reads = [
        [],
        [0],
        [0],
        [1, 2],
        *([3 + 2 * n + back for back in backs] for n in range(3) for backs in ([0], [0, 1])),
    ]
    looks = "ipc" + "a" + "ca" * 3
    assert found(reads, looks=looks) == [Block(4, 2, 3)]


def test_nested_models_are_whole_inside_blocks():
    reads = residual(4)
    each = [(), *((f"block_{n}",) for n in range(4) for _ in range(2))]
    assert found(reads, looks="i" + "ca" * 4, homes=each) == [Block(1, 2, 4, depth=0)]
    inside = [(), *[("net", "stage")] * 8]
    assert found(reads, looks="i" + "ca" * 4, homes=inside) == [Block(1, 2, 4, depth=2)]
    # Nested models that begin in the middle of a block would be cut by its frame.
    across = [(), (), *((f"block_{n // 2}",) for n in range(7))]
    assert found(reads, looks="i" + "ca" * 4, homes=across) == [Block(2, 2, 3, depth=0)]


def residual_network(blocks, *, grow=0, name="net", kernel=(3, 3)):
    net = Sketch()
    x = net.add("Conv2D", net.input())
    for number in range(blocks):
        shape = (*SHAPE[:-1], SHAPE[-1] + grow * number)
        y = net.add("BatchNormalization", net.add("Conv2D", x, shape=shape), shape=shape)
        y = net.add("Conv2D", net.add("ReLU", y, shape=shape), shape=shape, kernel_size=kernel)
        x = net.add("Add", x, y, shape=shape)
    return net.model(net.add("Dense", x), name=name)


def drawn(graph):
    return judged_text(graph, plan_graph(graph), folded=False)


def boxes(text):
    return re.findall(r"^[ab]\d+ \[label", text, re.MULTILINE)


def test_five_hundred_layers_are_a_page():
    text = drawn(residual_network(100))
    assert "net: 503 layers" in text
    assert len(boxes(text)) == 4
    assert "label=<100 &#215; these 5 layers>" in text
    assert text.count("<b>Conv2D</b>") == 3


def test_arrows_enter_and_leave_the_first_copy():
    arrows = re.findall(r"^(a\d+ -> a\d+)\b", drawn(residual_network(100)), re.MULTILINE)
    assert arrows == ["a0 -> a2", "a0 -> a6", "a2 -> a6", "a6 -> a502"]


def test_sizes_that_grow_are_those_of_the_first_and_of_the_last_copy():
    text = unescape(drawn(residual_network(5, grow=8))).replace(" \u00d7 ", "x")
    assert text.count("8x8x4 … 8x8x36<") == 5
    assert "label=<5xthese 5 layers>" in text


def test_another_kernel_is_another_block():
    net = residual_network(9)
    layers = list(net.layers)
    (changed,) = (n for n, layer in enumerate(layers) if layer.path == "conv2d_25")
    layers[changed] = replace(
        layers[changed], config={**layers[changed].config, "kernel_size": (5, 5)}
    )
    text = drawn(replace(net, layers=tuple(layers)))
    assert re.findall(r"label=<(\d) &#215; these 5", text) == ["4", "4"]
    assert text.count("5 &#215; 5") == 1


def test_what_differs_from_another_model_is_no_copy():
    one, two = residual_network(9), residual_network(9)
    layers = list(two.layers)
    (changed,) = (n for n, layer in enumerate(layers) if layer.path == "relu_24")
    layers[changed] = replace(layers[changed], config={**layers[changed].config, "max_value": 6.0})
    two = replace(two, layers=tuple(layers))
    text = difference_text(one, two, explain(one, two))
    assert re.findall(r"label=<(\d) &#215; these 5", text) == ["4", "4", "4", "4"]


def nested_network():
    """Two nested models in one another that are read at two ends, and one beside them."""
    net = Sketch()
    x = net.add("Conv2D", net.input())
    for path in ("a_long_name_of_an_encoder", "a_long_name_of_an_encoder/and_of_a_block", "head"):
        y = net.add("Conv2D", x, name=f"{path}/first")
        y = net.add("ReLU", y, name=f"{path}/second")
        x = net.add("Add", x, y, name=f"{path}/sum")
    return net.model(x, net.add("Dense", x))


@pytest.mark.skipif(shutil.which("dot") is None, reason="needs Graphviz")
@pytest.mark.parametrize(
    "graph", [residual_network(7), nested_network()], ids=["blocks", "nested models"]
)
def test_no_arrow_runs_through_a_title(graph):
    shown = subprocess.run(
        ["dot", "-Tplain"], input=drawn(graph), capture_output=True, text=True, check=True
    ).stdout
    lines = [line.split(" ") for line in shown.splitlines()]
    titles = [
        (float(x), float(y), float(width) / 2, float(height) / 2)
        for kind, name, x, y, width, height, *_ in (line for line in lines if line[0] == "node")
        if re.fullmatch(r"a_\d+_\d+", name)
    ]
    arrows = [line for line in lines if line[0] == "edge" and line[1:3] and "invis" not in line]
    assert titles
    assert arrows
    for _, _, _, count, *numbers in arrows:
        points = list(map(float, numbers[: 2 * int(count)]))
        for x, y in curve(list(zip(points[::2], points[1::2], strict=True))):
            for left, top, width, height in titles:
                assert abs(x - left) > width or abs(y - top) > height


@pytest.mark.skipif(shutil.which("dot") is None, reason="needs Graphviz")
def test_each_title_stands_there_once():
    graph = nested_network()
    shown = run_dot(drawn(graph), "svg").decode()
    for title in ("net: 12 layers", "a_long_name_of_an_encoder", "and_of_a_block", "head"):
        assert shown.count(f">{title}</text>") == 1, title


def curve(points):
    """Points on the Bezier curves through ``points``."""
    for start in range(0, len(points) - 1, 3):
        for step in range(21):
            t = step / 20
            weights = ((1 - t) ** 3, 3 * t * (1 - t) ** 2, 3 * t**2 * (1 - t), t**3)
            four = points[start : start + 4]
            yield tuple(
                sum(w * point[axis] for w, point in zip(weights, four, strict=True))
                for axis in (0, 1)
            )
