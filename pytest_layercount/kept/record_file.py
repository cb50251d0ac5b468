"""Records as files: JSON, with the lines of a model's structure, read back strictly.

The format is documented in ``record.schema.json`` beside this file. ``version`` is
raised when a key changes its meaning or goes.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from pytest_layercount.errors import LayercountError
from pytest_layercount.files import not_written, read_bytes, reason, replaced
from pytest_layercount.kept.baseline import KINDS, kind_of
from pytest_layercount.kept.lines import lines
from pytest_layercount.kept.parse import Malformed, parse
from pytest_layercount.kept.record import ModelRecord, Numbers, Record
from pytest_layercount.model.graph import ModelGraph
from pytest_layercount.text import json_text, short

FORMAT = "pytest-layercount record"
VERSION = 2

_WIDTH = 100
_DAMAGED = (AttributeError, LookupError, RecursionError, TypeError, ValueError)


OTHER_WAYS = (
    "the records were made in different ways, with another seed or with the models' own "
    "weights, so their outputs cannot be compared"
)


class RecordError(LayercountError):
    """A record that cannot be read, written or compared."""


class _WrongLine(ValueError):
    """A line of a structure that is none."""


def read_record(path: str | os.PathLike[str]) -> Record:
    """The record in the file at ``path``.

    Raises:
        RecordError: there is none, or it is damaged or of a newer version.
    """
    try:
        text = read_bytes(path).decode("utf-8")
        data = json.loads(text)
    except OSError as error:
        raise _unreadable(path, reason(error)) from None
    except (ValueError, RecursionError):
        raise _unreadable(path, "it is not JSON") from None
    if not isinstance(data, dict) or data.get("format") != FORMAT:
        why = "it is JSON, but no record; pytest --layercount-record=FILE writes one"
        raise _unreadable(path, why)
    version = data.get("version")
    if version != VERSION:
        newer = type(version) is int and version > VERSION
        raise RecordError(
            f"{os.fspath(path)}: is a record of version {short(version)}, and this "
            f"pytest-layercount reads version {VERSION}; "
            f"{'update it, or record again' if newer else 'record again'}"
        )
    try:
        return from_data(data)
    except _WrongLine as wrong:
        raise _unreadable(path, f"{wrong}; record it again") from None
    except _DAMAGED as error:
        said = (str(error).strip() or type(error).__name__).splitlines()[0]
        why = f"it is damaged ({type(error).__name__}: {said[:60]}); record it again"
        raise _unreadable(path, why) from None


def _unreadable(path: str | os.PathLike[str], why: str) -> RecordError:
    return RecordError(f"{os.fspath(path)}: cannot be read as a record: {why}")


def write_record(record: Record, path: str | os.PathLike[str]) -> None:
    """Write ``record`` to the file at ``path``, making its folder if it is not there.

    Raises:
        LayercountError: the file cannot be written.
    """
    target = Path(path)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RecordError(not_written(target, error)) from None
    with replaced(target) as made:
        made.write_text(json_text(_text(to_data(record))) + "\n", encoding="utf-8", newline="\n")


def to_data(record: Record) -> dict[str, Any]:
    """``record`` as what JSON can hold."""
    return {
        "format": FORMAT,
        "version": VERSION,
        "tensorflow": record.tensorflow,
        "weights": "own" if record.own_weights else "seeded",
        "seed": record.seed,
        "models": {name: model_data(one) for name, one in sorted(record.models.items())},
    }


def from_data(data: Mapping[str, Any]) -> Record:
    """The record that :func:`to_data` wrote."""
    return Record(
        models={name: model_from(one, name) for name, one in data["models"].items()},
        tensorflow=data["tensorflow"],
        own_weights={"own": True, "seeded": False}[data["weights"]],
        seed=int(data["seed"]),
    )


def model_data(one: ModelRecord) -> dict[str, Any]:
    """What was recorded of a model as what JSON can hold."""
    if one.graph is None:
        return {"where": one.where, "problem": one.problem}
    return {
        "where": one.where,
        "counts": {
            **{count: one.count(count) for count in ("layers", "nodes", "top")},
            "parameters": one.parameters,
        },
        "name": one.graph.name,
        "keras": one.graph.keras,
        "kind": kind_of(one.graph),
        "whole": all(layer.settings is not None for layer in one.graph.layers),
        "top": dict(sorted(Counter(one.graph.top).items())),
        "structure": lines(one.graph, recorded=True),
        "weights": [[layer, list(shape)] for layer, shape in one.weights],
        **({"unrun": one.unrun} if one.unrun else {"computed": one.computed}),
        "outputs": [_numbers_data(output) for output in one.numbers],
    }


def model_from(data: Mapping[str, Any], name: str) -> ModelRecord:
    """The record of the model ``name`` that :func:`model_data` wrote."""
    if "structure" not in data:
        return ModelRecord(problem=str(data["problem"]), where=data["where"])
    return ModelRecord(
        graph=_graph(data, name),
        weights=tuple((int(layer), tuple(shape)) for layer, shape in data["weights"]),
        numbers=tuple(_numbers(output) for output in data["outputs"]),
        computed=data.get("computed", ""),
        unrun=data.get("unrun", ""),
        where=data["where"],
    )


def _graph(data: Mapping[str, Any], name: str) -> ModelGraph:
    sequential, seen = KINDS[data["kind"]]
    written, whole = list(map(str, data["structure"])), bool(data["whole"])
    try:
        read = parse(data["keras"], sequential, seen, written, 1, whole=whole)
    except Malformed as wrong:
        line = "".join(f": {short(line)}" for line in written[wrong.line - 1 : wrong.line])
        place = f"structure of {short(name)}, line {wrong.line}"
        raise _WrongLine(f"{place}: {wrong.problem}{line}") from None
    return replace(read, name=str(data["name"]), top=tuple(Counter(data["top"]).elements()))


def _numbers_data(output: Numbers) -> dict[str, Any]:
    return {
        "shape": list(output.shape),
        "dtype": output.dtype,
        "smallest": output.smallest,
        "largest": output.largest,
        "mean": output.mean,
        "noise": output.noise,
        "values": list(output.values),
    }


def _numbers(data: Mapping[str, Any]) -> Numbers:
    values = tuple(data["values"])
    wanted = str if data["dtype"] == "string" else (int, float)
    if not all(isinstance(value, wanted) for value in values):
        raise ValueError("an output holds something else than numbers")
    statistics = (float(data[name]) for name in ("smallest", "largest", "mean", "noise"))
    return Numbers(tuple(data["shape"]), data["dtype"], values, *statistics)


def _text(data: Any, indent: str = "") -> str:
    """JSON, with what fits into a line on one."""
    short = json.dumps(data, ensure_ascii=False, allow_nan=False)
    if len(short) + len(indent) <= _WIDTH or not isinstance(data, (dict, list)):
        return short
    inner = indent + " "
    if isinstance(data, dict):
        items = [f"{json.dumps(key)}: {_text(value, inner)}" for key, value in data.items()]
    elif all(isinstance(value, (int, float)) for value in data):
        return short
    else:
        items = [_text(value, inner) for value in data]
    start, end = "{}" if isinstance(data, dict) else "[]"
    return f"{start}\n{inner}" + f",\n{inner}".join(items) + f"\n{indent}{end}"
