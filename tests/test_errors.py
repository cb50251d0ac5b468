"""What is said of errors, ours and those of others."""

from __future__ import annotations

import pytest

from pytest_layercount.errors import first_line, reading_needs_tensorflow


def test_install_tensorflow():
    assert reading_needs_tensorflow("net.keras") == (
        "reading 'net.keras' needs TensorFlow, which is not installed: "
        'pip install "pytest-layercount[tensorflow]"'
    )


KERAS_3 = """\
Exception encountered when calling Picky.call().

\x1b[1mCould not automatically infer the output shape / dtype of 'picky'. Error encountered:

4 wanted, 0 given\x1b[0m

Arguments received by Picky.call():
  • args=..."""


KERAS_2 = """\
Exception encountered when calling layer "picky" (type Picky).

in user code:

    File "a.py", line 67, in call  *
        raise ValueError(...)

    ValueError: 4 wanted, 0 given


Call arguments received by layer "picky" (type Picky):
  • inputs=..."""


@pytest.mark.parametrize("said", ["4 wanted, 0 given\nand more", KERAS_2, KERAS_3])
def test_what_keras_writes_around_an_error_is_left_out(said):
    assert first_line(ValueError(said)) == "4 wanted, 0 given"
    assert first_line(KeyError()) == "KeyError"
