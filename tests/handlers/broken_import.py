"""Cannot be imported."""

from __future__ import annotations

import a_module_that_is_nowhere  # type: ignore[import-not-found]


def handler(event: object, context: object) -> object:  # noqa: ARG001 -- Lambda's signature
    return a_module_that_is_nowhere
