"""EventBridge's way to a target: who may be called, what becomes of events that cannot be delivered, and schedules."""

from __future__ import annotations

import contextvars
import json
import logging
import os
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from local.emulator.faults import Faults
from local.emulator.patches.patching import Answer, Record, module, original, replace
from local.emulator.settings import FAULTS_VARIABLE, MINUTE_VARIABLE

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

EVENTS = "events.amazonaws.com"
ENTRY_BYTES = 1_048_576
TICK_SECONDS = 0.2
_TIME_BYTES = 14
_ACTIONS = {"lambda": "lambda:InvokeFunction", "sqs": "sqs:SendMessage", "sns": "sns:Publish"}
log = logging.getLogger("overtime.events")


class Undelivered(NamedTuple):
    """Why an event did not reach its target, in EventBridge's words."""

    code: str
    message: str


def deliver_with_the_targets_permission() -> None:
    """Call a function, queue or topic only where its own policy lets the rule do so; else use the dead-letter queue.

    EventBridge user guide, "Using resource-based policies for Amazon EventBridge" and "Using dead-letter queues to
    process undelivered events". A missing permission or target is not tried again.
    """
    events = module("services.eventbridge")
    inner = original(events, "_invoke_target")

    def invoke(target: Record, event: Record, rule: Record, view: Any = None) -> None:  # noqa: ANN401 - ministack is untyped
        view = view or events._pattern_event_view(event)  # noqa: SLF001
        undelivered = _obstacle(target["Arn"], rule["Arn"])
        if undelivered:
            log.warning("no delivery to %s: %s", target["Arn"], undelivered.message)
            _keep(target, rule, view.event_with_detail(), undelivered)
        else:
            inner(target, event, rule, view)

    replace(events, "_invoke_target", invoke)


def invoke_functions_asynchronously() -> None:
    """Give the event to Lambda as an asynchronous invocation, with its retries, dead-letter queue and destinations.

    Lambda developer guide, "Invoke a Lambda function on a schedule", and EventBridge user guide, "Event bus targets".
    """
    events, lambdas = module("services.eventbridge"), module("services.lambda_svc")

    def invoke(arn: str, payload: str) -> None:
        function, config, _name = lambdas._get_func_record_for_ref(arn)  # noqa: SLF001
        record = lambdas._execution_record_for_config(function, config)  # noqa: SLF001
        lambdas.invoke_async_with_retry(record, json.loads(payload))

    replace(events, "_dispatch_to_lambda", invoke)


def deliver_as_ordered() -> None:
    """Lose, repeat or delay a delivery where a fault rule says so.

    EventBridge delivers at least once and in no particular order (EventBridge user guide, "Event delivery").
    """
    events = module("services.eventbridge")
    inner = original(events, "_invoke_target")
    faults = Faults(Path(os.environ[FAULTS_VARIABLE]))

    def invoke(target: Record, event: Record, rule: Record, view: Any = None) -> None:  # noqa: ANN401 - likewise
        view = view or events._pattern_event_view(event)  # noqa: SLF001
        fault = faults.take("deliver", body=json.dumps([target["Arn"], view.event_with_detail()])) or {}
        how = fault.get("deliver", {})
        if how.get("drop"):
            return
        if how.get("without_exit_code"):
            event, view = without_exit_codes(event), None
        for _ in range(1 + how.get("repeat", 0)):
            _after(how.get("delay_seconds", 0), lambda: inner(target, event, rule, view))

    replace(events, "_invoke_target", invoke)


def refuse_entries_that_are_too_large() -> None:
    """PutEvents takes up to 1 MB for all its entries (API reference, PutEvents; "Calculating PutEvents entry size")."""
    events = module("services.eventbridge")
    inner = original(events, "_put_events")

    def put(data: Record, allow_aws_source: bool = False) -> Answer:  # noqa: FBT001, FBT002 - ministack's signature
        if sum(entry_bytes(entry) for entry in data.get("Entries", [])) > ENTRY_BYTES:
            message = f"Total size of the entries in the request is over the limit of {ENTRY_BYTES} bytes."
            kind = "ValidationException"
            headers = {"Content-Type": "application/x-amz-json-1.1", "x-amzn-errortype": kind}
            return 400, headers, json.dumps({"__type": kind, "message": message}).encode()
        answer: Answer = inner(data, allow_aws_source)
        return answer

    replace(events, "_put_events", put)


def keep_time_as_set() -> None:
    """Let a minute of a `rate(…)` last as long as the settings say, and look at the schedules often enough for that."""
    events = module("services.eventbridge")
    seconds_of = original(events, "_parse_rate_seconds")
    minute = float(os.environ[MINUTE_VARIABLE])

    def scaled(expression: str) -> float | None:
        seconds = seconds_of(expression)
        return None if seconds is None else seconds * minute / 60

    replace(events, "_parse_rate_seconds", scaled)
    replace(events, "_SCHEDULER_TICK_INTERVAL", TICK_SECONDS)


def entry_bytes(entry: Mapping[str, object]) -> int:
    """Say how large EventBridge takes an entry to be."""
    resources = entry.get("Resources")
    texts = [entry.get("Source"), entry.get("DetailType"), entry.get("Detail")]
    texts += resources if isinstance(resources, list) else []
    return sum(len(str(text).encode()) for text in texts if text) + (_TIME_BYTES if entry.get("Time") else 0)


def without_exit_codes(event: Record) -> Record:
    """Give the event of a task whose containers' ends nobody saw."""
    detail = json.loads(event["Detail"])
    for container in detail.get("containers", []):
        container.pop("exitCode", None)
    return {**event, "Detail": json.dumps(detail)}


def dead_letter_attributes(rule_arn: str, target_arn: str, why: Undelivered) -> dict[str, dict[str, str]]:
    """Make the attributes that tell a dead-letter queue's reader what happened; the body is the event."""
    texts = {
        "RULE_ARN": rule_arn,
        "TARGET_ARN": target_arn,
        "ERROR_CODE": why.code,
        "ERROR_MESSAGE": why.message,
    }
    return {name: {"DataType": "String", "StringValue": text} for name, text in texts.items()}


def _after(seconds: float, call: Callable[[], object]) -> None:
    if not seconds:
        call()
        return
    # The account and region of the event go along in the context.
    timer = threading.Timer(seconds, contextvars.copy_context().run, args=(call,))
    timer.daemon = True
    timer.start()


def _obstacle(target: str, rule: str) -> Undelivered | None:
    service = target.split(":")[2]
    if service == "lambda" and not module("services.lambda_svc")._get_func_record_for_ref(target)[0]:  # noqa: SLF001
        return Undelivered("NO_RESOURCE", f"Function not found: {target}")
    if service in _ACTIONS and not _allows(_ACTIONS[service], target, rule):
        return Undelivered("NO_PERMISSIONS", f"{EVENTS} is not authorized to perform: {_ACTIONS[service]} on {target}")
    return None


def _allows(action: str, resource: str, source: str) -> bool:
    """Ask a resource's own policy; without IAM enforcement it allows."""
    if not module("app").AUTH:
        return True
    evaluator, responses = module("core.iam_evaluator"), module("core.responses")
    found = evaluator._resource_policy(action.partition(":")[0], resource)  # noqa: SLF001
    if found is None:
        return False
    account = responses.get_account_id()
    asked = evaluator.EvalContext(
        principal_arn=EVENTS,
        principal_type="Service",
        principal_account=account,
        action=action,
        resource_arn=resource,
        region=responses.get_region(),
        service_context={"aws:sourcearn": source, "aws:sourceaccount": account},
        secure_transport=True,  # AWS's services talk TLS to each other
    )
    return bool(evaluator.evaluate_resource_policy(found[0], asked, service=EVENTS).decision == "Allow")


def _keep(target: Record, rule: Record, event: Record, why: Undelivered) -> None:
    queue_arn = (target.get("DeadLetterConfig") or {}).get("Arn")
    if not queue_arn:
        return
    sqs = module("services.sqs")
    if not _allows("sqs:SendMessage", queue_arn, rule["Arn"]):
        log.warning("an undelivered event is lost: %s does not let %s send", queue_arn, EVENTS)
        return
    url = sqs._queue_url(queue_arn.rpartition(":")[2])  # noqa: SLF001
    attributes = dead_letter_attributes(rule["Arn"], target["Arn"], why)
    sqs._act_send_message(  # noqa: SLF001
        {"QueueUrl": url, "MessageBody": json.dumps(event), "MessageAttributes": attributes}, url
    )
    module("services.lambda_svc").esm_wake.set()


PATCHES = (
    invoke_functions_asynchronously,
    deliver_with_the_targets_permission,
    deliver_as_ordered,
    refuse_entries_that_are_too_large,
    keep_time_as_set,
)
