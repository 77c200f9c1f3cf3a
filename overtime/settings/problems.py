"""How an invalid setting is reported: its key, its value, the rule it violates, and the command that fixes it."""

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
    """The value of a setting that is missing."""

    def __repr__(self) -> str:
        return "(not set)"


class Withheld:
    """Stands for a value that may be a secret and therefore never appears in a text."""

    def __repr__(self) -> str:
        return "[withheld: it may be a secret]"


MISSING, WITHHELD = Missing(), Withheld()


@dataclass(frozen=True, kw_only=True)
class Problem:
    """One invalid setting."""

    path: Path
    """Keys and indexes below the namespace."""
    value: object
    """The value that was set; `MISSING` or `WITHHELD` if there is nothing to show."""
    rule: str
    """What is allowed, and why."""
    fix: object = None
    """A valid value; `None` if the key should be removed."""
    fixed: Path | None = None
    """The setting that gets the value `fix`, if it is not the one at `path`."""
    reads: tuple[Path, ...] = ()
    """Other settings on which the rule depends."""
    command_line: str = ""
    """The command that fixes it, if that is not a change of the configuration."""
    namespace: str = NAMESPACE
    """Prefix of the key in a stack's configuration: the project's name."""

    def __str__(self) -> str:
        value = repr(self.value)
        if len(value) > _LONGEST_VALUE:
            value = f"{value[: _LONGEST_VALUE - 1]}…"
        return f"  {config_key(self.path, self.namespace)} = {value}\n    {self.rule}\n    {self.command}"

    @property
    def command(self) -> str:
        """The command that fixes it."""
        if self.command_line:
            return self.command_line
        if self.fix is None:
            return f"pulumi config rm --path {shlex.quote(config_key(self.path, self.namespace))}"
        path, value = self.fixed or self.path, self.fix
        while isinstance(value, (tuple, list, dict)):
            key, value = next(iter(value.items() if isinstance(value, dict) else enumerate(value)))
            path = (*path, key)
        return f"pulumi config set --path {shlex.quote(config_key(path, self.namespace))} {shlex.quote(str(value))}"


class SettingsError(OvertimeError):
    """Invalid settings, reported all at once, each with its fix, before any resource changes."""

    problems: tuple[Problem, ...]

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        count = len(self.problems)
        head = f"overtime: {count} {'setting is' if count == 1 else 'settings are'} invalid"
        super().__init__("\n\n".join([head, *map(str, self.problems)]))


def config_key(path: Path, namespace: str = NAMESPACE) -> str:
    """Return a path in the notation of `pulumi config set --path`, such as `overtime:functions.report.layers[0]`."""
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
