"""How the rule of a setting is said: with the sentence that says what is allowed, and a value that is."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated

from pydantic import BeforeValidator, ValidationError, WrapValidator
from pydantic_core import PydanticCustomError

if TYPE_CHECKING:
    from pydantic import ValidatorFunctionWrapHandler

RULE = "overtime_rule"
"""The kind of pydantic error whose message is already meant for people."""

DAY_SECONDS = 86_400
_DURATION = re.compile(r"(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?")
_UNIT_SECONDS = (DAY_SECONDS, 3600, 60, 1)


def broken(rule: str, fix: object = None) -> PydanticCustomError:
    """Make the error that says `rule` to people and offers `fix`."""
    # As context, not as template: pydantic would read braces in the text.
    return PydanticCustomError(RULE, "{rule}", {"rule": rule, "fix": fix})


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


def number(value: object) -> object:
    """Refuse booleans where a number is meant."""
    if isinstance(value, bool):  # pydantic would count it as 0 or 1
        raise ValueError(str(value))  # noqa: TRY004 - pydantic reports ValueError only
    return value


def text(value: object) -> object:
    """Give a variable's value as text; configuration stores `8080` and `true` as a number and a boolean."""
    if isinstance(value, bool):
        return str(value).lower()
    return str(value) if isinstance(value, (int, float)) else value


def nothing(value: object) -> object:
    """Read the text `null` as no value: all that `pulumi config set` stores of it."""
    return None if value == "null" else value


def as_list(value: object) -> object:
    """Read one text as a list of one."""
    return [value] if isinstance(value, str) else value


Int = Annotated[int, BeforeValidator(number)]
Seconds = Annotated[int, BeforeValidator(seconds), BeforeValidator(number)]
