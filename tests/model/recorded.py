"""Structures that Keras 2.15 and 3.15 saved, checked in, for tests without any Keras."""

from __future__ import annotations

import gzip
import json
from functools import cache
from pathlib import Path
from typing import Any

from pytest_layercount.model.graph import ModelGraph
from pytest_layercount.model.readers.files.container import Saved
from pytest_layercount.model.readers.files.open import graph_of

DATA = Path(__file__).parent / "data"
OF_KERAS2 = DATA / "keras2.json.gz"
"""What Keras 2.15 says of small models: see ``record_keras2.py``."""
VERSIONS = {"keras2": "2.15.0", "keras3": "3.15.1"}


@cache
def traces(version: str) -> dict[str, Any]:
    """What TensorFlow of a version traced: see ``record_traces.py``."""
    found: dict[str, Any] = json.loads(
        gzip.decompress((DATA / f"traces-{version}.json.gz").read_bytes())
    )
    return found


@cache
def of_keras2() -> dict[str, Any]:
    """What is recorded there."""
    found: dict[str, Any] = json.loads(gzip.decompress(OF_KERAS2.read_bytes()))
    return found


def configuration(name: str, generation: str) -> dict[str, Any]:
    """The configuration of a model that ``generation``, a key of VERSIONS, saved."""
    packed = (DATA / f"{name}-{generation}.json.gz").read_bytes()
    found: dict[str, Any] = json.loads(gzip.decompress(packed))
    return found


def recorded(name: str, generation: str) -> ModelGraph:
    """The graph of this model."""
    config = configuration(name, generation)
    return graph_of(Saved(Path(f"{name}.json"), config, VERSIONS[generation]))
