"""Queues in the emulator: how long messages are delayed."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from local.emulator.testkit import Aws

pytestmark = pytest.mark.e2e


def test_a_delay_lasts_as_long_as_the_settings_say(aws: Aws) -> None:
    """With 6 seconds a minute, 20 seconds are 2: for one message, in a batch, and by the queue's own default."""
    url, _ = aws.queue("delayed", DelaySeconds="20")
    began = time.monotonic()
    aws.sqs.send_message(QueueUrl=url, MessageBody="the queue's")
    aws.sqs.send_message(QueueUrl=url, MessageBody="its own", DelaySeconds=10)
    batch = {"a batch's": 30, "none": 0}
    entries = [{"Id": str(delay), "MessageBody": body, "DelaySeconds": delay} for body, delay in batch.items()]
    aws.sqs.send_message_batch(QueueUrl=url, Entries=entries)
    seen: dict[str, float] = {}
    while len(seen) < 4:
        for message in aws.messages(url):
            seen[message["Body"]] = time.monotonic() - began
    assert list(seen) == ["none", "its own", "the queue's", "a batch's"]
    for body, seconds in (("none", 0), ("its own", 1), ("the queue's", 2), ("a batch's", 3)):
        assert seconds <= seen[body] < seconds + 5, body
