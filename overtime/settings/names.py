"""The physical names that overtime gives, and why a function's key must be short."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

DISPATCHER_SUFFIX = "-dispatcher"
WATCHER_KEY = "watcher"
LONGEST_FUNCTION_NAME = 64 - len(DISPATCHER_SUFFIX)
"""Lambda names have at most 64 characters, and the dispatcher's is the function's with a suffix."""
LONGEST_KEY = 32
"""IAM role names have at most 64 characters: key, noun (such as `-dispatcher-role`), and Pulumi's random suffix."""

KEY = re.compile(r"[a-z][a-z0-9_-]*")
_LAMBDA_NAME = re.compile(r"[A-Za-z0-9_-]+")


@dataclass(frozen=True, kw_only=True)
class StackContext:
    """Where settings apply: what the names and the relative paths in them are relative to."""

    project: str
    stack: str
    root: Path
    """The folder that relative `code` paths start from."""
    region: str | None = None
    """Where the stack is; `None` where nobody says it but AWS's provider, which also looks at profiles."""

    def function_name(self, key: str) -> str:
        """Give the function's name in AWS.

        It is forced, not left to Pulumi: people and callers find the function by it, and the log group, the policies
        and the task definition family need it before the function exists.
        """
        return f"{self.project}-{self.stack}-{key}"

    @property
    def watcher_name(self) -> str:
        """Give the name of the stack's watcher, forced because its log group has to be there before it."""
        return self.function_name(WATCHER_KEY)

    @property
    def dashboard_name(self) -> str:
        """Give the name of the stack's dashboard, which people pick from the account's list."""
        return f"{self.project}-{self.stack}"

    def fits_lambda(self, key: str) -> bool:
        """Tell whether AWS takes the names that follow from this key."""
        name = self.function_name(key)
        return len(name) <= LONGEST_FUNCTION_NAME and _LAMBDA_NAME.fullmatch(name) is not None
