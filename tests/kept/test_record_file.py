"""Records as files: what is written is read back, and what is no record is refused."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from pytest_layercount.errors import LayercountError
from pytest_layercount.kept import record_file
from pytest_layercount.kept.record import ModelRecord, Record
from pytest_layercount.kept.record_file import RecordError, read_record, to_data, write_record
from tests.kept.models import plain_net, record, recorded, residual_net


@pytest.fixture
def two():
    return record(
        plain=recorded(plain_net(2)),
        residual=recorded(residual_net(), numbers=(), computed="", unrun="no kernel"),
        broken=ModelRecord(problem="no RegNet here", where="test_models.py"),
    )


def test_round_trip(two, tmp_path):
    write_record(two, tmp_path / "records" / "tf-2.21.json")
    assert read_record(tmp_path / "records" / "tf-2.21.json") == two
    assert two.keras == ("Keras 2.15.0", "Keras 3.15.0")
    assert two.label == "TensorFlow 2.21.0, Keras 2.15.0, Keras 3.15.0"


def test_the_same_record_gives_the_same_file(two, tmp_path):
    write_record(two, tmp_path / "a.json")
    reordered = replace(two, models=dict(reversed(two.models.items())))
    write_record(reordered, tmp_path / "b.json")
    assert (tmp_path / "a.json").read_bytes() == (tmp_path / "b.json").read_bytes()


def test_a_line_for_each_layer(two, tmp_path):
    write_record(two, tmp_path / "a.json")
    lines = (tmp_path / "a.json").read_text().splitlines()
    assert max(map(len, lines)) < 300
    assert sum('"BatchNormalization(' in line for line in lines) == 3


def test_what_was_there_stays_if_writing_fails(two, tmp_path, monkeypatch):
    path = tmp_path / "a.json"
    path.write_text("before")

    def full(*_arguments, **_keywords):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(record_file.Path, "write_text", full)
    with pytest.raises(LayercountError, match=r"cannot be written \(No space left on device\)"):
        write_record(two, path)
    monkeypatch.undo()
    assert path.read_text() == "before"
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_that_is_a_file(two, tmp_path):
    (tmp_path / "records").write_text("")
    with pytest.raises(RecordError, match=r"records.a\.json: cannot be written"):
        write_record(two, tmp_path / "records" / "a.json")


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (None, "No such file or directory"),
        ("", "it is not JSON"),
        ("{", "it is not JSON"),
        ("[" * 100_000, "it is not JSON"),
        ("[]", "it is JSON, but no record; pytest --layercount-record=FILE writes one"),
        ('{"version": 1}', "it is JSON, but no record; pytest --layercount-record=FILE writes one"),
    ],
)
def test_what_is_no_record(tmp_path, text, sentence):
    path = tmp_path / "a.json"
    if text is not None:
        path.write_text(text)
    with pytest.raises(RecordError) as failed:
        read_record(path)
    assert str(failed.value) == f"{path}: cannot be read as a record: {sentence}"


def test_bytes_that_are_no_text(tmp_path):
    (tmp_path / "a.json").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(RecordError, match="it is not JSON"):
        read_record(tmp_path / "a.json")


@pytest.mark.parametrize(
    ("version", "remedy"), [(3, "update it, or record again"), (1, "record again")]
)
def test_another_version(two, tmp_path, version, remedy):
    path = tmp_path / "a.json"
    path.write_text(json.dumps({**to_data(two), "version": version}))
    with pytest.raises(RecordError) as failed:
        read_record(path)
    assert str(failed.value) == (
        f"{path}: is a record of version {version}, and this pytest-layercount reads version 2; "
        f"{remedy}"
    )


@pytest.mark.parametrize(
    ("number", "line", "problem"),
    [
        (2, "Conv2D(", "is not the call of a layer as a baseline has it: 'Conv2D('"),
        (3, "up9.layer -> (1,)", "reads from above the first line: 'up9.layer -> (1,)'"),
        (7, None, "the file ends without its last line, outputs(...)"),
    ],
)
def test_a_damaged_structure_names_its_line(two, tmp_path, number, line, problem):
    data = to_data(two)
    lines = data["models"]["plain"]["structure"]
    lines[number - 1 :] = [line, *lines[number:]] if line else []
    with pytest.raises(RecordError) as failed:
        read_record(spoilt(data, tmp_path))
    assert str(failed.value) == (
        f"{tmp_path / 'a.json'}: cannot be read as a record: structure of 'plain', "
        f"line {number}: {problem}; record it again"
    )


def spoilt(data, tmp_path):
    (tmp_path / "a.json").write_text(json.dumps(data))
    return tmp_path / "a.json"


def places(data, path=()):
    """Every key of nested dictionaries, and the first item of every list."""
    items = data.items() if isinstance(data, dict) else enumerate(data[:1])
    for key, value in items:
        yield (*path, key)
        if isinstance(value, (dict, list)):
            yield from places(value, (*path, key))


def test_whatever_is_damaged_is_a_sentence(two, tmp_path):
    """Each value in turn replaced by one of another kind: read, or refused in one sentence."""
    refused = []
    whole = to_data(Record({"plain": two.models["plain"]}, "2.21.0"))
    for place in places(whole):
        for wrong in ({}, 3, "x", None):
            data = json.loads(json.dumps(whole))
            *way, last = place
            inner = data
            for key in way:
                inner = inner[key]
            inner[last] = wrong
            try:
                read_record(spoilt(data, tmp_path))
            except RecordError as error:
                refused.append(str(error))
    assert len(refused) > 90
    assert not any("\n" in sentence for sentence in refused)


def test_a_missing_key_says_so(two, tmp_path):
    data = to_data(two)
    del data["models"]["plain"]["weights"]
    with pytest.raises(RecordError, match=r"damaged \(KeyError: 'weights'\); record it again"):
        read_record(spoilt(data, tmp_path))


def test_numbers_that_are_none(two, tmp_path):
    data = to_data(two)
    data["models"]["plain"]["outputs"][0]["values"] = ["x"]
    with pytest.raises(RecordError, match="holds something else than numbers"):
        read_record(spoilt(data, tmp_path))


def test_the_schema_describes_it(two):
    jsonschema = pytest.importorskip("jsonschema")
    schema = json.loads(
        (record_file.Path(record_file.__file__).parent / "record.schema.json").read_text()
    )
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema)
    data = json.loads(json.dumps(to_data(two)))
    validator.validate(data)
    for key in ("format", "version", "models", "seed"):
        broken = {name: value for name, value in data.items() if name != key}
        assert not validator.is_valid(broken)
    data["models"]["plain"]["surprise"] = 1
    assert not validator.is_valid(data)
