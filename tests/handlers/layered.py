"""Uses two layers, `layers/lower` and `layers/upper` in this order, which both bring a module `shared`."""

from __future__ import annotations

import only_lower  # type: ignore[import-not-found]
import shared  # type: ignore[import-not-found]


def handler(event: object, context: object) -> dict[str, str]:  # noqa: ARG001 -- Lambda's signature
    return {"shared": shared.FROM, "only_lower": only_lower.FROM}
