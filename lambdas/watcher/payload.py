"""Includes an event or a result in a destination's record: unchanged if it is safe JSON, otherwise as a string. Pure.

Receivers use all kinds of parsers. A payload that some of them reject would make the whole record unreadable, and an
unchecked one could close the record's own brackets and forge other parts of it. So a payload is only included unchanged
if it has been parsed completely and is JSON that other parsers can be expected to accept. Duplicate keys stay, because
parsers that disagree about them do so only within the payload.
"""

from __future__ import annotations

import json
import math
from typing import NoReturn

_LONGEST_NUMBER = 1_000
"""In digits: Jackson's default limit; Python's is 4,300."""
_DEEPEST = 500
"""Levels of nesting: parsers have limits such as 512 and 1,000, and the record adds one level."""
_REFUSED_BY_QUEUES = {0xFFFE: "\\ufffe", 0xFFFF: "\\uffff"}
"""JSON allows these characters, but SQS rejects them. They can only be in strings, where an escape is equivalent.

https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html
"""


def member(content: bytes) -> str:
    """Return a payload as JSON text for a record."""
    try:
        text = content.decode("utf-8")
        _check(text)
    except (ValueError, RecursionError):
        return json.dumps(content.decode("utf-8", "replace"))
    return text.translate(_REFUSED_BY_QUEUES)


def _check(text: str) -> None:
    """Raise ValueError or RecursionError if a parser might reject the text."""
    value = json.loads(text, parse_int=_number, parse_float=_number, parse_constant=_no_constant)
    # Python accepts half a surrogate pair, which UTF-8 cannot encode.
    json.dumps(value, ensure_ascii=False).encode("utf-8")
    level: list[object] = [value]
    for _ in range(_DEEPEST):
        level = [inner for outer in level for inner in _within(outer) if isinstance(inner, list | dict)]
        if not level:
            return
    raise ValueError("too deep")


def _within(value: object) -> list[object]:
    if isinstance(value, dict):
        return list(value.values())
    return value if isinstance(value, list) else []


def _number(digits: str) -> str:
    if len(digits) > _LONGEST_NUMBER or math.isinf(float(digits)):
        raise ValueError("too long or too large")
    return digits


def _no_constant(name: str) -> NoReturn:
    # Python writes and reads NaN and Infinity; JSON has neither, so a bus or a function would reject the record.
    raise ValueError(name)
