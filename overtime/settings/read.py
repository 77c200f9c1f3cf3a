"""Reads settings from a plain mapping, and reports all problems at once."""

from __future__ import annotations

import difflib
import json
from dataclasses import replace
from typing import TYPE_CHECKING, get_args, get_origin

from pydantic import ValidationError

from overtime.settings import arn_types, checks, rules, values
from overtime.settings.model import Section, Settings
from overtime.settings.problems import MISSING, WITHHELD, Problem, SettingsError

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from pydantic_core import ErrorDetails

    from overtime.settings.names import StackContext
    from overtime.settings.problems import Path

_REQUIRED: Mapping[str, tuple[str, object]] = {
    "functions": (
        "Define at least one function; every other section has a default.",
        {"report": {"code": "lambdas/primary"}},
    ),
    "code": (values.CODE_RULE, "lambdas/primary"),
    "handler": (values.HANDLER_RULE, "handler.handler"),
    "actions": ("A permission lists the IAM actions that it allows.", ["s3:GetObject"]),
    "access_point_arn": (arn_types.ACCESS_POINT_RULE, arn_types.ACCESS_POINT),
    "path": (values.MOUNT_PATH_RULE, "/mnt/data"),
    "resources": ("A permission lists the resources to which it applies.", ["arn:aws:s3:::my-bucket/*"]),
}


def parse(data: Mapping[str, object], context: StackContext, *, secret_keys: Collection[str] = ()) -> Settings:
    """Return the settings in a mapping. Raise `SettingsError` with all problems at once.

    `secret_keys` are the top-level keys whose values contain a secret: no text below them appears in an error.
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
    """Check settings that were constructed in Python. Raise `SettingsError` with all problems at once."""
    if found := [*checks.keys(settings.functions, context), *checks.problems(settings, context)]:
        raise SettingsError(_below(context, found))


def _function_keys(data: Mapping[str, object]) -> list[str]:
    """Return the keys of functions, however incomplete their sections are."""
    functions = data.get("functions")
    return [key for key in functions if isinstance(key, str)] if isinstance(functions, dict) else []


def _below(context: StackContext, found: list[Problem]) -> list[Problem]:
    return [replace(problem, namespace=context.project) for problem in found]


def _problem(detail: ErrorDetails, data: Mapping[str, object]) -> Problem:
    # Pydantic marks an error in a mapping's key with an additional last step.
    path: Path = tuple(part for part in detail["loc"] if part != "[key]")
    if path and isinstance(_at(path[:-1], data), str):  # a list of one element, written as that element
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
            rule, fix = _REQUIRED.get(str(path[-1]), ("List at least one, or omit the key.", None))
            return Problem(path=path, value=_value(path, data), rule=rule, fix=fix)
        case "tuple_type":
            rule = "This is a list; set its elements one by one, as [0], [1] and so on."
        case _:
            keys = ", ".join(section.model_fields) if (section := _section(path)) else "names of your choice"
            rule = f"This is a section; its keys are {keys}."
    return Problem(path=path, value=_value(path, data), rule=rule)


def _innermost(found: list[Problem]) -> list[Problem]:
    """Drop the problem of a list that only counts as too short because some of its elements are invalid."""
    paths = [problem.path for problem in found]
    return [
        each for each in found if not any(path != each.path and path[: len(each.path)] == each.path for path in paths)
    ]


def _unknown(path: Path) -> str:
    section, key = _section(path[:-1]), str(path[-1])
    known = list(section.model_fields) if section else []
    close = difflib.get_close_matches(key, known, n=1)
    hint = f"Did you mean {close[0]}?" if close else f"The keys here are {', '.join(known)}."
    return f"There is no such setting. {hint}"


def _section(path: Path) -> type[Section] | None:
    """Return the type of the section at a path; `None` for a single value, a list, or a mapping with free keys."""
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
    """Return the value at a path, unless it may be a secret: a variable's, perhaps below a misspelt `environment`."""
    value = _at(path, data)
    section = _section(path[:-1])
    known = "environment" not in path and section is not None and path[-1] in section.model_fields
    listed = isinstance(path[-1], int) or path[-2:-1] in (("tags",), ("base_images",))
    return value if _harmless(value) or ((known or listed) and not isinstance(value, dict)) else WITHHELD


def _at(path: Path, data: object) -> object:
    for part in path:
        try:
            data = data[part]  # type: ignore[index] # users may have written anything
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
    """Return the settings with invalid values replaced by valid ones, to check the rules between settings, too."""
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
    """Return a sort key that puts inner settings last, and a list's elements in order."""
    last = problem.path[-1]
    return len(problem.path), last if isinstance(last, int) else 0


def _overlap(one: Path, other: Path) -> bool:
    shared = min(len(one), len(other))
    return one[:shared] == other[:shared]
