"""What holds for every subcommand."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tests.conftest import ROOT


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["command_zoo:fails()"], "command_zoo:fails(): the call raised ValueError: no weights"),
        (["command_zo:small"], "command_zo:small: there is no module 'command_zo'"),
        (["nope.keras"], "nope.keras: no such file"),
        (["command_zoo:interrupts"], "interrupted"),
        (["command_zoo:small", "--max=-1"], "count(max=-1): must not be negative"),
        (
            ["command_zoo:small", "--max-parameters=many"],
            (
                "count(max_parameters='many'): must be a whole number like 5_000_000, "
                "or text like '300k', '5M', '1.2B'"
            ),
        ),
        (
            ["command_zoo:small", "--folded", "--count=top"],
            (
                "count(folded=True, count='top'): a folded model is counted opened; "
                "use count='layers' or 'nodes'"
            ),
        ),
    ],
)
def test_what_cannot_be_done_is_one_sentence(run, arguments, sentence):
    code, out, err = run("count", *arguments)
    assert (out, err) == ("", f"layercount: {sentence}\n")
    assert code == (130 if sentence == "interrupted" else 2)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "the following arguments are required: COMMAND"),
        (["cuont"], "invalid choice: 'cuont'"),
        (["count"], "the following arguments are required: MODEL"),
        (["count", "x.keras", "--type=Dense"], "'Dense' is not like BatchNormalization=0"),
        (["fold", "x.keras", "--passes=affin"], "there is no pass 'affin'; there are affine,"),
        (["count", "x.keras", "--js"], "unrecognized arguments: --js"),
    ],
)
def test_wrong_usage(run, arguments, said):
    code, out, err = run(*arguments)
    assert (code, out) == (2, "")
    assert said in err


@pytest.mark.parametrize("command", ["count", "fold", "explain", "graph"])
def test_help_has_examples(run, command):
    code, out, _ = run(command, "--help")
    assert code == 0
    assert f"examples:\n  layercount {command} " in out


def test_an_error_that_nobody_thought_of(run, monkeypatch):
    def broken(*arguments):
        raise LookupError("what\nnow")

    monkeypatch.setattr("pytest_layercount.cli.count.structure", broken)
    code, _, err = run("count", "command_zoo:small")
    sentence = "layercount: LookupError: what (layercount --traceback shows where)\n"
    assert (code, err) == (2, sentence)
    with pytest.raises(LookupError):
        run("--traceback", "count", "command_zoo:small")


def test_only_the_noise_of_tensorflow_is_dropped(folder):
    done = command(folder, "count", "command_zoo:chatty()", "--json")
    assert done.returncode == 0
    assert done.stdout.startswith("{")
    assert sorted(done.stderr.splitlines()) == ["complained", "native complaint", "printed"]


def test_a_reader_that_has_gone(folder):
    reader, writer = os.pipe()
    os.close(reader)
    done = command(folder, "count", "command_zoo:small", stdout=writer)
    os.close(writer)
    assert (done.returncode, done.stderr) == (0, "")


def test_counting_a_saved_structure_imports_no_framework(folder):
    code = (
        "import sys; from pytest_layercount.cli import main; main(); "
        "print([name for name in ('numpy', 'tensorflow', 'keras', 'pytest') "
        "if name in sys.modules])"
    )
    (folder / "m.json").write_text(
        '{"class_name": "Sequential", "config": {"name": "m", "layers": [{"class_name": '
        '"InputLayer", "module": "keras.layers", "config": {"name": "i", "dtype": "float32", '
        '"batch_shape": [null, 4]}}]}}'
    )
    done = subprocess.run(
        [sys.executable, "-c", code, "count", "m.json"],
        capture_output=True,
        text=True,
        check=False,
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert done.stdout.splitlines()[0] == "m: 0 layers"
    assert done.stdout.splitlines()[-1] == "[]"


def command(folder, *arguments, stdout=subprocess.PIPE):
    return subprocess.run(
        [sys.executable, "-m", "pytest_layercount", *arguments],
        stdout=stdout,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
