"""The machine's own apt sources, read: they name the mirror that this machine may use."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass(frozen=True)
class AptSource:
    """One archive that apt installs packages from."""

    uri: str
    suite: str
    components: tuple[str, ...]


def parse_one_line(text: str) -> Iterator[AptSource]:
    """Read the one-line form (`deb [options] uri suite component…`), as sources.list(5) describes it."""
    for line in text.splitlines():
        kind, _, rest = line.partition("#")[0].strip().partition(" ")
        if kind != "deb":
            continue
        rest = rest.strip()
        if rest.startswith("["):
            rest = rest.partition("]")[2]
        match rest.split():
            case [uri, suite, *components]:
                yield AptSource(uri, suite, tuple(components))


def parse_deb822(text: str) -> Iterator[AptSource]:
    """Read the deb822 form (stanzas of `Types:`, `URIs:`, `Suites:`, `Components:`), also sources.list(5)."""
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    for stanza in "\n".join(lines).split("\n\n"):
        fields: dict[str, list[str]] = {}
        name = ""
        for line in stanza.splitlines():
            if line[:1].isspace():
                fields.setdefault(name, []).extend(line.split())
            else:
                name, _, value = line.partition(":")
                name = name.strip().lower()
                fields[name] = value.split()
        if "deb" not in fields.get("types", []) or fields.get("enabled") == ["no"]:
            continue
        for uri in fields.get("uris", []):
            for suite in fields.get("suites", []):
                yield AptSource(uri, suite, tuple(fields.get("components", [])))


def read(folder: Path = Path("/etc/apt")) -> list[AptSource]:
    """Read every source that apt would read in `folder`; a machine without apt has none."""
    sources: list[AptSource] = []
    for path in (folder / "sources.list", *sorted((folder / "sources.list.d").glob("*"))):
        if not path.is_file():
            continue
        text = path.read_text(errors="replace")
        if path.suffix == ".list":
            sources += parse_one_line(text)
        elif path.suffix == ".sources":
            sources += parse_deb822(text)
    return sources


def mirror_of(suite: str, sources: list[AptSource]) -> str | None:
    """Name the mirror that this machine installs `suite` from, or None when it uses another distribution."""
    for source in sources:
        if (
            source.suite == suite
            and "main" in source.components
            and source.uri.startswith(("http://", "https://", "file:"))
        ):
            return source.uri
    return None
