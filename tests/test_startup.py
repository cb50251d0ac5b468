"""What having the plugin installed costs a test suite without models: nothing."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

HEAVY = ("h5py", "keras", "numpy", "tensorflow", "tf_keras")

MOST_MODULES = 8
"""How many modules of ours a suite without models imports: the settings and the hooks."""

REPORT_MODULES = f"""
import json, os, pathlib, sys

def pytest_sessionfinish(session):
    worker = os.environ.get("PYTEST_XDIST_WORKER", "controller")
    heavy = [name for name in {HEAVY!r} if name in sys.modules]
    plugin = session.config.pluginmanager.has_plugin("layercount")
    ours = [name for name in sys.modules if name.partition(".")[0] == "pytest_layercount"]
    text = json.dumps({{"heavy": heavy, "plugin": plugin, "ours": len(ours)}})
    (session.config.rootpath / f"{{worker}}.json").write_text(text)
"""

WITHOUT_MODELS = """
import pytest

@pytest.mark.parametrize("n", range(4))
def test_it(n): pass
"""


@pytest.mark.parametrize(
    ("options", "processes"),
    [
        (["--collect-only"], ["controller"]),
        ([], ["controller"]),
        (["--layercount-auto", "--layercount-max=5"], ["controller"]),
        (["-n", "2"], ["controller", "gw0", "gw1"]),
    ],
    ids=["collect", "run", "auto", "workers"],
)
def test_a_suite_without_models_imports_nothing_heavy(suite, options, processes):
    suite.makeconftest(REPORT_MODULES)
    suite.makepyfile(WITHOUT_MODELS)
    result = suite.runpytest_subprocess(*options)
    assert result.ret == 0
    for process in processes:
        found = json.loads((suite.path / f"{process}.json").read_text())
        assert (found["heavy"], found["plugin"]) == ([], True), process
        if "--layercount-auto" not in options:
            assert found["ours"] <= MOST_MODULES, process


@pytest.mark.parametrize(
    "statement",
    [
        "import pytest_layercount",
        "import pytest_layercount; dir(pytest_layercount)",
        "import pytest_layercount.plugin",
        "from pytest_layercount import read_graph, count_layers, LayerCount",
        "import pytest_layercount.graph",
        "from pytest_layercount import AssertLayerCount, AssertFoldable, ModelError",
    ],
)
def test_importing_imports_nothing_heavy(statement):
    check = f"import sys; print([name for name in {HEAVY!r} if name in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", f"{statement}\n{check}"],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).parent.parent,
    )
    assert done.stdout.strip() == "[]"


def test_importing_the_package_does_not_even_import_pytest():
    code = "import pytest_layercount, sys; print('pytest' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
