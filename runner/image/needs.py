"""What a program imports and which text encodings it uses, wherever in its sources. Pure."""

from __future__ import annotations

import ast

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

_CONVERSIONS = ("encode", "decode")


def imports(source: str) -> list[str]:
    """Return the import statements of a module, those within functions too, without those for type checkers."""
    statements = (node for node in _nodes(ast.parse(source)) if isinstance(node, (ast.Import, ast.ImportFrom)))
    return [ast.unparse(each) for each in statements if getattr(each, "module", None) != "__future__"]


def encodings(source: str) -> list[str]:
    """Return the names of the encodings that a module passes to `encode`, `decode` and `open`."""
    found = []
    for node in _nodes(ast.parse(source)):
        if isinstance(node, ast.Call):
            values = [each.value for each in node.keywords if each.arg == "encoding"]
            if isinstance(node.func, ast.Attribute) and node.func.attr in _CONVERSIONS:
                values += node.args[:1]
            found += [each.value for each in values if isinstance(each, ast.Constant) and isinstance(each.value, str)]
    return found


def _nodes(tree: ast.AST) -> Iterator[ast.AST]:
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
            continue
        yield node
        yield from _nodes(node)
