"""How the rule of a setting is said: with the sentence that says what is allowed, and a value that is."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated

from pydantic import AfterValidator, BeforeValidator, ValidationError, WrapValidator
from pydantic_core import PydanticCustomError

if TYPE_CHECKING:
    from pydantic import ValidatorFunctionWrapHandler

RULE = "overtime_rule"
"""The kind of pydantic error whose message is already meant for people."""

DAY_SECONDS = 86_400
_DURATION = re.compile(r"(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?")
_UNIT_SECONDS = (DAY_SECONDS, 3600, 60, 1)
_DIGITS = re.compile(r"[0-9]{1,18}")
_LARGEST_EXACT = 2**63 - 1
"""Larger ones come from the engine's floats, which keep their first 15 digits."""
_READ_AS_TIME = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(\.\d+)? [+-]\d{4} \S+")
"""How the engine hands over a date that stands without quotes in a stack's configuration."""


def broken(rule: str, fix: object = None, *, at: tuple[str | int, ...] = ()) -> PydanticCustomError:
    """Make the error that says `rule` to people and offers `fix`; `at` leads to the part of the value that is wrong."""
    # As context, not as template: pydantic would read braces in the text.
    return PydanticCustomError(RULE, "{rule}", {"rule": rule, "fix": fix, "at": at})


def ruled(rule: str, fix: object = None) -> WrapValidator:
    """Say `rule` instead of pydantic's words when a value is refused."""

    def check(value: object, handler: ValidatorFunctionWrapHandler) -> object:
        try:
            return handler(value)
        except ValidationError as error:
            if any(detail["type"] == RULE for detail in error.errors()):
                raise
            raise broken(rule, fix) from None

    return WrapValidator(check)


def seconds(value: object) -> object:
    """Read `14d`, `6h`, `1d12h`, `90s`, or a number of seconds."""
    if not isinstance(value, str):
        return value
    match = _DURATION.fullmatch(value.strip())
    if not value.strip() or match is None:
        raise ValueError(value)
    return sum(int(count) * unit for count, unit in zip(match.groups(default="0"), _UNIT_SECONDS, strict=True))


def few(most: int, rule: str) -> AfterValidator:
    """Take each element once, and `most` of them at most, for the reason that `rule` begins to say."""

    def check(values: tuple[str, ...]) -> tuple[str, ...]:
        for index, value in enumerate(values):
            if value in values[:index]:
                raise broken("The list has this already; once is enough.", at=(index,))
        if len(values) > most:
            raise broken(rule.replace("{}", str(len(values))), at=(most,))
        return values

    return AfterValidator(check)


def number(value: object) -> object:
    """Read digits as a number, which is what configuration keeps of a secret; refuse booleans where one is meant."""
    if isinstance(value, bool):  # pydantic would count it as 0 or 1
        raise ValueError(str(value))  # noqa: TRY004 - pydantic reports ValueError only
    return int(value) if isinstance(value, str) and _DIGITS.fullmatch(value) else value


def text(value: object) -> object:
    """Give a variable's value as text; configuration stores `8080` and `true` as a number and a boolean.

    What the engine cannot have kept as it was written is refused: it hands over 1.1 for `1.10`, and a point in time for
    a date. That an 8 was once `010` nobody can tell.
    """
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float) or (isinstance(value, int) and abs(value) > _LARGEST_EXACT):
        raise broken(
            "As a number it does not stay as it was written: 1.10 becomes 1.1. Give it as text, in quotes.", "…"
        )
    if isinstance(value, str) and _READ_AS_TIME.fullmatch(value):
        raise broken("It was written as a date, and read as a point in time. Give it as text, in quotes.", "…")
    return str(value) if isinstance(value, int) else value


def nothing(value: object) -> object:
    """Read the text `null` as no value: all that `pulumi config set` stores of it."""
    return None if value == "null" else value


def as_list(value: object) -> object:
    """Read one text as a list of one."""
    return [value] if isinstance(value, str) else value


Int = Annotated[int, BeforeValidator(number)]
Seconds = Annotated[int, BeforeValidator(seconds), BeforeValidator(number)]
