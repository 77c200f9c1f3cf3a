"""Metrics come from the logs and of the queues; alarms and dashboards are kept; deleted images are gone."""

from __future__ import annotations

import json
import subprocess
import time
import urllib.error
import urllib.request
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from local.base_images import BaseImage
    from local.docker_daemon import ContainerEngine
    from local.emulator.testkit import Aws

pytestmark = pytest.mark.e2e
PATIENCE_SECONDS = 20
EMF = (
    "import json, time\n"
    "def described(**more):\n"
    "    metrics = [{'Name': 'Runs', 'Unit': 'Count'}, {'Name': 'Seconds', 'Unit': 'Seconds'}, {'Name': 'Missing'}]\n"
    "    directive = {'Namespace': 'overtime', 'Dimensions': [['Function'], []], 'Metrics': metrics}\n"
    "    meta = {'Timestamp': int(time.time() * 1000), 'CloudWatchMetrics': [directive]}\n"
    "    members = {'Function': 'report', 'Runs': 2, 'Seconds': [1.5, 4.5], **more}\n"
    "    print(json.dumps({'_aws': meta, **members}), flush=True)\n"
)


def window() -> dict[str, Any]:
    """Say which time is asked for."""
    now = datetime.now(UTC)
    return {"StartTime": now - timedelta(minutes=10), "EndTime": now + timedelta(minutes=10)}


def statistics(aws: Aws, namespace: str, name: str, **dimensions: str) -> dict[str, float]:
    """Wait for a metric's statistics over all time."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    asked = {
        **window(),
        "Namespace": namespace,
        "MetricName": name,
        "Dimensions": [{"Name": key, "Value": value} for key, value in dimensions.items()],
        "Period": 3600,
        "Statistics": ["Sum", "Maximum", "SampleCount"],
    }
    while time.monotonic() < deadline:
        points = aws.metrics.get_metric_statistics(**asked)["Datapoints"]
        if points:
            return {key: sum(point[key] for point in points) for key in ("Sum", "SampleCount")} | {
                "Maximum": max(point["Maximum"] for point in points)
            }
        time.sleep(0.2)
    return {}


def test_metrics_in_a_functions_log(aws: Aws) -> None:
    """A number is one value, a list many; each dimension set is a metric; what is missing is left out."""
    aws.function("measured", aws.role_arn("fn"), EMF + "def handler(event, context): described()\n", Timeout=10)
    aws.functions.invoke(FunctionName="measured")
    assert statistics(aws, "overtime", "Runs", Function="report") == {"Sum": 2, "SampleCount": 1, "Maximum": 2}
    assert statistics(aws, "overtime", "Seconds") == {"Sum": 6, "SampleCount": 2, "Maximum": 4.5}
    listed = aws.metrics.list_metrics(Namespace="overtime")["Metrics"]
    assert sorted((metric["MetricName"], len(metric["Dimensions"])) for metric in listed) == [
        ("Runs", 0),
        ("Runs", 1),
        ("Seconds", 0),
        ("Seconds", 1),
    ]
    metric = {"Namespace": "overtime", "MetricName": "Runs", "Dimensions": [{"Name": "Function", "Value": "report"}]}
    query = {"Id": "runs", "MetricStat": {"Metric": metric, "Period": 3600, "Stat": "Sum"}}
    [result] = aws.metrics.get_metric_data(MetricDataQueries=[query], **window())["MetricDataResults"]
    assert sum(result["Values"]) == 2


def test_metrics_in_a_tasks_log(aws: Aws, run: Callable[..., str]) -> None:
    """A container's log lines count as well."""
    aws.stopped(run(EMF + "described(Function='task')\n"))
    assert statistics(aws, "overtime", "Runs", Function="task")["Sum"] == 2


def test_metrics_of_a_queue(aws: Aws) -> None:
    """How many messages wait, and for how long."""
    url, _ = aws.queue("measured")
    aws.sqs.send_message(QueueUrl=url, MessageBody="x")
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        if statistics(aws, "AWS/SQS", "ApproximateAgeOfOldestMessage", QueueName="measured").get("Maximum", 0) >= 1:
            break
        time.sleep(0.5)
    assert statistics(aws, "AWS/SQS", "ApproximateAgeOfOldestMessage", QueueName="measured")["Maximum"] >= 1
    assert statistics(aws, "AWS/SQS", "ApproximateNumberOfMessagesVisible", QueueName="measured")["Maximum"] == 1


def test_an_alarm_looks_at_its_own_metric(aws: Aws) -> None:
    """The alarm of one queue goes off, that of another does not, and the topic hears of it."""
    topic = aws.sns.create_topic(Name="alarms")["TopicArn"]
    heard_url, heard = aws.queue("heard")
    statement = {"Effect": "Allow", "Principal": {"Service": "sns.amazonaws.com"}, "Action": "sqs:SendMessage"}
    policy = {"Version": "2012-10-17", "Statement": [{**statement, "Resource": heard}]}
    aws.sqs.set_queue_attributes(QueueUrl=heard_url, Attributes={"Policy": json.dumps(policy)})
    aws.sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=heard)
    url, _ = aws.queue("parking")
    aws.queue("empty")
    for queue in ("parking", "empty"):
        aws.metrics.put_metric_alarm(
            AlarmName=f"{queue}-not-empty",
            Namespace="AWS/SQS",
            MetricName="ApproximateNumberOfMessagesVisible",
            Dimensions=[{"Name": "QueueName", "Value": queue}],
            Statistic="Maximum",
            Period=60,
            EvaluationPeriods=1,
            Threshold=0,
            ComparisonOperator="GreaterThanThreshold",
            TreatMissingData="notBreaching",
            AlarmActions=[topic],
        )
    aws.sqs.send_message(QueueUrl=url, MessageBody="x")
    states: dict[str, str] = {}
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline and states != {"parking-not-empty": "ALARM", "empty-not-empty": "OK"}:
        alarms = aws.metrics.describe_alarms(AlarmNames=["parking-not-empty", "empty-not-empty"])["MetricAlarms"]
        states = {alarm["AlarmName"]: alarm["StateValue"] for alarm in alarms}
        time.sleep(0.2)
    assert states == {"parking-not-empty": "ALARM", "empty-not-empty": "OK"}
    [message] = aws.messages(heard_url)
    assert json.loads(json.loads(message["Body"])["Message"])["AlarmName"] == "parking-not-empty"
    aws.metrics.delete_alarms(AlarmNames=list(states))


def test_dashboards(aws: Aws) -> None:
    """A dashboard is kept as it was put, and gone when it is deleted."""
    body = json.dumps({"widgets": [{"type": "text", "properties": {"markdown": "x"}}]})
    aws.metrics.put_dashboard(DashboardName="d", DashboardBody=body)
    assert json.loads(aws.metrics.get_dashboard(DashboardName="d")["DashboardBody"]) == json.loads(body)
    aws.metrics.delete_dashboards(DashboardNames=["d"])
    assert not aws.metrics.list_dashboards()["DashboardEntries"]


def test_a_deleted_image_is_gone(aws: Aws, docker: ContainerEngine, base: BaseImage) -> None:
    """Taking one of two tags off keeps the image; deleting the last one makes its digest unknown to the registry."""
    uri = aws.ecr.create_repository(repositoryName="gone")["repository"]["repositoryUri"]
    cli = ["docker", "--host", docker.host]
    for tag in ("1", "2"):
        subprocess.run([*cli, "tag", base.reference, f"{uri}:{tag}"], check=True)
        subprocess.run([*cli, "push", "--quiet", f"{uri}:{tag}"], check=True, capture_output=True)
    [image] = aws.ecr.describe_images(repositoryName="gone")["imageDetails"]
    host, _, name = uri.partition("/")
    where = f"http://{host}/v2/{name}/manifests/{image['imageDigest']}"

    def status() -> int:
        try:
            with urllib.request.urlopen(where) as answer:
                return int(answer.status)
        except urllib.error.HTTPError as error:
            return error.code

    assert status() == 200
    aws.ecr.batch_delete_image(repositoryName="gone", imageIds=[{"imageTag": "1"}])
    [left] = aws.ecr.describe_images(repositoryName="gone")["imageDetails"]
    assert (left["imageTags"], status()) == (["2"], 200)
    aws.ecr.batch_delete_image(repositoryName="gone", imageIds=[{"imageTag": "2"}])
    assert status() == 404
    assert not aws.ecr.describe_images(repositoryName="gone")["imageDetails"]
