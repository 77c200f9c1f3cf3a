"""Leaves a line unfinished while it is imported."""

from __future__ import annotations

import sys

sys.stdout.write("importing...")


def handler(event: object, context: object) -> object:  # noqa: ARG001 -- Lambda's signature
    return event
