"""Flatten a graph of TensorFlow and the functions that it calls to one list of operations.

The graph is put together from its description and handed to TensorFlow, which finds the
shapes. Nothing in it is run, and no variable is read.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from pytest_layercount.errors import ModelError, first_line
from pytest_layercount.model.graph import Cycle, needed
from pytest_layercount.model.readers.tensorflow.ops import Op

CALLS = ("PartitionedCall", "StatefulPartitionedCall")
MOST_OPERATIONS = 1_000_000
DEEPEST = 100
MOST_VALUES = 1 << 16
"""The values of larger constants are not looked at: they are weights."""


class Flattening:
    """Puts together the graph behind some tensors, with function calls replaced by their bodies.

    TensorFlow can inline calls too, but only through private functions, which have other
    names in each version. ``names`` are those taken in the new graph, ``definitions`` is an
    empty graph that is asked what outputs an operation has.
    """

    def __init__(self, functions: Iterable[Any]) -> None:
        import tensorflow as tf

        self.tf = tf
        self.functions = {function.signature.name: function for function in functions}
        self.graph_def = tf.compat.v1.GraphDef()
        self.names: set[str] = set()
        self.definitions = tf.Graph()
        self.keeps_functions = False

    def add_graph(self, nodes: Iterable[Any], ends: Iterable[str]) -> list[str]:
        """Add what ``ends`` need of a graph; return the tensors that they have become."""
        return self._body(nodes, list(ends), {}, "", 0)

    def _body(
        self,
        nodes: Iterable[Any],
        ends: list[str],
        arguments: Mapping[str, str],
        prefix: str,
        depth: int,
    ) -> list[str]:
        """Add the nodes that ``ends`` need, and return the tensors that the ends have become.

        ``arguments`` maps the parameters of a function to the tensors that its call was given;
        ``prefix`` is put before the names of the new nodes.
        """
        if depth > DEEPEST:
            raise ModelError("its functions call one another without end")
        known = {node.name: node for node in nodes}
        # For each node in order, the names of the new tensors that its outputs have become.
        outputs: dict[str, list[str]] = {}

        def tensor(reference: str) -> str:
            name, _, rest = reference.partition(":")
            return arguments.get(name) or outputs[name][self._index(known[name], rest)]

        for name in _ordered(known, ends, arguments):
            node = known[name]
            inputs = [tensor(reference) for reference in _data(node)]
            # A function is called by one of two operations that name it in an attribute, or, in
            # older graphs, by an operation that has its name.
            if node.op in CALLS:
                outputs[name] = self._call(node.attr["f"].func.name, inputs, prefix + name, depth)
            elif node.op in self.functions:
                outputs[name] = self._call(node.op, inputs, prefix + name, depth)
            else:
                outputs[name] = self._add(node, inputs, prefix)
        return [tensor(end) for end in ends]

    def _call(self, function: str, inputs: list[str], path: str, depth: int) -> list[str]:
        body = self.functions.get(function)
        if body is None:
            raise ModelError(f"it calls the function {function[:60]!r}, which is not there")
        names = [argument.name for argument in body.signature.input_arg]
        if len(names) != len(inputs):
            raise ModelError(f"it calls {function[:60]!r} with another number of arguments")
        arguments = dict(zip(names, inputs, strict=True))
        ends = [body.ret[output.name] for output in body.signature.output_arg]
        # The call that stands for a whole model or signature is no scope of its own.
        whole = "/" not in path and not depth
        return self._body(body.node_def, ends, arguments, "" if whole else f"{path}/", depth + 1)

    def _add(self, node: Any, inputs: list[str], prefix: str) -> list[str]:
        # Functions that call one another twice grow without bound from a small file.
        if len(self.names) > MOST_OPERATIONS:
            raise ModelError(f"it has more than {MOST_OPERATIONS:,} operations")
        # Two calls of one function by nodes of the outermost call have the same prefix, "".
        name = _unused(prefix + node.name, self.names)
        self.names.add(name)
        new = self.graph_def.node.add()
        new.CopyFrom(node)
        new.name = name
        del new.input[:]
        new.input.extend(inputs)
        # Devices of another machine, and neighbours under their old names, would be refused.
        new.device = ""
        new.attr.pop("_class", None)
        # Branches and loops stay operations, which call functions that TensorFlow must know.
        self.keeps_functions |= any(value.HasField("func") for value in node.attr.values())
        return [f"{name}:{index}" for index in range(sum(self._widths(node).values()))]

    def _index(self, node: Any, rest: str) -> int:
        """Which output of ``node`` the end of a reference means.

        In a graph it is a number over all outputs (``node:1``). In a function it is the name of
        an output and a number within it (``split:output:1``), since an output may be a list.
        """
        output, _, index = rest.rpartition(":")
        number = int(index) if index else 0
        if not output:
            return number
        # Calls have one output, a list of all results, so that the number is the place already.
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
        widths = {}
        for output in definition.output_arg:
            width = 1
            # An attribute says how long a list of one type is (number_attr), or which types a list
            # has.
            if output.number_attr:
                width = int(node.attr[output.number_attr].i)
            elif output.type_list_attr:
                width = len(node.attr[output.type_list_attr].list.type)
            widths[output.name] = width
        return widths

    def ops(self, variables: Mapping[str, str]) -> Iterator[Op]:
        """The operations; ``variables`` names those that stand for a variable or weight."""
        tf = self.tf
        if self.keeps_functions:
            self.graph_def.library.function.extend(self.functions.values())
        graph = tf.Graph()
        # Importing runs shape inference for every operation: that is what the round trip is for.
        with graph.as_default():
            try:
                tf.graph_util.import_graph_def(self.graph_def, name="")
            except Exception as error:
                reason = first_line(error)[:200]
                raise ModelError(f"TensorFlow cannot read its graph ({reason})") from error
            operations = graph.get_operations()
        places = {op.name: place for place, op in enumerate(operations)}
        for op in operations:
            yield Op(
                name=op.name,
                type=op.type,
                inputs=tuple((places[tensor.op.name], tensor.value_index) for tensor in op.inputs),
                shapes=tuple(_shape(tensor) for tensor in op.outputs),
                dtypes=tuple(str(tensor.dtype.base_dtype.name) for tensor in op.outputs),
                attributes=_attributes(op.node_def),
                value=_value(tf, op),
                variable=variables.get(op.name),
            )


def _data(node: Any) -> list[str]:
    """The tensors that a node reads, without the nodes (``^name``) that it only waits for."""
    return [reference for reference in node.input if not reference.startswith("^")]


def _unused(name: str, names: set[str]) -> str:
    numbered = (f"{name}_again_{number}" for number in itertools.count(1))
    return next(
        candidate for candidate in itertools.chain([name], numbered) if candidate not in names
    )


def _ordered(known: Mapping[str, Any], ends: list[str], arguments: Mapping[str, str]) -> list[str]:
    """The nodes that ``ends`` need, each after those that it reads."""

    def nodes(references: Iterable[str]) -> list[str]:
        names = [reference.partition(":")[0] for reference in references]
        return [name for name in names if name not in arguments]

    def reads(name: str) -> list[str]:
        if name not in known:
            raise ModelError(f"its graph refers to {name[:60]!r}, which is not there")
        return nodes(_data(known[name]))

    try:
        return needed(nodes(ends), reads)
    except Cycle as cycle:
        (name,) = cycle.args
        raise ModelError(f"the operation {name[:60]!r} needs its own result") from None


def _shape(tensor: Any) -> tuple[int | None, ...] | None:
    shape = tensor.shape
    return None if shape.rank is None else tuple(shape.as_list())


def _attributes(node: Any) -> dict[str, Any]:
    # Names with an underscore are notes of TensorFlow's own: _output_shapes, _class ...
    plain = {name: _plain(value) for name, value in node.attr.items() if name[:1] != "_"}
    return {name: value for name, value in plain.items() if value is not None}


def _plain(attribute: Any) -> Any:
    """An attribute as a plain Python value, None where it is a function, a type or a tensor."""
    kind = attribute.WhichOneof("value")
    if kind in ("b", "f", "i"):
        return getattr(attribute, kind)
    if kind == "s":
        return attribute.s.decode(errors="replace")
    if kind == "list":
        values = attribute.list
        texts = tuple(text.decode(errors="replace") for text in values.s)
        return tuple(values.i) or tuple(values.f) or texts
    if kind == "shape" and not attribute.shape.unknown_rank:
        return tuple(None if axis.size < 0 else axis.size for axis in attribute.shape.dim)
    return None


def _value(tf: Any, op: Any) -> Any:
    """A constant's value as numbers in nested tuples, None where it is large or no constant."""
    size = op.outputs[0].shape.num_elements() if op.type == "Const" else None
    if size is None or size > MOST_VALUES:
        return None
    array = tf.make_ndarray(op.node_def.attr["value"].tensor)
    return _nested(array.tolist()) if array.dtype.kind in "biuf" else None


def _nested(value: Any) -> Any:
    return tuple(map(_nested, value)) if isinstance(value, list) else value
