"""A function's own role may write its runs' items: what it writes there touches none of another function's runs."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from overtime.contract.runs import RunKey, RunState, slots_key
from overtime.lambdas.watcher.reconcile import reconcile
from overtime.lambdas.watcher.tasks import Tasks
from overtime.ledger.run import UnreadableItemError
from tests.doubles.world import FAILURE, SUCCESS, World

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.type_defs import AttributeValueTypeDef

    from tests.doubles.ecs import Cluster

HOUR = 3_600


def written(world: World, key: RunKey | str, **attributes: AttributeValueTypeDef) -> None:
    """Write attributes of an item as its function's handler might, also such as the ledger never writes."""
    for name, value in attributes.items():
        world.dynamodb.update_item(
            TableName="runs",
            Key={"run_key": {"S": str(key)}},
            UpdateExpression="SET #a = :a",
            ExpressionAttributeNames={"#a": name},
            ExpressionAttributeValues={":a": value},
        )


def looked_after(world: World, after: float = 1_200) -> list[str]:
    """Reconcile, which nothing unreadable counts against, and name what could not be handled."""
    world.now += after
    told: list[str] = []
    assert reconcile(world.watcher(), None, lambda key, _: told.append(key)).faults == 0
    return told


def test_an_item_that_says_it_is_another_functions_is_told_as_its_own(world: World) -> None:
    """The victim's run stays open, nothing of it is told, and the record is about the liar alone."""
    victim, task = world.start("r-victim")
    world.claim(task)
    liar, lies = world.start("r-liar")
    world.claim(lies)
    world.finish(lies, RunState.SUCCEEDED, b'"forged"')
    world.stop(lies, "returned")
    written(world, liar, function_name={"S": victim.function_name}, request_id={"S": victim.request_id})
    before = world.run(victim)
    assert looked_after(world) == []
    assert world.run(victim) == before
    (sent,) = world.told(SUCCESS)
    assert "r-liar" in json.dumps(sent["requestContext"])
    assert world.run(liar).settled_at is not None


@pytest.mark.parametrize("state", [RunState.SUCCEEDED, RunState.LAUNCHING])
def test_a_task_that_was_started_for_another_run_is_not_stopped(world: World, state: RunState) -> None:
    """Neither for a run that says it has ended, nor for one that says it never claimed."""
    victim, task = world.start("r-victim")
    world.claim(task)
    liar, own = world.start("r-liar")
    written(world, liar, task_arn={"S": task}, state={"S": state.value})
    looked_after(world, after=2 * HOUR)
    assert task in world.cluster.alive()
    assert world.run(victim).state is RunState.RUNNING
    assert world.cluster.tasks[own]["lastStatus"] == "RUNNING", "nobody stopped a task at all"
    told = world.run(liar)
    assert told.settled_at is not None or told.attempt == 2, "its own task is not known, and it does not wait for that"


def test_a_task_is_stopped_only_for_the_run_and_attempt_that_it_was_started_for(world: World) -> None:
    """Whoever asks: the last look before StopTask is at the task's own override, and at its cluster."""
    key, arn = world.start()
    task, other = world.cluster.tasks[arn], RunKey("report", "r-2")
    tasks = world.watcher().tasks
    tasks.stop(task, other, 1, "r")
    tasks.stop(task, key, 2, "r")
    tasks.stop({**task, "overrides": {}}, key, 1, "r")
    tasks.stop({**task, "taskArn": arn.replace("task/c/", "task/elsewhere/")}, key, 1, "r")
    assert world.cluster.alive() == [arn]
    tasks.stop(task, key, 1, "r")
    assert world.cluster.alive() == []


def test_no_task_of_another_cluster_account_or_region_is_asked_about(world: World) -> None:
    """ECS refuses a call that names one, and it is no run's of this stack."""
    _, arn = world.start()
    for ours, other in (
        ("task/c/", "task/elsewhere/"),
        (":123456789012:", ":210987654321:"),
        ("eu-west-1", "eu-west-2"),
    ):
        lie = arn.replace(ours, other)
        asked = Asked(world.cluster)
        described = Tasks(asked, world.dispatcher().config.run_task["cluster"]).describe([lie, arn])  # type: ignore[arg-type]
        assert (asked.arns, described.task(lie)) == ([arn], None)


class Asked:
    """ECS, which notes what it is asked about."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster, self.arns = cluster, list[str]()

    def describe_tasks(self, *, cluster: str, tasks: list[str]) -> dict[str, object]:
        """Describe tasks."""
        self.arns += tasks
        return self.cluster.describe_tasks(cluster=cluster, tasks=tasks)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("state", {"S": "done"}),
        ("attempt", {"N": "-5"}),
        ("attempt", {"N": "1" + 37 * "0"}),
        ("updated_at", {"S": "2026-01-02T03:04:05"}),
        ("updated_at", {"L": []}),
        ("result_size", {"N": "-1"}),
        ("task_arn", {"S": 100_000 * "x"}),
        ("expires_at", {"S": "never"}),
        ("turn", {"N": "-1"}),
        ("history", {"S": "x"}),
    ],
)
def test_a_malformed_item_costs_itself_and_a_metric(world: World, name: str, value: AttributeValueTypeDef) -> None:
    """The round goes on and does not fail, the other run is closed, and the metric counts the one item."""
    bad, _ = world.start("r-bad")
    good, task = world.start("r-good")
    world.claim(task)
    world.stop(task, "memory")
    written(world, bad, **{name: value})
    assert looked_after(world, after=0) == [str(bad)]
    assert world.run(good).settled_at is not None
    assert world.figures.counted["ItemsUnreadable"] == 1


def test_an_item_without_a_runs_key_costs_itself(world: World) -> None:
    """Whatever its key is called."""
    for key in ("report/no such id", "report", "/", "report/r/1"):
        written(world, key, open={"S": "report"})
    good, task = world.start("r-good")
    world.claim(task)
    world.stop(task, "memory")
    assert len(looked_after(world, after=0)) == 4
    assert (world.run(good).state, world.figures.counted["ItemsUnreadable"]) == (RunState.FAILED, 4)


def test_a_defect_that_one_item_brings_out_costs_itself(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not only what was thought of: any error of one item is reported, and the others are looked after."""
    bad, _ = world.start("r-bad")
    good, task = world.start("r-good")
    world.claim(task)
    world.stop(task, "memory")
    watcher = world.watcher()
    get = watcher.ledger.get

    def defect(key: RunKey) -> object:
        return get(key) if key == good else 1 // 0

    monkeypatch.setattr(watcher.ledger, "get", defect)
    told: list[str] = []
    assert reconcile(watcher, None, lambda key, _: told.append(key)).faults == 1
    monkeypatch.undo()
    assert (told, world.run(good).state) == ([str(bad)], RunState.FAILED)


def test_a_stopped_tasks_slot_is_given_back_whatever_its_runs_item_says(dynamodb: object, s3: object) -> None:
    """ECS says that it has stopped; the event is not tried again, for that would not make the item readable."""
    world = World(dynamodb, s3, most=1)  # type: ignore[arg-type]
    bad, task = world.start("r-bad")
    world.stop(task, "returned")
    written(world, bad, state={"S": "done"})
    with pytest.raises(UnreadableItemError):
        world.tell(task)
    assert world.slots().held("report") == {}
    assert world.figures.counted["ItemsUnreadable"] == 1


def test_a_slot_of_an_unreadable_run_is_free_when_its_task_must_have_ended(dynamodb: object, s3: object) -> None:
    """Its neighbour's slot does not wait for it."""
    world = World(dynamodb, s3, most=5)  # type: ignore[arg-type]
    bad, _ = world.start("r-bad")
    gone, task = world.start("r-gone")
    world.claim(task)
    world.finish(task, RunState.SUCCEEDED)
    world.stop(task, "returned")
    world.tell(task)
    world.slots().take(gone, 1, most=5)
    written(world, bad, state={"S": "done"})
    looked_after(world)
    assert list(world.slots().held("report")) == [(bad, 1)]
    looked_after(world, after=15 * 24 * HOUR)
    assert world.slots().held("report") == {}


def test_what_stands_among_the_slots_and_is_no_tasks_is_freed(dynamodb: object, s3: object) -> None:
    """It would take a place of the function's for ever; the slots beside it stay."""
    world = World(dynamodb, s3, most=9)  # type: ignore[arg-type]
    key, _ = world.start()
    taken: AttributeValueTypeDef = {"N": "1"}
    garbage = {"": taken, "r-1": taken, "r-1/one": taken, "r_1/1": taken, "r-1/01": taken, "r-1/2": {"S": "x"}}
    held = world.dynamodb.get_item(TableName="runs", Key={"run_key": {"S": slots_key("report")}})["Item"]["held"]["M"]
    written(
        world, slots_key("report"), held={"M": {**held, **{name: value for name, value in garbage.items() if name}}}
    )
    assert list(world.slots().held("report")) == [(key, 1)]
    assert looked_after(world, after=60) == []
    item = world.dynamodb.get_item(TableName="runs", Key={"run_key": {"S": slots_key("report")}})["Item"]
    assert item["held"]["M"] == held
    assert world.figures.counted["ItemsUnreadable"] == 5
    [(said_of, error)] = world.faults  # what the alarm's query shows
    assert (said_of, str(error)[:16]) == (slots_key("report"), "5 of the slots o")


@pytest.mark.parametrize("result", [b"", b"x" * 5_000_000])
def test_a_result_that_was_replaced_is_not_read_for_the_runs(world: World, result: bytes) -> None:
    """The function's role may put any object there; one of another size is left out, and is never read as a whole."""
    key, task = world.start()
    world.claim(task)
    world.finish(task, RunState.SUCCEEDED, b'"the result"')
    world.s3.put_object(Bucket="runs-objects", Key=key.result_object(1), Body=result)
    world.stop(task, "returned")
    world.tell(task)
    (sent,) = world.told(SUCCESS)
    assert (sent["requestPayload"], sent["responsePayload"]) == ({"report": "sales", "rows": 1.0}, None)


def test_an_end_that_its_own_role_forged_is_told_with_its_own_event(world: World) -> None:
    """A hostile handler can lie about its own run, and about no other's."""
    key, task = world.start("r-liar")
    written(world, key, state={"S": "failed"}, reason={"S": "\x1b[31m\n\u2028lie"}, error_type={"S": '"},{"'})
    world.stop(task, "returned")
    world.tell(task)
    (sent,) = world.told(FAILURE)
    assert sent["requestPayload"] == {"report": "sales", "rows": 1.0}
    assert json.loads(json.dumps(sent["responsePayload"]))["errorType"] == '"},{"'
    assert world.run(key).key == key
