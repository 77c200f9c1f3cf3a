"""Reads the invocation's trace header as AWS's X-Ray SDK does: without a trace and a parent it raises."""

from __future__ import annotations

import os


def header() -> dict[str, str]:
    pairs = (pair.split("=", 1) for pair in os.environ["_X_AMZN_TRACE_ID"].split(";"))
    return {name.lower(): value for name, value in pairs}


AT_IMPORT = header()


def handler(event: object, context: object) -> dict[str, str]:  # noqa: ARG001 -- Lambda's signature
    assert header() == AT_IMPORT
    return AT_IMPORT
