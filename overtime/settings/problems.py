"""How a wrong setting is told: where, which value, the rule it breaks, and the command that fixes it."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING

from overtime.errors import OvertimeError

if TYPE_CHECKING:
    from collections.abc import Iterable

Path = tuple[str | int, ...]
NAMESPACE = "overtime"
_PLAIN_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")
_LONGEST_VALUE = 80


class Missing:
    """The value of a setting that is not there."""

    def __repr__(self) -> str:
        return "(not set)"


class Withheld:
    """The value of a setting that may be a secret: it never appears in a text."""

    def __repr__(self) -> str:
        return "[withheld: it may be a secret]"


MISSING, WITHHELD = Missing(), Withheld()


@dataclass(frozen=True, kw_only=True)
class Problem:
    """One setting that cannot work."""

    path: Path
    """Keys and indexes below the namespace."""
    value: object
    """What was given; `MISSING` or `WITHHELD` where there is nothing to show."""
    rule: str
    """What is allowed, and why."""
    fix: object = None
    """A value that is allowed; `None` when the way to fix it is to remove the key."""
    fixed: Path | None = None
    """The setting that `fix` is for, where it is another one than the wrong one."""
    reads: tuple[Path, ...] = ()
    """Other settings that the rule compares with."""
    namespace: str = NAMESPACE
    """What the key begins with in a stack's configuration: the project's name."""

    def __str__(self) -> str:
        value = repr(self.value)
        if len(value) > _LONGEST_VALUE:
            value = f"{value[: _LONGEST_VALUE - 1]}…"
        return f"  {config_key(self.path, self.namespace)} = {value}\n    {self.rule}\n    {self.command}"

    @property
    def command(self) -> str:
        """The command that fixes it."""
        if self.fix is None:
            return f"pulumi config rm --path {shlex.quote(config_key(self.path, self.namespace))}"
        path, value = self.fixed or self.path, self.fix
        while isinstance(value, (tuple, list, dict)):
            key, value = next(iter(value.items() if isinstance(value, dict) else enumerate(value)))
            path = (*path, key)
        return f"pulumi config set --path {shlex.quote(config_key(path, self.namespace))} {shlex.quote(str(value))}"


class SettingsError(OvertimeError):
    """Settings that cannot work: all of them at once, each with its fix. Raised before any resource is touched."""

    problems: tuple[Problem, ...]

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        count = len(self.problems)
        head = f"overtime: {count} {'setting' if count == 1 else 'settings'} cannot work"
        super().__init__("\n\n".join([head, *map(str, self.problems)]))


def config_key(path: Path, namespace: str = NAMESPACE) -> str:
    """Write a path as `pulumi config set --path` reads it, such as `overtime:functions.report.layers[0]`."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        elif _PLAIN_KEY.fullmatch(part):
            text += f".{part}" if text else part
        else:
            quoted = part.replace("\\", "\\\\").replace('"', '\\"')
            text += f'["{quoted}"]'
    return f"{namespace}:{text}"
