"""What Lambda does with queues, it does with the function's role: event sources are read, permissions are checked."""

from __future__ import annotations

import asyncio
import json
import logging
import time

from local.emulator.patches import acting
from local.emulator.patches.invocations import LAMBDA, refuse
from local.emulator.patches.patching import Answer, Record, module, original, replace

POLICY_PATIENCE_SECONDS = 8.0
SENDING: tuple[str, ...] = ("SendMessage",)
RECEIVING: tuple[str, ...] = ("ReceiveMessage", "DeleteMessage", "GetQueueAttributes")
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


def check_the_roles_permission_on_queues() -> None:
    """Accept a dead-letter queue only when the function's role may send to it, and an event source likewise.

    InvalidParameterValueException, "The provided execution role does not have permissions to call SendMessage on SQS".
    IAM's changes take a while to be seen, so deployment tools repeat the call on this error: here the call waits.
    """
    lambdas = module("services.lambda_svc")
    inner = original(lambdas, "handle_request")

    async def handle(method: str, path: str, headers: Record, body: bytes, query: Record) -> Answer:
        deadline = time.monotonic() + POLICY_PATIENCE_SECONDS
        while missing := _missing_permission(method, path, body):
            if time.monotonic() > deadline:
                return refuse(400, "InvalidParameterValueException", missing)
            await asyncio.sleep(0.25)
        answer: Answer = await inner(method, path, headers, body, query)
        return answer

    replace(lambdas, "handle_request", handle)


def _missing_permission(method: str, path: str, body: bytes) -> str:
    if not module("app").AUTH or method not in ("POST", "PUT"):
        return ""
    parts = path.strip("/").split("/")
    try:
        data = json.loads(body or b"{}")
    except ValueError:
        return ""
    if parts[1:] == ["functions"] or parts[3:] == ["configuration"]:
        target = (data.get("DeadLetterConfig") or {}).get("TargetArn", "")
        name = str(data.get("FunctionName") or parts[2])
        role, actions = data.get("Role") or _role_of(name), SENDING
    elif parts[1:] == ["event-source-mappings"]:
        target, name = data.get("EventSourceArn", ""), str(data.get("FunctionName", "")).split(":")[-1]
        role, actions = _role_of(name), RECEIVING
    else:
        return ""
    if not role or ":sqs:" not in target:
        return ""
    acts = acting.Role(arn=role, session=name, service=LAMBDA)
    for action in actions:
        if not acting.may(acts, f"sqs:{action}", target):
            return f"The provided execution role does not have permissions to call {action} on SQS"
    return ""


def _role_of(name: str) -> str:
    function = module("services.lambda_svc")._functions.get(name) or {}  # noqa: SLF001
    return str((function.get("config") or {}).get("Role", ""))


PATCHES = (read_queues_with_the_functions_role, check_the_roles_permission_on_queues)
