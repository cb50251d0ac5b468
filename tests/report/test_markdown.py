"""The markdown report: what it shows, and that it always fits."""

from __future__ import annotations

import dataclasses
import re

import pytest

from pytest_layercount.report.markdown import markdown
from tests.report.runs import FAILED, GROWN, judged, large, suite_of


def test_the_whole_report():
    assert markdown(suite_of(FAILED, GROWN, judged("small"))) == (
        """\
### ❌ layercount: 2 models judged, 1 failed

| | model | layers | parameters | change | budget | folds to |
|---|---|---:|---:|---|---|---:|
| ❌ | <code>detector</code> | 187 | 2,257,984 | +37 (+24.7%) | max 150, max 5M parameters ... | 136 |
| ✅ | <code>small</code> | 3 | 20 | - | - | - |

<details><summary><code>detector</code>: failed: 187 layers &#62; max 150 (+37) (and 1 more)</summary>

**187 layers &#62; max 150 (+37)**

**150 -&#62; 187 layers (+37)**

- <code>test&#95;a.py::test&#95;it</code>, to accept: <code>max=187</code>
- <code>test&#95;a.py::test&#95;it</code>

Since &#95;&#95;layercount&#95;&#95;/detector.txt: 150 layers, 2M parameters

- +36 2 blocks more: 12 Conv2D and 24 others: <code>block&#95;7</code>, <code>block&#95;8</code>
- +1 1 Dropout only in the second model: <code>drop</code>

| layer type | before folding | after |
|---|---:|---:|
| <code>BatchNormalization</code> | 52 | 1 |
| <code>Conv2D</code> | 35 | 35 |
| <code>ReLU</code> | 100 | 100 |

1 layer that folding leaves in place:

- <code>block/bn</code> (nonlinear): ReLU is in the way

</details>
"""  # noqa: E501
    )


def test_nothing_that_failed():
    assert markdown(suite_of(judged("small"))).startswith(
        "### ✅ layercount: 1 model judged, none failed\n"
    )


@pytest.mark.parametrize("name", ["<script>x</script>", "a|b", "@team", "`x`", "#7", "*a*", "a\nb"])
def test_names_are_no_markup(name):
    text = markdown(suite_of(dataclasses.replace(FAILED, model=name)))
    assert name not in text
    assert len(text.splitlines()) == len(markdown(suite_of(FAILED)).splitlines())


@pytest.mark.parametrize(
    ("models", "length"), [(1, 20), (25, 20), (300, 20), (3000, 1), (300, 100_000)]
)
def test_it_fits_whatever_the_suite(models, length):
    text = markdown(large(models, length))
    assert len(text) < 65_536
    assert text.startswith(f"### ❌ layercount: {models} model")
    assert text.count("<details>") == text.count("</details>")
    left = models - text.count("<details>")
    assert bool(left) is (f"no room for the details of {left} model" in text)
    rows = len(re.findall(r"^\| ❌", text, re.MULTILINE))
    assert rows == models or f"\nand {models - rows:,} more\n" in text
