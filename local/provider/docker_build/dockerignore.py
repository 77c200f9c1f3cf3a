"""The rules of a .dockerignore file (https://docs.docker.com/build/concepts/context/#dockerignore-files)."""

from __future__ import annotations

import posixpath
import re
from dataclasses import dataclass


@dataclass(frozen=True)
class Rule:
    """One line of the file."""

    pattern: str
    keeps: bool
    """Whether it takes back what earlier lines left out (`!`)."""
    matcher: re.Pattern[str]


@dataclass(frozen=True)
class IgnoreRules:
    """The lines of the file; the last one that matches decides."""

    rules: tuple[Rule, ...]

    @classmethod
    def parse(cls, text: str) -> IgnoreRules:
        """Read the file's text."""
        rules: list[Rule] = []
        for line in text.removeprefix("\ufeff").splitlines():
            if line.startswith("#") or not line.strip():
                continue
            keeps = line.strip().startswith("!")
            pattern = posixpath.normpath(line.strip().removeprefix("!").strip()).lstrip("/")
            if pattern and pattern != ".":
                rules.append(Rule(pattern, keeps, re.compile(_expression(pattern), re.DOTALL)))
        return cls(tuple(rules))

    def excludes(self, path: str) -> bool:
        """Say whether the build does not see `path`, which is relative to the context with `/` between its parts."""
        names = path.split("/")
        family = ["/".join(names[:end]) for end in range(1, len(names) + 1)]
        excluded = False
        for rule in self.rules:
            # A rule for a folder holds for all that is in it.
            if excluded == rule.keeps and any(rule.matcher.fullmatch(each) for each in family):
                excluded = not rule.keeps
        return excluded

    def hides(self, folder: str) -> bool:
        """Say whether nothing below `folder` can be part of the context, so that nobody needs to look."""
        return self.excludes(folder) and not any(rule.keeps and _may_match_below(rule, folder) for rule in self.rules)


def _may_match_below(rule: Rule, folder: str) -> bool:
    """Compare name by name as far as both go; after `**` anything may follow."""
    for name, pattern in zip(folder.split("/"), rule.pattern.split("/"), strict=False):
        if pattern == "**":
            return True
        if not re.fullmatch(_expression(pattern), name, re.DOTALL):
            return False
    return True


def _expression(pattern: str) -> str:
    """Translate a pattern (Go's filepath.Match, and `**` for any number of folders) to a regular expression."""
    parts: list[str] = []
    rest = pattern
    while rest:
        if rest.startswith("**"):
            rest = rest[2:].removeprefix("/")
            parts.append("(?:.*/)?" if rest else ".*")
            continue
        symbol, rest = rest[0], rest[1:]
        match symbol:
            case "*":
                parts.append("[^/]*")
            case "?":
                parts.append("[^/]")
            case "[" if "]" in rest:
                inside, _, rest = rest.partition("]")
                parts.append(f"[{inside}]")
            case "\\" if rest:
                parts.append(re.escape(rest[0]))
                rest = rest[1:]
            case _:
                parts.append(re.escape(symbol))
    return "".join(parts)
