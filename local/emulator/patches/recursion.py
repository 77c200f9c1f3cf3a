"""Lambda's recursive loop detection: the trace header that counts a chain's invocations, and the end of such a chain.

Lambda developer guide, "Use Lambda recursive loop detection to prevent infinite loops". Here chains through queues are
counted; those of Invoke are counted by ministack, on their own.
"""

from __future__ import annotations

import hashlib
import logging
import secrets
import time
from contextvars import ContextVar
from typing import TYPE_CHECKING

from local.emulator.patches.patching import Answer, Record, module, original, replace

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

HEADER = "x-amzn-trace-id"
ATTRIBUTE = "AWSTraceHeader"
MOST_INVOCATIONS = 16
"""Of one function in one chain; Lambda says "approximately 16"."""
LINEAGE_FUNCTIONS = 16
"""How many functions a lineage names at most."""
log = logging.getLogger("overtime.recursion")
_sent: ContextVar[str] = ContextVar("trace_sent", default="")
"""The trace header of the call to SQS that is being carried out."""
_invoked: ContextVar[str] = ContextVar("trace_invoked", default="")
"""The trace header of the invocation that a queue's messages caused."""


def keep_the_trace_header_of_messages() -> None:
    """Keep the `X-Amzn-Trace-Id` of SendMessage and SendMessageBatch as the message's attribute AWSTraceHeader.

    X-Ray developer guide, "Amazon SQS and AWS X-Ray": an attribute that the sender gave itself takes precedence.
    """
    sqs = module("services.sqs")
    handler, attributes_of = original(sqs, "handle_request"), original(sqs, "_build_send_sys_attrs")

    async def handle(method: str, path: str, headers: Record, body: bytes, query: Record) -> Answer:
        token = _sent.set(str(headers.get(HEADER, "")))
        try:
            answer: Answer = await handler(method, path, headers, body, query)
        finally:
            _sent.reset(token)
        return answer

    def attributes(now: float, given: Record) -> Record:
        found: Record = attributes_of(now, given)
        if _sent.get():
            found.setdefault(ATTRIBUTE, _sent.get())
        return found

    replace(sqs, "handle_request", handle)
    replace(sqs, "_build_send_sys_attrs", attributes)


def give_every_invocation_a_trace_header() -> None:
    """Set `_X_AMZN_TRACE_ID`, which changes with each invocation, whether or not the function is traced.

    Lambda developer guide, "Defined runtime environment variables". The SDK sends it along with each call.
    """

    def trace(config: Record, inbound: str | None = None) -> str:
        traced = (config.get("TracingConfig") or {}).get("Mode") == "Active"
        return inbound or _invoked.get() or next_trace([], _arn(config), sampled=traced)

    replace(module("services.lambda_svc"), "_xray_trace_id_for_invocation", trace)


def end_chains_through_queues() -> None:
    """Refuse the 17th invocation of a function in one chain, unless its recursion config is Allow.

    The messages were received and come again, so the queue's redrive policy parks them in the end. What Lambda does
    with a batch of several chains is not documented: here the longest counts and the whole batch is refused.
    """
    lambdas = module("services.lambda_svc")
    inner = original(lambdas, "_run_sqs_batch")

    def run(mapping: Record, function: Record, event: Record, *rest: object) -> None:
        name, config = str(mapping["FunctionName"]), function.get("config") or function
        arn = _arn(config)
        traced = (config.get("TracingConfig") or {}).get("Mode") == "Active"
        before = [record["attributes"].get(ATTRIBUTE, "") for record in event["Records"]]
        trace = next_trace(before, arn, sampled=traced)
        kept = lambdas._functions.get(name) or {}  # noqa: SLF001
        if is_refused(trace, arn, kept.get("recursive_loop")):
            module("services.cloudwatch").record_metric(
                "AWS/Lambda", "RecursiveInvocationsDropped", 1, "Count", {"FunctionName": name}
            )
            log.warning("lambda ends a recursive loop through %s: %s", mapping["EventSourceArn"], trace)
            mapping["LastProcessingResult"] = "FAILED"
            return
        token = _invoked.set(trace)
        try:
            inner(mapping, function, event, *rest)
        finally:
            _invoked.reset(token)

    replace(lambdas, "_run_sqs_batch", run)


def is_refused(trace: str, function_arn: str, recursive_loop: str | None) -> bool:
    """Say whether an invocation with this header is one too many for the function's recursion config."""
    return lineage(trace).get(mark(function_arn), 0) > MOST_INVOCATIONS and recursive_loop != "Allow"


def next_trace(before: Iterable[str], function_arn: str, *, sampled: bool = False) -> str:
    """Make the header of a function's invocation from those of the messages that cause it, one invocation further.

    The header whose chain went through this function most often leads; without any, a chain begins.
    """
    mine = mark(function_arn)
    headers = sorted(before, key=lambda each: lineage(each).get(mine, 0), reverse=True)
    counts: dict[str, int] = {}
    for header in headers:
        for each, count in lineage(header).items():
            counts[each] = max(count, counts.get(each, 0))
    counts[mine] = counts.get(mine, 0) + 1
    # The longest chains are the ones worth counting; the function's own count stays in any case.
    longest = sorted(counts.items(), key=lambda item: (item[0] == mine, item[1]), reverse=True)[:LINEAGE_FUNCTIONS]
    kept = _fields(headers[0]) if headers else {}
    fields = {
        "Root": kept.get("Root") or f"1-{int(time.time()):08x}-{secrets.token_hex(12)}",
        "Parent": secrets.token_hex(8),
        "Sampled": kept.get("Sampled") or str(int(sampled)),
        "Lineage": "|".join(f"{each}:{count}" for each, count in longest),
    }
    return ";".join(f"{name}={value}" for name, value in fields.items())


def lineage(header: str) -> dict[str, int]:
    """Read how often a chain went through which function; a lineage of another form counts as none."""
    counts = {}
    for entry in _fields(header).get("Lineage", "").split("|"):
        each, _, count = entry.partition(":")
        if each and count.isdecimal():
            counts[each] = int(count)
    return counts


def mark(function_arn: str) -> str:
    """Name a function within a lineage: eight hexadecimal digits, the same for all of its versions."""
    unqualified = ":".join(function_arn.split(":")[:7])
    return hashlib.sha256(unqualified.encode()).hexdigest()[:8]


def _fields(header: str) -> Mapping[str, str]:
    pairs = (part.partition("=") for part in header.split(";"))
    return {name.strip(): value.strip() for name, found, value in pairs if found}


def _arn(config: Record) -> str:
    return str(config.get("FunctionArn", ""))


PATCHES = (
    keep_the_trace_header_of_messages,
    give_every_invocation_a_trace_header,
    end_chains_through_queues,
)
