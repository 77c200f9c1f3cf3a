"""What a person should know before an update: work that would be cut off, and promises that AWS does not keep. Pure.

An update that would delete a queue which may hold work is refused here, in our own words and before anything changes:
Pulumi's own refusal comes last, after the update's other steps.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from overtime.contract.backlog import RETIREMENT_SETTING
from overtime.errors import OvertimeError
from overtime.settings.rules import DAY_SECONDS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from overtime.contract.backlog import Work
    from overtime.deployed import Deployed
    from overtime.settings import Settings

DEFAULT_RETIREMENT_DAYS = 7
"""https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-maintenance.html"""


@dataclass(frozen=True)
class Notice:
    """One thing to know."""

    severity: Literal["info", "warning"]
    text: str


def network_output(settings: Settings) -> dict[str, object]:
    """Give the network's settings as an output, to compare the next update's with; the engine keeps no nulls."""
    return settings.network.model_dump(mode="json", exclude_none=True)


def protected(key: str, settings: Settings, there: Deployed) -> bool:
    """Tell whether a function's queues must survive: until a person gives them up, or the function is drained.

    What was counted while it still took new work may be out of date by the end of this update.
    """
    return not settings.retention.force_destroy and not _drained(key, settings, there)


def _drained(key: str, settings: Settings, there: Deployed) -> bool:
    before, work = there.functions.get(key), there.work_of(key)
    settled = before is not None and not before.enabled and not settings.functions[key].enabled
    return settled and work is not None and work.nothing


class StillNeededError(OvertimeError):
    """The settings leave out a function that may have work left."""


def refuse(settings: Settings, there: Deployed) -> None:
    """Raise StillNeededError for functions that are not in the settings any more and may have work left."""
    left_out = [(key, each) for key, each in sorted(there.functions.items()) if key not in settings.functions]
    gone = [key for key, each in left_out if each.protected or _has_work(key, settings, there)]
    if gone:
        left = "".join(f"\n\n  {key!r}: there {_left(there.work_of(key))}." for key in gone)
        raise StillNeededError(
            f"the settings leave out functions that may have work left, whose queues and roles would go with them{left}"
            "\n\nA function is drained first: put its key back with `enabled: false`, run `pulumi up` until that says "
            "it is drained, and remove the key then. To give the work up instead, put the key back, set "
            "retention.force_destroy to true, and run `pulumi up` once before you remove the key."
        )


def notices(settings: Settings, there: Deployed) -> Iterator[Notice]:
    """Give everything that is to be told before this update."""
    yield from _removed(settings, there)
    yield from _draining(settings, there)
    yield from _moved(settings, there)
    yield from _retired(settings, there)
    if there.unasked is not None:
        yield Notice("info", f"It is not known what work is left in this stack: {there.unasked}.")


def _has_work(key: str, settings: Settings, there: Deployed) -> bool:
    """Tell whether work has come since the function was drained, as parked messages do while Lambda invokes it."""
    work = there.work_of(key)
    return work is not None and not work.nothing and not settings.retention.force_destroy


def _removed(settings: Settings, there: Deployed) -> Iterator[Notice]:
    for key in sorted(there.functions.keys() - settings.functions.keys()):
        work = there.work_of(key)
        if not (work and work.nothing):
            yield Notice("warning", f"The function {key!r} goes with this update, and there {_left(work)}.")


def _draining(settings: Settings, there: Deployed) -> Iterator[Notice]:
    for key, function in settings.functions.items():
        if function.enabled:
            continue
        work = there.work_of(key)
        if _drained(key, settings, there):
            text = f"The function {key!r} is drained. After this update its key can be removed."
            yield Notice("info", text)
        else:
            text = (
                f"The function {key!r} is being drained: there {_left(work)}. Its queues stay protected until nothing "
                "is left after it takes nothing new; run `pulumi up` again to see how far it is. What is parked waits "
                'for a person: see "Remove a function" in docs/operating.md.'
            )
            yield Notice("warning", text)


def _moved(settings: Settings, there: Deployed) -> Iterator[Notice]:
    runs = sum(work.open_runs or 0 for work in there.work.values())
    if there.network is None or there.network == network_output(settings):
        return
    if runs or there.unasked is not None:
        yield Notice(
            "warning",
            f"The network's settings change while runs are open ({runs or 'how many is not known'}). AWS keeps a "
            "subnet or security group while a task has its address in it (DependencyViolation), so the update may wait "
            "for half an hour and then stop halfway. Drain the functions first (`enabled: false`), or wait until "
            "nothing runs.",
        )


def _retired(settings: Settings, there: Deployed) -> Iterator[Notice]:
    days = there.task_retirement_days
    wait = DEFAULT_RETIREMENT_DAYS if days is None else days
    longer = sorted(key for key, each in settings.functions.items() if each.max_runtime > wait * DAY_SECONDS)
    if not longer:
        return
    whose = "AWS's default, and this account's could not be read" if days is None else "this account's setting"
    yield Notice(
        "warning",
        f"max_runtime of {', '.join(map(repr, longer))} is longer than the {_number(wait, 'day')} that Fargate waits "
        f"before it stops tasks of a platform revision that it retires ({RETIREMENT_SETTING}: {whose}). A run that is "
        "stopped then starts again from its beginning. Lower max_runtime, or let Fargate wait longer, 14 days at most: "
        f"aws ecs put-account-setting-default --name {RETIREMENT_SETTING} --value 14",
    )


def _left(work: Work | None) -> str:
    if work is None:
        return "may be work left, which could not be counted"
    if work.nothing:
        return "is no work left"
    counted = (
        _number(work.open_runs, "open run"),
        f"{_number(work.waiting, 'message')} on the failure queue",
        f"{_number(work.parked, 'message')} on the parking queue",
    )
    return f"are still {counted[0]}, {counted[1]} and {counted[2]}"


def _number(count: int | None, noun: str) -> str:
    if count is None:
        return f"an unknown number of {noun}s"
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
