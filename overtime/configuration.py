"""Reads a stack's settings from the configuration that the engine passes to the program."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pulumi
import pulumi.runtime.config as pulumi_config

from overtime.settings import Problem, SettingsError, parse
from overtime.settings.problems import NAMESPACE, WITHHELD

if TYPE_CHECKING:
    from overtime.settings import Settings, StackContext


def load(context: StackContext) -> Settings:
    """Read the settings of the stack that is being deployed. Raise `SettingsError` with all problems at once.

    The prefix of all keys is the project's name.
    """
    # `pulumi.Config` cannot list keys, and an unknown key must be reported.
    stored = {**pulumi_config.get_config_env(), **pulumi_config.CONFIG.get()}
    if context.project != NAMESPACE and (left := sorted(key for key in stored if key.startswith(f"{NAMESPACE}:"))):
        raise SettingsError(_left(key.partition(":")[2], context) for key in left)
    # Pulumi.yaml declares keys without a namespace, so the engine puts them in the project's.
    prefix = f"{context.project}:"
    data = {key.removeprefix(prefix): _decoded(value) for key, value in stored.items() if key.startswith(prefix)}
    secret = {key for key in data if pulumi.runtime.is_config_secret(prefix + key)}
    return parse(data, context, secret_keys=secret)


def _left(key: str, context: StackContext) -> Problem:
    rule = f"The project is named {context.project!r}, so this key has no effect. Move it to {context.project}:{key}."
    return Problem(path=(key,), value=WITHHELD, rule=rule)


def _decoded(value: object) -> object:
    """Return a section decoded from the engine's JSON, a single value as it is."""
    try:
        return json.loads(value) if isinstance(value, str) else value
    except json.JSONDecodeError:
        return value
