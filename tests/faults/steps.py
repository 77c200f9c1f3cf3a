"""The steps of dispatcher and watcher: how each begins, what it is delivered, and how its run must end."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING, Protocol

from overtime.contract.runs import RunKey, RunState
from overtime.ledger.run import Failure
from tests.doubles.refusals import refused, throttled
from tests.doubles.world import EVENT, FAILURE, SUCCESS
from tests.faults.place import Place

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_s3 import S3Client

    from tests.faults.place import Message
    from tests.faults.wire import Call, Mode, Wire

_ARN = "arn:aws:{}:eu-west-1:123456789012:{}"
TOPIC, BUS, FUNCTION = (
    _ARN.format("sns", "done"),
    _ARN.format("events", "event-bus/done"),
    _ARN.format("lambda", "function:done"),
)
_NO_CAPACITY = [{"reason": "Capacity is unavailable at this time"}]
_RAISED = ("EssentialContainerExited", "Essential container in task exited", "", 1)
_ONCE: Mapping[int, int] = MappingProxyType({1: 1})
_AGAIN: Mapping[int, int] = MappingProxyType({1: 1, 2: 1})
_UNSTARTED: Mapping[int, int] = MappingProxyType({2: 1})
_HOUR, _DAY = 3_600, 86_400


class Deliver(Protocol):
    """Makes one delivery, over this wire."""

    def __call__(self, *, wire: Wire | None = None) -> None:
        """Deliver."""


@dataclass(frozen=True)
class Act:
    """One delivery: of a message, of the event of a task, or else of the schedule. It can be made again."""

    deliver: Deliver
    message: Message | None = None
    task: str | None = None
    twin: Callable[[], None] | None = None
    """What is a second delivery, where it is not the first made again."""
    freeze: Callable[[], None] | None = None
    """What happens while it stands still, where that is more than time going on."""


@dataclass(frozen=True)
class End:
    """How the run of a step must end."""

    state: RunState
    attempt: int
    executed: tuple[Mapping[int, int], ...]
    """How often each task attempt ran the handler: one of these."""
    told: str
    """The destination that must hear of it, and no other."""


@dataclass(frozen=True, kw_only=True)
class Step:
    """Something that dispatcher or watcher does from one delivery to its end."""

    part: str
    name: str
    services: frozenset[str]
    """The services that it certainly calls: a dry run that misses one is no dry run of this step."""
    prepare: Callable[[Place], Act]
    end: Callable[[Call, Mode, Place], End]
    """How its run must end."""
    open: Callable[[DynamoDBClient, S3Client, str], Place]
    """Makes a place of this name, with the function's settings that the step is about."""
    tokens: int = 1
    """Client tokens that an attempt may be asked with: two deliveries at once may start so many tasks, of which one can
    claim the run."""
    only: frozenset[str] | None = None
    """The services whose calls are of interest, where another step has all the others."""
    parks: bool = False

    @property
    def title(self) -> str:
        """Part and name."""
        return f"{self.part}: {self.name}"


def _message(place: Place) -> Act:
    """Deliver the last message of the queue."""
    message = place.waiting()[-1]
    return Act(partial(place.receive, message), message=message)


def _event(place: Place, arn: str, **changes: object) -> Act:
    """Deliver the event of a task that has stopped."""
    place.untold.add(arn)
    return Act(partial(place.hear, dict(place.cluster.tasks[arn]) | changes), task=arn)


def _schedule(place: Place, after: float = 1_200) -> Act:
    """Reconcile after a time."""
    return Act(partial(place.look, after))


def _start(place: Place) -> str:
    _, arn = place.start("r-1")
    return arn


# -- dispatcher


def _new(
    place: Place, *answers: Exception | list[dict[str, str]], message: str = "Task timed out after 9.00 seconds"
) -> Act:
    place.fail("r-1", message)
    place.cluster.answers = list(answers)
    return _message(place)


def _all_slots_taken(place: Place) -> Act:
    place.start("r-0")
    return _new(place)


def _held(place: Place) -> Act:
    _new(place, throttled()).deliver()
    return _message(place)


def _relaunched(place: Place) -> Act:
    arn = _start(place)
    place.stop(arn, "image")
    place.tell(arn)
    return _message(place)


# -- watcher, by event


def _ended(place: Place, *, to: str | None = None) -> Act:
    arn = _start(place)
    place.claim(arn)
    place.finish(arn, RunState.SUCCEEDED)
    place.stop(arn, "returned")
    if to is not None:
        place.set_function(on_success=to)
    return _event(place, arn)


def _raised(place: Place) -> Act:
    arn = _start(place)
    place.claim(arn)
    place.finish(arn, RunState.FAILED, b'{"errorType": "KeyError", "errorMessage": "x"}')
    place.cluster.stop(arn, *_RAISED)
    return _event(place, arn)


def _died(place: Place, how: str, *, claimed: bool = True, attempts: int = 3, exit_code: bool = True) -> Act:
    arn = _start(place)
    if claimed:
        place.claim(arn)
    place.stop(arn, how)
    place.set_function(max_task_attempts=attempts)
    return _event(place, arn) if exit_code else _event(place, arn, containers=[{"name": "runner"}])


def _ended_as_cancelled(place: Place, how: str) -> Act:
    arn = _start(place)
    place.claim(arn)
    place.finish(arn, RunState.CANCELLED)
    place.stop(arn, how)
    return _event(place, arn)


# -- watcher, by schedule


def _never_came(place: Place, *, after: float = 7 * _HOUR) -> Act:
    key = RunKey(place.name, "r-1")
    place.keys.append(key)
    place.ledger().record(key, EVENT, failure=Failure(form="dead_letter"), runs_days=30)
    return _schedule(place, after)


def _unheard(place: Place, begin: Callable[[Place], Act]) -> Act:
    begin(place)
    return _schedule(place)


def _forgotten(place: Place, *, cancelled: bool = False) -> Act:
    arn = _start(place)
    place.claim(arn)
    if cancelled:
        place.finish(arn, RunState.CANCELLED)
    place.cluster.unknown.add(arn)
    return _schedule(place)


def _hangs(place: Place, *, finished: bool) -> Act:
    arn = _start(place)
    place.stuck.add(arn)
    if finished:
        place.claim(arn)
        place.finish(arn, RunState.SUCCEEDED)
    return _schedule(place, 2 * _HOUR)


def _skipped(place: Place) -> Act:
    _new(place, message="KeyError").deliver()
    return _schedule(place)


def _slot_left(place: Place) -> Act:
    arn = _start(place)
    key, _ = place.about(arn)
    place.live(arn)
    place.tell(arn)
    place.slots().take(key, 1, most=1)
    return _schedule(place)


def _cancelled_while_queued(place: Place) -> Act:
    _never_came(place)
    place.ledger().cancel(place.keys[0], 1, "by hand")
    return _schedule(place)


def _of(  # noqa: PLR0913 -- what tells one step from another
    part: str,
    name: str,
    services: str,
    prepare: Callable[[Place], Act],
    *,
    state: RunState = RunState.SUCCEEDED,
    executed: Mapping[int, int] = _ONCE,
    told: str | None = None,
    most: int | None = None,
    spot: bool = False,
    tokens: int = 1,
    only: str | None = None,
    parks: bool = False,
) -> Step:
    succeeded = state is RunState.SUCCEEDED
    end = End(state, max(executed, default=1), (executed,), told or (SUCCESS if succeeded else FAILURE))
    return Step(
        part=part,
        name=name,
        services=frozenset(services.split()),
        prepare=prepare,
        end=lambda _call, _mode, _place: end,
        open=lambda dynamodb, s3, name: Place(dynamodb, s3, name=name, most=most, spot=spot),
        tokens=tokens,
        only=None if only is None else frozenset({only}),
        parks=parks,
    )


DISPATCHER = (
    _of("dispatcher", "a record is launched", "s3 dynamodb ecs", _new),
    _of(
        "dispatcher",
        "a record is launched on demand, for Spot has no capacity",
        "s3 dynamodb ecs",
        lambda place: _new(place, _NO_CAPACITY),
        most=2,
        spot=True,
        tokens=2,
    ),
    _of("dispatcher", "a record is held, for all slots are taken", "s3 dynamodb sqs", _all_slots_taken, most=1),
    _of(
        "dispatcher",
        "a record is held, for ECS throttles",
        "s3 dynamodb ecs sqs",
        lambda place: _new(place, throttled()),
        most=1,
    ),
    _of(
        "dispatcher",
        "a record is held, for ECS does not answer",
        "s3 dynamodb ecs sqs",
        lambda place: _new(place, refused("ServerException", 500)),
    ),
    _of(
        "dispatcher",
        "a record is refused, for a permission is missing",
        "s3 dynamodb ecs",
        lambda place: _new(place, refused("AccessDeniedException", 400)),
    ),
    _of(
        "dispatcher",
        "a record is skipped",
        "s3 dynamodb sqs",
        lambda place: _new(place, message="KeyError"),
        state=RunState.SKIPPED,
        executed={},
        parks=True,
    ),
    _of("dispatcher", "a held record goes on", "dynamodb ecs", _held),
    _of("dispatcher", "a relaunched run goes on", "dynamodb ecs", _relaunched, executed=_UNSTARTED),
)

WATCHER = (
    _of("watcher", "a run succeeded, told to a queue", "dynamodb s3 sqs", _ended),
    _of(
        "watcher",
        "a run succeeded, told to a topic",
        "dynamodb s3 sns",
        partial(_ended, to=TOPIC),
        told=TOPIC,
        only="sns",
    ),
    _of(
        "watcher",
        "a run succeeded, told to a bus",
        "dynamodb s3 events",
        partial(_ended, to=BUS),
        told=BUS,
        only="events",
    ),
    _of(
        "watcher",
        "a run succeeded, told to a function",
        "dynamodb s3 lambda",
        partial(_ended, to=FUNCTION),
        told=FUNCTION,
        only="lambda",
    ),
    _of("watcher", "a handler raised", "dynamodb s3 sqs", _raised, state=RunState.FAILED),
    _of("watcher", "a task was killed", "dynamodb s3 sqs", partial(_died, how="killed"), state=RunState.FAILED),
    _of(
        "watcher",
        "a task was killed, and the event lacks its exit code",
        "dynamodb s3 sqs ecs",
        partial(_died, how="killed", exit_code=False),
        state=RunState.FAILED,
    ),
    _of(
        "watcher",
        "a person stopped a task",
        "dynamodb s3 sqs",
        partial(_died, how="cancelled"),
        state=RunState.CANCELLED,
    ),
    _of("watcher", "Spot took a task", "dynamodb sqs", partial(_died, how="spot"), most=1, executed=_AGAIN),
    _of(
        "watcher",
        "a person stopped a task that ended as cancelled",
        "dynamodb s3 sqs",
        partial(_ended_as_cancelled, how="cancelled"),
        state=RunState.CANCELLED,
        most=1,
    ),
    _of(
        "watcher",
        "Spot took a task that ended as cancelled",
        "dynamodb sqs",
        partial(_ended_as_cancelled, how="spot"),
        executed=_AGAIN,
    ),
    _of(
        "watcher",
        "a task found no capacity at the last attempt",
        "dynamodb sqs",
        partial(_died, how="capacity", claimed=False, attempts=1),
        most=1,
        executed=_UNSTARTED,
    ),
    _of(
        "watcher",
        "an image was not pulled",
        "dynamodb sqs",
        partial(_died, how="image", claimed=False),
        executed=_UNSTARTED,
    ),
    _of(
        "watcher",
        "a host failed at the last attempt",
        "dynamodb s3 sqs",
        partial(_died, how="host", attempts=1),
        state=RunState.FAILED,
    ),
    _of("watcher", "schedule: a record never came", "dynamodb sqs", _never_came),
    _of(
        "watcher",
        "schedule: a record waited for 14 days",
        "dynamodb",
        partial(_never_came, after=15 * _DAY),
        state=RunState.FAILED,
        executed={},
    ),
    _of("watcher", "schedule: no event of a success", "dynamodb ecs s3 sqs", partial(_unheard, begin=_ended)),
    _of(
        "watcher",
        "schedule: no event of a Spot stop",
        "dynamodb ecs sqs",
        partial(_unheard, begin=partial(_died, how="spot")),
        most=1,
        executed=_AGAIN,
    ),
    _of("watcher", "schedule: ECS does not know a task that goes on", "dynamodb ecs sqs", _forgotten, executed=_AGAIN),
    _of(
        "watcher",
        "schedule: ECS does not know a task that ended as cancelled",
        "dynamodb ecs s3 sqs",
        partial(_forgotten, cancelled=True),
        state=RunState.CANCELLED,
    ),
    _of(
        "watcher", "schedule: a task never claims", "dynamodb ecs", partial(_hangs, finished=False), executed=_UNSTARTED
    ),
    _of("watcher", "schedule: a task goes on after its run", "dynamodb ecs", partial(_hangs, finished=True)),
    _of(
        "watcher",
        "schedule: a skipped record",
        "dynamodb s3 sqs",
        _skipped,
        state=RunState.SKIPPED,
        executed={},
        parks=True,
    ),
    _of("watcher", "schedule: a slot is left", "dynamodb", _slot_left, most=1),
    _of(
        "watcher",
        "schedule: cancelled while it was queued",
        "dynamodb s3 sqs",
        _cancelled_while_queued,
        state=RunState.CANCELLED,
        executed={},
    ),
)

STEPS = DISPATCHER + WATCHER
