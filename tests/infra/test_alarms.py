from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest

from components import alarm_definitions
from components.archives import SOURCES

if TYPE_CHECKING:
    from tests.infra.conftest import Deploy
    from tests.infra.recording import Recorder

TOPIC = "arn:aws:sns:eu-west-1:123456789012:overtime-alarms-topic-0a1b2c3"
ON_CALL = ["arn:aws:sns:eu-west-1:123456789012:on-call", "arn:aws:lambda:eu-west-1:123456789012:function:page"]


def every_alarm() -> list[alarm_definitions.Alarm]:
    of_function = alarm_definitions.of_function("report", queue_name="q", parking_name="p", longest_run=3600)
    return [*of_function, *alarm_definitions.of_watcher("watcher", dead_letters_name="d")]


def test_what_raises_an_alarm() -> None:
    """Each alarm looks at one figure of AWS's or our own, and is raised by more than a bound."""
    looked_at = {
        each.name: (each.namespace, each.metric, dict(each.dimensions), each.statistic, each.threshold)
        for each in every_alarm()
    }
    visible, age = "ApproximateNumberOfMessagesVisible", "ApproximateAgeOfOldestMessage"
    assert looked_at == {
        "report-parked": ("AWS/SQS", visible, {"QueueName": "p"}, "Maximum", 0),
        "report-waiting": ("AWS/SQS", age, {"QueueName": "q"}, "Maximum", 600),
        "report-lost": ("AWS/Lambda", "DeadLetterErrors", {"FunctionName": "report"}, "Sum", 0),
        "report-long-run": (
            "overtime",
            "RunAge",
            {"function_name": "report", "service": "watcher"},
            "Maximum",
            3600,
        ),
        "watcher-failing": ("AWS/Lambda", "Errors", {"FunctionName": "watcher"}, "Sum", 0),
        "watcher-dead-letters": ("AWS/SQS", visible, {"QueueName": "d"}, "Maximum", 0),
    }


def test_one_failure_of_the_watcher_is_none() -> None:
    """The watcher is tried again; only failing in two of three periods is an alarm."""
    assert {each.key: (each.datapoints_to_alarm, each.evaluation_periods) for each in every_alarm()} == {
        "parked": (1, 1),
        "waiting": (1, 1),
        "lost": (1, 1),
        "long-run": (1, 1),
        "watcher-failing": (2, 3),
        "watcher-dead-letters": (1, 1),
    }


def test_a_record_that_waits_is_noticed_before_sqs_hides_it(deploy: Deploy, recorder: Recorder) -> None:
    """SQS leaves a message out of the age from its third delivery on: the bound lies between second and third."""
    deploy()

    hidden = recorder.inputs("Queue", "report-queue")["visibilityTimeoutSeconds"]
    assert hidden < alarm_definitions.OLDEST_SECONDS < 2 * hidden


def test_the_manual_has_each_alarm() -> None:
    """What an alarm says leads to a section of the manual that says what to do."""
    manual = (SOURCES / alarm_definitions.MANUAL).read_text(encoding="utf-8")
    headings = set(re.findall(r"^### `([a-z-]+)`", manual, flags=re.MULTILINE))
    assert headings == {each.key for each in every_alarm()}
    for alarm in every_alarm():
        assert alarm.description.endswith(f"What to do: docs/operating.md, {alarm.key}.")


def test_alarm(deploy: Deploy, recorder: Recorder) -> None:
    """An alarm has a name that tells the function, tells people when it begins and ends, and is quiet without data."""
    deploy({"report": {"alarms": {"longest_run": "6h"}}})

    assert recorder.inputs("MetricAlarm", "overtime-alarms-report-long-run") == {
        "name": "overtime-test-report-long-run",
        "alarmDescription": (
            "A run of the function is at work for longer than 21600 seconds. What to do: docs/operating.md, long-run."
        ),
        "namespace": "overtime",
        "metricName": "RunAge",
        "dimensions": {"function_name": "overtime-test-report", "service": "watcher"},
        "statistic": "Maximum",
        "comparisonOperator": "GreaterThanThreshold",
        "threshold": 21600,
        "period": 300,
        "evaluationPeriods": 1,
        "datapointsToAlarm": 1,
        "treatMissingData": "notBreaching",
        "alarmActions": [TOPIC],
        "okActions": [TOPIC],
    }


def names_of(recorder: Recorder) -> set[str]:
    return {each.inputs["name"] for each in recorder.all("MetricAlarm")}


def test_alarms_of_a_stack(deploy: Deploy, recorder: Recorder) -> None:
    """Four alarms a function, one less where no run is too long, two for the watcher; on their own queues."""
    deploy({"report": {}, "sums": {"alarms": {"longest_run": None}}})

    assert names_of(recorder) == {
        *(f"overtime-test-report-{noun}" for noun in ("parked", "waiting", "lost", "long-run")),
        *(f"overtime-test-sums-{noun}" for noun in ("parked", "waiting", "lost")),
        *(f"overtime-test-watcher-{noun}" for noun in ("failing", "dead-letters")),
    }
    queues = {
        each.name: each.inputs["dimensions"]["QueueName"]
        for each in recorder.all("MetricAlarm")
        if each.inputs["namespace"] == "AWS/SQS"
    }
    assert queues == {
        "overtime-alarms-report-parked": "report-parking-0a1b2c3",
        "overtime-alarms-report-waiting": "report-queue-0a1b2c3",
        "overtime-alarms-sums-parked": "sums-parking-0a1b2c3",
        "overtime-alarms-sums-waiting": "sums-queue-0a1b2c3",
        "overtime-alarms-watcher-dead-letters": "overtime-watcher-dead-letters-0a1b2c3",
    }


def test_given_actions(deploy: Deploy, recorder: Recorder) -> None:
    """Who is given is told, and no topic is made."""
    outputs = deploy(alarms={"action_arns": ON_CALL})

    assert [each.inputs["alarmActions"] for each in recorder.all("MetricAlarm")] == [ON_CALL] * 6
    assert recorder.all("Topic") + recorder.all("TopicPolicy") == []
    assert "alarm_topic_arn" not in outputs


def test_what_opens_something_is_not_told_that_all_is_well(deploy: Deploy, recorder: Recorder) -> None:
    """The end of an alarm is told to topics and functions; an OpsItem or an incident would be opened by it."""
    opened = [
        "arn:aws:ssm:eu-west-1:123456789012:opsitem:3",
        "arn:aws:ssm-incidents::123456789012:response-plan/runs",
    ]
    deploy(alarms={"action_arns": [opened[0], *ON_CALL, opened[1]]})

    for each in recorder.all("MetricAlarm"):
        assert each.inputs["alarmActions"] == [opened[0], *ON_CALL, opened[1]]
        assert each.inputs["okActions"] == ON_CALL


@pytest.mark.parametrize("more", [{}, {"action_arns": ON_CALL}])
def test_no_alarms(more: dict[str, Any], deploy: Deploy, recorder: Recorder) -> None:
    """Switched off there are none, and no topic."""
    outputs = deploy(alarms={"enabled": False, **more})

    assert recorder.all("MetricAlarm") + recorder.all("Topic") == []
    assert "alarm_topic_arn" not in outputs
