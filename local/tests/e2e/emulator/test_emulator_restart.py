"""The emulator goes away and comes back: what it knew is there again, and what ran meanwhile is found."""

from __future__ import annotations

import json
import subprocess
import time
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError, EndpointConnectionError

from local.emulator import Emulator, EmulatorSettings
from local.emulator.testkit import Aws
from local.stack import with_containers

if TYPE_CHECKING:
    from collections.abc import Iterator

    from local.base_images import BaseImage
    from local.docker_daemon import ContainerEngine

pytestmark = pytest.mark.e2e
TICKS = (
    "import boto3, time\n"
    "client = boto3.client('sqs')\n"
    "failed = 0\n"
    "for number in range(24):\n"
    "    print(f'tick {number}', flush=True)\n"
    "    time.sleep(0.25)\n"
    "while True:\n"
    "    try:\n"
    "        client.list_queues()\n"
    "        break\n"
    "    except Exception as error:\n"
    "        print(error, flush=True)\n"
    "        time.sleep(0.5)\n"
    "raise SystemExit(5)\n"
)


@pytest.fixture(scope="module")
def own(docker: ContainerEngine, base: BaseImage, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Aws]:
    """Give an emulator that may go away."""
    folder = tmp_path_factory.mktemp("restarted")
    settings = EmulatorSettings(state_folder=folder, enforce_iam=True, retry_base_seconds=2)
    with Emulator(with_containers(settings, docker, base)) as emulator:
        aws = Aws(emulator)
        aws.ecs.create_cluster(clusterName="c")
        aws.logs.create_log_group(logGroupName="/tasks")
        aws.role("execution", "ecr:*", "logs:*")
        aws.role("task", "sqs:ListQueues")
        aws.role("fn", "sqs:*", "logs:*")
        yield aws


def start(aws: Aws, base: BaseImage, script: str) -> str:
    """Start a task that runs a script."""
    options = {"awslogs-group": "/tasks", "awslogs-region": "eu-west-1", "awslogs-stream-prefix": "t"}
    container = {
        "name": "main",
        "image": base.reference,
        "entryPoint": ["python3", "-c"],
        "command": [script],
        "logConfiguration": {"logDriver": "awslogs", "options": options},
    }
    roles = {"taskRoleArn": aws.role_arn("task"), "executionRoleArn": aws.role_arn("execution")}
    sizes = {"requiresCompatibilities": ["FARGATE"], "networkMode": "awsvpc", "cpu": "256", "memory": "512"}
    aws.ecs.register_task_definition(family="t", containerDefinitions=[container], **sizes, **roles)
    task: str = aws.ecs.run_task(cluster="c", taskDefinition="t", launchType="FARGATE")["tasks"][0]["taskArn"]
    aws.described(task, lambda found: found["lastStatus"] == "RUNNING")
    return task


def test_all_is_there_again(own: Aws) -> None:
    """Objects, messages, functions, roles; on the same port; while it is gone nobody answers."""
    own.s3.create_bucket(Bucket="kept", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    own.s3.put_object(Bucket="kept", Key="k", Body=b"\x00\xffbody")
    url, _ = own.queue("kept")
    own.sqs.send_message(QueueUrl=url, MessageBody="m")
    own.function("kept", own.role_arn("fn"), "def handler(event, context): return 'here'", Timeout=10)
    endpoint = own.emulator.endpoint
    own.emulator.pause()
    with pytest.raises(EndpointConnectionError):
        own.sqs.list_queues()
    own.emulator.start()
    assert own.emulator.endpoint == endpoint
    assert own.s3.get_object(Bucket="kept", Key="k")["Body"].read() == b"\x00\xffbody"
    assert [message["Body"] for message in own.messages(url)] == ["m"]
    assert json.load(own.functions.invoke(FunctionName="kept")["Payload"]) == "here"
    own.iam.get_role(RoleName="fn")


def test_a_task_outlives_it(own: Aws, base: BaseImage) -> None:
    """The container goes on; its log has no gap, its credentials hold, its end is told once."""
    url, arn = own.queue("told")
    statement = {"Effect": "Allow", "Principal": {"Service": "events.amazonaws.com"}, "Action": "sqs:SendMessage"}
    policy = {"Version": "2012-10-17", "Statement": [{**statement, "Resource": arn}]}
    own.sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": json.dumps(policy)})
    pattern = {"source": ["aws.ecs"], "detail": {"lastStatus": ["STOPPED"]}}
    own.events.put_rule(Name="stopped", EventPattern=json.dumps(pattern))
    own.events.put_targets(Rule="stopped", Targets=[{"Id": "q", "Arn": arn}])
    task = start(own, base, TICKS)
    own.emulator.restart(down_seconds=1)
    assert own.ecs.describe_tasks(cluster="c", tasks=[task])["tasks"][0]["lastStatus"] == "RUNNING"
    ended = own.stopped(task)
    assert (ended["containers"][0]["exitCode"], ended["stopCode"]) == (5, "EssentialContainerExited")
    ticks = [line for line in own.output(task) if line.startswith("tick")]
    assert list(dict.fromkeys(ticks)) == [f"tick {number}" for number in range(24)]
    told: list[Any] = [json.loads(message["Body"])["detail"] for message in own.messages(url)]
    assert [(detail["taskArn"], detail["containers"][0]["exitCode"]) for detail in told] == [(task, 5)]


def test_a_task_ends_while_it_is_gone(own: Aws, docker: ContainerEngine, base: BaseImage) -> None:
    """The end is found when it is back."""
    task = start(own, base, "import time; time.sleep(600)")
    own.emulator.pause()
    name = f"overtime-{task.rpartition('/')[2]}-main"
    subprocess.run(["docker", "--host", docker.host, "kill", name], check=True, capture_output=True)
    own.emulator.start()
    assert own.stopped(task)["containers"][0]["exitCode"] == 137


def test_an_invocation_goes_on(own: Aws) -> None:
    """An event that is being tried is tried as often as it would have been, and then kept."""
    url, arn = own.queue("dead")
    tries_url, _ = own.queue("tries")
    code = (
        "import boto3\n"
        "def handler(event, context):\n"
        f"    boto3.client('sqs').send_message(QueueUrl={tries_url!r}, MessageBody=context.aws_request_id)\n"
        "    raise ValueError('no')\n"
    )
    own.function("failing", own.role_arn("fn"), code, Timeout=10, DeadLetterConfig={"TargetArn": arn})
    answer = own.functions.invoke(FunctionName="failing", InvocationType="Event", Payload=b'{"n":  1}')
    identity = answer["ResponseMetadata"]["RequestId"]
    assert [message["Body"] for message in own.messages(tries_url)] == [identity]
    time.sleep(0.5)  # until the first attempt has also failed
    own.emulator.restart()
    [message] = own.messages(url)
    assert (message["Body"], message["MessageAttributes"]["RequestID"]["StringValue"]) == ('{"n":  1}', identity)
    assert [message["Body"] for message in own.messages(tries_url, 2)] == [identity] * 2


def test_services_are_out_of_order_for_a_while(own: Aws) -> None:
    """A rule with a time limit: 503 for everybody, then all is well by itself."""
    once = Config(retries={"total_max_attempts": 1})
    session = boto3.Session("test", "test", region_name="eu-west-1")
    client = session.client("sqs", endpoint_url=own.emulator.endpoint, config=once)
    began = time.monotonic()
    own.emulator.set_faults(
        [{"service": "sqs", "for_seconds": 2, "respond": {"status": 503, "body": {"__type": "ServiceUnavailable"}}}]
    )
    refused: list[int] = []
    while time.monotonic() - began < 20:
        try:
            client.list_queues()
            break
        except ClientError as error:
            refused.append(error.response["ResponseMetadata"]["HTTPStatusCode"])
            time.sleep(0.1)
    assert set(refused) == {503}
    assert 1.5 < time.monotonic() - began < 20


def test_nothing_is_left_of_a_paused_one(own: Aws, docker: ContainerEngine, base: BaseImage) -> None:
    """Containers that went on alone are removed at the end."""
    task = start(own, base, "import time; time.sleep(600)")
    own.emulator.pause()
    own.emulator.stop()
    command = ["docker", "--host", docker.host, "ps", "-aq", "--filter", f"label=com.amazonaws.ecs.task-arn={task}"]
    assert not subprocess.run(command, check=True, capture_output=True, text=True).stdout
