"""How ministack's functions are replaced: by name, and only when a function of that name is there."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from local.errors import LocalError

if TYPE_CHECKING:
    from types import ModuleType

Answer = tuple[int, dict[str, str], bytes]
"""HTTP status, headers and body, as ministack's services return them."""
Record = dict[str, Any]
"""One of ministack's own records (a function, a task, a message): it has no types to offer."""


def module(name: str) -> ModuleType:
    """Load a module of ministack: `app`, `services.ecs`, `core.responses`."""
    return importlib.import_module(f"ministack.{name}")


def original(owner: object, name: str) -> Any:  # noqa: ANN401 - ministack is untyped
    """Take what is to be replaced.

    Raises:
        LocalError: there is nothing of that name.

    """
    if not hasattr(owner, name):
        where = getattr(owner, "__name__", repr(owner))
        raise LocalError(
            f"{where} has no {name!r}, which local/emulator/patches replaces: ministack's insides are not the ones "
            "that the patches were written for. Run `make setup` for the locked version."
        )
    return getattr(owner, name)


def replace(owner: object, name: str, new: object) -> None:
    """Put `new` in the place of a function that must be there."""
    original(owner, name)
    setattr(owner, name, new)
