"""What is installed, found without importing it."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import metadata

_DISTRIBUTIONS: Mapping[str, tuple[str, ...]] = {
    "pytest-layercount": ("pytest-layercount",),
    "Keras": ("keras",),
    "tf_keras": ("tf_keras",),
    "TensorFlow": ("tensorflow", "tensorflow-cpu", "tensorflow-macos", "tensorflow-intel"),
}


def versions() -> dict[str, str]:
    """The versions that decide what a count means, of those packages that are there."""
    found = {name: _version(packages) for name, packages in _DISTRIBUTIONS.items()}
    return {name: version for name, version in found.items() if version}


def header() -> str:
    """The line at the top of a run."""
    return "layercount: " + ", ".join(
        version if name == "pytest-layercount" else f"{name} {version}"
        for name, version in versions().items()
    )


def _version(packages: tuple[str, ...]) -> str:
    for package in packages:
        try:
            return metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return ""
