"""The report as JSON, for other programs: :data:`SCHEMA` says what it holds.

The version changes when something is taken away or means something else; what is new
may come without.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from importlib import resources
from typing import Any

from pytest_layercount.report.summary import Summary
from pytest_layercount.text import json_text

VERSION = 1


def as_json(summary: Summary, versions: Mapping[str, str]) -> str:
    """The whole report."""
    judgements = summary.judgements
    data = {
        "format": "pytest-layercount report",
        "version": VERSION,
        "versions": dict(versions),
        "counts": {
            "models": len(summary.rows),
            "failed": summary.failed,
            "judgements": len(judgements),
        },
        "judgements": [_without_drawings(judgement.as_data()) for judgement in judgements],
    }
    return json_text(json.dumps(data, indent=2, ensure_ascii=False)) + "\n"


def _without_drawings(data: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in data.items() if name not in ("picture", "failure")}


def schema() -> dict[str, Any]:
    """The JSON Schema of the report."""
    text = resources.files(__package__).joinpath("schema.json").read_text(encoding="utf-8")
    found: dict[str, Any] = json.loads(text)
    return found
