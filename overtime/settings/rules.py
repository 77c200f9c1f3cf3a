"""How a rule is attached to the type of a setting: with a sentence that says what is allowed, and a valid value."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated

from pydantic import AfterValidator, BeforeValidator, ValidationError, WrapValidator
from pydantic_core import PydanticCustomError

from overtime.contract.limits import DAY_SECONDS

if TYPE_CHECKING:
    from pydantic import ValidatorFunctionWrapHandler

RULE = "overtime_rule"
"""The type of pydantic errors whose message is already meant for users."""

_DURATION = re.compile(r"(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?")
_UNIT_SECONDS = (DAY_SECONDS, 3600, 60, 1)
_DIGITS = re.compile(r"[0-9]{1,18}")
_LARGEST_EXACT = 2**63 - 1
"""Larger integers come from the engine's floats, which keep only their first 15 digits."""
_READ_AS_TIME = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(\.\d+)? [+-]\d{4} \S+")
"""What the engine passes for a date that is written without quotes in a stack's configuration."""


def broken(rule: str, fix: object = None, *, at: tuple[str | int, ...] = ()) -> PydanticCustomError:
    """Return the error that shows `rule` and offers `fix`; `at` is the path to the invalid part of the value."""
    # As context, not in the template, in which pydantic would interpret braces.
    return PydanticCustomError(RULE, "{rule}", {"rule": rule, "fix": fix, "at": at})


def ruled(rule: str, fix: object = None) -> WrapValidator:
    """Return a validator that reports `rule` instead of pydantic's own message for an invalid value."""

    def check(value: object, handler: ValidatorFunctionWrapHandler) -> object:
        try:
            return handler(value)
        except ValidationError as error:
            if any(detail["type"] == RULE for detail in error.errors()):
                raise
            raise broken(rule, fix) from None

    return WrapValidator(check)


def seconds(value: object) -> object:
    """Return the seconds of `14d`, `6h`, `1d12h` or `90s`. Raise `ValueError` for other text; keep anything else."""
    if not isinstance(value, str):
        return value
    match = _DURATION.fullmatch(value.strip())
    if not value.strip() or match is None:
        raise ValueError(value)
    return sum(int(count) * unit for count, unit in zip(match.groups(default="0"), _UNIT_SECONDS, strict=True))


def duration(seconds: int) -> str:
    """Return a number of seconds in the notation that `seconds` reads, such as `1d12h`."""
    left, parts = seconds, []
    for unit, size in zip("dhms", _UNIT_SECONDS, strict=True):
        count, left = divmod(left, size)
        parts += [f"{count}{unit}"] if count else []
    return "".join(parts)


def few(most: int, rule: str) -> AfterValidator:
    """Return a validator that rejects repeated elements, and more than `most`; in `rule`, `{}` is their number."""

    def check(values: tuple[object, ...]) -> tuple[object, ...]:
        for index, value in enumerate(values):
            if value in values[:index]:
                raise broken("The list already contains this element.", at=(index,))
        if len(values) > most:
            raise broken(rule.replace("{}", str(len(values))), at=(most,))
        return values

    return AfterValidator(check)


def number(value: object) -> object:
    """Return digits as a number, because secrets are stored as text. Raise `ValueError` for a boolean."""
    if isinstance(value, bool):  # pydantic would count it as 0 or 1
        raise ValueError(str(value))  # noqa: TRY004 - pydantic reports ValueError only
    return int(value) if isinstance(value, str) and _DIGITS.fullmatch(value) else value


def text(value: object) -> object:
    """Return a number or a boolean as text, because configuration stores an unquoted `8080` or `true` that way.

    Raise an error for a value that the engine may have changed: it passes 1.1 for `1.10`, and a point in time for a
    date. An 8 that was written as `010` cannot be recognized.
    """
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float) or (isinstance(value, int) and abs(value) > _LARGEST_EXACT):
        raise broken("Pulumi reads this as a number and may change it: 1.10 becomes 1.1. Put it in quotes.", "…")
    if isinstance(value, str) and _READ_AS_TIME.fullmatch(value):
        raise broken("Pulumi reads this date as a point in time and changes it. Put it in quotes.", "…")
    return str(value) if isinstance(value, int) else value


def nothing(value: object) -> object:
    """Return None for the text `null`, because `pulumi config set` stores null as text."""
    return None if value == "null" else value


def as_list(value: object) -> object:
    """Return a single text as a list with one element."""
    return [value] if isinstance(value, str) else value


Int = Annotated[int, BeforeValidator(number)]
Seconds = Annotated[int, BeforeValidator(seconds), BeforeValidator(number)]
