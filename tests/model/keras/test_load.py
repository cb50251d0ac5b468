"""What is refused before any Keras opens it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from pytest_layercount import ModelError
from pytest_layercount.model.keras.load import load_model


def unasked(path: Path, trusted: bool) -> None:
    pytest.fail("nothing is looked into")


@pytest.mark.parametrize("name", ["model.txt", "model", "model.keras.zip"])
def test_what_has_not_the_suffix_of_a_model(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text("x")
    said = f"{tmp_path / name}: expected a model saved as .keras, .h5, .hdf5"
    with pytest.raises(ModelError, match=re.escape(said)):
        load_model(tmp_path / name, unasked)


def test_what_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="no such file"):
        load_model(tmp_path / "model.keras", unasked)
