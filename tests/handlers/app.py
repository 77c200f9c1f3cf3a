"""The plainest handler: gives back what it was given."""

from __future__ import annotations


def handler(event: object, context: object) -> object:  # noqa: ARG001 -- Lambda's signature
    return event
