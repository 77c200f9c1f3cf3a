"""Reads its environment while it is imported, as much code does."""

from __future__ import annotations

import os

GREETING = os.environ["GREETING"]


def handler(event: object, context: object) -> str:  # noqa: ARG001 -- Lambda's signature
    return GREETING
