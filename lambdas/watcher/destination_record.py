"""The record that Lambda would have sent to a destination, for a run that ended on Fargate. Pure.

Fields and order are those of https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-retain-records.html.
Event and result are included unchanged if every parser accepts them, otherwise as strings (see `payload`).

If a record is too large for its target, Lambda drops the payloads
(https://docs.aws.amazon.com/lambda/latest/api/API_OnFailure.html). This record then omits `requestPayload` and
`responsePayload`, too, but still names the run.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from overtime.contract import error_types
from overtime.contract.runs import RunState, timestamp
from overtime.lambdas.watcher.payload import member

if TYPE_CHECKING:
    from overtime.ledger.run import Run


def record(  # noqa: PLR0913 -- all that a record contains
    run: Run,
    *,
    function_arn: str,
    lambda_attempts: int,
    event: bytes | None,
    result: bytes | None,
    payloads: bool = True,
) -> str:
    """Return the record; `event` or `result` is omitted if it is None (expired), and both if not `payloads`."""
    succeeded = run.state is RunState.SUCCEEDED
    version = run.executed_version or run.failure.version or "$LATEST"
    response: dict[str, object] = {"statusCode": 200, "executedVersion": version}
    if not succeeded:
        response["functionError"] = error_types.UNHANDLED
    counted = run.failure.invoke_count if run.failure.invoke_count is not None else lambda_attempts
    tasks = 0 if run.state is RunState.SKIPPED else run.counted_attempts
    members = {
        "version": json.dumps("1.0"),
        "timestamp": json.dumps(timestamp((run.finished_at or run.updated_at).timestamp())),
        "requestContext": json.dumps(
            {
                "requestId": run.key.request_id,
                "functionArn": f"{function_arn}:{run.failure.qualifier or '$LATEST'}",
                "condition": "Success" if succeeded else "RetriesExhausted",
                "approximateInvokeCount": counted + tasks,
            }
        ),
    }
    if payloads and event is not None:
        members["requestPayload"] = member(event)
    members["responseContext"] = json.dumps(response)
    if payloads:
        members["responsePayload"] = member(result) if result is not None else error_document(run)
    return "{" + ",".join(f"{json.dumps(name)}:{text}" for name, text in members.items()) + "}"


def error_document(run: Run) -> str:
    """Return why a run ended without a result, as an error document of Lambda's form."""
    if run.state is RunState.SUCCEEDED:
        return "null"
    if run.state is RunState.SKIPPED:
        return json.dumps({"errorMessage": run.failure.error_message or ""})
    message = f"RequestId: {run.key.request_id} Error: {run.reason or 'the run ended without a reason'}"
    return json.dumps(
        {"errorMessage": message, "errorType": run.error_type or f"{error_types.PREFIX}{run.state.value}"}
    )
