"""Physical names that overtime sets itself, and the limits that follow for the keys of functions."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

DISPATCHER_SUFFIX = "-dispatcher"
WATCHER_KEY = "watcher"
LONGEST_FUNCTION_NAME = 64 - len(DISPATCHER_SUFFIX)
"""Lambda names have at most 64 characters; the dispatcher's is the function's with a suffix."""
LONGEST_KEY = 32
"""IAM role names have at most 64 characters: the key, a noun such as `-dispatcher-role`, and Pulumi's random suffix."""

KEY = re.compile(r"[a-z][a-z0-9_-]*")
_LAMBDA_NAME = re.compile(r"[A-Za-z0-9_-]+")


@dataclass(frozen=True, kw_only=True)
class StackContext:
    """The stack for which settings are read: physical names, paths and rules on regions depend on it."""

    project: str
    stack: str
    root: Path
    """The folder to which `code` paths are relative."""
    region: str | None = None
    """The stack's region; `None` if only AWS's provider knows it, for example from a profile."""

    def function_name(self, key: str) -> str:
        """Return the function's name in AWS.

        It is fixed instead of chosen by Pulumi, because people and callers find the function by it, and log group,
        policies and task definition family need it before the function exists.
        """
        return f"{self.project}-{self.stack}-{key}"

    @property
    def watcher_name(self) -> str:
        """Return the name of the stack's watcher, which is fixed because its log group is created first."""
        return self.function_name(WATCHER_KEY)

    @property
    def dashboard_name(self) -> str:
        """Return the name of the stack's dashboard, by which people find it in the account's list."""
        return f"{self.project}-{self.stack}"

    def fits_lambda(self, key: str) -> bool:
        """Return whether Lambda accepts the names derived from this key."""
        name = self.function_name(key)
        return len(name) <= LONGEST_FUNCTION_NAME and _LAMBDA_NAME.fullmatch(name) is not None
