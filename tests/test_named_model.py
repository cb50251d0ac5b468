"""A real model that is named on the command line."""

from __future__ import annotations

import json

from tests.conftest import needs_keras


@needs_keras
def test_a_real_model(suite):
    (suite.path / "nets.py").write_text(
        "from tests.kerases import load_keras\n"
        "def normed(filters):\n"
        "    keras = load_keras()\n"
        "    conv, norm = keras.layers.Conv2D(filters, 3), keras.layers.BatchNormalization()\n"
        "    return keras.Sequential([keras.Input((8, 8, 3)), conv, norm], name='normed')\n"
    )
    options = ["--layercount-max=2", "--layercount-report=report.json"]
    result = suite.runpytest_subprocess("--layercount-model=nets:normed(filters=4)", *options)
    result.assert_outcomes(passed=3)
    report = json.loads((suite.path / "report.json").read_text(encoding="utf-8"))
    assert [each["facts"]["folded_layers"] for each in report["judgements"]] == [1] * 3
    assert report["versions"]["TensorFlow"]
