"""From the lines of a baseline back to a graph; what is no such line is an error."""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping, Sequence
from typing import Any

from pytest_layercount.kept.defaults import with_defaults
from pytest_layercount.kept.lines import SEALS
from pytest_layercount.model.graph import Kind, Layer, ModelGraph, Node, Seen, Shape, Value
from pytest_layercount.model.layers import row_of

_OUTPUT = re.compile(r"(unknown|\([^()]*\))(?: (?!masked)(\w+))?( masked)?")
_UP = re.compile(r"up([1-9]\d*)")
_NOT_A_CALL = "is not the call of a layer as a baseline has it"
_NOT_A_LINE = (
    ArithmeticError,
    AttributeError,
    LookupError,
    MemoryError,
    RecursionError,
    SyntaxError,
    TypeError,
    ValueError,
)


class Malformed(Exception):
    """A line that is none: its number and what is wrong with it."""

    def __init__(self, line: int, problem: str) -> None:
        self.line = line
        self.problem = problem


class _Wrong(ValueError):
    """What is wrong with a line, where there is more to say than that it is none."""


def parse(
    keras: str, sequential: bool, seen: Seen, lines: Sequence[str], first: int, *, whole: bool
) -> ModelGraph:
    """The graph that ``lines`` say, the first of them line number ``first`` of its file.

    ``whole`` says that they show all settings of the layers.

    Raises:
        Malformed: what stands there is no such graph.
    """
    kind: Kind = "operation" if seen != "graph" or keras.startswith("Keras 3") else "layer"
    reader = _Reader(kind, whole=whole)
    for number, line in enumerate(lines):
        try:
            reader.read(line)
        except _Wrong as wrong:
            raise Malformed(first + number, str(wrong)) from None
        except _NOT_A_LINE:
            raise Malformed(first + number, _NOT_A_CALL) from None
    if reader.outputs is None:
        raise Malformed(first + len(lines), "the file ends without its last line, outputs(...)")
    return ModelGraph(
        name="baseline",
        keras=keras,
        layers=tuple(reader.layers),
        nodes=tuple(reader.nodes),
        inputs=[Value(node) for _, node in sorted(reader.entries)],
        outputs=reader.outputs,
        sequential=sequential,
        seen=seen,
    )


class _Reader:
    """The graph so far; ``operations`` says what kind low-level operations are."""

    def __init__(self, operations: Kind, *, whole: bool) -> None:
        self.operations, self.whole = operations, whole
        self.none: dict[str, Any] | None = {} if whole else None
        self.layers: list[Layer] = []
        self.nodes: list[Node] = []
        self.entries: list[tuple[int, int]] = []
        self.outputs: list[Any] | None = None

    def read(self, line: str) -> None:
        if self.outputs is not None:
            raise _Wrong("stands after outputs(...), which must be last")
        text, arrow, rest = line.rpartition(" -> ")
        tree = ast.parse(text if arrow else line, mode="eval").body
        if not arrow:
            if not (isinstance(tree, ast.Call) and _is_name(tree.func, "outputs")):
                raise _Wrong(_NOT_A_CALL)
            self.outputs = [self._value(arg) for arg in tree.args]
            return
        outputs, *facts = rest.split(" | ")
        self._call(tree, outputs, facts)

    def _call(self, tree: ast.expr, outputs: str, columns: list[str]) -> None:
        facts, name = _columns(columns)
        called, calls = self._called(tree)
        if calls is None:
            above = (Value(len(self.nodes) - 1),) if self.nodes else ()
            entry = isinstance(called, Layer) and called.kind == "input"
            args, kwargs = () if entry else above, {}
        else:
            args = tuple(self._value(arg) for arg in calls.args)
            kwargs = {str(word.arg): self._value(word.value) for word in calls.keywords}
        number = called if isinstance(called, int) else self._add(called, name, facts)
        shapes, dtypes, masked = _read_outputs(outputs)
        training = facts.get("training")
        self.nodes.append(Node(number, args, kwargs, shapes, dtypes, training, masked))

    def _add(self, layer: Layer, name: str, facts: Mapping[str, Any]) -> int:
        parameters = facts.get("parameters", 0)
        number = layer.config.get("number", 1)
        if layer.kind == "input":
            self.entries.append((number, len(self.nodes)))
        config = {key: value for key, value in layer.config.items() if key != "number"}
        self.layers.append(
            Layer(
                path=name or f"{layer.type.lower()}_{len(self.layers)}",
                type=facts.get("type", layer.type),
                kind=layer.kind,
                builtin=facts.get("builtin", layer.builtin),
                config=config,
                operation=layer.operation,
                sealed=facts.get("sealed"),
                parameters=parameters,
                trainable_parameters=facts.get("trained", parameters),
                stored_bytes=facts.get("bytes", 4 * parameters),
                settings=layer.settings,
            )
        )
        return len(self.layers) - 1

    def _called(self, tree: ast.expr) -> tuple[Layer | int, ast.Call | None]:
        """The layer that a line calls, or the number of one, and the call if it is written."""
        if isinstance(tree, ast.Call) and isinstance(tree.func, ast.Attribute):
            owner, name = tree.func.value, tree.func.attr
            if _is_name(owner, "ops"):
                kind = self.operations
                return Layer(name, name, kind, operation=name, settings=self.none), tree
            if _is_name(owner, "layers"):
                return Layer(name, name, operation=name, settings=self.none), tree
            if name == "layer" and not _is_name(owner, "own"):
                return self.nodes[self._value(owner).node].layer, tree
        if isinstance(tree, ast.Attribute) and tree.attr == "layer":
            return self.nodes[self._value(tree.value).node].layer, None
        if isinstance(tree, ast.Call) and isinstance(tree.func, ast.Call):
            return self._layer(tree.func), tree
        if isinstance(tree, ast.Call):
            return self._layer(tree), None
        raise _Wrong(_NOT_A_CALL)

    def _layer(self, tree: ast.Call) -> Layer:
        own = isinstance(tree.func, ast.Attribute) and _is_name(tree.func.value, "own")
        if own and isinstance(tree.func, ast.Attribute):
            type_ = tree.func.attr
        elif isinstance(tree.func, ast.Name):
            type_ = tree.func.id
        else:
            raise _Wrong(_NOT_A_CALL)
        if tree.args:
            raise _Wrong(_NOT_A_CALL)
        given: dict[str, Any] = {}
        for word in tree.keywords:
            value = self._value(word.value)
            given |= value if word.arg is None else {word.arg: value}
        read = {} if own else {name: given.pop(name) for name in _read_names(type_) & set(given)}
        return Layer(
            path=type_,
            type=type_,
            kind="input" if type_ == "InputLayer" else "layer",
            builtin=not own,
            config={} if own else with_defaults(type_, read),
            settings=given if self.whole else None,
        )

    def _value(self, tree: ast.expr) -> Any:
        if isinstance(tree, ast.Name):
            return self._named(tree.id)
        if isinstance(tree, ast.Subscript) and isinstance(tree.value, ast.Name):
            return Value(self._named(tree.value.id).node, int(ast.literal_eval(tree.slice)))
        if isinstance(tree, (ast.List, ast.Tuple)):
            items = [self._value(item) for item in tree.elts]
            return items if isinstance(tree, ast.List) else tuple(items)
        if isinstance(tree, ast.Dict):
            keys = [ast.literal_eval(key) for key in tree.keys if key is not None]
            return dict(zip(keys, map(self._value, tree.values), strict=True))
        if isinstance(tree, ast.Call):
            if _is_name(tree.func, "slice"):
                return slice(*(self._value(arg) for arg in tree.args))
            if _is_name(tree.func, "float"):
                return float(ast.literal_eval(tree.args[0]))
            if _is_name(tree.func, "other"):
                return f"other {ast.literal_eval(tree.args[0])}"
            return self._layer(tree)
        return ast.literal_eval(tree)

    def _named(self, name: str) -> Any:
        if name == "other":
            return "other"
        found = _UP.fullmatch(name)
        if found is None:
            raise _Wrong(_NOT_A_CALL)
        if int(found[1]) > len(self.nodes):
            raise _Wrong("reads from above the first line")
        return Value(len(self.nodes) - int(found[1]))


def _read_names(type_: str) -> set[str]:
    """The settings that readers put into ``Layer.config``, and the number of an input."""
    row = row_of(type_)
    return {*row.attributes, *row.inner, *(name for name, _ in row.asks), "number"}


def _is_name(tree: ast.expr, name: str) -> bool:
    return isinstance(tree, ast.Name) and tree.id == name


def _columns(columns: list[str]) -> tuple[dict[str, Any], str]:
    """What stands behind the outputs: facts and a class, if there are any, and the name."""
    facts: dict[str, Any] = {}
    for column in columns:
        if column.startswith("as "):
            type_ = column.removeprefix("as ")
            facts |= {"type": type_.removeprefix("own."), "builtin": "own." not in type_}
            continue
        try:
            facts |= dict(map(_fact, column.split(", ")))
        except ValueError:
            if column is not columns[-1] or " " in column:
                raise
            return facts, ast.literal_eval(column) if column[0] in "'\"" else column
    return facts, ""


def _fact(text: str) -> tuple[str, Any]:
    if text in SEALS:
        return "sealed", text
    if text in ("training=True", "training=False"):
        return "training", text == "training=True"
    number, _, what = text.partition(" ")
    if what not in ("bytes", "parameters", "trained"):
        raise _Wrong(_NOT_A_CALL)
    return what, int(number)


def _read_outputs(text: str) -> tuple[tuple[Shape, ...], tuple[str, ...], tuple[bool, ...]]:
    if text == "nothing":
        return (), (), ()
    found = [_OUTPUT.fullmatch(part) for part in text.split("; ")]
    if None in found:
        raise _Wrong(_NOT_A_CALL)
    known = [match for match in found if match is not None]
    shapes = tuple(None if one[1] == "unknown" else ast.literal_eval(one[1]) for one in known)
    dtypes = tuple(one[2] or "float32" for one in known)
    return shapes, dtypes, tuple(bool(one[3]) for one in known)
