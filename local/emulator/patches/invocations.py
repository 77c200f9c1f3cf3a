"""Asynchronous invocations: their attempts, and where an event goes that failed for good."""

from __future__ import annotations

import contextvars
import json
import logging
import threading
import time
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING

from local.emulator.patches import acting, dispatch
from local.emulator.patches.failure_records import (
    Condition,
    Failure,
    dead_letter_attributes,
    destination_record,
    error_document,
)
from local.emulator.patches.patching import Answer, Record, module, original, replace

if TYPE_CHECKING:
    from collections.abc import Mapping

LAMBDA = "lambda.amazonaws.com"
EVENT_BYTES = 1_048_576
THROTTLE_SECONDS = (1.0, 300.0)
"""Wait after the first throttled try and at most (Lambda developer guide, asynchronous error handling)."""
log = logging.getLogger("overtime.invocations")
_sent: ContextVar[bytes | None] = ContextVar("sent", default=None)


@dataclass(frozen=True, kw_only=True)
class _Invocation:
    """One event on its way."""

    name: str
    qualifier: str
    function: Record
    event: object
    body: bytes
    request_id: str
    started: float


pending: dict[str, tuple[_Invocation, int]] = {}
"""Invocations under way by request id, and how many attempts were made."""


def keep_the_event_as_sent() -> None:
    """Keep the event byte by byte for the dead-letter message; refuse at once what Lambda cannot take.

    Invoke's errors: RequestTooLargeException (1 MB for events) and InvalidRequestContentException.
    """
    lambdas = module("services.lambda_svc")
    inner = original(lambdas, "_invoke")

    async def invoke(
        name: str,
        event: object,
        headers: Mapping[str, str],
        qualifier: str | None = None,
        query: Record | None = None,
    ) -> Answer:
        body = dispatch.request_body.get() or b"{}"
        asynchronous = headers.get("x-amz-invocation-type") == "Event"
        if asynchronous and len(body) > EVENT_BYTES:
            return refuse(
                413,
                "RequestTooLargeException",
                f"{len(body)} byte payload is too large for the Event invocation type (limit {EVENT_BYTES} bytes)",
            )
        try:
            json.loads(body)
        except ValueError as error:
            return refuse(400, "InvalidRequestContentException", f"Could not parse request body into json: {error}")
        token = _sent.set(body)
        try:
            answer: Answer = await inner(name, event, headers, qualifier, query)
        finally:
            _sent.reset(token)
        return answer

    replace(lambdas, "_invoke", invoke)


def retry_as_one_invocation() -> None:
    """Make every attempt with the request id that Invoke answered; then send the event where failed ones go.

    That is the dead-letter queue and the destination. The event invoke config of the invoked qualifier counts.
    Reserved concurrency 0 sends an event there without any attempt. A throttled try is no
    attempt. The function's role must be allowed to send.
    """

    def invoke(function: Record, event: object) -> None:
        body = _sent.get()
        config = function.get("config") or function
        arn = str(config.get("FunctionArn", ""))
        invocation = _Invocation(
            name=str(config.get("FunctionName", "")),
            qualifier=arn.split(":")[7] if arn.count(":") > 6 else "",  # noqa: PLR2004 - ARN, then the qualifier
            function=function,
            event=event,
            body=json.dumps(event).encode() if body is None else body,
            request_id=(dispatch.request_id.get() if body is not None else "") or module("core.responses").new_uuid(),
            started=time.time(),
        )
        carry_on(invocation)

    replace(module("services.lambda_svc"), "invoke_async_with_retry", invoke)


def carry_on(invocation: _Invocation, attempts: int = 0) -> None:
    """Deal with an invocation of which so many attempts were made."""
    pending[invocation.request_id] = (invocation, attempts)
    context = contextvars.copy_context()
    threading.Thread(target=context.run, args=(_carry_through, invocation, attempts), daemon=True).start()


def _carry_through(invocation: _Invocation, attempts: int) -> None:
    try:
        _try_until_decided(invocation, attempts)
    finally:
        pending.pop(invocation.request_id, None)


def _try_until_decided(invocation: _Invocation, attempts: int) -> None:
    """Try until it succeeds or Lambda gives up."""
    lambdas = module("services.lambda_svc")
    base = lambdas._LAMBDA_ASYNC_RETRY_BASE_SECONDS  # noqa: SLF001
    throttled, error = 0, None
    while (function := _as_it_is_now(invocation)) is not None:
        settings = lambdas._event_invoke_config(function, invocation.qualifier) or {}  # noqa: SLF001
        if lambdas._reserved_concurrency(function, function["config"]) == 0:  # noqa: SLF001
            _give_up(invocation, function, settings, Condition.ZERO_RESERVED_CONCURRENCY, 0, None)
            return
        result = _attempt(invocation, function)
        if result.get("throttle"):
            throttled += 1
            delay = min(THROTTLE_SECONDS[0] * 2 ** (throttled - 1), THROTTLE_SECONDS[1])
        else:
            attempts += 1
            if not result.get("error"):
                return
            error = error_document(result, request_id=invocation.request_id, now=dispatch.now())
            if attempts > settings.get("MaximumRetryAttempts", 2):
                _give_up(invocation, function, settings, Condition.RETRIES_EXHAUSTED, attempts, error)
                return
            delay = base * 2 ** (attempts - 1)
            pending[invocation.request_id] = (invocation, attempts)
        if time.time() + delay - invocation.started > settings.get("MaximumEventAgeInSeconds", 21600):
            _give_up(invocation, function, settings, Condition.EVENT_AGE_EXCEEDED, attempts, error)
            return
        time.sleep(delay)


def _as_it_is_now(invocation: _Invocation) -> Record | None:
    """Take the function's present code and configuration; events of a deleted function are dropped."""
    functions = module("services.lambda_svc")._functions  # noqa: SLF001
    live = functions.get(invocation.name)
    if live is None:
        return None
    function = dict(invocation.function if invocation.qualifier else live)
    function["concurrency"] = live.get("concurrency")
    function["event_invoke_configs"] = live.get("event_invoke_configs")
    function["config"] = {**function["config"], "FunctionArn": invocation.function["config"]["FunctionArn"]}
    return function


def _attempt(invocation: _Invocation, function: Record) -> Record:
    lambdas = module("services.lambda_svc")
    config = function["config"]
    slot, _limit = lambdas._acquire_execution_slot(function, config)  # noqa: SLF001
    if slot is None:
        return {"throttle": True, "error": True}
    try:
        result: Record = lambdas._execute_function_dispatch(  # noqa: SLF001
            function, config, invocation.event, invocation.request_id, time.time()
        )
    finally:
        lambdas._release_execution_slot(slot)  # noqa: SLF001
    return result


def _give_up(  # noqa: PLR0913, PLR0917 - all of what is known of the end
    invocation: _Invocation,
    function: Record,
    settings: Record,
    condition: Condition,
    attempts: int,
    error: Record | None,
) -> None:
    config = function["config"]
    arn = str(config["FunctionArn"])
    failure = Failure(
        request_id=invocation.request_id,
        function_arn=arn if invocation.qualifier else f"{arn}:$LATEST",
        version=str(config.get("Version", "$LATEST")),
        body=invocation.body,
        condition=condition,
        attempts=attempts,
        timestamp=dispatch.now(),
        error=error,
    )
    role = acting.Role(arn=str(config.get("Role", "")), session=invocation.name, service=LAMBDA)
    queue = (config.get("DeadLetterConfig") or {}).get("TargetArn")
    if queue:
        _send(role, queue, invocation.body.decode(), dead_letter_attributes(failure))
    destination = ((settings.get("DestinationConfig") or {}).get("OnFailure") or {}).get("Destination")
    if destination:
        _send(role, destination, destination_record(failure), {})


def _send(role: acting.Role, queue_arn: str, body: str, attributes: Mapping[str, object]) -> None:
    """Send as Lambda does: with the function's role, and with nothing but a metric when that fails."""
    sqs, evaluator = module("services.sqs"), module("core.iam_evaluator")
    action = "sqs:SendMessage"
    if not acting.may(role, action, queue_arn):
        log.warning("lambda could not keep a failed event: %s", acting.refusal(role, action, queue_arn))
        return
    evaluator._request_caller_arn.set(role.caller)  # noqa: SLF001
    queue_url = sqs._queue_url(queue_arn.rpartition(":")[2])  # noqa: SLF001
    message = {"QueueUrl": queue_url, "MessageBody": body, "MessageAttributes": attributes}
    try:
        sqs._act_send_message(message, queue_url)  # noqa: SLF001
    except sqs._Err as error:  # noqa: SLF001
        log.warning("lambda could not keep a failed event in %s: %s", queue_arn, error)
        return
    module("services.lambda_svc").esm_wake.set()


def refuse(status: int, kind: str, message: str) -> Answer:
    """Answer with one of Lambda's errors."""
    headers = {"Content-Type": "application/json", "x-amzn-errortype": kind}
    return status, headers, json.dumps({"Type": "User", "message": message}).encode()


PATCHES = (keep_the_event_as_sent, retry_as_one_invocation)
