"""Models named in a line of text."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from pytest_layercount.errors import ModelError
from pytest_layercount.model.graph import ModelGraph
from pytest_layercount.target import TargetError, parse_target

ZOO = """
from pytest_layercount import read_graph
from tests.graphs import chain, of_size

ready = chain("InputLayer", "Dense", name="ready")
number = 3

class Zoo:
    small = staticmethod(of_size)

def fails():
    raise ValueError("no weights\\nhere")

def leaves():
    raise SystemExit
"""

FORMS = "name a saved model (detector.keras) or code (package.module:build(depth=3))"


@pytest.fixture(autouse=True)
def zoo(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "my_zoo.py").write_text(ZOO)
    (tmp_path / "my_needy.py").write_text("import layercount_not_installed")
    (tmp_path / "my_broken.py").write_text("1 +")


@pytest.mark.parametrize("text", ["a/b.keras", "C:\\models\\b.h5", "b.json", "x:y.keras"])
def test_a_file_is_told_by_its_suffix(text):
    assert parse_target(text).model() == Path(text)


def test_a_directory_that_is_there_is_a_file_too(tmp_path):
    assert parse_target(str(tmp_path)).model() == tmp_path


@pytest.mark.parametrize(
    ("code", "name", "layers"),
    [
        ("ready", "ready", 2),
        ("Zoo.small(3)", "net", 3),
        ("Zoo.small(layers=4, name='four')", "four", 4),
    ],
)
def test_code(code, name, layers):
    model = parse_target(f"my_zoo:{code}").model()
    assert isinstance(model, ModelGraph)
    assert (model.name, len(model.layers)) == (name, layers)


@pytest.mark.parametrize(
    ("argument", "value"),
    [("-1.5", -1.5), ("(1, [None])", (1, [None])), ("{'a': True}", {"a": True}), ("'é'", "é")],
)
def test_arguments_are_literals(argument, value):
    target = parse_target(f"a.b:c.d({argument}, key={argument})")
    assert (target.module, target.path, target.called) == ("a.b", "c.d", True)
    assert (target.args, target.kwargs) == ((value,), {"key": value})


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", f"no model: no such file; {FORMS}"),
        ("detector", f"detector: no such file; {FORMS}"),
        ("a" * 5000, f"{'a' * 5000}: no such file; {FORMS}"),
        ("zoo:", f"zoo:: no such file; {FORMS}"),
        ("zoo.py:small", f"zoo.py:small: 'zoo.py' is not the name of a module; {FORMS}"),
        ("a/b:c()", f"a/b:c(): 'a/b' is not the name of a module; {FORMS}"),
        ("zoo:small(", f"zoo:small(: 'small(' is neither a name nor a call of one; {FORMS}"),
        ("zoo:1", f"zoo:1: '1' is neither a name nor a call of one; {FORMS}"),
        ("zoo:a()()", f"zoo:a()(): 'a()()' is neither a name nor a call of one; {FORMS}"),
        ("zoo:a\0", f"zoo:a\\x00: 'a\\x00' is neither a name nor a call of one; {FORMS}"),
    ],
)
def test_text_that_names_nothing(text, sentence):
    with pytest.raises(TargetError) as raised:
        parse_target(text)
    assert str(raised.value) == sentence


@pytest.mark.parametrize("argument", ["depth", "x=print('ran')", "*(1, 2)", "**{}", "1 + 2"])
def test_nothing_is_evaluated(argument, capsys):
    with pytest.raises(TargetError) as raised:
        parse_target(f"zoo:small({argument})")
    assert str(raised.value) == (
        f"zoo:small({argument}): the argument {argument} is not a literal "
        "like 3, 'text', (1, 2) or None"
    )
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("my_zo:ready", "there is no module 'my_zo'"),
        ("my_zoo.x:ready", "there is no module 'my_zoo.x'"),
        (
            "my_needy:x",
            "my_needy needs the module 'layercount_not_installed', which is not there",
        ),
        (
            "my_zoo:reddy",
            "my_zoo has nothing called 'reddy'; did you mean 'ready'?",
        ),
        ("my_zoo:Zoo.xyz()", "my_zoo has nothing called 'xyz'"),
        ("my_zoo:fails()", "the call raised ValueError: no weights"),
        ("my_zoo:fails", "the call raised ValueError: no weights"),
        ("my_zoo:leaves()", "the call raised SystemExit"),
        ("my_zoo:number", "gives 3, of type int, not a Keras model"),
        (
            "my_zoo:fails(depth=3)",
            "the call raised TypeError: fails() got an unexpected keyword argument 'depth'",
        ),
        (
            "my_zoo:ready()",
            "the call raised TypeError: 'ModelGraph' object is not callable",
        ),
    ],
)
def test_code_that_gives_no_model(text, sentence):
    with pytest.raises(ModelError) as raised:
        parse_target(text).model()
    assert str(raised.value) == f"{text}: {sentence}"


def test_a_module_with_a_mistake():
    with pytest.raises(ModelError) as raised:
        parse_target("my_broken:x").model()
    assert str(raised.value).startswith(
        "my_broken:x: importing my_broken raised SyntaxError: invalid syntax"
    )


def test_a_framework_that_is_not_there(monkeypatch):
    monkeypatch.setitem(sys.modules, "keras", None)
    with pytest.raises(ModelError) as raised:
        parse_target("keras:Model()").model()
    assert str(raised.value) == (
        "keras:Model(): there is no module 'keras'; pip install \"pytest-layercount[tensorflow]\""
    )
