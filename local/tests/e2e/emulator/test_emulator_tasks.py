"""Tasks in the emulator run as ECS on Fargate runs them, in real containers."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from local.emulator.testkit import Aws

pytestmark = pytest.mark.e2e


def test_container_is_as_defined(aws: Aws, run: Callable[..., str]) -> None:
    """User, read-only root, init process, writable volume, Fargate's variables, sizes, the exit code, whole lines."""
    script = (
        "import json, os, sys, urllib.request\n"
        "print(os.getuid(), os.environ['AWS_EXECUTION_ENV'], os.environ['AWS_REGION'])\n"
        "print('init' in open('/proc/1/cmdline').read())\n"
        "try: open('/x', 'w')\n"
        "except OSError as error: print(error.strerror)\n"
        "open('/tmp/x', 'w')\n"
        "task = urllib.request.urlopen(os.environ['ECS_CONTAINER_METADATA_URI_V4'] + '/task')\n"
        "print(json.load(task)['Limits'])\n"
        "print('x' * 100_000)\n"
        "sys.exit(7)\n"
    )
    task = run(
        script,
        task={"volumes": [{"name": "tmp"}]},
        user="1234",
        readonlyRootFilesystem=True,
        linuxParameters={"initProcessEnabled": True},
        mountPoints=[{"sourceVolume": "tmp", "containerPath": "/tmp"}],
    )
    ended = aws.stopped(task)
    assert (ended["containers"][0]["exitCode"], ended["stopCode"]) == (7, "EssentialContainerExited")
    assert ended["stoppedReason"] == "Essential container in task exited"
    assert aws.output(task) == [
        "1234 AWS_ECS_FARGATE eu-west-1",
        "True",
        "Read-only file system",
        "{'CPU': 0.25, 'Memory': 512}",
        "x" * 100_000,
    ]


def test_task_has_its_roles_credentials(aws: Aws, run: Callable[..., str]) -> None:
    """The session is named after the task, the role's policies are enforced, another token gets nothing."""
    script = (
        "import boto3, os, urllib.request, urllib.error\n"
        "print(boto3.client('sts').get_caller_identity()['Arn'])\n"
        "boto3.client('sqs').list_queues()\n"
        "try: boto3.client('sqs').create_queue(QueueName='no')\n"
        "except Exception as error: print(error)\n"
        "where = os.environ['AWS_CONTAINER_CREDENTIALS_FULL_URI']\n"
        "request = urllib.request.Request(where, headers={'Authorization': 'x'})\n"
        "try: urllib.request.urlopen(request)\n"
        "except urllib.error.HTTPError as error: print(error.code)\n"
    )
    task = run(script)
    assert aws.stopped(task)["containers"][0]["exitCode"] == 0
    identity, denied, other = aws.output(task)
    assert identity.endswith(f":assumed-role/task/{task.rpartition('/')[2]}")
    assert "is not authorized to perform: sqs:createqueue" in denied.lower()
    assert other == "403"


def test_out_of_memory(aws: Aws, run: Callable[..., str]) -> None:
    """A container over its memory limit is killed, and ECS says why."""
    task = run("x = bytearray(300 << 20)", memory=64)
    [container] = aws.stopped(task)["containers"]
    assert (container["exitCode"], container["reason"]) == (
        137,
        "OutOfMemoryError: Container killed due to memory usage",
    )


def test_stop_task(aws: Aws, run: Callable[..., str]) -> None:
    """SIGTERM first, the desired status at once, SIGKILL after the stop timeout; the reason is the caller's."""
    script = (
        "import signal, time\n"
        "signal.signal(15, lambda *_: print('term', flush=True))\n"
        "print('up', flush=True)\n"
        "time.sleep(60)\n"
    )
    task = run(script, stopTimeout=2)
    aws.described(task, lambda found: found["lastStatus"] == "RUNNING")
    while not aws.output(task):
        time.sleep(0.1)
    began = time.monotonic()
    asked = aws.ecs.stop_task(cluster="c", task=task, reason="enough")["task"]
    assert (asked["desiredStatus"], asked["lastStatus"]) == ("STOPPED", "RUNNING")
    ended = aws.stopped(task)
    assert time.monotonic() - began > 1.5
    assert (ended["stopCode"], ended["stoppedReason"]) == ("UserInitiated", "enough")
    assert ended["containers"][0]["exitCode"] == 137
    assert aws.output(task) == ["up", "term"]
