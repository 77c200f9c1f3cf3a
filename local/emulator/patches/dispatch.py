"""Around every call: faults on order, the record of calls, and what later patches must know of the call."""

from __future__ import annotations

import asyncio
import json
import os
from contextvars import ContextVar
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from local.emulator.calls import Call, write_call
from local.emulator.faults import Faults
from local.emulator.patches import credentials
from local.emulator.patches.patching import Answer, Record, module, original, replace
from local.emulator.settings import CALLS_VARIABLE, FAULTS_VARIABLE

if TYPE_CHECKING:
    from collections.abc import Mapping

request_id: ContextVar[str] = ContextVar("request_id", default="")
"""The id that the call's answer will carry as x-amzn-RequestId."""
request_body: ContextVar[bytes] = ContextVar("request_body", default=b"")
"""The call's body, byte by byte as sent."""
caller: ContextVar[str] = ContextVar("caller", default="")
"""ARN of who calls."""
_checked: ContextVar[list[tuple[str, str]] | None] = ContextVar("checked", default=None)


def record(call: Call) -> None:
    """Keep a call, where the settings ask for it."""
    path = os.environ.get(CALLS_VARIABLE)
    if path:
        write_call(Path(path), call)


def now() -> str:
    """Give the time as AWS writes it in invocation records: ISO 8601, UTC, milliseconds."""
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def watch_every_call() -> None:
    """Let a test make any call fail, and see who made which."""
    app = module("app")
    inner = original(app, "_dispatch_service_request")
    faults = Faults(Path(os.environ[FAULTS_VARIABLE]))

    async def dispatch(  # noqa: PLR0913, PLR0917 - ministack's signature
        method: str, path: str, headers: Record, body: bytes, query: Record, identity: str
    ) -> tuple[int, dict[str, str], Any]:
        if path.startswith("/v2/credentials/"):
            return credentials.answer(path, headers)
        if path.startswith("/v4/"):
            served: Answer = await module("services.ecs_metadata").handle_request(method, path, headers, body, query)
            return served
        who = module("core.iam_evaluator").request_caller_arn(headers, query) or "anonymous"
        request_id.set(identity)
        request_body.set(body)
        caller.set(who)
        _checked.set([])
        service, action, resource = _identify(method, path, headers, body, query)
        fault = faults.take(
            service=service, action=action.partition(":")[2], body=body.decode(errors="replace"), caller=who
        )
        status, answer_headers, answer = 0, {}, b""
        if fault is None or fault.get("after"):
            status, answer_headers, answer = await inner(method, path, headers, body, query, identity)
        if fault is not None:
            await asyncio.sleep(fault.get("hold_seconds", 0))
            response = fault["respond"]
            status, answer = response["status"], json.dumps(response["body"]).encode()
            answer_headers = {"Content-Type": "application/x-amz-json-1.1", "x-amzn-requestid": identity}
            if "__type" in response["body"]:
                answer_headers["x-amzn-errortype"] = str(response["body"]["__type"])
        for used_action, used_resource in _checked.get() or [(action, resource)]:
            record(Call(time=now(), caller=who, action=used_action, resource=used_resource, status=status))
        return status, answer_headers, answer

    replace(app, "_dispatch_service_request", dispatch)


def watch_every_permission() -> None:
    """IAM may check several actions for one call (a transaction's items, a copy's source): the record names each."""
    evaluator = module("core.iam_evaluator")
    inner = original(evaluator, "enforce")

    def enforce(  # noqa: PLR0913, PLR0917 - ministack's signature
        access_key: str,
        action: str,
        service: str,
        region: str,
        resource_arn: str = "*",
        service_context: Mapping[str, object] | None = None,
    ) -> object:
        checked = _checked.get()
        if checked is not None:
            checked.append((action, resource_arn))
        return inner(access_key, action, service, region, resource_arn, service_context)

    replace(evaluator, "enforce", enforce)


def _identify(method: str, path: str, headers: Record, body: bytes, query: Record) -> tuple[str, str, str]:
    app, actions, responses = module("app"), module("core.iam_actions"), module("core.responses")
    params = app._routing_params(method, path, headers, body, query)  # noqa: SLF001
    service = app.detect_service(method, path, headers, params)
    action = actions.extract_iam_action(service, method, path, headers, body, params) or f"{service}:?"
    region, account = responses.get_region(), responses.get_account_id()
    resource = actions.extract_resource_arn(service, method, path, headers, body, params, region, account) or "*"
    return service, action, resource


PATCHES = (watch_every_call, watch_every_permission)
