"""The queue for a function's failure records, and the parking queue for those that are not handed over."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from overtime.components import policies
from overtime.components.documents import written
from overtime.contract.limits import LONGEST_MESSAGE_LIFE_SECONDS

LARGEST_MESSAGE_BYTES = 1_048_576
"""SQS's limit, because an event may have 1 MiB; the provider's default is smaller."""
_VISIBILITY_FACTOR = 6
"""https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html#events-sqs-queueconfig"""


@dataclass(frozen=True, kw_only=True)
class FailureQueueArgs:
    """Arguments of `FailureQueue`."""

    consumer_timeout_seconds: int
    """Timeout of the dispatcher; the visibility timeout is six times as long, as AWS advises."""
    max_receive_count: int
    """Deliveries before a record is parked."""
    protect: bool = True
    """Whether Pulumi protects the queues from deletion, because SQS deletes a queue with its messages."""


class FailureQueue(pulumi.ComponentResource):
    """A function's failure queue, its parking queue, and their policies."""

    name: pulumi.Output[str]
    arn: pulumi.Output[str]
    url: pulumi.Output[str]
    parking_name: pulumi.Output[str]
    parking_arn: pulumi.Output[str]
    parking_url: pulumi.Output[str]

    def __init__(self, name: str, args: FailureQueueArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("overtime:index:FailureQueue", name, {}, opts)

        parking = self._queue(f"{name}-parking", protect=args.protect)
        queue = self._queue(
            f"{name}-queue",
            protect=args.protect,
            visibility_timeout_seconds=_VISIBILITY_FACTOR * args.consumer_timeout_seconds,
            redrive_policy=parking.arn.apply(
                lambda arn: written({"deadLetterTargetArn": arn, "maxReceiveCount": args.max_receive_count})
            ),
        )
        aws.sqs.RedriveAllowPolicy(
            f"{name}-redrive",
            queue_url=parking.url,
            redrive_allow_policy=queue.arn.apply(
                lambda arn: written({"redrivePermission": "byQueue", "sourceQueueArns": [arn]})
            ),
            opts=pulumi.ResourceOptions(parent=self),
        )
        self._encrypted_transport_only(f"{name}-queue-tls-only", queue)
        self._encrypted_transport_only(f"{name}-parking-tls-only", parking)

        self.name, self.arn, self.url = queue.name, queue.arn, queue.url
        self.parking_name, self.parking_arn, self.parking_url = parking.name, parking.arn, parking.url
        self.register_outputs(
            {"arn": self.arn, "url": self.url, "parking_arn": self.parking_arn, "parking_url": self.parking_url}
        )

    def _queue(
        self,
        name: str,
        *,
        protect: bool,
        visibility_timeout_seconds: int | None = None,
        redrive_policy: pulumi.Input[str] | None = None,
    ) -> aws.sqs.Queue:
        return aws.sqs.Queue(
            name,
            message_retention_seconds=LONGEST_MESSAGE_LIFE_SECONDS,
            max_message_size=LARGEST_MESSAGE_BYTES,
            sqs_managed_sse_enabled=True,
            visibility_timeout_seconds=visibility_timeout_seconds,
            redrive_policy=redrive_policy,
            opts=pulumi.ResourceOptions(parent=self, protect=protect),
        )

    def _encrypted_transport_only(self, name: str, queue: aws.sqs.Queue) -> None:
        aws.sqs.QueuePolicy(
            name,
            queue_url=queue.url,
            policy=policies.rendered(policies.encrypted_transport_only, arn=queue.arn, service="sqs"),
            opts=pulumi.ResourceOptions(parent=self),
        )
