"""From TensorFlow's graphs and the functions that they call to one flat list of operations.

The graph is put together from its description and handed to TensorFlow, which finds the
shapes. Nothing in it is run, and no variable is read.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from pytest_layercount.errors import ModelError, first_line
from pytest_layercount.model.readers.tensorflow.ops import Op, Ref

CALLS = ("PartitionedCall", "StatefulPartitionedCall")
MOST_OPERATIONS = 1_000_000
DEEPEST = 100
MOST_VALUES = 1 << 16
"""The values of larger constants are not looked at: they are weights."""


class Flattening:
    """Puts together the graph behind some tensors, function calls replaced by their bodies."""

    def __init__(self, functions: Iterable[Any]) -> None:
        import tensorflow as tf

        self.tf = tf
        self.functions = {one.signature.name: one for one in functions}
        self.graph_def = tf.compat.v1.GraphDef()
        self.made: set[str] = set()
        self.definitions = tf.Graph()
        self.keeps_functions = False

    def add_graph(self, nodes: Iterable[Any], ends: Iterable[str]) -> list[str]:
        """Add what ``ends`` need of a graph; return the tensors that they have become."""
        known = {node.name: node for node in nodes}
        return self._body(known, list(ends), {}, "", 0)

    def _body(
        self,
        known: Mapping[str, Any],
        ends: list[str],
        given: Mapping[str, str],
        prefix: str,
        depth: int,
    ) -> list[str]:
        """Add the nodes that ``ends`` need; ``given`` are the tensors of a function's arguments."""
        if depth > DEEPEST:
            raise ModelError("its functions call one another without end")
        done: dict[str, list[str]] = {}

        def tensor(name: str) -> str:
            node, _, rest = name.partition(":")
            if node in given:
                return given[node]
            outputs = done[node]
            return outputs[self._index(known[node], rest)]

        for name in _ordered(known, [end for end in ends if _node(end) not in given], given):
            node = known[name]
            inputs = [tensor(one) for one in node.input if not one.startswith("^")]
            if node.op in CALLS:
                done[name] = self._call(node.attr["f"].func.name, inputs, prefix + name, depth)
            elif node.op in self.functions:
                done[name] = self._call(node.op, inputs, prefix + name, depth)
            else:
                done[name] = self._add(node, inputs, prefix)
        return [tensor(end) for end in ends]

    def _call(self, function: str, inputs: list[str], path: str, depth: int) -> list[str]:
        body = self.functions.get(function)
        if body is None:
            raise ModelError(f"it calls the function {function[:60]!r}, which is not there")
        names = [argument.name for argument in body.signature.input_arg]
        if len(names) != len(inputs):
            raise ModelError(f"it calls {function[:60]!r} with another number of arguments")
        given = dict(zip(names, inputs, strict=True))
        ends = [body.ret[output.name] for output in body.signature.output_arg]
        known = {node.name: node for node in body.node_def}
        # The call that stands for a whole model or signature is no scope of its own.
        whole = "/" not in path and not depth
        return self._body(known, ends, given, "" if whole else f"{path}/", depth + 1)

    def _add(self, node: Any, inputs: list[str], prefix: str) -> list[str]:
        if len(self.made) > MOST_OPERATIONS:
            raise ModelError(f"it has more than {MOST_OPERATIONS:,} operations")
        name = _unused(prefix + node.name, self.made)
        self.made.add(name)
        new = self.graph_def.node.add()
        new.CopyFrom(node)
        new.name = name
        del new.input[:]
        new.input.extend(inputs)
        new.device = ""
        new.attr.pop("_class", None)
        self.keeps_functions |= any(one.HasField("func") for one in node.attr.values())
        return [f"{name}:{index}" for index in range(sum(self._widths(node).values()))]

    def _index(self, node: Any, rest: str) -> int:
        """``"output:0"``, as inside functions, or ``"0"`` as which of a node's outputs."""
        output, _, index = rest.rpartition(":")
        number = int(index) if index else 0
        if not output:
            return number
        if node.op in self.functions or node.op in CALLS:
            return number
        for name, width in self._widths(node).items():
            if name == output:
                return number
            number += width
        raise ModelError(f"the operation {node.name[:60]!r} has no output {output[:40]!r}")

    def _widths(self, node: Any) -> dict[str, int]:
        """How many tensors each named output of an operation has."""
        try:
            definition = self.definitions.op_def_for_type(node.op)
        except Exception as error:
            raise ModelError(
                f"the operation {node.op[:60]!r} is not known to the TensorFlow installed: "
                "import the library that brings it first"
            ) from error
        found = {}
        for output in definition.output_arg:
            width = 1
            if output.number_attr:
                width = int(node.attr[output.number_attr].i)
            elif output.type_list_attr:
                width = len(node.attr[output.type_list_attr].list.type)
            found[output.name] = width
        return found

    def ops(self, variables: Mapping[str, str]) -> Iterator[Op]:
        """The operations; ``variables`` names those that stand for a variable or weight."""
        tf = self.tf
        if self.keeps_functions:
            self.graph_def.library.function.extend(self.functions.values())
        graph = tf.Graph()
        with graph.as_default():
            try:
                tf.graph_util.import_graph_def(self.graph_def, name="")
            except Exception as error:
                said = first_line(error)[:200]
                raise ModelError(f"TensorFlow cannot read its graph ({said})") from error
            found = graph.get_operations()
        places = {op.name: place for place, op in enumerate(found)}
        for op in found:
            yield Op(
                name=op.name,
                type=op.type,
                inputs=tuple(self._ref(tensor, places) for tensor in op.inputs),
                shapes=tuple(_shape(tensor) for tensor in op.outputs),
                dtypes=tuple(str(tensor.dtype.base_dtype.name) for tensor in op.outputs),
                attributes=_attributes(op.node_def),
                value=_value(tf, op),
                variable=variables.get(op.name),
            )

    @staticmethod
    def _ref(tensor: Any, places: Mapping[str, int]) -> Ref:
        return places[tensor.op.name], tensor.value_index


def _node(reference: str) -> str:
    return reference.lstrip("^").partition(":")[0]


def _unused(name: str, made: set[str]) -> str:
    number = 1
    found = name
    while found in made:
        found, number = f"{name}_again_{number}", number + 1
    return found


def _ordered(known: Mapping[str, Any], ends: list[str], given: Mapping[str, str]) -> list[str]:
    """The nodes that ``ends`` need, each after those that it reads."""
    done: dict[str, None] = {}
    under_way: set[str] = set()
    pending = [(_node(end), False) for end in reversed(ends)]
    while pending:
        name, ready = pending.pop()
        if name in done or name in given:
            continue
        if name not in known:
            raise ModelError(f"its graph refers to {name[:60]!r}, which is not there")
        if ready:
            done[name] = None
            under_way.discard(name)
            continue
        if name in under_way:
            raise ModelError(f"the operation {name[:60]!r} needs its own result")
        under_way.add(name)
        pending.append((name, True))
        reads = [_node(one) for one in known[name].input if not one.startswith("^")]
        pending += [(one, False) for one in reversed(reads) if one not in done]
    return list(done)


def _shape(tensor: Any) -> tuple[int | None, ...] | None:
    shape = tensor.shape
    return None if shape.rank is None else tuple(shape.as_list())


def _attributes(node: Any) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, attribute in node.attr.items():
        kind = attribute.WhichOneof("value")
        if name.startswith("_"):
            continue
        if kind in ("b", "f", "i"):
            found[name] = getattr(attribute, kind)
        elif kind == "s":
            found[name] = attribute.s.decode(errors="replace")
        elif kind == "list":
            several = attribute.list
            texts = [one.decode(errors="replace") for one in several.s]
            found[name] = tuple(several.i) or tuple(several.f) or tuple(texts)
        elif kind == "shape" and not attribute.shape.unknown_rank:
            sizes = [one.size for one in attribute.shape.dim]
            found[name] = tuple(None if size < 0 else size for size in sizes)
    return found


def _value(tf: Any, op: Any) -> Any:
    """A constant's value as numbers in nested tuples, None where it is large or no constant."""
    if op.type != "Const":
        return None
    shape = op.outputs[0].shape
    if shape.num_elements() is None or shape.num_elements() > MOST_VALUES:
        return None
    array = tf.make_ndarray(op.node_def.attr["value"].tensor)
    return _nested(array.tolist()) if array.dtype.kind in "biuf" else None


def _nested(value: Any) -> Any:
    return tuple(map(_nested, value)) if isinstance(value, list) else value
