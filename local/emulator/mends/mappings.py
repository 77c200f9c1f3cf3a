"""Event source mappings: Lambda reads the queue with the function's role."""

from __future__ import annotations

import logging

from local.emulator.mends import acting
from local.emulator.mends.invocations import LAMBDA
from local.emulator.mends.patching import Record, module, original, replace

log = logging.getLogger("overtime.mappings")


def read_queues_with_the_functions_role() -> None:
    """Lambda polls with the execution role: it needs ReceiveMessage, DeleteMessage and GetQueueAttributes.

    Lambda developer guide, "Using Lambda with Amazon SQS", permissions. Only polls that found messages are recorded.
    """
    sqs, lambdas = module("services.sqs"), module("services.lambda_svc")
    receive, delete = original(sqs, "_receive_messages_for_esm"), original(sqs, "_delete_messages_for_esm")

    def receive_as_role(queue_url: str, at_most: int) -> list[Record]:
        queue = sqs._queues.get(queue_url) or {}  # noqa: SLF001
        if not queue.get("messages"):
            return []
        role = _reader(lambdas, queue)
        waiting = any(message["visible_at"] <= lambdas.time.time() for message in queue["messages"])
        if role and waiting:
            for action in ("sqs:GetQueueAttributes", "sqs:ReceiveMessage"):
                arn = queue["attributes"]["QueueArn"]
                if not acting.may(role, action, arn):
                    log.warning("lambda cannot read: %s", acting.refusal(role, action, arn))
                    return []
        found: list[Record] = receive(queue_url, at_most)
        return found

    def delete_as_role(queue_url: str, handles: set[str]) -> None:
        queue = sqs._queues.get(queue_url) or {}  # noqa: SLF001
        role = _reader(lambdas, queue)
        if role and handles and not acting.may(role, "sqs:DeleteMessage", queue["attributes"]["QueueArn"]):
            return
        delete(queue_url, handles)

    replace(sqs, "_receive_messages_for_esm", receive_as_role)
    replace(sqs, "_delete_messages_for_esm", delete_as_role)


def _reader(lambdas: object, queue: Record) -> acting.Role | None:
    arn = (queue.get("attributes") or {}).get("QueueArn", "")
    for _account, _region, mapping in original(lambdas, "_iter_all_esms")():
        if mapping.get("EventSourceArn") == arn:
            name = mapping["FunctionName"]
            function = original(lambdas, "_functions").get(name) or {}
            role = str((function.get("config") or {}).get("Role", ""))
            return acting.Role(arn=role, session=name, service=LAMBDA) if role else None
    return None


MENDS = (read_queues_with_the_functions_role,)
