from __future__ import annotations

from typing import TYPE_CHECKING, cast

import pytest

from overtime.lambdas.watcher.tasks import ClusterUnavailableError, Tasks, is_task_arn
from tests.doubles.ecs import CLUSTER_ARN, Cluster, task_arn
from tests.doubles.refusals import refused, throttled

if TYPE_CHECKING:
    from mypy_boto3_ecs import ECSClient


def cluster(*arns: str) -> Cluster:
    made = Cluster()
    made.tasks = {arn: {"taskArn": arn} for arn in arns}
    return made


def tasks(ecs: Cluster) -> Tasks:
    return Tasks(cast("ECSClient", ecs), CLUSTER_ARN)


@pytest.mark.parametrize(
    ("text", "is_one"),
    [
        (task_arn(1), True),
        ("arn:aws:ecs:eu-west-1:123456789012:task/2f0b9f3e-4d2b-4ccf-a8c4-d454db0ee121", True),
        ("ip-10-42-0-17.eu-west-1.compute.internal", False),
        ("arn:aws:ecs:eu-west-1:123456789012:task/c/17", False),
        ("", False),
    ],
)
def test_only_tasks_are_asked_about(text: str, *, is_one: bool) -> None:
    """Old ARNs had no cluster, and an id of 36 characters; what is none is not sent, and not known."""
    ecs = cluster(text)
    told = tasks(ecs).describe([text])
    assert is_task_arn(text) is is_one
    assert ecs.described == ([[text]] if is_one else [])
    assert (told.task(text) is not None) is is_one


def test_one_that_ecs_cannot_read_does_not_hold_up_the_others() -> None:
    """ECS refuses the whole call and does not say for which: the call is halved until that one is alone."""
    arns = [task_arn(number) for number in range(150)]
    ecs = cluster(*arns)
    ecs.undescribed = {arns[42]: refused("InvalidParameterException", call="DescribeTasks")}
    told = tasks(ecs).describe(arns)
    assert [each for each in arns if each not in told.known] == [arns[42]]
    with pytest.raises(ClusterUnavailableError, match="could not describe its tasks"):
        told.task(arns[42])


def test_one_that_ecs_tells_nothing_of_does_not_hold_up_the_others() -> None:
    """Only MISSING means that a task is gone; any other failure is no answer, about that task alone."""
    ecs = cluster(task_arn(1), task_arn(2))
    ecs.undescribed = {task_arn(1): "ACCESS"}
    told = tasks(ecs).describe([task_arn(1), task_arn(2)])
    assert told.task(task_arn(2)) is not None
    with pytest.raises(ClusterUnavailableError, match="ACCESS"):
        told.task(task_arn(1))


def test_a_cluster_that_does_not_answer_is_not_asked_in_halves() -> None:
    """It is a fault of the call, and nothing is known of any of its tasks."""
    ecs = cluster(task_arn(1), task_arn(2))
    ecs.undescribed = {task_arn(1): throttled()}
    told = tasks(ecs).describe([task_arn(1), task_arn(2)])
    assert len(ecs.described) == 1
    assert set(told.untold) == {task_arn(1), task_arn(2)}
