"""Small changes to a source file, each of which some test should notice.

A mutant replaces one token or one short expression. What only people read (docstrings,
messages of errors, annotations) and what only speeds things up is left alone.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass

COMPARISONS = {
    ast.Eq: ("==", "!="),
    ast.NotEq: ("!=", "=="),
    ast.Lt: ("<", "<="),
    ast.LtE: ("<=", "<"),
    ast.Gt: (">", ">="),
    ast.GtE: (">=", ">"),
    ast.Is: ("is", "is not"),
    ast.IsNot: ("is not", "is"),
    ast.In: ("in", "not in"),
    ast.NotIn: ("not in", "in"),
}
ARITHMETIC = {
    ast.Add: ("+", "-"),
    ast.Sub: ("-", "+"),
    ast.Mult: ("*", "+"),
    ast.Div: ("/", "*"),
    ast.FloorDiv: ("//", "*"),
    ast.Mod: ("%", "+"),
    ast.Pow: ("**", "*"),
    ast.BitAnd: ("&", "|"),
    ast.BitOr: ("|", "&"),
}
WORD = re.compile(r"[\w./*>-]+")
"""A string that a program compares or looks up, not one that people read."""

WITHOUT_EFFECT = ("strict", "stacklevel", "help", "metavar", "doc")
"""Keywords that change no result."""


@dataclass(frozen=True)
class Mutant:
    """The bytes from ``start`` to ``end`` of the file ``path``, replaced by ``new``."""

    path: str
    line: int
    start: int
    end: int
    new: str
    kind: str

    @property
    def key(self) -> str:
        return f"{self.path}:{self.start}:{self.end}:{self.new}"

    def applied(self, source: bytes) -> bytes:
        return source[: self.start] + self.new.encode() + source[self.end :]

    def difference(self, source: bytes) -> str:
        """The line before and after."""
        begin = source.rfind(b"\n", 0, self.start) + 1
        old = source[begin:].split(b"\n", 1)[0].decode().strip()
        new = self.applied(source)[begin:].split(b"\n", 1)[0].decode().strip()
        return f"{self.path}:{self.line} ({self.kind})\n    - {old}\n    + {new}"


def mutants(path: str, source: bytes) -> list[Mutant]:
    """Every mutant of a file."""
    finder = _Finder(path, source)
    finder.visit(ast.parse(source))
    return sorted(finder.found, key=lambda one: (one.start, one.end, one.new))


class _Finder(ast.NodeVisitor):
    def __init__(self, path: str, source: bytes) -> None:
        self.path, self.source = path, source
        self.found: list[Mutant] = []
        self.starts = [0]
        for line in source.splitlines(keepends=True):
            self.starts.append(self.starts[-1] + len(line))

    def span(self, node: ast.AST) -> tuple[int, int]:
        return (
            self.starts[node.lineno - 1] + node.col_offset,
            self.starts[node.end_lineno - 1] + node.end_col_offset,
        )

    def text(self, node: ast.AST) -> str:
        start, end = self.span(node)
        return self.source[start:end].decode()

    def add(self, start: int, end: int, new: str, kind: str) -> None:
        line = self.source.count(b"\n", 0, start) + 1
        self.found.append(Mutant(self.path, line, start, end, new, kind))

    def replace(self, node: ast.AST, new: str, kind: str) -> None:
        self.add(*self.span(node), new, kind)

    def between(self, left: ast.AST, right: ast.AST, old: str, new: str, kind: str) -> None:
        """Replace the operator between two operands, around which there may be brackets."""
        start, end = self.span(left)[1], self.span(right)[0]
        pattern = re.escape(old).replace(r"\ ", r"\s+")
        found = re.search(pattern.encode(), self.source[start:end])
        if found:
            self.add(start + found.start(), start + found.end(), new, kind)

    # What is left alone.

    def generic_visit(self, node: ast.AST) -> None:
        for name, value in ast.iter_fields(node):
            if name in {"annotation", "returns", "decorator_list", "bases", "type_params"}:
                continue
            for child in value if isinstance(value, list) else [value]:
                if isinstance(child, ast.AST):
                    self.visit(child)

    def visit_Expr(self, node: ast.Expr) -> None:
        if isinstance(node.value, ast.Constant):
            return  # a docstring
        if isinstance(node.value, ast.Call):
            self.replace(node, "pass", "removed call")
        self.generic_visit(node)

    def visit_JoinedStr(self, node: ast.JoinedStr) -> None:
        pass

    def visit_Raise(self, node: ast.Raise) -> None:
        self.replace(node, "pass", "removed raise")

    def visit_Import(self, node: ast.Import) -> None:
        pass

    visit_ImportFrom = visit_Import

    def visit_Assign(self, node: ast.Assign) -> None:
        names = {target.id for target in node.targets if isinstance(target, ast.Name)}
        if "__all__" not in names:
            self.generic_visit(node)

    def visit_keyword(self, node: ast.keyword) -> None:
        if node.arg not in WITHOUT_EFFECT:
            self.generic_visit(node)

    # What is changed.

    def visit_If(self, node: ast.If) -> None:
        if isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
            return
        self._negated(node.test)
        last = node.body[-1]
        if not node.orelse and isinstance(last, (ast.Raise, ast.Return, ast.Continue)):
            self.replace(node.test, "False", "removed guard")
        self.generic_visit(node)

    def visit_IfExp(self, node: ast.IfExp) -> None:
        self._negated(node.test)
        self.generic_visit(node)

    def visit_comprehension(self, node: ast.comprehension) -> None:
        for test in node.ifs:
            self.replace(test, "True", "removed filter")
        self.generic_visit(node)

    def _negated(self, test: ast.expr) -> None:
        if not isinstance(test, (ast.Compare, ast.UnaryOp, ast.BoolOp)):
            self.replace(test, f"not ({self.text(test)})", "negated")

    def visit_Compare(self, node: ast.Compare) -> None:
        operands = [node.left, *node.comparators]
        for place, operator in enumerate(node.ops):
            old, new = COMPARISONS[type(operator)]
            self.between(operands[place], operands[place + 1], old, new, "comparison")
            if type(operator) in {ast.Lt, ast.LtE, ast.Gt, ast.GtE}:
                turned = {"<": ">=", "<=": ">", ">": "<=", ">=": "<"}[old]
                self.between(operands[place], operands[place + 1], old, turned, "comparison")
        self.generic_visit(node)

    def visit_BoolOp(self, node: ast.BoolOp) -> None:
        old, new = ("and", "or") if isinstance(node.op, ast.And) else ("or", "and")
        for left, right in zip(node.values, node.values[1:], strict=False):
            self.between(left, right, old, new, "and/or")
        self.generic_visit(node)

    def visit_UnaryOp(self, node: ast.UnaryOp) -> None:
        if isinstance(node.op, ast.Not):
            self.replace(node, f"({self.text(node.operand)})", "removed not")
        if isinstance(node.op, ast.USub) and not isinstance(node.operand, ast.Constant):
            self.replace(node, f"({self.text(node.operand)})", "removed minus")
        self.generic_visit(node)

    def visit_BinOp(self, node: ast.BinOp) -> None:
        operator = ARITHMETIC.get(type(node.op))
        texts = any(_is_text(side) for side in (node.left, node.right))
        if operator and not texts:
            self.between(node.left, node.right, *operator, "arithmetic")
        self.generic_visit(node)

    def visit_Constant(self, node: ast.Constant) -> None:
        value = node.value
        if isinstance(value, bool):
            self.replace(node, str(not value), "constant")
        elif isinstance(value, int):
            self.replace(node, str(value + 1), "constant")
        elif isinstance(value, float):
            self.replace(node, repr(value * 2 if value else 1.0), "constant")
        elif isinstance(value, str) and WORD.fullmatch(value):
            self.replace(node, repr("other_" + value), "constant")

    def visit_Return(self, node: ast.Return) -> None:
        constant = isinstance(node.value, ast.Constant) and node.value.value is None
        if node.value is not None and not constant:
            self.replace(node.value, "None", "returned None")
        self.generic_visit(node)

    def visit_Call(self, node: ast.Call) -> None:
        # Of isinstance, getattr and the like the second argument is of another kind.
        plain = all(isinstance(one, (ast.Name, ast.Attribute, ast.Subscript)) for one in node.args)
        if len(node.args) == 2 and plain and _name(node.func) not in {"isinstance", "issubclass"}:
            first, second = node.args
            if self.text(first) != self.text(second):
                between = self.source[self.span(first)[1] : self.span(second)[0]].decode()
                swapped = f"{self.text(second)}{between}{self.text(first)}"
                self.add(self.span(first)[0], self.span(second)[1], swapped, "swapped arguments")
        self.generic_visit(node)


def _is_text(node: ast.expr) -> bool:
    return isinstance(node, ast.JoinedStr) or (
        isinstance(node, ast.Constant) and isinstance(node.value, (str, bytes))
    )


def _name(function: ast.expr) -> str:
    return function.id if isinstance(function, ast.Name) else ""


def executed_at_import(source: bytes) -> set[int]:
    """The lines that run when a module is imported, which no test alone executes."""
    lines = set(range(1, source.count(b"\n") + 2))
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)):
            first = node.body[0] if isinstance(node.body, list) else node.body
            lines -= set(range(first.lineno, node.end_lineno + 1))
    return lines


def imports(source: bytes) -> Iterator[str]:
    """The modules that a file imports anything from, and what may be modules in them."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
