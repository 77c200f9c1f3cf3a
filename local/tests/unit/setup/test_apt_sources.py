"""The machine's apt sources are read in both forms."""

from __future__ import annotations

from typing import TYPE_CHECKING

from local.apt_sources import AptSource, mirror_of, parse_deb822, parse_one_line, read

if TYPE_CHECKING:
    from pathlib import Path

MIRROR = AptSource("http://mirror.example/debian", "bookworm", ("main", "contrib"))


def test_one_line_form() -> None:
    """Options in brackets, comments and source packages are passed over."""
    text = """
    # deb http://old.example/debian bookworm main
    deb [arch=amd64 signed-by=/k.gpg] http://mirror.example/debian bookworm main contrib # mine
    deb-src http://mirror.example/debian bookworm main
    deb http://half.example
    """
    assert list(parse_one_line(text)) == [MIRROR]


def test_deb822_form() -> None:
    """Each suite of each URI is a source; folded lines belong to their field; disabled stanzas do not count."""
    text = (
        "Types: deb deb-src\nURIs: http://mirror.example/debian\n# a comment\nSuites: bookworm\n bookworm-updates\n"
        "Components: main contrib\n\nTypes: deb\nURIs: http://off.example/\nSuites: bookworm\nEnabled: no\n"
    )
    updates = AptSource(MIRROR.uri, "bookworm-updates", MIRROR.components)
    assert list(parse_deb822(text)) == [MIRROR, updates]


def test_the_mirror_is_the_one_of_the_suite() -> None:
    """A source of another suite, without the main component or with an unknown scheme is not the mirror."""
    others = [
        AptSource("http://x.example", "trixie", ("main",)),
        AptSource("http://y.example", "bookworm", ("tools",)),
        AptSource("cdrom:[disc]", "bookworm", ("main",)),
    ]
    assert mirror_of("bookworm", [*others, MIRROR]) == MIRROR.uri
    assert mirror_of("bookworm", others) is None


def test_all_files_that_apt_reads_are_read(tmp_path: Path) -> None:
    """`sources.list`, `*.list` and `*.sources` count, whatever else lies there does not; no apt is no source."""
    parts = tmp_path / "sources.list.d"
    parts.mkdir()
    (tmp_path / "sources.list").write_text("deb http://a.example s main\n")
    (parts / "b.list").write_text("deb http://b.example s main\n")
    (parts / "c.sources").write_text("Types: deb\nURIs: http://c.example\nSuites: s\nComponents: main\n")
    (parts / "d.list.save").write_text("deb http://d.example s main\n")
    assert [source.uri[7] for source in read(tmp_path)] == ["a", "b", "c"]
    assert read(tmp_path / "none") == []
