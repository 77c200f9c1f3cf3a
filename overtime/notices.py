"""Warnings before an update: work that it would cut off, limits that AWS does not guarantee, ending runtimes. Pure.

An update that would delete a queue that may contain work is refused here, before anything changes, because Pulumi
refuses it only after the update's other steps.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING, Literal

from overtime.contract.backlog import RETIREMENT_SETTING
from overtime.contract.limits import DAY_SECONDS
from overtime.contract.runtimes import CHECKED, RUNTIMES, successor
from overtime.errors import OvertimeError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from overtime.contract.backlog import Work
    from overtime.deployed import Deployed
    from overtime.settings import Settings

DEFAULT_RETIREMENT_DAYS = 7
"""https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-maintenance.html"""
NOTICE_OF_DEPRECATION = timedelta(days=180)
"""How long before the end of a runtime AWS tells the owners of functions:
https://docs.aws.amazon.com/lambda/latest/dg/runtime-support-policy.html"""


@dataclass(frozen=True)
class Notice:
    """A message to log before the update."""

    severity: Literal["info", "warning"]
    text: str


def network_output(settings: Settings) -> dict[str, object]:
    """Return the network settings as an output, to compare them in the next update; the engine stores no nulls."""
    return settings.network.model_dump(mode="json", exclude_none=True)


def protected(key: str, settings: Settings, there: Deployed) -> bool:
    """Return whether a function's queues must be kept: until `force_destroy` is set, or the function is drained.

    A count from the time when new failures were still handed over may be outdated by the end of this update.
    """
    return not settings.retention.force_destroy and not _drained(key, settings, there)


def _drained(key: str, settings: Settings, there: Deployed) -> bool:
    before, work = there.functions.get(key), there.work_of(key)
    settled = before is not None and not before.enabled and not settings.functions[key].enabled
    return settled and work is not None and work.nothing


class StillNeededError(OvertimeError):
    """The settings omit a function that may have work left."""


def refuse(settings: Settings, there: Deployed) -> None:
    """Raise `StillNeededError` if the settings omit deployed functions that may have work left."""
    omitted = [(key, each) for key, each in sorted(there.functions.items()) if key not in settings.functions]
    needed = [key for key, each in omitted if each.protected or _has_work(key, settings, there)]
    if needed:
        listed = "".join(f"\n\n  {key!r}: {_left(there.work_of(key))}." for key in needed)
        raise StillNeededError(
            "The settings omit functions that may have work left, and their queues and roles would be deleted."
            f"{listed}\n\nDrain a function first: restore its key with `enabled: false`, run `pulumi up` until it "
            "reports that the function is drained, then remove the key. To give up its work instead, restore the key, "
            "set retention.force_destroy to true, and run `pulumi up` once before you remove the key."
        )


def notices(settings: Settings, there: Deployed, today: date) -> Iterator[Notice]:
    """Yield every notice for an update on this day."""
    yield from _removed(settings, there)
    yield from _draining(settings, there)
    yield from _moved(settings, there)
    yield from _retired(settings, there)
    yield from _runtimes(settings, today)
    if there.unasked is not None:
        yield Notice("info", f"The remaining work of this stack is unknown: {there.unasked}.")


def _has_work(key: str, settings: Settings, there: Deployed) -> bool:
    """Return whether a drained function has work again: its failures on Lambda are still parked."""
    work = there.work_of(key)
    return work is not None and not work.nothing and not settings.retention.force_destroy


def _removed(settings: Settings, there: Deployed) -> Iterator[Notice]:
    for key in sorted(there.functions.keys() - settings.functions.keys()):
        work = there.work_of(key)
        if not (work and work.nothing):
            yield Notice("warning", f"This update removes the function {key!r}: {_left(work)}.")


def _draining(settings: Settings, there: Deployed) -> Iterator[Notice]:
    for key, function in settings.functions.items():
        if function.enabled:
            continue
        work = there.work_of(key)
        if _drained(key, settings, there):
            text = f"The function {key!r} is drained. After this update, you can remove its key."
            yield Notice("info", text)
        else:
            text = (
                f"The function {key!r} is draining: {_left(work)}. Its queues stay protected until a later `pulumi up` "
                'finds that nothing is left. Parked messages wait for an operator: see "Remove a function" in '
                "docs/operating.md."
            )
            yield Notice("warning", text)


def _moved(settings: Settings, there: Deployed) -> Iterator[Notice]:
    runs = sum(work.open_runs or 0 for work in there.work.values())
    if there.network is None or there.network == network_output(settings):
        return
    if runs or there.unasked is not None:
        yield Notice(
            "warning",
            f"The network settings change while runs are open ({runs or 'their number is unknown'}). AWS does not "
            "delete a subnet or security group while a task has an address in it (DependencyViolation), so the update "
            "may wait for half an hour and then fail halfway. Drain the functions first (`enabled: false`), or wait "
            "until nothing runs.",
        )


def _retired(settings: Settings, there: Deployed) -> Iterator[Notice]:
    days = there.task_retirement_days
    wait = DEFAULT_RETIREMENT_DAYS if days is None else days
    longer = sorted(key for key, each in settings.functions.items() if each.max_runtime > wait * DAY_SECONDS)
    if not longer:
        return
    whose = "AWS's default, because this account's could not be read" if days is None else "this account's setting"
    yield Notice(
        "warning",
        f"max_runtime of {', '.join(map(repr, longer))} is longer than the {_number(wait, 'day')} that Fargate waits "
        f"before it stops tasks of a retired platform revision ({RETIREMENT_SETTING}: {whose}). Their runs then start "
        "again from the beginning. Lower max_runtime, or make Fargate wait for up to 14 days: "
        f"aws ecs put-account-setting-default --name {RETIREMENT_SETTING} --value 14",
    )


def _runtimes(settings: Settings, today: date) -> Iterator[Notice]:
    used: dict[str, list[str]] = {}
    for key, function in settings.functions.items():
        used.setdefault(function.runtime, []).append(repr(key))
    for name, keys in used.items():
        runtime = RUNTIMES[name]
        if not runtime.deprecated or date.fromisoformat(runtime.deprecated) > today + NOTICE_OF_DEPRECATION:
            continue
        ended = runtime.deprecated <= today.isoformat()
        text = f"{name} ({', '.join(keys)}): AWS {'ended' if ended else 'ends'} its support on {runtime.deprecated}"
        if runtime.no_new_functions:
            text += f" and plans to refuse new functions from {runtime.no_new_functions}"
        yield Notice("warning", f"{text} (as of {CHECKED}). Use {successor(runtime).name}.")


def _left(work: Work | None) -> str:
    if work is None:
        return "its remaining work could not be counted"
    if work.nothing:
        return "no work is left"
    counted = (
        _number(work.open_runs, "open run"),
        f"{_number(work.waiting, 'message')} on the failure queue",
        f"{_number(work.parked, 'message')} on the parking queue",
    )
    return f"{counted[0]}, {counted[1]} and {counted[2]} are left"


def _number(count: int | None, noun: str) -> str:
    if count is None:
        return f"an unknown number of {noun}s"
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
