"""JSON documents that AWS gives back in another form than it took them."""

from __future__ import annotations

from typing import Any

_LISTS = frozenset({"Action", "NotAction", "Resource", "NotResource"})
_PRINCIPALS = frozenset({"Principal", "NotPrincipal"})


def policy(document: Any) -> Any:  # noqa: ANN401 - whatever the text holds
    """Give the same for policies that allow the same: one value or a list of it, in any order."""
    if not isinstance(document, dict):
        return document
    statements = document.get("Statement", [])
    listed = statements if isinstance(statements, list) else [statements]
    return {**document, "Statement": [_statement(each) for each in listed]}


def container_definitions(document: Any) -> Any:  # noqa: ANN401 - likewise
    """Give the same for container definitions with and without the defaults that ECS writes into them."""
    if not isinstance(document, list):
        return document
    return [_container(each) for each in document]


def _statement(statement: Any) -> Any:  # noqa: ANN401 - likewise
    if not isinstance(statement, dict):
        return statement
    meant: dict[str, Any] = {}
    for name, value in statement.items():
        if name in _LISTS:
            meant[name] = _several(value)
        elif name in _PRINCIPALS:
            of_kinds = value if isinstance(value, dict) else {"AWS": value}
            meant[name] = {kind: _several(each) for kind, each in of_kinds.items()}
        elif name == "Condition" and isinstance(value, dict):
            meant[name] = {
                operator: {key: _several(each) for key, each in keys.items()} for operator, keys in value.items()
            }
        elif name != "Sid" or value:
            meant[name] = value
    return meant


def _several(value: object) -> list[str]:
    return sorted(_text(each) for each in (value if isinstance(value, list) else [value]))


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _container(container: Any) -> Any:  # noqa: ANN401 - likewise
    if not isinstance(container, dict):
        return container
    meant = {name: _trimmed(value) for name, value in container.items()}
    meant.setdefault("essential", True)
    for by_name in ("environment", "secrets"):
        if isinstance(meant.get(by_name), list):
            meant[by_name] = sorted(meant[by_name], key=lambda each: str(each.get("name")))
    return {name: value for name, value in meant.items() if value not in (None, [], {}, 0) or name == "essential"}


def _trimmed(value: Any) -> Any:  # noqa: ANN401 - likewise
    match value:
        case dict():
            kept = {name: _trimmed(each) for name, each in value.items()}
            return {name: each for name, each in kept.items() if each not in (None, [], {}) and each is not False}
        case list():
            return [_trimmed(each) for each in value]
        case _:
            return value
