"""Finds every small change that can be made to a file: another comparison, boundary or constant, a missing statement.

Left alone is what no test should depend on: documentation, the texts of errors and log lines, types, and assertions,
which only tell the type checker what is known.
"""

from __future__ import annotations

import ast
import copy
import difflib
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_OPERATORS: dict[type[ast.AST], type[ast.AST]] = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
    ast.And: ast.Or,
    ast.Or: ast.And,
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Add,
    ast.Div: ast.Mult,
    ast.FloorDiv: ast.Mult,
    ast.Mod: ast.Mult,
    ast.Pow: ast.Mult,
}
_CALLS = {"min": "max", "max": "min", "any": "all", "all": "any"}
_LOGS = ("logger.", "logging.")


@dataclass(frozen=True)
class Mutation:
    """One change to one file."""

    path: str
    """Relative to the project."""
    start: int
    end: int
    """The bytes that are replaced."""
    text: str
    """What replaces them."""
    line: int
    function: int
    """The line on which the innermost function around it begins, with its decorators; 0 outside all functions."""

    def apply(self, source: bytes) -> bytes:
        """Return the changed file."""
        return source[: self.start] + self.text.encode() + source[self.end :]

    def diff(self, source: bytes) -> str:
        """Show the change."""
        before, after = source.decode().splitlines(), self.apply(source).decode().splitlines()
        lines = list(difflib.unified_diff(before, after, n=1, lineterm=""))[2:]
        return "\n".join([f"{self.path}:{self.line}", *lines])


def mutations(path: str, source: bytes) -> list[Mutation]:
    """List every change that can be made to a file."""
    finder = _Finder(path, source)
    return list(dict.fromkeys(finder.below(ast.parse(source), 0)))


class _Finder:
    def __init__(self, path: str, source: bytes) -> None:
        self._path = path
        self._lines = [0]
        for line in source.splitlines(keepends=True):
            self._lines.append(self._lines[-1] + len(line))

    def below(self, node: ast.AST, function: int) -> Iterator[Mutation]:
        """List the changes to what is in a node."""
        for child in _children(node):
            yield from self._of(child, function)
            inner = function
            if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
                inner = min([child.lineno, *(each.lineno for each in child.decorator_list)])
            yield from self.below(child, inner)

    def _of(self, node: ast.AST, function: int) -> Iterator[Mutation]:
        for at, text in _changes(node):
            yield Mutation(
                self._path,
                self._lines[at.lineno - 1] + at.col_offset,
                self._lines[(at.end_lineno or 0) - 1] + (at.end_col_offset or 0),
                text,
                at.lineno,
                function,
            )


def _children(node: ast.AST) -> Iterator[ast.AST]:
    """List what is in a node, but for what is left alone."""
    left = {"annotation", "returns", "decorator_list", "type_params", "bases"}
    for name, field in ast.iter_fields(node):
        if name in left:
            continue
        for child in field if isinstance(field, list) else [field]:
            if isinstance(child, ast.AST) and not _left_alone(child):
                yield child


def _left_alone(node: ast.AST) -> bool:
    match node:
        case ast.Assert() | ast.JoinedStr() | ast.Raise(exc=None) | ast.Import() | ast.ImportFrom():
            return True
        case ast.If(test=ast.Name(id=name)) | ast.Assign(targets=[ast.Name(id=name)]):
            return name == "TYPE_CHECKING"
        case ast.Expr(value=ast.Constant()):  # documentation
            return True
        case ast.Expr(value=ast.Call(func=called)) if ast.unparse(called).startswith(_LOGS):
            return True
        case ast.Call(func=called):
            name = ast.unparse(called)
            return name == "cast" or name.endswith(("Error", "Warning"))  # a type, the text of an error
        case _:
            return False


def _changes(node: ast.AST) -> Iterator[tuple[ast.expr | ast.stmt, str]]:
    """List what a node can become: the part of it that is replaced, and the text that replaces it."""
    if isinstance(node, ast.expr):
        yield from _of_expression(node)
    elif isinstance(node, ast.stmt):
        yield from _of_statement(node)
    if isinstance(node, ast.If | ast.While | ast.IfExp):
        yield node.test, f"(not ({ast.unparse(node.test)}))"
    elif isinstance(node, ast.comprehension):
        yield from ((condition, "True") for condition in node.ifs)
    elif isinstance(node, ast.match_case) and node.guard is not None:
        yield node.guard, "True"


def _of_expression(node: ast.expr) -> Iterator[tuple[ast.expr, str]]:
    match node:
        case ast.Compare(ops=[_]) | ast.BoolOp() | ast.BinOp():
            yield from _other_operators(node)
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            yield node, f"({ast.unparse(operand)})"
        case ast.Call(func=ast.Name(id=name) as called) if name in _CALLS:
            yield called, _CALLS[name]
        case ast.Constant(value=value):
            yield from ((node, text) for text in _other_constants(value))
        case _:
            pass


def _of_statement(node: ast.stmt) -> Iterator[tuple[ast.stmt, str]]:
    match node:
        case ast.Return(value=ast.Constant(value=None) | None):
            pass
        case ast.Return():
            yield node, "return None"
        case ast.Expr() | ast.Raise() | ast.AugAssign() | ast.Delete():
            yield node, "pass"
        case ast.Assign(targets=[ast.Attribute() | ast.Subscript()]):
            yield node, "pass"
        case ast.Continue():
            yield node, "break"
        case ast.Break():
            yield node, "continue"
        case _:
            pass


def _other_operators(node: ast.Compare | ast.BoolOp | ast.BinOp) -> Iterator[tuple[ast.expr, str]]:
    changed = copy.deepcopy(node)
    if isinstance(changed, ast.Compare):
        other = _OPERATORS.get(type(changed.ops[0]))
        changed.ops = [other()] if other else []  # type: ignore[list-item]
    else:
        texts = isinstance(changed, ast.BinOp) and any(map(_is_text, (changed.left, changed.right)))
        other = None if texts else _OPERATORS.get(type(changed.op))
        changed.op = other() if other else changed.op  # type: ignore[assignment]
    if other:
        yield node, f"({ast.unparse(changed)})"


def _is_text(node: ast.expr) -> bool:
    return isinstance(node, ast.JoinedStr) or (isinstance(node, ast.Constant) and isinstance(node.value, str | bytes))


def _other_constants(value: object) -> Iterator[str]:
    match value:
        case bool():
            yield str(not value)
        case int() | float():
            yield str(value + 1)
            yield str(value - 1) if value >= 1 else str(-1)
        case str() if " " not in value:  # a text for people has spaces
            yield repr(value + "X")
        case bytes():
            yield repr(value + b"X")
        case _:
            pass
