"""Take a model's configuration out of a file, and nothing else.

Nothing is extracted to disk, imported, unpickled or run. The content decides how
a file is read, not its name: a ``.keras`` file may hold HDF5 and the reverse.
"""

from __future__ import annotations

import json
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from pytest_layercount.errors import ModelError, first_line
from pytest_layercount.files import opened
from pytest_layercount.model.keras.load import SUFFIXES

READABLE = (*SUFFIXES, ".json")
MOST_BYTES = 1 << 27
"""A configuration of a thousand layers has about one million bytes."""
MOST_MEMBERS = 10_000
HIGHEST_RATIO = 200
"""Of a member's size to its compressed size: configurations, which repeat themselves, have 30."""

CONFIG, _METADATA = "config.json", "metadata.json"
_PICKLED = "model.weights.npz"
"""What Keras before 3.9 unpickles. It writes HDF5, unless h5py is missing."""
_PICKLED_SAID = f"its weights in {_PICKLED} may hold pickled objects"
_ZIP, _HDF5 = b"PK\x03\x04", b"\x89HDF\r\n\x1a\n"
# NotImplementedError: a compression that is not known. RuntimeError: an encrypted member.
_DAMAGED = (zipfile.BadZipFile, zlib.error, EOFError, OSError, NotImplementedError, RuntimeError)


@dataclass(frozen=True)
class Saved:
    """What a file says about the model in it; ``version`` is empty where it says none."""

    path: Path
    config: Mapping[str, Any]
    version: str


def read_configuration(path: Path) -> Saved:
    """The configuration of the model saved at ``path``.

    Raises:
        ModelError: there is none, or the file is damaged, hostile or something else.
    """
    try:
        exists, directory, regular = path.exists(), path.is_dir(), path.is_file()
    except (OSError, ValueError) as error:  # a name that no file can have
        raise ModelError(f"{str(path)[:200]}: cannot be read ({first_line(error)})") from None
    if directory:
        return _from_directory(path)
    if path.suffix not in READABLE:
        kinds = f"{', '.join(READABLE)} or a directory with saved_model.pb"
        raise ModelError(f"{path}: expected a model saved as {kinds}")
    if not exists:
        raise ModelError(f"{path}: no such file")
    if not regular:
        raise ModelError(f"{path}: not a regular file")
    try:
        with opened(path) as stream:
            return _from_stream(path, stream)
    except _DAMAGED as error:
        raise ModelError(f"{path}: the file is damaged ({first_line(error)})") from error


def configurations(path: Path) -> Iterator[Any]:
    """Every configuration that some Keras could take from ``path``, a file or a directory.

    A file may be an archive and HDF5 at once; which of the two is loaded, Keras decides.

    Raises:
        ModelError: as :func:`read_configuration`.
    """
    # h5py looks for HDF5 behind a block of the user's too, and zipfile for an archive's table at
    # the end of the file, so that the first bytes do not tell.
    parts = []
    try:
        if path.is_file():
            with opened(path) as stream:
                if zipfile.is_zipfile(stream):
                    parts.append(_from_zip(path, stream))
            if _is_hdf5(path):
                parts.append(_from_hdf5(path))
    except _DAMAGED as error:
        raise ModelError(f"{path}: the file is damaged ({first_line(error)})") from error
    for saved in parts or [read_configuration(path)]:
        yield saved.config


def pickled_weights(path: Path) -> str | None:
    """What the weights of a model would run: arrays of NumPy may hold pickled objects.

    Raises:
        ModelError: a member of the archive is larger than any can be.
    """
    if path.is_dir():
        return _PICKLED_SAID if (path / _PICKLED).exists() else None
    try:
        with opened(path) as stream:
            if not zipfile.is_zipfile(stream):
                return None
            with zipfile.ZipFile(stream) as archive:
                members = archive.infolist()
    except _DAMAGED as error:
        raise ModelError(f"{path}: the file is damaged ({first_line(error)})") from error
    # Keras may unpack any member: not only the one with the weights has to be of a true size.
    for member in members:
        _check_ratio(path, member)
    return _PICKLED_SAID if any(one.filename == _PICKLED for one in members) else None


def _is_hdf5(path: Path) -> bool:
    """Whether the HDF5 library finds data in the file, which need not begin with it."""
    try:
        import h5py
    except ModuleNotFoundError:
        return False  # and Keras reads no HDF5 either
    return bool(h5py.is_hdf5(path))


def _from_stream(path: Path, stream: BinaryIO) -> Saved:
    # By content: the suffix does not say which of the formats it is.
    start = stream.read(8)
    stream.seek(0)
    if start == _HDF5:
        return _from_hdf5(path)
    if start.startswith(_ZIP):
        return _from_zip(path, stream)
    if path.suffix == ".json":
        return _saved(path, _parsed(path, path.name, stream.read(MOST_BYTES + 1)), {})
    if not start:
        raise ModelError(f"{path}: the file is empty")
    raise ModelError(
        f"{path}: not a saved model: its content is neither a zip archive (Keras 3 and 2.13 on) "
        "nor HDF5"
    )


def _from_zip(path: Path, stream: BinaryIO) -> Saved:
    with zipfile.ZipFile(stream) as archive:
        if len(archive.infolist()) > MOST_MEMBERS:
            raise ModelError(f"{path}: the archive has more than {MOST_MEMBERS:,} members")
        if CONFIG not in archive.namelist():
            raise ModelError(f"{path}: a zip archive without {CONFIG}, so not a Keras model")
        metadata = _member(path, archive, _METADATA) if _METADATA in archive.namelist() else {}
        return _saved(path, _member(path, archive, CONFIG), metadata)


def _member(path: Path, archive: zipfile.ZipFile, name: str) -> Any:
    info = archive.getinfo(name)
    _check_ratio(path, info)
    if info.file_size > MOST_BYTES:
        raise ModelError(_too_large(path, name))
    with archive.open(info) as member:
        # As much as it says to have, and no more: zipfile would unpack all that is there.
        return _parsed(path, name, member.read(info.file_size))


def _check_ratio(path: Path, info: zipfile.ZipInfo) -> None:
    # A small member may well be compressed to nearly nothing, hence 4096 bytes at least.
    if info.file_size > HIGHEST_RATIO * max(info.compress_size, 1 << 12):
        raise ModelError(
            f"{path}: {info.filename} is compressed more than {HIGHEST_RATIO} to one, as in no "
            "real model"
        )


def _from_directory(path: Path) -> Saved:
    """A directory with the same files in it, as Keras 2.12 writes."""
    if not (path / CONFIG).is_file():
        raise ModelError(
            f"{path}: a directory without saved_model.pb or {CONFIG}, so not a saved model"
        )

    def parsed(name: str) -> Any:
        if not (path / name).is_file():
            return {}
        with opened(path / name) as stream:
            return _parsed(path, name, stream.read(MOST_BYTES + 1))

    try:
        return _saved(path, parsed(CONFIG), parsed(_METADATA))
    except OSError as error:
        raise ModelError(f"{path}: cannot be read ({first_line(error)})") from error


def _from_hdf5(path: Path) -> Saved:
    try:
        import h5py
    except ModuleNotFoundError:
        raise ModelError(f"{path}: reading HDF5 needs h5py: pip install h5py") from None
    with h5py.File(path, "r") as file:
        if "model_config" not in file.attrs:
            raise ModelError(
                f"{path}: holds weights without a model_config, so not a whole model; "
                f"layercount count {path} lists them"
            )
        # Attributes are bytes or text, depending on who wrote them.
        text, version = file.attrs["model_config"], file.attrs.get("keras_version", "")
    raw = text if isinstance(text, bytes) else str(text).encode()
    written = version.decode(errors="replace") if isinstance(version, bytes) else str(version)
    return _saved(path, _parsed(path, "model_config", raw), {"keras_version": written})


def _parsed(path: Path, name: str, raw: bytes) -> Any:
    if len(raw) > MOST_BYTES:
        raise ModelError(_too_large(path, name))
    try:
        return json.loads(raw.decode("utf-8"))
    except RecursionError:
        raise ModelError(f"{path}: {name} is nested too deeply") from None
    except ValueError as error:
        raise ModelError(f"{path}: {name} is not valid JSON ({first_line(error)})") from error


def _saved(path: Path, config: Any, metadata: Any) -> Saved:
    if not isinstance(config, dict) or "class_name" not in config:
        raise ModelError(f"{path}: its JSON does not describe a Keras model")
    notes = metadata if isinstance(metadata, dict) else {}
    # HDF5 and archives note it beside the configuration, JSON in it.
    version = notes.get("keras_version") or config.get("keras_version") or ""
    return Saved(path, config, str(version))


def _too_large(path: Path, name: str) -> str:
    return f"{path}: {name} is larger than {MOST_BYTES >> 20} MB, as in no real model"
