"""Rules that compare settings with each other, and rules on the names derived from them and on the code on disk."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from overtime.contract.capacity import Capacity
from overtime.contract.limits import DAY_SECONDS
from overtime.contract.rescue import Rescue
from overtime.settings import code_checks, fargate_sizes, names, places
from overtime.settings.model import FunctionAlarms
from overtime.settings.problems import Problem
from overtime.settings.values import LOG_DAYS, SHORTEST_RUN_SECONDS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from overtime.settings.model import Function, Network, Settings, Vpc
    from overtime.settings.names import StackContext
    from overtime.settings.problems import Path as SettingPath


OWN_POLICIES = 2_600
"""Largest total size, in characters, of the two policies that the program adds to a function's role, without layers."""
ENVIRONMENT_POLICIES = {"vpc": 820, "kms_key_arn": 460, "tracing": 200, "file_systems": 560}
"""Largest size of the policy that each of these settings adds, if it is not at its default."""
_MOST_INLINE = 10_240
"""Largest total size, in characters without white space, of a role's inline policies:
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html"""


def problems(settings: Settings, context: StackContext) -> Iterator[Problem]:
    """Yield every problem between settings that are valid on their own."""
    for key, function in settings.functions.items():
        at: SettingPath = ("functions", key)
        yield from _sizes(function, at)
        yield from _times(function, at)
        yield from _rescue(function, at)
        yield from _relaunches(function, at)
        yield from _permissions(function, at)
        yield from _keys(function, at)
        yield from _groups(function.vpc, (*at, "vpc"))
        yield from _file_systems(function, at)
        yield from code_checks.problems(function, at, context.root)
    yield from _retention(settings)
    yield from _network(settings.network)
    if context.region:
        yield from places.problems(settings, context.region)


def keys(functions: Iterable[str], context: StackContext) -> Iterator[Problem]:
    """Yield every problem with the keys of functions, whatever their sections contain."""
    for key in functions:
        yield from _name(key, ("functions", key), context)


def _name(key: str, at: SettingPath, context: StackContext) -> Iterator[Problem]:
    name = context.function_name(key)
    if not names.KEY.fullmatch(key) or len(key) > names.LONGEST_KEY:
        rule = (
            f"A function's key has at most {names.LONGEST_KEY} lower-case letters, digits, - and _, and starts with a"
            " letter. Rename the section."
        )
        yield Problem(path=at, value=key, rule=rule)
    elif key.endswith(names.DISPATCHER_SUFFIX):
        rule = f"Keys that end with {names.DISPATCHER_SUFFIX} are reserved for dispatchers. Choose another key."
        yield Problem(path=at, value=key, rule=rule)
    elif key == names.WATCHER_KEY:
        rule = "This key is reserved for the stack's watcher. Choose another key."
        yield Problem(path=at, value=key, rule=rule)
    elif not context.fits_lambda(key):
        rule = (
            f"The function would be named {name!r} ({len(name)} characters). Lambda allows letters, digits, - and _,"
            f" and at most {names.LONGEST_FUNCTION_NAME} of them, because the dispatcher's name adds"
            f" {names.DISPATCHER_SUFFIX} and has at most 64. Shorten the key or the stack's name."
        )
        yield Problem(path=at, value=key, rule=rule)


def _sizes(function: Function, at: SettingPath) -> Iterator[Problem]:
    cpu, memory, least = function.task.cpu, function.task.memory_mib, function.memory_mib
    path = (*at, "task", "memory_mib")
    reads: tuple[SettingPath, ...] = ((*at, "task", "cpu"), (*at, "memory_mib"))
    if fargate_sizes.MEMORY_MIB[cpu][-1] < least:
        rule = (
            f"A task needs at least as much memory as the function has on Lambda ({least} MiB); with {cpu} CPU units,"
            f" Fargate offers {fargate_sizes.allowed(cpu)}."
        )
        fix = fargate_sizes.cpu_for(least)
        yield Problem(path=(*at, "task", "cpu"), value=cpu, rule=rule, fix=fix, reads=reads)
    elif memory not in fargate_sizes.MEMORY_MIB[cpu]:
        rule = f"With {cpu} CPU units, Fargate offers {fargate_sizes.allowed(cpu)}."
        fix = fargate_sizes.nearest(cpu, max(memory, least))
        yield Problem(path=path, value=memory, rule=rule, fix=fix, reads=reads)
    elif memory < least:
        rule = f"A task needs at least as much memory as the function has on Lambda ({least} MiB)."
        fix = fargate_sizes.nearest(cpu, least)
        yield Problem(path=path, value=memory, rule=rule, fix=fix, reads=reads)


def _times(function: Function, at: SettingPath) -> Iterator[Problem]:
    path = (*at, "max_runtime")
    if function.max_runtime < (least := function.timeout_seconds):
        rule = f"max_runtime must be at least timeout_seconds, the limit of one attempt on Lambda ({least} seconds)."
        fix = f"{max(60, least)}s"
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
        rule = f"The max_runtime of {key!r} requires at least {days + 1} days, so that a run's event outlasts the run."
        yield Problem(path=("retention", "runs_days"), value=runs_days, rule=rule, fix=days + 1, reads=reads)
    if (logs_days := settings.retention.logs_days) < days:
        rule = f"The max_runtime of {key!r} requires at least {days} days, so that a run's log outlasts the run."
        fix = next(each for each in LOG_DAYS if each >= days)
        yield Problem(path=("retention", "logs_days"), value=logs_days, rule=rule, fix=fix, reads=reads)


def _permissions(function: Function, at: SettingPath) -> Iterator[Problem]:
    statements = [
        {"Action": each.actions, "Effect": "Allow", "Resource": each.resources, "Sid": f"Own{index}"}
        for index, each in enumerate(function.permissions)
    ]
    used = {name: size for name, size in ENVIRONMENT_POLICIES.items() if name in function.not_default}
    own = OWN_POLICIES + sum(used.values())
    size = own + len(json.dumps([*statements, function.layers], separators=(",", ":")))
    if size > _MOST_INLINE:
        rule = (
            f"IAM accepts {_MOST_INLINE} characters of inline policies per role; these would have {size}, of which"
            f" {own} are the program's. Move statements to a managed policy and add its ARN to policy_arns."
        )
        fixed: SettingPath = (*at, "policy_arns", len(function.policy_arns))
        fix, reads = (
            "arn:aws:iam::123456789012:policy/reports",
            tuple((*at, name) for name in ("layers", "policy_arns", *used)),
        )
        value = [each.model_dump() for each in function.permissions]
        yield Problem(path=(*at, "permissions"), value=value, rule=rule, fix=fix, fixed=fixed, reads=reads)


def _rescue(function: Function, at: SettingPath) -> Iterator[Problem]:
    if not function.attempts and "rescue" in function.model_fields_set and Rescue.ANY not in function.rescue:
        rule = "With attempts 0, every event is handed over without running on Lambda. Use any, or omit rescue."
        value = [str(each) for each in function.rescue]
        yield Problem(path=(*at, "rescue"), value=value, rule=rule, reads=((*at, "attempts"),))


def _relaunches(function: Function, at: SettingPath) -> Iterator[Problem]:
    if function.task.capacity is Capacity.SPOT and function.max_task_attempts == 1:
        rule = "AWS may interrupt a Spot task at any time; with one task attempt, that would end the run."
        reads: tuple[SettingPath, ...] = ((*at, "task", "capacity"),)
        yield Problem(path=(*at, "max_task_attempts"), value=1, rule=rule, fix=3, reads=reads)


def _keys(function: Function, at: SettingPath) -> Iterator[Problem]:
    destinations = function.destinations
    if destinations.kms_key_arns and not destinations.arns:
        rule = (
            "The watcher uses these keys only to send to encrypted destinations, and this function has no destination."
        )
        path = (*at, "destinations", "kms_key_arns")
        reads: tuple[SettingPath, ...] = ((*at, "destinations"),)
        yield Problem(path=path, value=list(destinations.kms_key_arns), rule=rule, reads=reads)


def _groups(section: Network | Vpc, at: SettingPath) -> Iterator[Problem]:
    path, subnets = (*at, "security_group_ids"), (*at, "subnet_ids")
    if section.security_group_ids and not section.subnet_ids:
        rule = f"Security groups only apply to existing subnets. Set {at[-1]}.subnet_ids, too, or omit the groups."
        yield Problem(path=path, value=list(section.security_group_ids), rule=rule, reads=(subnets,))
    if section.subnet_ids and not section.security_group_ids:
        rule = (
            "Existing subnets need a security group of their VPC that allows outbound HTTPS, so that tasks reach AWS."
        )
        yield Problem(path=path, value=[], rule=rule, fix=["sg-0123456789abcdef0"], reads=(path, subnets))


def _file_systems(function: Function, at: SettingPath) -> Iterator[Problem]:
    if function.file_systems and not function.vpc.subnet_ids:
        rule = (
            "Lambda mounts file systems only in a VPC, and the tasks need one, too. Set vpc, in subnets that reach it."
        )
        subnets: SettingPath = (*at, "vpc", "subnet_ids")
        value, fix = [each.model_dump() for each in function.file_systems], ["subnet-0123456789abcdef0"]
        yield Problem(path=(*at, "file_systems"), value=value, rule=rule, fix=fix, fixed=subnets, reads=(subnets,))


def _network(network: Network) -> Iterator[Problem]:
    yield from _groups(network, ("network",))
    for unused in sorted({"cidr", "availability_zones"} & network.model_fields_set) if network.subnet_ids else ():
        rule = "overtime creates no VPC if network.subnet_ids are set, so this would have no effect."
        value = getattr(network, unused)
        yield Problem(path=("network", unused), value=value, rule=rule, reads=(("network", "subnet_ids"),))
