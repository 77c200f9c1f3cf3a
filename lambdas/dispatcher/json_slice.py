"""Cuts values out of a JSON text byte for byte.

Parsing and serializing would change an event: numbers lose digits, duplicate keys vanish, escapes and spaces differ.
"""

from __future__ import annotations

from dataclasses import dataclass
from json.decoder import JSONDecodeError, JSONDecoder
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_SPACES = " \t\n\r"

# Numbers stay text, because JSON allows integers of more than 4,300 digits but Python rejects them.
_DECODER = JSONDecoder(parse_int=str, parse_float=str)


@dataclass(frozen=True)
class Member:
    """A name and value of a JSON object, with the value's original text."""

    name: str
    value: object
    """The parsed value, with numbers as text."""
    text: str


def is_json(text: str) -> bool:
    """Return whether a text is one JSON value; a value that is nested too deeply for Python counts as one."""
    try:
        _DECODER.decode(text)
    except RecursionError:
        return True
    except ValueError:
        return False
    return True


def members(text: str) -> Iterator[Member]:
    """Yield the members of a JSON object in order, including duplicates.

    Raise json.JSONDecodeError if the text is not an object.
    """
    at = _expect(text, _skip(text, 0), "{")
    at = _skip(text, at)
    if text[at : at + 1] == "}":
        _end(text, at + 1)
        return
    while True:
        _expect(text, at, '"')
        name, at = _DECODER.raw_decode(text, at)
        at = _skip(text, _expect(text, _skip(text, at), ":"))
        value, end = _DECODER.raw_decode(text, at)
        yield Member(name, value, text[at:end])
        at = _skip(text, end)
        if text[at : at + 1] == "}":
            _end(text, at + 1)
            return
        at = _skip(text, _expect(text, at, ","))


def encode(text: str) -> bytes:
    """Encode a JSON text as UTF-8; lone surrogates, which UTF-8 cannot encode, become equivalent JSON escapes."""
    return text.encode("utf-8", "backslashreplace")


def _skip(text: str, at: int) -> int:
    while at < len(text) and text[at] in _SPACES:
        at += 1
    return at


def _expect(text: str, at: int, mark: str) -> int:
    if text[at : at + 1] != mark:
        raise JSONDecodeError(f"Expecting {mark!r}", text, at)
    return at + 1


def _end(text: str, at: int) -> None:
    if _skip(text, at) != len(text):
        raise JSONDecodeError("Extra data", text, at)
