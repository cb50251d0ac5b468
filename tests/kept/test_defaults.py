"""What goes without saying in a baseline, against the defaults of Keras."""

from __future__ import annotations

import pytest

from pytest_layercount.kept import defaults as module
from pytest_layercount.kept.defaults import with_defaults, without_defaults
from pytest_layercount.model.layers import row_of
from tests.conftest import needs_keras
from tests.kerases import generation, is_keras_3_3, load_keras
from tests.model.test_plain_settings import defaults

FILLED_IN = {"activation": "linear", "data_format": "channels_last"}
"""What Keras sets where its own default is None."""
IN_KERAS_3_3 = {"rms_scaling"}
"""What a later Keras 3 has no more."""


@needs_keras
def test_what_goes_without_saying_is_a_default_of_keras() -> None:
    there = {
        (name, FILLED_IN.get(name) if default is None else default)
        for type_, name, default in defaults()
        if name in row_of(type_).attributes or name == "trainable"
    }
    names = {name for name, _ in there}
    assert {item for item in module._DEFAULTS.items() if item[0] in names} <= there
    if generation(load_keras()) == 3 and not is_keras_3_3():
        assert set(module._DEFAULTS) - names <= IN_KERAS_3_3


@pytest.mark.parametrize("name", sorted({*module._DEFAULTS, *module._ONES}))
def test_only_what_is_otherwise_is_said(name: str) -> None:
    kernel = {"kernel_size": (3, 2)}
    usual = {**module._DEFAULTS, **dict.fromkeys(module._ONES, (1, 1))}[name]
    assert without_defaults({name: usual, **kernel}) == kernel
    assert without_defaults({name: "other", **kernel}) == {**kernel, name: "other"}


def test_what_is_not_said_is_as_usual() -> None:
    known = with_defaults("Conv2D", {"filters": 4, "kernel_size": (3, 3), "strides": (2, 2)})
    assert known.keys() >= set(row_of("Conv2D").attributes)
    assert (known["padding"], known["dilation_rate"], known["strides"]) == ("valid", (1, 1), (2, 2))
