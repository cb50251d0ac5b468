"""Files and folders around a configuration: damaged, hostile, or another container than named."""

from __future__ import annotations

import importlib.util
import json
import sys
import tracemalloc
import zipfile
from pathlib import Path
from typing import Any

import pytest

from pytest_layercount import ModelError
from pytest_layercount.model.readers.files import container
from pytest_layercount.model.readers.files.container import (
    configurations,
    pickled_weights,
    read_configuration,
)

CONFIG = {"class_name": "Sequential", "config": {"name": "s", "layers": []}}
needs_h5py = pytest.mark.skipif(not importlib.util.find_spec("h5py"), reason="needs h5py")


def packed(path: Path, **members: str) -> Path:
    """An archive with these members, dots in their names as underscores."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in members.items():
            archive.writestr(name.replace("_", "."), text)
    return path


def model(folder: Path, **members: str) -> Path:
    return packed(folder / "m.keras", config_json=json.dumps(CONFIG), **members)


def test_what_stands_in_an_archive(tmp_path: Path) -> None:
    path = model(tmp_path, metadata_json='{"keras_version": "3.1.0"}')
    saved = read_configuration(path)
    assert (saved.config, saved.version) == (CONFIG, "3.1.0")
    assert list(configurations(path)) == [CONFIG]
    assert read_configuration(model(tmp_path)).version == ""
    assert read_configuration(model(tmp_path, metadata_json="[1]")).version == ""
    empty = packed(tmp_path / "n.keras", other_json="{}")
    with pytest.raises(ModelError, match=r"a zip archive without config.json"):
        read_configuration(empty)
    for text in ("[]", "{}", '"text"'):
        with pytest.raises(ModelError, match="does not describe a Keras model"):
            read_configuration(packed(tmp_path / "n.keras", config_json=text))
    with pytest.raises(ModelError, match=r"config.json is not valid JSON \("):
        read_configuration(packed(tmp_path / "n.keras", config_json="{"))
    with pytest.raises(ModelError, match=r"config.json is nested too deeply"):
        read_configuration(packed(tmp_path / "n.keras", config_json="[" * 100_000))


def test_a_folder_with_the_same_files(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"a directory without saved_model.pb or config.json"):
        read_configuration(tmp_path)
    (tmp_path / "config.json").write_text(json.dumps({**CONFIG, "keras_version": "2.12.0"}))
    assert read_configuration(tmp_path).version == "2.12.0"
    (tmp_path / "metadata.json").write_text('{"keras_version": "2.13.0"}')
    assert read_configuration(tmp_path).version == "2.13.0"
    assert list(configurations(tmp_path)) == [{**CONFIG, "keras_version": "2.12.0"}]


def test_a_folder_that_cannot_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: Path) -> Any:
        raise PermissionError("not yours")

    (tmp_path / "config.json").write_text(json.dumps(CONFIG))
    monkeypatch.setattr(container, "opened", refuse)
    with pytest.raises(ModelError, match=r"cannot be read \(not yours\)"):
        read_configuration(tmp_path)


def test_weights_that_may_be_pickled(tmp_path: Path) -> None:
    assert pickled_weights(model(tmp_path)) is None
    said = pickled_weights(model(tmp_path, model_weights_npz="x"))
    assert said == "its weights in model.weights.npz may hold pickled objects"
    assert pickled_weights(tmp_path) is None
    (tmp_path / "model.weights.npz").touch()
    assert pickled_weights(tmp_path) == said
    text = tmp_path / "m.json"
    text.write_text("{}")
    assert pickled_weights(text) is None
    with pytest.raises(ModelError, match=r"weights.bin is compressed more than 200 to one"):
        pickled_weights(model(tmp_path, weights_bin="0" * (200 << 14)))


def damaged(folder: Path, *, whole: bool) -> Path:
    """An archive whose table of contents, or the contents, are overwritten."""
    path = model(folder)
    raw = bytearray(path.read_bytes())
    start = raw.index(b"PK\x01\x02") if whole else 30
    raw[start + 10 : start + 20] = b"\xff" * 10
    path.write_bytes(raw)
    return path


@pytest.mark.parametrize("whole", [True, False])
def test_a_damaged_archive(whole: bool, tmp_path: Path) -> None:
    path = damaged(tmp_path, whole=whole)
    for read in (read_configuration, lambda path: list(configurations(path))):
        with pytest.raises(ModelError, match=r"m.keras: the file is damaged \(.+\)"):
            read(path)


def test_a_table_of_contents_that_cannot_be_read(tmp_path: Path) -> None:
    path = model(tmp_path)
    raw = bytearray(path.read_bytes())
    start = raw.index(b"PK\x01\x02")
    raw[start : start + 4] = b"PK\x01\x00"
    path.write_bytes(raw)
    for read in (pickled_weights, read_configuration, lambda path: list(configurations(path))):
        with pytest.raises(ModelError, match=r"the file is damaged \(.+\)"):
            read(path)


def test_configurations_that_are_too_large(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    size = len(json.dumps(CONFIG))
    monkeypatch.setattr(container, "MOST_BYTES", size)
    assert read_configuration(model(tmp_path)).config == CONFIG
    monkeypatch.setattr(container, "MOST_BYTES", size - 1)
    said = r"m.keras: config.json is larger than 0 MB, as in no real model"
    with pytest.raises(ModelError, match=said):
        read_configuration(model(tmp_path))
    text = tmp_path / "m.json"
    text.write_text(json.dumps(CONFIG))
    with pytest.raises(ModelError, match=r"m.json: m.json is larger than 0 MB"):
        read_configuration(text)
    monkeypatch.setattr(container, "MOST_BYTES", 3 << 20)
    with pytest.raises(ModelError, match=r"is larger than 3 MB"):
        read_configuration(packed(tmp_path / "n.keras", config_json=f'["{_noise(3 << 20)}"]'))


def _noise(size: int) -> str:
    """Text that cannot be compressed two hundred to one."""
    return "".join(str(number) for number in range(size // 6))[:size].ljust(size, "0")


def test_an_archive_of_too_many_members(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = model(tmp_path, metadata_json="{}")
    monkeypatch.setattr(container, "MOST_MEMBERS", 2)
    assert read_configuration(path).config == CONFIG
    monkeypatch.setattr(container, "MOST_MEMBERS", 1)
    with pytest.raises(ModelError, match="the archive has more than 1 members"):
        read_configuration(path)


@needs_h5py
def test_hdf5_by_its_content_and_not_without_h5py(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import h5py

    path = tmp_path / "m.keras"
    with h5py.File(path, "w") as file:
        file.attrs["keras_version"] = b"2.9.0"
    with pytest.raises(ModelError, match="holds weights without a model_config"):
        read_configuration(path)
    with h5py.File(path, "a") as file:
        file.attrs["model_config"] = json.dumps(CONFIG).encode()
    assert read_configuration(path).version == "2.9.0"
    assert list(configurations(path)) == [CONFIG]
    both = tmp_path / "both.keras"
    other = {**CONFIG, "config": {"name": "other"}}
    archive = packed(tmp_path / "archive.keras", config_json=json.dumps(other))
    with h5py.File(both, "w", userblock_size=1 << 12) as file:
        file.attrs["model_config"] = json.dumps(CONFIG)
    raw = bytearray(both.read_bytes())
    both.write_bytes(bytes(raw) + archive.read_bytes())
    assert list(configurations(both)) == [other, CONFIG]
    monkeypatch.setitem(sys.modules, "h5py", None)
    assert list(configurations(both)) == [other]
    with pytest.raises(ModelError, match="reading HDF5 needs h5py: pip install h5py"):
        read_configuration(path)


def test_names_and_contents_of_no_model(tmp_path: Path) -> None:
    for name, content, said in (
        ("m.keras", b"", "the file is empty"),
        ("m.h5", b"text, not HDF5", "neither a zip archive"),
        ("m.txt", b"{}", r"expected a model saved as \.keras"),
    ):
        path = tmp_path / name
        path.write_bytes(content)
        with pytest.raises(ModelError, match=said):
            read_configuration(path)
    with pytest.raises(ModelError, match="no such file"):
        read_configuration(tmp_path / "nothing.keras")
    with pytest.raises(ModelError, match="cannot be read"):
        read_configuration(tmp_path / ("a" * 5000))


def test_a_member_is_unpacked_no_further_than_it_says(tmp_path: Path) -> None:
    path = tmp_path / "x.keras"
    whole = b"{}" + b" " * (1 << 24)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("config.json", whole)
    # The size stands in front of the member, and once more in the table at the end of the archive.
    told, untrue = len(whole).to_bytes(4, "little"), (100).to_bytes(4, "little")
    raw = path.read_bytes()
    assert raw.count(told) == 2
    path.write_bytes(raw.replace(told, untrue))
    tracemalloc.start()
    try:
        with pytest.raises(ModelError, match="the file is damaged"):
            read_configuration(path)
        assert tracemalloc.get_traced_memory()[1] < 1 << 20
    finally:
        tracemalloc.stop()
