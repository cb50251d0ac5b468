"""What other tools take to fold the same model, where one is installed."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterator

from tests.benchmarks.models import application
from tests.benchmarks.rows import Row, cpu
from tests.tools.folders import FOLDERS, ours


def others() -> Iterator[Row]:
    for tool, folder in FOLDERS.items():
        if folder is ours:
            continue
        for name in ("MobileNetV2", "ResNet50"):
            model = application(name)
            took = cpu(lambda model=model: ours(model))
            try:
                with contextlib.redirect_stdout(io.StringIO()):
                    theirs = cpu(lambda model=model, folder=folder: folder(model), 1)
            except ImportError:
                break
            detail = f"{took:.2f} s of {theirs:.2f} s"
            yield Row(f"fold {name} against {tool}", took / theirs, "of its time", 1.0, detail)
