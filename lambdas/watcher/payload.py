"""An event or a result as it goes into a destination's record: as the JSON that it is, or else as a text. Pure.

The record is read by parsers of every kind. One piece that some of them refuse would make the whole record unreadable
to them, and one that is not checked could close the record's own brackets and forge the rest. So what is put in as it
is has been read here to its end, and is JSON that others can be expected to take. Keys that come twice stay: where
parsers disagree, they do so within the payload.
"""

from __future__ import annotations

import json
import math
from typing import NoReturn

_LONGEST_NUMBER = 1_000
"""Digits; above it some parsers refuse (Jackson's default), and Python does above 4,300."""
_DEEPEST = 500
"""Brackets within each other; parsers have limits of their own, such as 512 and 1,000, and the record adds one."""
_REFUSED_BY_QUEUES = {0xFFFE: "\\ufffe", 0xFFFF: "\\uffff"}
"""JSON may hold them as they are, a message of SQS may not. They stand in strings only, where an escape means the same.

https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html
"""


def member(content: bytes) -> str:
    """Write a payload as a member of a record."""
    try:
        text = content.decode("utf-8")
        _check(text)
    except (ValueError, RecursionError):
        return json.dumps(content.decode("utf-8", "replace"))
    return text.translate(_REFUSED_BY_QUEUES)


def _check(text: str) -> None:
    """Raise ValueError, or RecursionError, where a parser may refuse the text."""
    value = json.loads(text, parse_int=_number, parse_float=_number, parse_constant=_no_constant)
    # A half of a surrogate pair, which Python takes, has no UTF-8.
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
    # Python writes and reads NaN and Infinity; JSON has neither, and a bus or a function refuses a record with one.
    raise ValueError(name)
