"""One cell of the matrix: a step, a call in it and what happens there; and what must be true when all is over."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from overtime.contract.runs import RunState
from tests.doubles.sqs import PARKING
from tests.faults.wire import Mode, Wire

if TYPE_CHECKING:
    from overtime.contract.runs import RunKey
    from tests.faults.place import Place
    from tests.faults.steps import Act, End, Step
    from tests.faults.wire import Call


@dataclass(frozen=True)
class Cell:
    """What goes wrong where."""

    step: Step
    call: Call
    mode: Mode

    @property
    def name(self) -> str:
        """For people who look for a failed cell."""
        return f"{self.step.title} | {self.mode} {self.call[0]} {self.call[1]}"


def discovered(step: Step, place: Place) -> tuple[list[Call], list[Cell]]:
    """Run a step with nothing wrong; return its calls, and what can go wrong at them.

    The schedule is never late, for it only comes again.
    """
    wire = Wire()
    act = step.prepare(place)
    _due(place, act)
    act.deliver(wire=wire)
    modes = [mode for mode in Mode if mode is not Mode.LATE or act.message or act.task]
    wanted = [call for call in wire.seen if step.only is None or call[0].partition(":")[0] in step.only]
    return wire.seen, [Cell(step, call, mode) for call in wanted for mode in modes]


def played(cell: Cell, place: Place) -> list[str]:
    """Play a cell until nothing changes any more, and return which promises were broken."""
    act = cell.step.prepare(place)
    wire = Wire(cell.call, cell.mode)
    wire.meanwhile = (act.twin or act.deliver) if cell.mode is Mode.DUPLICATE else (act.freeze or place.settle)
    if cell.mode is Mode.LATE:
        _hide(place, act)
        act.deliver(wire=wire)
        place.settle()
        _due(place, act)
        act.deliver()
    else:
        _due(place, act)
        act.deliver(wire=wire)
    assert wire.tripped, f"the call never came: {cell.name}"
    place.settle()
    before = _all(place)
    place.settle()
    end = cell.step.end(cell.call, cell.mode, place)
    return broken(cell.step, end, place) + ([] if _all(place) == before else ["something still changes"])


def broken(step: Step, end: End, place: Place) -> list[str]:
    """Name the promises that do not hold."""
    found = [f"a task ended a run that was not its own: {arn}" for arn in place.intruders]
    if place.cluster.most_twins > step.tokens:
        found.append(f"{place.cluster.most_twins} tasks of one attempt were alive at once")
    for (key, attempt), count in place.executed.items():
        if count > 1:
            found.append(f"the handler of {key} ran {count} times in attempt {attempt}")
    parked = place.queues.sent.get(PARKING, [])
    if bool(parked) != step.parks:
        found.append(f"{len(parked)} messages are parked")
    if place.cluster.alive():
        found.append(f"tasks are left: {place.cluster.alive()}")
    if place.slots().held(place.name):
        found.append("slots are left")
    for key in place.keys:
        found += _of_run(end, place, key)
    return found


def _of_run(end: End, place: Place, key: RunKey) -> list[str]:
    run = place.ledger().get(key)
    if run is None or run.settled_at is None:
        return [f"the run {key} is lost: {run.state if run else 'never recorded'}"]
    found = []
    if (run.state, run.attempt) != (end.state, end.attempt):
        found.append(f"the run {key} is {run.state} at attempt {run.attempt}: {run.reason}")
    if run.state is not RunState.SUCCEEDED and not (run.reason or run.exit_code is not None):
        found.append(f"nothing says why {key} is {run.state}")
    executed = {attempt: count for (of, attempt), count in place.executed.items() if of == key}
    if executed not in end.executed:
        found.append(f"attempts of {key} ran the handler {executed}")
    heard = [(arn, name, record) for arn, name, record in place.sent() if key.request_id in str(record)]
    if {arn for arn, _, _ in heard} != {end.told}:
        found.append(f"told of {key}: {[arn for arn, _, _ in heard]}")
    for _, name, record in heard:
        context = record["requestContext"]
        assert isinstance(context, dict)
        if (name or str(key), context["requestId"]) != (str(key), key.request_id):
            found.append(f"a record of {key} names {name} and {context['requestId']}")
    return found


def _all(place: Place) -> object:
    runs = [place.ledger().get(key) for key in place.keys]
    return runs, sorted(place.cluster.tasks), len(place.sent()), len(place.waiting())


def _hide(place: Place, act: Act) -> None:
    if act.message is not None:
        place.waiting().remove(act.message)
        place.hidden.append(act.message)


def _due(place: Place, act: Act) -> None:
    if act.message in place.hidden and act.message is not None:
        place.hidden.remove(act.message)
        place.waiting().append(act.message)
    place.untold.discard(act.task or "")
