"""What a stranger's file or pull request calls things reaches no terminal, page or log as it is."""

from __future__ import annotations

import contextlib
import html
import json
import os
import subprocess
import sys
import zipfile
from dataclasses import replace

import pytest

from pytest_layercount import ModelError
from pytest_layercount.checks.judgement import Facts, Growth, Judgement, Refused, Step, from_data
from pytest_layercount.cli import main
from pytest_layercount.failure import Failed
from pytest_layercount.kept.record import Record
from pytest_layercount.kept.record_file import read_record, write_record
from pytest_layercount.model.readers import read_graph
from pytest_layercount.report.as_json import as_json
from pytest_layercount.report.drawing import dot_text
from pytest_layercount.report.html import html as page
from pytest_layercount.report.markdown import markdown
from pytest_layercount.report.summary import summarize
from pytest_layercount.text import HEADLINE, PAGE, headline, joined, json_text, printable, size
from pytest_layercount.text import page as one_page
from tests.kept.models import plain_net, recorded
from tests.texts import same

EVIL = {
    "escape": "\x1b[31mred\x1b]0;title\x07",
    "return": "good\rbad",
    "bell and null": "\x07\x00",
    "one-byte escape": "\x9b31m",
    "bidi": "a\u202eb\u2066c\u200f",
    "surrogate": "a\ud800b\udcffc",
    "separators": "a\u2028b\x85c\x0bd",
    "workflow": "a\n::error file=x::b\n  ::set-output name=x::y",
    "azure": "a ##vso[task.setvariable variable=x]y ##[error] z",
    "teamcity": "##teamcity[buildStatus text='x']",
}
NAMES = pytest.mark.parametrize("name", EVIL.values(), ids=EVIL)


def harmless(text):
    """Whether it can be written, holds nothing that is obeyed, and no command in any line."""
    lines = text.replace("\t", " ").split("\n")
    commands = any(line.lstrip().startswith("::") or "##" in line for line in lines)
    return all(line.isprintable() for line in lines) and not commands


@NAMES
def test_text_is_printable(name):
    assert not harmless(name)
    shown = printable(name)
    assert harmless(shown)
    assert printable(shown) == shown


@pytest.mark.parametrize("text", ["conv2d: 3 layers", "tests/a.py::test_b", "a…b é 層", "a\n\tb"])
def test_other_text_stays_as_it_is(text):
    assert printable(text) == text


@NAMES
def test_json_holds_what_it_held(name):
    text = json_text(json.dumps({"name": name}, indent=1, ensure_ascii=False))
    assert harmless(text)
    assert json.loads(text) == {"name": name}


def test_json_holds_signs_beyond_the_first_plane():
    assert json.loads(json_text('"\U0001f600\U000e0001"')) == "\U0001f600\U000e0001"


@NAMES
def test_errors_are_printable(name):
    assert harmless(str(ModelError(f"{name}: no such file")))
    assert harmless(str(Failed(f"{name}: 3 layers\n{name}")))


def saved(folder, name):
    """A file whose model and layer have this name."""
    layer = {"class_name": "Dense", "config": {"name": name, "units": 3}}
    entry = {"class_name": "InputLayer", "config": {"name": "i", "batch_input_shape": [None, 4]}}
    config = {"class_name": "Sequential", "config": {"name": name, "layers": [entry, layer]}}
    path = folder / "m.keras"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("config.json", json.dumps(config))
    return path


@NAMES
@pytest.mark.parametrize(
    "arguments",
    [
        ["count", "m.keras"],
        ["count", "m.keras", "--json"],
        ["count", "m.keras", "--max", "0"],
        ["explain", "m.keras", "other.keras"],
        ["explain", "m.keras", "other.keras", "--json"],
        ["fold", "m.keras", "--all"],
        ["graph", "m.keras"],
        ["count", "NAME"],
        ["count", "NAME.keras"],
        ["count", "package:NAME"],
        ["count", "m.keras", "--type", "NAME"],
        ["NAME"],
    ],
    ids=" ".join,
)
def test_the_command_prints_nothing_else(tmp_path, monkeypatch, capsys, name, arguments):
    saved(tmp_path, "plain").rename(tmp_path / "other.keras")
    saved(tmp_path, name)
    monkeypatch.chdir(tmp_path)
    with contextlib.suppress(SystemExit):  # as argparse ends
        main([argument.replace("NAME", name) for argument in arguments])
    printed = capsys.readouterr()
    assert printed.out + printed.err
    assert harmless(printed.out)
    assert harmless(printed.err)


def test_a_terminal_that_takes_only_ascii(tmp_path):
    path = saved(tmp_path, "größe 層")
    done = subprocess.run(
        [sys.executable, "-m", "pytest_layercount", "count", str(path)],
        env={**os.environ, "PYTHONIOENCODING": "ascii"},
        capture_output=True,
        check=True,
    )
    assert done.stdout.startswith(b"gr\\xf6\\xdfe \\u5c64: 1 layer")


def judgement(name):
    facts = Facts(
        keras="Keras 3",
        layers=1,
        nodes=1,
        depth=1,
        parameters=1,
        trainable_parameters=1,
        weight_bytes=4,
        macs=1,
        folded_layers=1,
        types={name: 1},
        folded_types={name: 1},
        uncounted={},
        refusals=(Refused(name, name, "no-rule", name),),
    )
    growth = Growth("b.txt", 1, 1, (Step("own", 1, name, (name,)),))
    test, check, outcome = f"t.py::t[{name}]", "layercount", "failed"
    return Judgement(test, name, name, check, outcome, name, name, (), facts, growth)


@NAMES
def test_reports_hold_nothing_else(name):
    pytest.importorskip("jinja2")
    summary = summarize([judgement(name)])
    shown = page(summary, {"Keras": "3"})
    assert harmless(html.unescape(markdown(summary)).replace("#", ""))
    assert harmless(html.unescape(shown).replace("#", "").replace("::", ""))
    assert harmless(as_json(summary, {}))


@NAMES
def test_what_a_worker_sends_is_printable(name):
    data = judgement(name).as_data()
    assert harmless(json.dumps(data, ensure_ascii=False).replace("\\n", "\n"))
    assert from_data(data).as_data() == data


@NAMES
def test_pictures_hold_nothing_else(tmp_path, name):
    from pytest_layercount.folding.planner import plan_graph

    graph = read_graph(saved(tmp_path, name))
    assert harmless(dot_text(graph, plan_graph(graph)).replace("##", ""))


@NAMES
def test_records_keep_names(tmp_path, name):
    net = plain_net()
    layers = (*net.layers[:-1], replace(net.layers[-1], path=name))
    record = Record({name: recorded(replace(net, layers=layers))})
    write_record(record, tmp_path / "r.json")

    assert harmless((tmp_path / "r.json").read_text(encoding="utf-8"))
    assert read_record(tmp_path / "r.json") == record


@NAMES
def test_baselines_can_be_written(tmp_path, name):
    from pytest_layercount.kept.baseline import baseline, save, written

    net = plain_net()
    layers = tuple(replace(layer, path=f"{name}{n}") for n, layer in enumerate(net.layers))
    layers = (*layers[:-1], replace(layers[-1], type=name, builtin=False, config={"to": name}))
    graph = replace(net, name=name, layers=layers)
    made = baseline(f"t.py::t[{name}]", name, "net", graph)
    save(tmp_path / "b.txt", "b.txt", written(made))
    text = (tmp_path / "b.txt").read_text(encoding="utf-8")
    assert harmless(text.replace("##", ""))  # a file, and printed only as part of a message


def test_several_models():
    same(
        joined(["a: 5 layers > max 4 (+1)\ncounted: ...", "b: 6 layers > max 4\nmore"]),
        """
        a: 5 layers > max 4 (+1)
        counted: ...
        also: b: 6 layers > max 4
        """,
    )


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (0, "0"),
        (999, "999"),
        (1_000, "1k"),
        (1_250, "1.25k"),
        (1_234, "1,234"),
        (5_000_000, "5M"),
        (5_000_001, "5,000,001"),
        (1_200_000_000, "1.2B"),
    ],
)
def test_sizes_are_said_exactly(number, text):
    assert size(number) == text


def test_a_long_name_makes_room_for_the_numbers():
    line = headline("inception_resnet_v2_backbone", "782 layers > max 700 (+82)")
    assert line == "inception_resnet…: 782 layers > max 700 (+82)"
    assert len(line) == HEADLINE


def test_a_page_ends():
    text = one_page("first", "\n".join("x" * 40))
    assert len(text.splitlines()) == PAGE
    assert text.splitlines()[-1] == "(41 lines in all)"
