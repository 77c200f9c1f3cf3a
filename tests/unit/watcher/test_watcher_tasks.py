from __future__ import annotations

from typing import TYPE_CHECKING, cast

import pytest
from botocore.exceptions import ClientError

from overtime.lambdas.watcher.tasks import ClusterUnavailableError, Tasks, is_task_arn

if TYPE_CHECKING:
    from mypy_boto3_ecs import ECSClient

CLUSTER = "arn:aws:ecs:eu-west-1:123456789012:cluster/c"


def arn(number: int) -> str:
    return f"arn:aws:ecs:eu-west-1:123456789012:task/c/{number:032x}"


class Ecs:
    """Knows every task, refuses any call with one of `unreadable`, and tells nothing of `unclear`."""

    def __init__(self, *, unreadable: str = "", unclear: str = "", code: str = "InvalidParameterException") -> None:
        self.unreadable, self.unclear, self.code = unreadable, unclear, code
        self.asked: list[list[str]] = []

    def describe_tasks(self, *, cluster: str, tasks: list[str]) -> dict[str, object]:
        """Describe tasks."""
        assert cluster == CLUSTER
        self.asked.append(tasks)
        if self.unreadable in tasks:
            raise ClientError({"Error": {"Code": self.code, "Message": "no"}}, "DescribeTasks")
        known = [{"taskArn": each} for each in tasks if each != self.unclear]
        failures = [{"arn": each, "reason": "ACCESS"} for each in tasks if each == self.unclear]
        return {"tasks": known, "failures": failures}


def tasks(ecs: Ecs) -> Tasks:
    return Tasks(cast("ECSClient", ecs), CLUSTER)


@pytest.mark.parametrize(
    ("text", "is_one"),
    [
        (arn(1), True),
        ("arn:aws:ecs:eu-west-1:123456789012:task/2f0b9f3e-4d2b-4ccf-a8c4-d454db0ee121", True),
        ("ip-10-42-0-17.eu-west-1.compute.internal", False),
        ("arn:aws:ecs:eu-west-1:123456789012:task/c/17", False),
        ("", False),
    ],
)
def test_only_tasks_are_asked_about(text: str, *, is_one: bool) -> None:
    """Old ARNs had no cluster, and an id of 36 characters; what is none is not sent, and not known."""
    ecs = Ecs()
    told = tasks(ecs).describe([text])
    assert is_task_arn(text) is is_one
    assert ecs.asked == ([[text]] if is_one else [])
    assert (told.task(text) is not None) is is_one


def test_one_that_ecs_cannot_read_does_not_hold_up_the_others() -> None:
    """ECS refuses the whole call and does not say for which: the call is halved until that one is alone."""
    arns = [arn(number) for number in range(150)]
    told = tasks(Ecs(unreadable=arns[42])).describe(arns)
    assert [each for each in arns if each not in told.known] == [arns[42]]
    with pytest.raises(ClusterUnavailableError, match="could not describe its tasks"):
        told.task(arns[42])


def test_one_that_ecs_tells_nothing_of_does_not_hold_up_the_others() -> None:
    """Only MISSING means that a task is gone; any other failure is no answer, about that task alone."""
    told = tasks(Ecs(unclear=arn(1))).describe([arn(1), arn(2)])
    assert told.task(arn(2)) is not None
    with pytest.raises(ClusterUnavailableError, match="ACCESS"):
        told.task(arn(1))


def test_a_cluster_that_does_not_answer_is_not_asked_in_halves() -> None:
    """It is a fault of the call, and nothing is known of any of its tasks."""
    ecs = Ecs(unreadable=arn(1), code="ThrottlingException")
    told = tasks(ecs).describe([arn(1), arn(2)])
    assert len(ecs.asked) == 1
    assert set(told.untold) == {arn(1), arn(2)}
