"""Only regular files are opened, and files are written whole or not at all."""

import json
import os
import threading
import zipfile

import pytest

from pytest_layercount import ModelError, count_layers, plan_fold, read_graph
from pytest_layercount.cli import main
from pytest_layercount.errors import LayercountError
from pytest_layercount.files import irregular, opened, read_bytes, replaced
from pytest_layercount.kept.baseline import BaselineError, load
from pytest_layercount.kept.record_file import RecordError, read_record
from pytest_layercount.model.readers import live_model
from pytest_layercount.model.readers.files.container import read_configuration
from pytest_layercount.model.readers.files.weights import weights_in
from tests.conftest import needs_keras

pytestmark = pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")


@pytest.fixture(params=["pipe", "link to a pipe", "link to a device"])
def make(request):
    """Put something at a path that a reader would wait at, or never come to an end of."""

    def make(path):
        target = path
        if request.param.startswith("link"):
            target = path.with_name(f"{path.name}.target")  # a device has no other place
        if "pipe" in request.param:
            os.mkfifo(target)
        else:
            target.symlink_to("/dev/zero")
        if target != path:
            path.symlink_to(target)
        return path

    return make


@pytest.fixture(autouse=True)
def in_time():
    """Fail, not hang: whoever waits at a pipe is let go by a timer."""
    timer = threading.Timer(60, os._exit, [9])
    timer.daemon = True
    timer.start()
    yield
    timer.cancel()


@pytest.mark.parametrize("name", ["m.h5", "m.keras", "m.json", "m"])
def test_no_model_is_read_from_it(make, tmp_path, name, capsys):
    path = make(tmp_path / name)

    for read in (read_graph, count_layers, plan_fold, live_model):
        with pytest.raises(ModelError):
            read(path)
    assert main(["count", str(path)]) == main(["fold", str(path), str(tmp_path / "o.h5")]) == 2
    assert "Traceback" not in capsys.readouterr().err


@pytest.mark.parametrize("name", ["config.json", "model.weights.h5", "metadata.json"])
def test_none_from_a_folder_that_holds_it(make, tmp_path, name):
    folder = tmp_path / "m.keras"
    folder.mkdir()
    own = {"class_name": "Mine", "config": {"name": "own"}, "inbound_nodes": [], "name": "own"}
    config = {"class_name": "Functional", "config": {"name": "m", "layers": [own]}}
    (folder / "config.json").write_text(json.dumps(config))
    (folder / name).unlink(missing_ok=True)
    make(folder / name)

    for read in (read_graph, lambda path: plan_fold(path, resolve=True), live_model):
        with pytest.raises(ModelError):
            read(folder)
    with pytest.raises(ModelError, match="not a regular file, so it is not opened"):
        live_model(folder)


@needs_keras
@pytest.mark.parametrize("name", ["saved_model.pb", "keras_metadata.pb", "variables/v.index"])
def test_nor_from_a_saved_model(make, tmp_path, name):
    (tmp_path / "variables").mkdir()
    for file in ("saved_model.pb", "keras_metadata.pb"):
        (tmp_path / file).write_bytes(b"")
    (tmp_path / name).unlink(missing_ok=True)
    make(tmp_path / name)

    for read in (read_graph, live_model):
        with pytest.raises(ModelError):
            read(tmp_path)


def test_no_weights(make, tmp_path):
    with pytest.raises(OSError, match="not a regular file"), weights_in(make(tmp_path / "m.h5")):
        pass


def test_no_record(make, tmp_path):
    path = make(tmp_path / "r.json")

    with pytest.raises(RecordError, match="not a regular file"):
        read_record(path)
    assert main(["compare", str(path), str(path)]) == 2


def test_no_baseline(make, tmp_path):
    with pytest.raises(BaselineError, match="not a regular file"):
        load(make(tmp_path / "b.txt"), "b.txt")


def test_nothing_takes_its_place(make, tmp_path):
    path = make(tmp_path / "out.json")

    with pytest.raises(LayercountError, match="not a regular file"), replaced(path) as made:
        made.write_text("new")

    assert not path.is_file()


def test_regular_files_and_links_to_them_are_read(tmp_path):
    (tmp_path / "file").write_bytes(b"content")
    (tmp_path / "link").symlink_to("file")

    assert read_bytes(tmp_path / "link") == read_bytes(str(tmp_path / "file")) == b"content"
    assert irregular(tmp_path) is None
    with pytest.raises(IsADirectoryError), opened(tmp_path):
        pass
    with pytest.raises(FileNotFoundError), opened(tmp_path / "none"):
        pass


def test_an_archive_is_still_read_through_a_link(tmp_path):
    config = {"class_name": "Functional", "config": {"name": "m", "layers": []}}
    with zipfile.ZipFile(tmp_path / "a.keras", "w") as archive:
        archive.writestr("config.json", json.dumps(config))
    (tmp_path / "b.keras").symlink_to("a.keras")

    assert read_configuration(tmp_path / "b.keras").config == config
