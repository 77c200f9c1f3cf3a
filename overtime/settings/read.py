"""Reads settings from a plain mapping, and reports every problem of them at once."""

from __future__ import annotations

import difflib
import json
from dataclasses import replace
from typing import TYPE_CHECKING, get_args, get_origin

from pydantic import ValidationError

from overtime.settings import checks, rules, values
from overtime.settings.model import Section, Settings
from overtime.settings.problems import MISSING, WITHHELD, Problem, SettingsError

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from pydantic_core import ErrorDetails

    from overtime.settings.names import StackContext
    from overtime.settings.problems import Path

_REQUIRED: Mapping[str, tuple[str, object]] = {
    "functions": (
        "Name at least one function; everything else has a default.",
        {"report": {"code": "lambdas/primary"}},
    ),
    "code": (values.CODE_RULE, "lambdas/primary"),
    "handler": (values.HANDLER_RULE, "handler.handler"),
    "actions": ("A permission names the IAM actions that it allows.", ["s3:GetObject"]),
    "resources": ("A permission names the resources that it covers.", ["arn:aws:s3:::my-bucket/*"]),
}


def parse(data: Mapping[str, object], context: StackContext, *, secret_keys: Collection[str] = ()) -> Settings:
    """Check a mapping and make `Settings` of it. Raises `SettingsError` with everything that is wrong.

    `secret_keys` are the top-level keys that hold a secret somewhere: no text below them appears in an error.
    """
    found: list[Problem] = []
    settings: Settings | None = None
    try:
        settings = Settings.model_validate(dict(data))
    except ValidationError as error:
        found = _innermost([_problem(detail, data) for detail in error.errors(include_url=False)])
        settings = _mended(data, found)
    keys = list(checks.keys(_function_keys(data), context))
    if settings is not None:
        wrong = [problem.path for problem in found]
        found += [
            problem
            for problem in checks.problems(settings, context)
            if not any(_overlap(path, bad) for path in (problem.path, *problem.reads) for bad in wrong)
        ]
    if found or keys or settings is None:
        raise SettingsError(_below(context, [_discreet(problem, secret_keys) for problem in [*keys, *found]]))
    return settings


def verify(settings: Settings, context: StackContext) -> None:
    """Check settings that were made in Python against this context. Raises `SettingsError`."""
    if found := [*checks.keys(settings.functions, context), *checks.problems(settings, context)]:
        raise SettingsError(_below(context, found))


def _function_keys(data: Mapping[str, object]) -> list[str]:
    """List what functions are called, however incomplete their sections are."""
    functions = data.get("functions")
    return [key for key in functions if isinstance(key, str)] if isinstance(functions, dict) else []


def _below(context: StackContext, found: list[Problem]) -> list[Problem]:
    return [replace(problem, namespace=context.project) for problem in found]


def _problem(detail: ErrorDetails, data: Mapping[str, object]) -> Problem:
    # Pydantic marks an error in a mapping's key by a last step of its own.
    path: Path = tuple(part for part in detail["loc"] if part != "[key]")
    if path and isinstance(_at(path[:-1], data), str):  # a list of one, written as that one
        path = path[:-1]
    match detail["type"]:
        case rules.RULE:
            context = detail["ctx"]
            path = (*path, *context["at"])
            fix = None if "[key]" in detail["loc"] else context["fix"]  # another value would not fix a key
            return Problem(path=path, value=_value(path, data), rule=context["rule"], fix=fix)
        case "missing":
            rule, fix = _REQUIRED[str(path[-1])]
            return Problem(path=path, value=MISSING, rule=rule, fix=fix)
        case "extra_forbidden":
            return Problem(path=path, value=_value(path, data), rule=_unknown(path))
        case "too_short":
            rule, fix = _REQUIRED.get(str(path[-1]), ("Give at least one, or leave the key out.", None))
            return Problem(path=path, value=_value(path, data), rule=rule, fix=fix)
        case "tuple_type":
            rule = "This is a list: set its elements one by one, as [0], [1] and so on."
        case _:
            keys = ", ".join(section.model_fields) if (section := _section(path)) else "names of your choice"
            rule = f"This is a section; its keys are {keys}."
    return Problem(path=path, value=_value(path, data), rule=rule)


def _innermost(found: list[Problem]) -> list[Problem]:
    """Leave out a list that only counts as too short because elements of it are wrong."""
    paths = [problem.path for problem in found]
    return [
        each for each in found if not any(path != each.path and path[: len(each.path)] == each.path for path in paths)
    ]


def _unknown(path: Path) -> str:
    section, key = _section(path[:-1]), str(path[-1])
    known = list(section.model_fields) if section else []
    close = difflib.get_close_matches(key, known, n=1)
    hint = f"Did you mean {close[0]}?" if close else f"The keys here are {', '.join(known)}."
    return f"No setting has this name, so it would change nothing. {hint}"


def _section(path: Path) -> type[Section] | None:
    """Tell which section stands at a path; `None` for a single value, a list, or names of people's choice."""
    found: object = Settings
    for part in path:
        if isinstance(found, type) and issubclass(found, Section):
            field = found.model_fields.get(str(part))
            found = field.annotation if field else None
        else:  # a mapping's values or a list's elements
            inner = get_args(found)
            found = inner[0 if get_origin(found) is tuple else -1] if inner else None
    return found if isinstance(found, type) and issubclass(found, Section) else None


def _value(path: Path, data: object) -> object:
    """Look up what was given, unless it may be a secret: a variable's value, perhaps below a misspelt `environment`."""
    value = _at(path, data)
    section = _section(path[:-1])
    known = "environment" not in path and section is not None and path[-1] in section.model_fields
    listed = isinstance(path[-1], int) or path[-2:-1] in (("tags",), ("base_images",))
    return value if _harmless(value) or ((known or listed) and not isinstance(value, dict)) else WITHHELD


def _at(path: Path, data: object) -> object:
    for part in path:
        try:
            data = data[part]  # type: ignore[index] # whatever people wrote
        except (LookupError, TypeError):
            return MISSING
    return data


def _harmless(value: object) -> bool:
    return isinstance(value, (bool, int)) or not value or value is MISSING


def _discreet(problem: Problem, secret_keys: Collection[str]) -> Problem:
    if problem.path[0] not in secret_keys or _harmless(problem.value):
        return problem
    return replace(problem, value=WITHHELD)


def _mended(data: Mapping[str, object], found: list[Problem]) -> Settings | None:
    """Put allowed values in the place of refused ones, so that the rules between settings can be checked too."""
    copy = json.loads(json.dumps(data, default=str))
    for problem in sorted(found, key=_depth, reverse=True):
        *way, last = problem.path
        target = copy
        for part in way:
            target = target[part]
        if problem.fix is not None:
            target[last] = problem.fix
        elif _at((last,), target) is not MISSING:
            del target[last]
    try:
        return Settings.model_validate(copy)
    except ValidationError:
        return None


def _depth(problem: Problem) -> tuple[int, int]:
    """Order problems so that what is inside comes last, and of a list its later elements."""
    last = problem.path[-1]
    return len(problem.path), last if isinstance(last, int) else 0


def _overlap(one: Path, other: Path) -> bool:
    shared = min(len(one), len(other))
    return one[:shared] == other[:shared]
