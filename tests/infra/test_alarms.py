from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from overtime.components import function_alarms, watcher_alarms
from overtime.components.alarm_text import LONGEST_DESCRIPTION, MANUAL, Place, description
from overtime.components.archives import SOURCES
from overtime.settings.names import LONGEST_FUNCTION_NAME

if TYPE_CHECKING:
    from overtime.components.alarm import Alarm
    from tests.infra.conftest import Deploy
    from tests.infra.recording import Recorder

TOPIC = "arn:aws:sns:eu-west-1:123456789012:overtime-alarms-topic-0a1b2c3"
DEFAULT = 9
"""Alarms of a function with default settings."""
OF_WATCHER = 5
ON_CALL = ["arn:aws:sns:eu-west-1:123456789012:on-call", "arn:aws:lambda:eu-west-1:123456789012:function:page"]


HERE = Place(partition="aws", region="eu-west-1", dashboard_name="overtime-test", manual_url=None)


def of_function(name: str = "report", *, longest_run: int | None = 3600, watcher_name: str = "watcher") -> list[Alarm]:
    return function_alarms.of_function(
        name,
        queue_name="q",
        watcher_name=watcher_name,
        longest_run=longest_run,
        longest_wait=7200,
        has_destinations=True,
        skipped=True,
    )


def every_alarm() -> list[Alarm]:
    return [*of_function(), *watcher_alarms.of_watcher("watcher", dead_letters_name="d")]


def test_what_raises_an_alarm() -> None:
    """Each alarm looks at one figure of AWS's or our own, and is raised by more than a bound."""
    looked_at = {
        each.name: (
            each.watched.namespace,
            each.watched.name,
            dict(each.watched.dimensions),
            each.statistic,
            each.threshold,
        )
        for each in every_alarm()
    }
    age, days = "ApproximateAgeOfOldestMessage", 86_400
    watcher = {"function_name": "report", "service": "watcher"}
    dispatcher = {"function_name": "report", "service": "dispatcher"}
    itself = {"function_name": "watcher", "service": "watcher"}
    assert looked_at == {
        "report-failed": ("overtime", "RunsFailed", watcher, "Sum", 0),
        "report-platform-failed": ("overtime", "RunsFailedByPlatform", watcher, "Sum", 0),
        "report-parked": ("overtime", "RunsParked", dispatcher, "Sum", 0),
        "report-skipped": ("overtime", "RunsSkipped", dispatcher, "Sum", 0),
        "report-expiring": ("overtime", "OldestParked", watcher, "Maximum", 11 * days),
        "report-waiting": ("AWS/SQS", age, {"QueueName": "q"}, "Maximum", 600),
        "report-lost": ("AWS/Lambda", "DeadLetterErrors", {"FunctionName": "report"}, "Sum", 0),
        "report-undelivered": ("overtime", "DestinationDeliveryFailures", watcher, "Sum", 0),
        "report-long-run": ("overtime", "RunAge", watcher, "Maximum", 3600),
        "report-long-wait": ("overtime", "LongestWait", watcher, "Maximum", 7200),
        "watcher-silent": ("overtime", "RunsLeft", itself, "SampleCount", 1),
        "watcher-failing": ("AWS/Lambda", "Errors", {"FunctionName": "watcher"}, "Sum", 0),
        "watcher-behind": ("overtime", "RunsLeft", itself, "Minimum", 0),
        "watcher-dead-letters": ("AWS/SQS", "NumberOfMessagesSent", {"QueueName": "d"}, "Sum", 0),
        "watcher-unreadable": ("overtime", "ItemsUnreadable", itself, "Sum", 0),
    }


def test_what_happens_once_is_an_alarm_except_where_it_is_made_good() -> None:
    """The watcher comes again every five minutes: only failing twice, or leaving runs over three times, is one."""
    often = {each.key: (each.datapoints_to_alarm, each.evaluation_periods) for each in every_alarm()}
    assert {key: counts for key, counts in often.items() if counts != (1, 1)} == {
        "watcher-silent": (2, 3),
        "watcher-failing": (2, 3),
        "watcher-behind": (3, 3),
    }


def test_only_silence_is_raised_by_missing_data() -> None:
    """Queues and functions that nobody uses have no figures at all; the watcher's round always has one."""
    assert [each.key for each in every_alarm() if each.missing == "breaching"] == ["watcher-silent"]
    assert [each.key for each in every_alarm() if each.comparison == "LessThanThreshold"] == ["watcher-silent"]


def test_a_record_that_waits_is_noticed_before_sqs_hides_it(deploy: Deploy, recorder: Recorder) -> None:
    """SQS leaves a message out of the age from its third delivery on: the bound lies between second and third."""
    deploy()

    hidden = recorder.inputs("Queue", "report-queue")["visibilityTimeoutSeconds"]
    assert hidden < function_alarms.OLDEST_SECONDS < 2 * hidden


def test_the_manual_has_each_alarm() -> None:
    """What an alarm says leads to a section of the manual that says what to do."""
    manual = (SOURCES / MANUAL).read_text(encoding="utf-8")
    headings = re.findall(r"^### `([a-z-]+)`$", manual, flags=re.MULTILINE)
    assert sorted(headings) == sorted(each.key for each in every_alarm())


def test_what_an_alarm_says() -> None:
    """Whose it is, what it means, and links that work from a mail: manual, dashboard, and a query of the right log."""
    alarm = next(each for each in every_alarm() if each.key == "long-run")
    url = "https://wiki.example.com/operating"
    console = "https://eu-west-1.console.aws.amazon.com/cloudwatch/home?region=eu-west-1"
    assert description(alarm, replace(HERE, manual_url=url)).splitlines() == [
        "report: A run has been running for more than 1h.",
        f"What to do: {url}#long-run",
        f"Dashboard: {console}#dashboards/dashboard/overtime-test",
        (
            f"Logs: {console}#logsV2:logs-insights$3FqueryDetail$3D~(end~0~start~-10800~timeType~'RELATIVE"
            "~unit~'seconds~editorString~'fields*20*40timestamp*2c*20*40logStream*2c*20*40message*20*7c*20sort*20*40timestamp*20desc*20*7c"
            "*20limit*20200~source~(~'*2faws*2flambda*2freport))"
        ),
    ]
    assert "What to do: docs/operating.md#long-run" in description(alarm, HERE)
    assert "Dashboard" not in description(alarm, replace(HERE, dashboard_name=None))


def test_where_it_says_why_a_task_never_began() -> None:
    """Such a task has no log, and the dispatcher is long done: the watcher's log is asked as well."""
    asked = {each.key: each.question for each in of_function()}
    launches = ("/aws/lambda/report-dispatcher", "/aws/lambda/watcher")
    assert (asked["parked"][0], asked["long-wait"][0]) == (launches, launches)
    assert asked["platform-failed"][0] == ("/aws/lambda/report", "/aws/lambda/watcher")
    assert all("reason" in asked[key][1] for key in ("parked", "long-wait", "platform-failed"))
    long_wait = next(each for each in of_function() if each.key == "long-wait")
    sources = "~source~(~'*2faws*2flambda*2freport-dispatcher~'*2faws*2flambda*2fwatcher))"
    assert description(long_wait, HERE).endswith(sources)


@pytest.mark.parametrize(
    ("partition", "region", "start"),
    [
        ("aws-cn", "cn-north-1", "https://cn-north-1.console.amazonaws.cn/cloudwatch/home?region=cn-north-1#"),
        ("aws-us-gov", "us-gov-west-1", "https://us-gov-west-1.console.amazonaws-us-gov.com/cloudwatch/home?region="),
        ("aws-iso", "us-iso-east-1", None),
    ],
)
def test_the_console_of_another_partition(partition: str, region: str, start: str | None) -> None:
    """Where the internet knows of no console there are no links to it."""
    place = replace(HERE, partition=partition, region=region)
    for alarm in every_alarm():
        links = [line.partition(": ")[2] for line in description(alarm, place).splitlines()[2:]]
        assert [link.startswith(start or "") for link in links] == [True, True] * (start is not None)


def test_the_longest_description_fits() -> None:
    """CloudWatch takes 1,024 characters: the longest names, region and manual that settings allow, and all alarms."""
    longest = "f" * LONGEST_FUNCTION_NAME
    place = Place(
        partition="aws-us-gov",
        region="ap-southeast-99",
        dashboard_name=longest,
        manual_url="https://wiki.example.com/".ljust(200, "x"),
    )
    alarms = [
        *of_function(longest, longest_run=13 * 86_400 + 86_399, watcher_name=longest),
        *watcher_alarms.of_watcher(longest, dead_letters_name="d"),
    ]
    told = {each.key: description(each, place) for each in alarms}
    assert max(map(len, told.values())) <= LONGEST_DESCRIPTION
    without = {key for key, text in told.items() if "\nDashboard: " not in text}
    assert without == {"platform-failed", "parked", "long-wait"}  # whose query has two logs: there is no room for it
    assert all("\nLogs: " in text for text in told.values())


def test_alarm(deploy: Deploy, recorder: Recorder) -> None:
    """An alarm has a name that tells the function, tells people when it begins and ends, and is quiet without data."""
    deploy({"report": {"alarms": {"longest_run": "6h"}}}, alarms={"manual_url": "https://wiki.example.com/o"})

    told = recorder.inputs("MetricAlarm", "overtime-alarms-report-long-run").pop("alarmDescription")
    assert told.startswith(
        "overtime-test-report: A run has been running for more than 6h.\n"
        "What to do: https://wiki.example.com/o#long-run\n"
        "Dashboard: https://eu-west-1.console.aws.amazon.com/cloudwatch/home?region=eu-west-1#dashboards/dashboard/overtime-test\n"
    )
    assert told.endswith("~source~(~'*2faws*2flambda*2fovertime-test-report))")
    assert recorder.inputs("MetricAlarm", "overtime-alarms-report-long-run") == {
        "name": "overtime-test-report-long-run",
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
    """Those whose bound is null, that are switched off, or that nothing could raise are not there."""
    deploy(
        {
            "report": {"destinations": {"on_failure": ON_CALL[0]}},
            "sums": {"alarms": {"longest_run": None, "longest_wait": None}},
        },
        alarms={"skipped": False},
    )

    always = ("failed", "platform-failed", "parked", "expiring", "waiting", "lost")
    assert names_of(recorder) == {
        *(f"overtime-test-report-{noun}" for noun in (*always, "undelivered", "long-run", "long-wait")),
        *(f"overtime-test-sums-{noun}" for noun in always),
        *(f"overtime-test-watcher-{noun}" for noun in ("silent", "failing", "behind", "dead-letters", "unreadable")),
    }
    queues = {
        each.name: each.inputs["dimensions"]["QueueName"]
        for each in recorder.all("MetricAlarm")
        if each.inputs["namespace"] == "AWS/SQS"
    }
    assert queues == {
        "overtime-alarms-report-waiting": "report-queue-0a1b2c3",
        "overtime-alarms-sums-waiting": "sums-queue-0a1b2c3",
        "overtime-alarms-watcher-dead-letters": "overtime-watcher-dead-letters-0a1b2c3",
    }


def test_given_actions(deploy: Deploy, recorder: Recorder) -> None:
    """Who is given is told, and no topic is made."""
    outputs = deploy(alarms={"action_arns": ON_CALL})

    assert [each.inputs["alarmActions"] for each in recorder.all("MetricAlarm")] == [ON_CALL] * (DEFAULT + OF_WATCHER)
    assert recorder.all("Topic") + recorder.all("TopicPolicy") == []
    assert "alarm_topic_arn" not in outputs


def test_the_costs_name_the_number_of_alarms(deploy: Deploy, recorder: Recorder) -> None:
    """Each costs 10 cents a month, beyond the account's first ten."""
    deploy()

    of_stack = len([each for each in recorder.all("MetricAlarm") if "watcher" in each.name])
    assert len(recorder.all("MetricAlarm")) == DEFAULT + of_stack
    said = f"{DEFAULT} a function ({DEFAULT + 1} with destinations) and {of_stack} for the watcher"
    readme = (SOURCES / "README.md").read_text(encoding="utf-8")
    assert said in readme
    assert f"then ${(DEFAULT + of_stack) / 10:.2f} for one function and {10 * DEFAULT} cents for each other" in readme


def test_what_can_wait_is_told_to_others(deploy: Deploy, recorder: Recorder) -> None:
    """A ticket is enough for an exception that nobody named, and for what has days left."""
    tickets = ["arn:aws:sns:eu-west-1:123456789012:tickets"]
    deploy(alarms={"action_arns": ON_CALL, "ticket_arns": tickets})

    told = {each.inputs["name"]: each.inputs["alarmActions"] for each in recorder.all("MetricAlarm")}
    later = {name.removeprefix("overtime-test-") for name, actions in told.items() if actions == tickets}
    of_watcher = {f"watcher-{noun}" for noun in ("behind", "dead-letters", "unreadable")}
    assert later == {"report-skipped", "report-expiring", "report-long-run", *of_watcher}
    assert [actions for actions in told.values() if actions != tickets] == [ON_CALL] * (
        DEFAULT + OF_WATCHER - len(later)
    )


def test_functions_among_the_actions_may_be_called(deploy: Deploy, recorder: Recorder) -> None:
    """By this stack's alarms and no others; a function of another account is for its owner to allow."""
    lambdas = "arn:aws:lambda:eu-west-1:{}:function:page"
    own, other = lambdas.format("123456789012"), lambdas.format("210987654321")
    deploy(alarms={"action_arns": [own, other, ON_CALL[0]], "ticket_arns": [f"{own}:live"]})

    allowed = {each.name: each.inputs for each in recorder.all("Permission") if "-call-" in each.name}
    base = {
        "function": own,
        "action": "lambda:InvokeFunction",
        "principal": "lambda.alarms.cloudwatch.amazonaws.com",
        "sourceAccount": "123456789012",
        "sourceArn": "arn:aws:cloudwatch:eu-west-1:123456789012:alarm:overtime-test-*",
    }
    assert allowed == {"overtime-alarms-call-0": base, "overtime-alarms-call-1": {**base, "qualifier": "live"}}
    assert all(each.inputs["name"].startswith("overtime-test-") for each in recorder.all("MetricAlarm"))


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
