from __future__ import annotations

import json
from pathlib import Path

import pytest

from overtime.contract.runs import RunKey, RunState
from overtime.lambdas.watcher.stopped_task import NEVER_CLAIMED, RUN_ENDED, Fault, StoppedTask, classify, read
from overtime.lambdas.watcher.verdict import LONGEST_WAIT, Close, Relaunch, backoff, decide

EVENTS = Path(__file__).parents[2] / "events"
INFRASTRUCTURE, HANDLER, SETUP = Fault.INFRASTRUCTURE, Fault.HANDLER, Fault.SETUP
EXITED = "EssentialContainerExited"


def stopped(
    code: str | None, reason: str = "", container_reason: str = "", exit_code: int | None = None
) -> StoppedTask:
    return StoppedTask(
        arn="arn:task",
        key=RunKey("report", "r-1"),
        attempt=1,
        stop_code=code,
        reason=reason,
        container_reason=container_reason,
        exit_code=exit_code,
    )


@pytest.mark.parametrize(
    ("task", "fault", "error_type"),
    [
        (stopped("SpotInterruption"), INFRASTRUCTURE, "Overtime.SpotInterruption"),
        (stopped(None, "Your Spot Task was interrupted."), INFRASTRUCTURE, "Overtime.SpotInterruption"),
        (stopped("TerminationNotice", exit_code=143), INFRASTRUCTURE, "Overtime.HostFailure"),
        (stopped(None, "Host EC2 (instance i-1) terminated."), INFRASTRUCTURE, "Overtime.HostFailure"),
        (
            stopped("TaskFailedToStart", "Task failed to start", "CannotPullContainerError: not found"),
            INFRASTRUCTURE,
            "Overtime.ImagePull",
        ),
        (stopped("TaskFailedToStart", "CannotPullImageManifestError: x"), INFRASTRUCTURE, "Overtime.ImagePull"),
        (
            stopped("TaskFailedToStart", "Capacity is unavailable at this time. Please try again later."),
            Fault.CAPACITY,
            "Overtime.NoCapacity",
        ),
        (stopped("TaskFailedToStart", "RESOURCE:MEMORY"), Fault.CAPACITY, "Overtime.NoCapacity"),
        (
            stopped("TaskFailedToStart", "ResourceInitializationError: failed to invoke EFS utils"),
            INFRASTRUCTURE,
            "Overtime.TaskFailedToStart",
        ),
        (
            stopped(None, "Timeout waiting for network interface provisioning to complete.", "", None),
            INFRASTRUCTURE,
            "Overtime.NoExitCode",
        ),
        (stopped(EXITED, "", "OutOfMemoryError: Container killed", 137), HANDLER, "Runtime.OutOfMemory"),
        (stopped(EXITED, exit_code=137), HANDLER, "Runtime.ExitError"),
        (stopped(EXITED, exit_code=139), HANDLER, "Runtime.ExitError"),
        (stopped(EXITED), INFRASTRUCTURE, "Overtime.NoExitCode"),
        (stopped("InfrastructureHealth", exit_code=1), INFRASTRUCTURE, "Overtime.HostFailure"),
        (stopped("FleetRebalancing", "a code of next year", "", 1), INFRASTRUCTURE, "Overtime.HostFailure"),
        (
            stopped("TaskFailedToStart", "RESOURCE:MEMORY, You've reached the limit on the number of vCPUs"),
            Fault.CAPACITY,
            "Overtime.NoCapacity",
        ),
        (
            stopped("TaskFailedToStart", "CannotPullContainerError: not authorized to perform: ecr:x on resource: a"),
            INFRASTRUCTURE,
            "Overtime.ImagePull",
        ),
        (stopped(EXITED, exit_code=2), Fault.NOBODY, "Overtime.NotOurs"),
        (stopped(EXITED, exit_code=64), SETUP, "Overtime.BadEnvironment"),
        (stopped(EXITED, exit_code=65), SETUP, "Overtime.Code"),
        (stopped(EXITED, exit_code=66), SETUP, "Overtime.PermissionMissing"),
        (stopped(EXITED, exit_code=67), INFRASTRUCTURE, "Overtime.Unavailable"),
        (stopped(EXITED, exit_code=70), SETUP, "Overtime.Internal"),
        (stopped("UserInitiated", "host maintenance, by me", "", 143), Fault.PERSON, "Overtime.Cancelled"),
        (stopped("UserInitiated", NEVER_CLAIMED, "", 143), INFRASTRUCTURE, "Overtime.NeverClaimed"),
        (stopped("UserInitiated", RUN_ENDED, "", 137), Fault.NOBODY, "Overtime.RunEnded"),
        (stopped("UserInitiated", "overtime: by me", "", 143), Fault.PERSON, "Overtime.Cancelled"),
        (stopped(EXITED, "overtime: forged", exit_code=1), HANDLER, "Runtime.ExitError"),
    ],
)
def test_ecs_words_tell_the_causes_apart(task: StoppedTask, fault: Fault, error_type: str) -> None:
    """Each documented way to stop has one cause; what a person wrote as a reason decides nothing."""
    cause = classify(task)
    assert (cause.fault, cause.error_type) == (fault, error_type)
    assert cause.text


def test_a_stop_timeout_is_told_from_a_stop() -> None:
    """Both were a person's wish; only one of the two handlers heard it."""
    assert "stop timeout" in classify(stopped("UserInitiated", "by hand", "", 137)).text
    assert "stop timeout" not in classify(stopped("UserInitiated", "by hand", "", 143)).text


@pytest.mark.parametrize("name", ["task_stopped_spot", "task_stopped_image_pull", "task_stopped_killed"])
def test_a_real_event_names_its_run(name: str) -> None:
    """Key and attempt are in the override, and nothing else of ours is in the event."""
    task = read(json.loads((EVENTS / f"{name}.json").read_text())["detail"])
    assert task is not None
    assert (str(task.key), task.attempt) == ("report/8b1f1a2c-5d0e-4f6a-9f0e-2f7c9f4f2a10", 1)
    wanted = {"spot": "SpotInterruption", "image_pull": "ImagePull", "killed": "ExitError"}
    assert classify(task).error_type.endswith(wanted[name.removeprefix("task_stopped_")])


@pytest.mark.parametrize(
    "detail",
    [
        {},
        {"taskArn": "a", "lastStatus": "STOPPED"},
        {"taskArn": "a", "lastStatus": "STOPPED", "overrides": None, "containers": "x"},
        {"taskArn": "a", "lastStatus": "STOPPED", "overrides": {"containerOverrides": [{"environment": [{}]}]}},
        {"taskArn": "a", "lastStatus": "STOPPED", "overrides": {"containerOverrides": [None, "x"]}},
    ],
)
def test_what_is_no_runs_task_is_none(detail: dict[str, object]) -> None:
    """Whatever else moves in the cluster raises nothing."""
    assert read(detail) is None


def verdict(
    task: StoppedTask, state: RunState, *, counted: int = 1, refusals: int = 0, waited: float = 0
) -> Relaunch | Close:
    return decide(
        classify(task),
        state=state,
        counted=counted,
        refusals=refusals,
        waited=waited,
        most_attempts=2,
        can_relaunch=True,
    )


def test_attempts_are_bounded_and_wait_longer_each_time() -> None:
    """The last attempt's fault is final; before that, each wait is twice the one before, to five minutes."""
    taken = stopped("SpotInterruption")
    assert verdict(taken, RunState.RUNNING) == Relaunch(classify(taken).text)
    last = verdict(taken, RunState.RUNNING, counted=2, waited=LONGEST_WAIT + 1)
    assert isinstance(last, Close)
    assert (last.state, last.reason.endswith("That was task attempt 2 of 2")) == (RunState.FAILED, True)
    assert [backoff(attempt) for attempt in (1, 2, 3, 9)] == [15, 30, 60, 300]


def test_a_task_without_capacity_is_waited_for_and_not_counted() -> None:
    """Up to 14 days; one that had some, for the handler had started, counts as any other."""
    starved = stopped("TaskFailedToStart", "Capacity is unavailable at this time.")
    assert verdict(starved, RunState.LAUNCHING, counted=2) == Relaunch(classify(starved).text, unstarted=True)
    assert verdict(starved, RunState.RUNNING) == Relaunch(classify(starved).text)
    assert isinstance(verdict(starved, RunState.RUNNING, counted=2), Close)
    over = verdict(starved, RunState.LAUNCHING, waited=LONGEST_WAIT + 1)
    assert isinstance(over, Close)
    assert (over.state, over.reason.endswith("The run has waited for 14 days")) == (RunState.FAILED, True)
