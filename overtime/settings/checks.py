"""Rules that compare settings with each other, with the names that follow from them, and with the code on disk."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from overtime.contract.capacity import Capacity
from overtime.contract.rescue import Rescue
from overtime.contract.runtimes import RUNTIMES
from overtime.settings import code, fargate_sizes, names, places
from overtime.settings.model import FunctionAlarms
from overtime.settings.problems import Problem
from overtime.settings.rules import DAY_SECONDS
from overtime.settings.values import HANDLER_RULE, LOG_DAYS, SHORTEST_RUN_SECONDS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from overtime.settings.model import Function, Network, Settings
    from overtime.settings.names import StackContext
    from overtime.settings.problems import Path as SettingPath


OWN_POLICIES = 2_600
"""Characters that the program's own two policies of a function's role have at most, without layers."""
_MOST_INLINE = 10_240
"""Characters of a role's inline policies in all, without white space:
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html"""


def problems(settings: Settings, context: StackContext) -> Iterator[Problem]:
    """Give every problem that only shows when settings are looked at together."""
    for key, function in settings.functions.items():
        at: SettingPath = ("functions", key)
        yield from _sizes(function, at)
        yield from _times(function, at)
        yield from _rescue(function, at)
        yield from _relaunches(function, at)
        yield from _permissions(function, at)
        yield from _keys(function, at)
        yield from _code(function, at, context.root)
    yield from _retention(settings)
    yield from _network(settings.network)
    if context.region:
        yield from places.problems(settings, context.region)


def keys(functions: Iterable[str], context: StackContext) -> Iterator[Problem]:
    """Give every problem with what functions are called, whatever their sections hold."""
    for key in functions:
        yield from _name(key, ("functions", key), context)


def _name(key: str, at: SettingPath, context: StackContext) -> Iterator[Problem]:
    name = context.function_name(key)
    if not names.KEY.fullmatch(key) or len(key) > names.LONGEST_KEY:
        rule = f"A function's key has at most {names.LONGEST_KEY} lower-case letters, digits, - and _, a letter first."
        yield Problem(path=at, value=key, rule=f"{rule} Move the section to such a key.")
    elif key.endswith(names.DISPATCHER_SUFFIX):
        rule = f"Keys that end with {names.DISPATCHER_SUFFIX} are kept for the dispatchers' own names. Choose another."
        yield Problem(path=at, value=key, rule=rule)
    elif key == names.WATCHER_KEY:
        rule = "This key is kept for the name of the stack's own watcher. Choose another."
        yield Problem(path=at, value=key, rule=rule)
    elif not context.fits_lambda(key):
        rule = (
            f"The function would be named {name!r} ({len(name)} characters); with {names.DISPATCHER_SUFFIX} it must fit"
            f" Lambda's 64 letters, digits, - and _, so at most {names.LONGEST_FUNCTION_NAME}. Shorten the key or the"
            " stack's name."
        )
        yield Problem(path=at, value=key, rule=rule)


def _sizes(function: Function, at: SettingPath) -> Iterator[Problem]:
    cpu, memory, least = function.task.cpu, function.task.memory_mib, function.memory_mib
    path = (*at, "task", "memory_mib")
    reads: tuple[SettingPath, ...] = ((*at, "task", "cpu"), (*at, "memory_mib"))
    if fargate_sizes.MEMORY_MIB[cpu][-1] < least:
        rule = (
            f"A run needs at least the {least} MiB that the function has on Lambda; Fargate with {cpu} cpu units"
            f" takes {fargate_sizes.allowed(cpu)}."
        )
        fix = fargate_sizes.cpu_for(least)
        yield Problem(path=(*at, "task", "cpu"), value=cpu, rule=rule, fix=fix, reads=reads)
    elif memory not in fargate_sizes.MEMORY_MIB[cpu]:
        rule = f"Fargate with {cpu} cpu units takes {fargate_sizes.allowed(cpu)}."
        fix = fargate_sizes.nearest(cpu, max(memory, least))
        yield Problem(path=path, value=memory, rule=rule, fix=fix, reads=reads)
    elif memory < least:
        rule = f"A run needs at least the {least} MiB that the function has on Lambda."
        fix = fargate_sizes.nearest(cpu, least)
        yield Problem(path=path, value=memory, rule=rule, fix=fix, reads=reads)


def _times(function: Function, at: SettingPath) -> Iterator[Problem]:
    path = (*at, "max_runtime")
    if function.max_runtime < function.timeout_seconds:
        rule = f"A run may take no less than one attempt on Lambda ({function.timeout_seconds} seconds)."
        fix = f"{max(60, function.timeout_seconds)}s"
        yield Problem(
            path=path, value=f"{function.max_runtime}s", rule=rule, fix=fix, reads=((*at, "timeout_seconds"),)
        )
    longest = function.alarms.longest_run
    if longest not in {function.longest_run, FunctionAlarms().longest_run}:
        rule = f"A run ends after its max_runtime ({function.max_runtime} seconds), so no run would raise this alarm."
        half = function.max_runtime // 2
        shorter = f"{half}s" if half >= SHORTEST_RUN_SECONDS else None
        yield Problem(path=(*at, "alarms", "longest_run"), value=f"{longest}s", rule=rule, fix=shorter, reads=(path,))


def _retention(settings: Settings) -> Iterator[Problem]:
    key, function = max(settings.functions.items(), key=lambda item: item[1].max_runtime)
    reads: tuple[SettingPath, ...] = (("functions", key, "max_runtime"),)
    days = -(-function.max_runtime // DAY_SECONDS)
    if (runs_days := settings.retention.runs_days) <= days:
        rule = f"The event of a run of {key!r} must outlast the run: its max_runtime needs {days + 1} days or more."
        yield Problem(path=("retention", "runs_days"), value=runs_days, rule=rule, fix=days + 1, reads=reads)
    if (logs_days := settings.retention.logs_days) < days:
        rule = f"The log of {key!r} would lose a run's first lines before its end: its max_runtime is {days} days."
        fix = next(each for each in LOG_DAYS if each >= days)
        yield Problem(path=("retention", "logs_days"), value=logs_days, rule=rule, fix=fix, reads=reads)


def _permissions(function: Function, at: SettingPath) -> Iterator[Problem]:
    statements = [
        {"Action": each.actions, "Effect": "Allow", "Resource": each.resources, "Sid": f"Own{index}"}
        for index, each in enumerate(function.permissions)
    ]
    size = OWN_POLICIES + len(json.dumps([*statements, function.layers], separators=(",", ":")))
    if size > _MOST_INLINE:
        rule = (
            f"IAM takes {_MOST_INLINE} characters of a role's own policies; these would have {size}, {OWN_POLICIES} of"
            " them the program's. Put statements into a managed policy, and its ARN under policy_arns."
        )
        fixed: SettingPath = (*at, "policy_arns", len(function.policy_arns))
        fix, reads = "arn:aws:iam::123456789012:policy/reports", ((*at, "layers"), (*at, "policy_arns"))
        value = [each.model_dump() for each in function.permissions]
        yield Problem(path=(*at, "permissions"), value=value, rule=rule, fix=fix, fixed=fixed, reads=reads)


def _rescue(function: Function, at: SettingPath) -> Iterator[Problem]:
    if not function.attempts and "rescue" in function.model_fields_set and Rescue.ANY not in function.rescue:
        rule = "With attempts 0 nothing fails on Lambda first: every event is rescued. Say any, or leave rescue out."
        value = [str(each) for each in function.rescue]
        yield Problem(path=(*at, "rescue"), value=value, rule=rule, reads=((*at, "attempts"),))


def _relaunches(function: Function, at: SettingPath) -> Iterator[Problem]:
    if function.task.capacity is Capacity.SPOT and function.max_task_attempts == 1:
        rule = "AWS may take a task on Spot away at any time; with one task attempt that would end the run."
        reads: tuple[SettingPath, ...] = ((*at, "task", "capacity"),)
        yield Problem(path=(*at, "max_task_attempts"), value=1, rule=rule, fix=3, reads=reads)


def _keys(function: Function, at: SettingPath) -> Iterator[Problem]:
    told = function.destinations
    if told.kms_key_arns and not told.arns:
        rule = "There is no destination, so the watcher has no use for these keys."
        path = (*at, "destinations", "kms_key_arns")
        reads: tuple[SettingPath, ...] = ((*at, "destinations"),)
        yield Problem(path=path, value=list(told.kms_key_arns), rule=rule, reads=reads)


def _network(network: Network) -> Iterator[Problem]:
    if network.security_group_ids and not network.subnet_ids:
        rule = "Security groups belong to the VPC of given subnets. Give network.subnet_ids too, or leave them out."
        value = list(network.security_group_ids)
        yield Problem(
            path=("network", "security_group_ids"), value=value, rule=rule, reads=(("network", "subnet_ids"),)
        )
    if network.subnet_ids and not network.security_group_ids:
        rule = "Given subnets need a security group of their VPC, one that lets tasks reach AWS over HTTPS."
        fix = ["sg-0123456789abcdef0"]
        reads: tuple[SettingPath, ...] = (("network", "security_group_ids"), ("network", "subnet_ids"))
        yield Problem(path=("network", "security_group_ids"), value=[], rule=rule, fix=fix, reads=reads)
    for unused in sorted({"cidr", "availability_zones"} & network.model_fields_set) if network.subnet_ids else ():
        rule = "No VPC is made when network.subnet_ids are given, so this would have no effect."
        value = getattr(network, unused)
        yield Problem(path=("network", unused), value=value, rule=rule, reads=(("network", "subnet_ids"),))


def _code(function: Function, at: SettingPath, root: Path) -> Iterator[Problem]:
    path, folder = (*at, "code"), root / function.code
    if not code.exists(folder):
        rule = f"There is no folder and no zip file at {str(folder)!r}. The path is relative to the project's folder."
        yield Problem(path=path, value=function.code, rule=rule, fix="lambdas/primary")
        return
    if folder.resolve() == folder.resolve().parent:
        rule = "This is the whole file system. Give the folder of the function's own code."
        yield Problem(path=path, value=function.code, rule=rule, fix="lambdas/primary")
        return
    if fault := code.fault(folder):
        rule = f"Not all of {str(folder)!r} could be deployed: {fault}."
        yield Problem(path=path, value=function.code, rule=rule, fix="lambdas/primary")
        return
    yield from _code_size(function, at, folder)
    family = RUNTIMES[function.runtime].family
    if function.handler.endswith(family.source):
        named = function.handler.removesuffix(family.source)
        rule = f"This names a file, and Lambda would look for a function called {family.source[1:]}. {HANDLER_RULE}"
        fix = named if "." in named else f"{named}.handler"
        yield Problem(path=(*at, "handler"), value=function.handler, rule=rule, fix=fix)
        return
    module = function.handler.rpartition(".")[0].replace(".", "/")
    if function.layers or code.holds(folder, module, family):  # a layer may bring the module
        return
    rule = f"{function.code!r} has no {module}{family.source}, so Lambda could not import the handler's module."
    fix = f"{code.some_module(folder, family)}.{function.handler.rpartition('.')[2]}"
    yield Problem(path=(*at, "handler"), value=function.handler, rule=rule, fix=fix, reads=(path, (*at, "layers")))


def _code_size(function: Function, at: SettingPath, folder: Path) -> Iterator[Problem]:
    path, unpacked = (*at, "code"), code.unpacked_size(folder)
    if unpacked > code.LARGEST_UNPACKED:
        rule = (
            f"{str(folder)!r} has {_megabytes(unpacked)} unzipped, and Lambda takes at most"
            f" {_megabytes(code.LARGEST_UNPACKED)}, layers included. Leave out what the handler does not need, and what"
            " Lambda brings, such as boto3."
        )
        yield Problem(path=path, value=function.code, rule=rule, fix="lambdas/primary")
        return
    # A folder that is much smaller need not be packed to know that it fits.
    zipped = code.zipped_size(folder) if folder.is_file() or unpacked > code.LARGEST_UPLOAD * 0.9 else 0
    if zipped > code.LARGEST_UPLOAD:
        rule = (
            f"{str(folder)!r} has {_megabytes(zipped)} zipped, and Lambda takes at most"
            f" {_megabytes(code.LARGEST_UPLOAD)} in an upload. Put dependencies into a layer, and its ARN under layers."
        )
        layer, layers = "arn:aws:lambda:eu-west-1:123456789012:layer:dependencies:1", len(function.layers)
        fixed: SettingPath = (*at, "layers", layers)
        yield Problem(path=path, value=function.code, rule=rule, fix=layer, fixed=fixed, reads=((*at, "layers"),))


def _megabytes(size: int) -> str:
    return f"{size / code.MEGABYTE:.1f} MB".replace(".0 ", " ")
