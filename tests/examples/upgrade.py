"""Compare the records in a folder, expecting what is known to differ between the Kerases."""

import sys
from pathlib import Path

from pytest_layercount.cli import main

EXPECTED = """
    application[MobileNetV3Small]: operations: Keras 3 does not list them
    application[MobileNetV3Small]: hard-swish: Keras 3 has an activation for it
    application[ConvNeXtTiny]: operations: Keras 3 does not list them
    activation[hard_sigmoid]: changed: the name means something else
    activation[hard_sigmoid]: values: the name means something else
    special_layer[LSTM hard_sigmoid]: changed: the name means something else
    special_layer[LSTM hard_sigmoid]: values: the name means something else
    layer[ConvLSTM2D]: changed: recurrent_activation has another default
    layer[ConvLSTM2D]: values: recurrent_activation has another default
    special_layer[masked LSTM]: added: Keras 3 shows how masks are computed
    special_layer[masked average]: added: Keras 3 shows how masks are computed
    *: missing: not every Keras has it
    """.strip().splitlines()


def compare(folder: str) -> int:
    """Print the matrix; 0 if nothing differs but what is expected."""
    records = sorted(str(path) for path in Path(folder).glob("*.json"))
    expected = [f"--expect={line.strip()}" for line in EXPECTED]
    return main(["compare", *records, *expected])


if __name__ == "__main__":
    sys.exit(compare(*sys.argv[1:]))
