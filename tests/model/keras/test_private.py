"""A Keras that lacks what is needed of it is said in a sentence."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest

from pytest_layercount import fold, read_graph
from pytest_layercount.errors import ModelError
from pytest_layercount.model.keras import private
from tests.conftest import needs_keras
from tests.kerases import generation, load_keras

pytestmark = needs_keras
keras = pytest.importorskip("tensorflow") and load_keras()
LIBRARY = keras.Model.__module__.partition(".")[0]
NEEDED = private.KERAS_3 if generation(keras) == 3 else private.KERAS_2
TABLE = f"KERAS_{generation(keras)}"


def model() -> object:
    return keras.Sequential([keras.Input((4,)), keras.layers.Dense(3)])


def test_this_keras_has_all_that_is_needed() -> None:
    assert list(private.missing_of(LIBRARY, NEEDED)) == []


@pytest.mark.parametrize("needed", NEEDED, ids=lambda needed: needed.names[0])
def test_a_name_that_is_gone_is_missed(needed: private.Private) -> None:
    gone = needed._replace(names=("_gone",))
    assert list(private.missing_of(LIBRARY, [gone])) == [gone]


def test_a_class_that_has_moved_is_missed() -> None:
    moved = NEEDED[0]._replace(owners=("moved.away:Functional",))
    assert [each.names for each in private.missing_of(LIBRARY, [moved])] == [("_nodes_by_depth",)]


@pytest.fixture
def version(monkeypatch: pytest.MonkeyPatch) -> Iterator[object]:
    """Have the Keras at hand say that it is of another version, and lack a name."""

    def pretend(number: str, *, lacks: bool = True) -> None:
        monkeypatch.setattr(sys.modules[LIBRARY], "__version__", number)
        if lacks:
            gone = NEEDED[0]._replace(names=("_gone",), use="reading")
            monkeypatch.setattr(private, TABLE, (*NEEDED, gone))

    private.check.cache_clear()
    yield pretend
    private.check.cache_clear()


@pytest.mark.parametrize("door", [read_graph, fold])
def test_keras_4_is_newer_than_is_known(version, door) -> None:
    version("4.0.0", lacks=False)
    with pytest.raises(
        ModelError,
        match=r"eras 4\.0\.0 is newer than this plugin knows: it reads models of Keras 2 and 3; "
        r"upgrade pytest-layercount, or test with Keras 3\.\d+$",
    ):
        door(model())


@pytest.mark.parametrize("door", [read_graph, fold])
def test_a_newer_keras_that_lacks_a_name(version, door) -> None:
    number = f"{generation(keras)}.99.1"
    version(number)
    with pytest.raises(
        ModelError,
        match=rf"eras {number} is newer than this plugin knows: it has no _gone, needed for "
        "reading; upgrade pytest-layercount, or test with Keras",
    ):
        door(model())


def test_a_newer_keras_that_has_all_is_read(version) -> None:
    version(f"{generation(keras)}.99.1", lacks=False)
    assert len(read_graph(model()).layers) == 2


def test_an_older_keras_that_lacks_a_name(version) -> None:
    version(f"{generation(keras)}.1.0")
    with pytest.raises(ModelError, match=r"is older than .* test with Keras \d\.\d+ or later$"):
        read_graph(model())
