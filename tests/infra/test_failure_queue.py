from __future__ import annotations

import json
from typing import TYPE_CHECKING

from overtime.components.failure_queue import FailureQueue, FailureQueueArgs

if TYPE_CHECKING:
    from tests.infra.conftest import Deploy, Run
    from tests.infra.recording import Recorder

PARKING = "arn:aws:sqs:eu-west-1:123456789012:q-parking-0a1b2c3"
QUEUE = "arn:aws:sqs:eu-west-1:123456789012:q-queue-0a1b2c3"


def make(run: Run, timeout: int = 60, receives: int = 5) -> None:
    args = FailureQueueArgs(consumer_timeout_seconds=timeout, max_receive_count=receives)
    run(lambda: FailureQueue("q", args))


def test_queue(run: Run, recorder: Recorder) -> None:
    """Records stay for 14 days, encrypted, hidden six times as long as the dispatcher may take, then parked."""
    make(run, timeout=70, receives=9)

    assert recorder.inputs("Queue", "q-queue") == {
        "messageRetentionSeconds": 1_209_600,
        "visibilityTimeoutSeconds": 420,
        "maxMessageSize": 1_048_576,
        "sqsManagedSseEnabled": True,
        "redrivePolicy": f'{{"deadLetterTargetArn":"{PARKING}","maxReceiveCount":9}}',
    }


def test_parking_queue(run: Run, recorder: Recorder) -> None:
    """What is parked stays for 14 days, encrypted, and goes nowhere else."""
    make(run)

    assert recorder.inputs("Queue", "q-parking") == {
        "messageRetentionSeconds": 1_209_600,
        "maxMessageSize": 1_048_576,
        "sqsManagedSseEnabled": True,
    }


def test_only_its_own_queue_parks(run: Run, recorder: Recorder) -> None:
    """No other queue may use the parking queue as its dead-letter queue."""
    make(run)

    redrive = recorder.inputs("RedriveAllowPolicy", "q-redrive")
    assert redrive["queueUrl"].endswith("/q-parking-0a1b2c3")
    assert json.loads(redrive["redriveAllowPolicy"]) == {"redrivePermission": "byQueue", "sourceQueueArns": [QUEUE]}


def test_tls_only(run: Run, recorder: Recorder) -> None:
    """Both queues refuse whoever comes without TLS, and allow nobody by themselves."""
    make(run)

    for noun, arn in (("queue", QUEUE), ("parking", PARKING)):
        policy = recorder.inputs("QueuePolicy", f"q-{noun}-tls-only")
        [statement] = json.loads(policy["policy"])["Statement"]
        assert policy["queueUrl"].endswith(f"/q-{noun}-0a1b2c3")
        assert statement == {
            "Sid": "EncryptedTransportOnly",
            "Effect": "Deny",
            "Principal": "*",
            "Action": "sqs:*",
            "Resource": [arn],
            "Condition": {"Bool": {"aws:SecureTransport": "false"}},
        }


def test_visibility_follows_the_dispatcher(deploy: Deploy, recorder: Recorder) -> None:
    """In a stack, a record stays hidden six times the timeout that the dispatcher really has."""
    deploy()

    timeout = recorder.inputs("Function", "report-dispatcher-function")["timeout"]
    assert recorder.inputs("Queue", "report-queue")["visibilityTimeoutSeconds"] == 6 * timeout


def test_receive_count_is_a_setting(deploy: Deploy, recorder: Recorder) -> None:
    """The queue and the dispatcher agree on the number of deliveries, for each function by itself."""
    deploy({"report": {"max_receive_count": 7}, "sums": {}})

    for name, count in (("report", 7), ("sums", 5)):
        policy = json.loads(recorder.inputs("Queue", f"{name}-queue")["redrivePolicy"])
        variables = recorder.inputs("Function", f"{name}-dispatcher-function")["environment"]["variables"]
        assert policy["maxReceiveCount"] == count
        assert variables["OVERTIME_MAX_RECEIVE_COUNT"] == str(count)
