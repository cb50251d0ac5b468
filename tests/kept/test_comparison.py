"""Records beside each other: the matrix, whole, and what was expected."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from pytest_layercount import compare_records
from pytest_layercount.cli import main
from pytest_layercount.kept.expected import ExpectationError, Expected, expected
from pytest_layercount.kept.record import ModelRecord, Record, by_name
from pytest_layercount.kept.record_file import OTHER_WAYS, RecordError, write_record
from pytest_layercount.report import matrix
from tests.compare.sketch import Sketch
from tests.kept.models import edited, plain_net, record, recorded


def gated(keras):
    """``x * relu6(x + 3) / 6``, which Keras 2 counts as four layers and Keras 3 as one."""
    net = Sketch(keras)
    x = net.add("Conv2D", net.input(), name="stem")
    if keras == 3:
        return net.model(
            net.add("Activation", x, activation="hard_silu", name="gate"), name="gated"
        )
    shifted = net.operation("add", x, 3.0)
    bounded = net.add("ReLU", shifted, max_value=6.0, name="bound")
    scaled = net.operation("multiply", bounded, 1 / 6)
    return net.model(net.add("Multiply", x, scaled, name="product"), name="gated")


@pytest.fixture
def three():
    """The same suite with Keras 2 and two Keras 3."""
    odd = edited(plain_net(), "Conv2D", kernel_size=(5, 5))
    return (
        record(
            "2.15.1",
            gated=recorded(gated(2)),
            plain=recorded(plain_net(2)),
            old=recorded(plain_net(2)),
        ),
        record(
            "2.18.1",
            gated=recorded(gated(3)),
            plain=recorded(plain_net(3)),
            old=ModelRecord(problem="Skipped: this Keras has no old"),
        ),
        record("2.21.0", gated=recorded(gated(3)), plain=recorded(odd)),
    )


KNOWN = "gated: hard-swish: Keras 3 has a layer for it"
MATRIX = """\
model  TensorFlow 2.15.1  TensorFlow 2.18.1  TensorFlow 2.21.0
       Keras 2.15.0       Keras 3.15.0       Keras 3.15.0
-----  -----------------  -----------------  -----------------
gated  6 (5)              3 (2) *            3 (2) *
old    7 (6)              none *             none *
plain  7 (6)              7 (6)              7 (6) *

layers (nodes); * differs from the first, ~ differs as expected

gated with TensorFlow 2.18.1, Keras 3.15.0; TensorFlow 2.21.0, Keras 3.15.0:
   6 -> 3 layers (-3)
   operations: 2 TFOpLambda counted as layers in the first model, operations of the second are not \
(-2: add, multiply)
   hard-swish: hard swish: 1 ReLU and 1 Multiply became 1 Activation (-1: bound, product)
old with TensorFlow 2.18.1, Keras 3.15.0:
   cannot be built
   missing: Skipped: this Keras has no old
old with TensorFlow 2.21.0, Keras 3.15.0:
   cannot be built
   missing: not in this record
plain with TensorFlow 2.21.0, Keras 3.15.0:
   7 layers each, 1 difference
   changed: stem: kernel_size (3, 3) -> (5, 5)
4 outputs equal: at most 0 of the largest value apart, where float32 noise explains up to 3e-08
3 models in 3 versions: 0 the same, 0 as expected, 3 differ"""


def test_the_matrix(three):
    found = compare_records(*three)
    assert matrix.matrix(found) == MATRIX
    assert not found.good


def test_what_was_expected(three):
    expectations = (KNOWN, "*: missing: old is old", "*: operations: not layers in Keras 3")
    found = compare_records(*three, expect=(*expectations, "plain: values: never"))
    text = matrix.matrix(found)
    assert "gated  6 (5)              3 (2) ~            3 (2) ~" in text
    assert (
        "   hard-swish: hard swish: 1 ReLU and 1 Multiply became 1 Activation "
        "(-1: bound, product)\n      expected: Keras 3 has a layer for it\n"
    ) in text
    assert "\nexpected, but nothing differs so: plain: values: never\n" in text
    assert text.endswith("0 the same, 2 as expected, 1 differ")
    assert not found.good
    changed = "plain: changed: a wider stem"
    assert compare_records(*three, expect=(*expectations, changed)).good


def test_a_model_that_only_a_later_version_has(three):
    found = compare_records(*reversed(three))
    assert [cell.unexpected[0].code if cell.unexpected else "" for cell in found.rows["old"]] == [
        "missing",
        "missing",
        "",
    ]


def test_the_same_versions_twice_are_told_apart_by_their_files(tmp_path, three):
    for name in ("before", "after"):
        write_record(three[0], tmp_path / f"{name}.json")
    found = compare_records(tmp_path / "before.json", tmp_path / "after.json")
    assert found.columns[0] == "before: TensorFlow 2.15.1, Keras 2.15.0"
    assert matrix.table(found)[0].split() == [
        "model",
        *found.columns[0].split(),
        *found.columns[1].split(),
    ]
    assert found.good


def test_models_without_any_graph_are_left_out(three):
    broken = replace(three[0], models={**three[0].models, "db": ModelRecord(problem="no db")})
    assert "db" not in compare_records(broken, three[1]).rows


@pytest.mark.parametrize(
    ("records", "sentence"),
    [
        ([Record()], "comparing takes two records or more"),
        ([Record(), Record()], "the records hold no model: no fixture of the suite returned one"),
        ([Record(seed=1), Record()], OTHER_WAYS),
        ([Record(own_weights=True), Record()], OTHER_WAYS),
    ],
)
def test_what_cannot_be_compared(records, sentence):
    with pytest.raises(RecordError) as failed:
        compare_records(*records)
    assert str(failed.value) == sentence


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("net: values: why", ("net", "values", "why")),
        ("*: weight-order: a: b", ("*", "weight-order", "a: b")),
        ("models['a: b'][x: y]: changed: why", ("models['a: b'][x: y]", "changed", "why")),
    ],
)
def test_an_expectation(text, parts):
    found = expected(text)
    assert found == Expected(*parts)
    assert str(found) == text


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "must be 'model: cause: reason', with a space after each colon"),
        ("net", "must be 'model: cause: reason', with a space after each colon"),
        ("net: values", "must end with a reason: 'model: cause: reason'"),
        ("net: values: ", "must end with a reason: 'model: cause: reason'"),
        ("net: valeus: why", "there is no cause 'valeus'; did you mean 'values'?"),
    ],
)
def test_what_is_no_expectation(text, sentence):
    with pytest.raises(ExpectationError) as failed:
        expected(text)
    assert str(failed.value) == sentence


def test_fixtures_of_one_name_in_two_files():
    one, two = (ModelRecord(problem="x", where=where) for where in ("a.py", "b.py"))
    assert list(by_name([("net", one), ("other", one), ("net", two)])) == [
        "net of a.py",
        "other",
        "net of b.py",
    ]
    found = record(**by_name([("net", one), ("net", two)]))
    assert found.find("net", "b.py") is two
    assert found.find("net", "c.py") is None


@pytest.fixture
def files(tmp_path, three):
    paths = [str(tmp_path / f"tf-{each.tensorflow[:4]}.json") for each in three]
    for path, each in zip(paths, three, strict=True):
        write_record(each, path)
    return paths


def test_the_command(files, capsys):
    assert main(["compare", *files]) == 1
    assert capsys.readouterr().out == MATRIX + "\n"
    assert main(["compare", files[0], files[0]]) == 0


def test_the_command_as_json(files, capsys):
    assert main(["compare", *files, "--json", "--expect", KNOWN]) == 1
    found = json.loads(capsys.readouterr().out)
    assert found["command"] == "compare"
    assert found["versions"][0] == "TensorFlow 2.15.1, Keras 2.15.0"
    assert found["summary"] == {"models": 3, "same": 0, "expected": 0, "differ": 3}
    first, second, _ = found["models"]["gated"]
    assert (first["layers"], first["nodes"], first["top"]) == (6, 5, 6)
    assert [finding["code"] for finding in second["findings"]] == ["operations"]
    assert second["expected"] == [
        {
            "code": "hard-swish",
            "message": "hard swish: 1 ReLU and 1 Multiply became 1 Activation (-1: bound, product)",
            "reason": "Keras 3 has a layer for it",
        }
    ]
    assert found["models"]["old"][1]["problem"] == "Skipped: this Keras has no old"


def test_the_command_as_markdown(files, capsys):
    main(["compare", *files, "--markdown"])
    lines = capsys.readouterr().out.splitlines()
    assert lines[:3] == [
        f"| model | {' | '.join(VERSIONS)} |",
        "| --- | ---: | ---: | ---: |",
        "| `gated` | 6 (5) | 3 (2) \\* | 3 (2) \\* |",
    ]
    assert lines[-1] == "3 models in 3 versions: 0 the same, 0 as expected, 3 differ"


VERSIONS = (
    "TensorFlow 2.15.1<br>Keras 2.15.0",
    "TensorFlow 2.18.1<br>Keras 3.15.0",
    "TensorFlow 2.21.0<br>Keras 3.15.0",
)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--expect", "net"], "must be 'model: cause: reason', with a space after each colon"),
        (["nope.json"], "nope.json: cannot be read as a record: No such file or directory"),
    ],
)
def test_the_command_used_wrongly(files, capsys, arguments, sentence):
    assert main(["compare", files[0], files[1], *arguments]) == 2
    assert capsys.readouterr().err == f"layercount: {sentence}\n"
