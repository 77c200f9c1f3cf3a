"""The steps of the runner: a task from its start to its end, and how its run must end wherever it dies."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from overtime.contract.runs import RunState
from tests.doubles.world import FAILURE, SUCCESS
from tests.faults.runner_place import RunnerPlace
from tests.faults.steps import Act, End, Step
from tests.faults.wire import Mode

if TYPE_CHECKING:
    from tests.faults.place import Place
    from tests.faults.wire import Call

_CALLS = frozenset({"ecs", "lambda", "code", "dynamodb", "s3"})
_KILLED = {Mode.BEFORE, Mode.AFTER, Mode.LATE}
_CLAIM, _EVENT, _RESULT, _FINISH = (
    ("dynamodb:UpdateItem", 1),
    ("s3:GetObject", 1),
    ("s3:PutObject", 1),
    ("dynamodb:UpdateItem", 2),
)


def _task(place: Place) -> Act:
    assert isinstance(place, RunnerPlace)
    _, arn = place.start("r-1")
    place.untold.add(arn)
    return Act(partial(place.live, arn), task=arn, twin=partial(place.twin, arn), freeze=partial(place.freeze, arn))


def _end(call: Call, mode: Mode, place: Place, *, raises: bool) -> End:
    """Say how the run must end.

    | the task | and | the run |
    |---|---|---|
    | is killed | has not claimed | is relaunched, and its next attempt runs the handler |
    | is killed | has claimed | is failed: the handler may have begun |
    | is killed | has closed the run | is what it closed it as |
    | goes on though it was given up | | is what the next attempt made of it |
    | loses an answer, or has a twin | | ends as if nothing had been |

    The code is fetched beside the claim, so of the calls for it only the ledger tells which of the first two it was: a
    claim may even be under way when its sender dies.
    """
    own = RunState.FAILED if raises else RunState.SUCCEEDED
    told = FAILURE if raises else SUCCESS
    ran = call in {_RESULT, _FINISH}
    if mode is Mode.FROZEN:
        # Where its claim came first, it runs its handler, as it may, and then cannot write.
        before_claim = call in {_CLAIM, ("ecs:metadata", 1)}
        allowed: tuple[dict[int, int], ...] = ({2: 1},) if before_claim else ({1: 1, 2: 1}, {2: 1})
        return End(own, 2, ({1: 1, 2: 1},) if ran or call == _EVENT else allowed, told)
    if mode not in _KILLED:
        return End(own, 1, ({1: 1},), told)
    if (call, mode) == (_FINISH, Mode.AFTER):
        return End(own, 1, ({1: 1},), told)
    if not _was_claimed(call, mode, place):
        return End(own, 2, ({2: 1},), told)
    return End(RunState.FAILED, 1, ({1: 1},) if ran else ({},), FAILURE)


def _end_of_a_throttled_one(call: Call, mode: Mode, place: Place) -> End:
    """Say how a run must end whose first task gives up before its handler has begun, with nothing closed.

    | the first task | the run |
    |---|---|
    | is killed and has claimed | is failed: by SIGKILL alone nobody can tell that the handler had not begun |
    | else | is relaunched, and its next attempt runs the handler: also where it was claimed, or has a twin |
    """
    if mode in _KILLED and _was_claimed(call, mode, place):
        return End(RunState.FAILED, 1, ({},), FAILURE)
    return End(RunState.SUCCEEDED, 2, ({2: 1},), SUCCESS)


def _was_claimed(call: Call, mode: Mode, place: Place) -> bool:
    """Ask the ledger whether the first task, which was killed at this call, had claimed the run."""
    unclaimed = call == ("ecs:metadata", 1) or (call == _CLAIM and mode is not Mode.AFTER)
    claimed = call in {_CLAIM, _EVENT, _RESULT, _FINISH} and not unclaimed
    history = place.run(place.keys[0]).history
    was_claimed = any((step.state, step.attempt) == (RunState.RUNNING, 1) for step in history)
    assert was_claimed or not claimed
    return was_claimed and not unclaimed


def _of(name: str, *, raises: bool) -> Step:
    return Step(
        part="runner",
        name=name,
        services=_CALLS,
        prepare=_task,
        end=partial(_end, raises=raises),
        open=lambda dynamodb, s3, name: RunnerPlace(dynamodb, s3, name=name, raises=raises),
        tokens=2,
    )


_THROTTLED = Step(
    part="runner",
    name="Lambda has no time for the first task",
    services=_CALLS - {"code"},
    prepare=_task,
    end=_end_of_a_throttled_one,
    open=lambda dynamodb, s3, name: RunnerPlace(dynamodb, s3, name=name, busy=True),
    tokens=2,
)

RUNNER = (_of("a handler returns", raises=False), _of("a handler raises", raises=True), _THROTTLED)
