"""A handler in a package without an __init__.py: `pkg/mod.handler` and `pkg.mod.handler` name it."""

from __future__ import annotations


def handler(event: object, context: object) -> object:  # noqa: ARG001 -- Lambda's signature
    return {"module": __name__, "event": event}
