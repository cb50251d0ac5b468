"""Folding a file, and writing the folded model."""

from __future__ import annotations

import gzip
from inspect import cleandoc

import pytest

from pytest_layercount import count_layers
from tests.conftest import ROOT, needs_keras
from tests.kerases import load_keras

DATA = ROOT / "tests" / "model" / "data"


@pytest.fixture
def saved(folder):
    """``m.keras`` with a normalization that folds, one that stays, and a Dropout."""
    keras = load_keras()
    layers = keras.layers
    image = keras.Input((8, 8, 3))
    x = layers.Conv2D(4, 3, name="conv")(image)
    x = layers.BatchNormalization(name="bn")(x)
    x = stem = layers.ReLU(name="stem")(layers.Dropout(0.1, name="drop")(x))
    x = layers.BatchNormalization(name="pre_bn")(x)
    x = layers.ReLU(name="relu")(x)
    first = layers.Add(name="first")([stem, x])
    model = keras.Model(image, [first, layers.Flatten(name="second")(x)], name="net")
    model.save(folder / "m.keras")
    return folder


@needs_keras
def test_what_folds_and_the_folded_model(run, run_json, saved):
    code, out, err = run("fold", "m.keras", "--all")
    shown = cleandoc(
        """
        net: 9 -> 7 layers (-2)
        fold: 1 BatchNormalization
            bn into conv
        removed: drop
        stay: 1 BatchNormalization
        several-consumers (1): normalize on the branch, after the layer that only this branch uses
        """
    )
    assert (code, err) == (0, "")
    assert out.startswith(f"{shown}\n    pre_bn: the output of stem is also used elsewhere, ")
    code, out, err = run("fold", "m.keras", "lean.keras", "--strict")
    assert (code, err) == (1, "")
    assert out.splitlines()[-1] == "a batch normalization stays: not written: lean.keras"
    assert not (saved / "lean.keras").exists()

    code, found = run_json("fold", "m.keras", "lean.keras")
    assert code == 0
    assert (found["before"]["total"], found["after"]["total"]) == (9, 7)
    assert [(one["layer"], one["into"]) for one in found["folds"]] == [("bn", ["conv"])]
    assert [one["layer"] for one in found["refusals"]] == ["pre_bn"]
    assert (found["removed"], found["written"]) == (["drop"], "lean.keras")
    assert count_layers(saved / "lean.keras").total == 7

    code, out, err = run("fold", "m.keras", "lean.keras", "--output", "second")
    assert (code, err) == (2, "layercount: lean.keras: is there already; --force writes over it\n")
    code, out, err = run("fold", "m.keras", "lean.keras", "--output", "second", "--force")
    assert (code, err) == (0, "")
    assert out.splitlines()[-1] == "written to lean.keras"
    assert count_layers(saved / "lean.keras").total == 6
    assert sorted(path.name for path in saved.glob("*.keras")) == ["lean.keras", "m.keras"]
    assert not list(saved.glob(".layercount*"))


@needs_keras
def test_a_model_that_keras_does_not_save(run, saved, monkeypatch):
    def fails(self, path):
        raise NotImplementedError("not in this format")

    monkeypatch.setattr(load_keras().Model, "save", fails)
    code, _, err = run("fold", "m.keras", "lean.keras")
    assert (code, err) == (
        2,
        (
            "layercount: lean.keras: Keras cannot save the folded model: "
            "NotImplementedError: not in this format\n"
        ),
    )
    assert not (saved / "lean.keras").exists()


def test_a_file_is_not_written_over_itself(run, folder):
    (folder / "m.keras").write_bytes(b"precious")
    for out in ("m.keras", "./m.keras"):
        code, _, err = run("fold", "m.keras", out, "--force")
        assert (code, err) == (
            2,
            f"layercount: {out.removeprefix('./')}: this is the model itself; name another file\n",
        )
    assert (folder / "m.keras").read_bytes() == b"precious"


def test_a_structure_alone_is_planned_without_any_framework(run, folder):
    packed = (DATA / "mobilenet_v3_small-keras2.json.gz").read_bytes()
    (folder / "m.json").write_bytes(gzip.decompress(packed))
    code, out, _ = run("fold", "m.json", "--passes", "affine")
    assert code == 0
    first, fold, *_ = out.splitlines()
    assert first.startswith("MobilenetV3small: 239 -> ")
    assert "34 BatchNormalization" in fold
