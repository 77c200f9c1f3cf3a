from __future__ import annotations

import json
from pathlib import Path

import pytest
from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord

from overtime.contract.rescue import Rescue
from overtime.lambdas.dispatcher.failure_record import parse
from overtime.lambdas.dispatcher.rescue import FailureKind, HandOver, Skip, classify, decide

EVENTS = Path(__file__).parents[2] / "events"
DEFAULT = frozenset({Rescue.TIMEOUT, Rescue.OUT_OF_MEMORY})
TIMEOUT, MEMORY, OTHER = FailureKind.TIMEOUT, FailureKind.OUT_OF_MEMORY, FailureKind.OTHER
RID = "RequestId: 8b1f1a2c-5d0e"


@pytest.mark.parametrize(
    ("error_type", "error_message", "kind"),
    [
        (None, "2024-05-11T09:48:00.123Z 8b1f1a2c Task timed out after 900.00 seconds", TIMEOUT),
        (None, f"{RID} Error: Task timed out after 3.00 seconds", TIMEOUT),
        (None, "Task timed out after 3 seconds", TIMEOUT),
        ("Sandbox.Timedout", None, TIMEOUT),
        (None, "Billing: Task timed out after 3 seconds while waiting", OTHER),
        ("TimeoutError", "Task timed out after 3.00 seconds", OTHER),
        ("Runtime.OutOfMemory", f"{RID} Error: anything", MEMORY),
        (None, f"{RID} Error: Runtime exited with error: signal: killed", MEMORY),
        (None, f"{RID} Error: Runtime exited with error: exit status 137", MEMORY),
        ("Runtime.ExitError", f"{RID} Error: Runtime exited with error: signal: killed", MEMORY),
        ("Runtime.ExitError", None, MEMORY),
        ("Runtime.ExitError", f"{RID} Error: Runtime exited with error: exit status 1", OTHER),
        ("Runtime.ExitError", f"{RID} Error: Runtime exited with error: signal: segmentation fault", OTHER),
        ("Runtime.ExitError", f"{RID} Error: Runtime exited without providing a reason", OTHER),
        (None, f"{RID} Error: Runtime exited with error: exit status 1", OTHER),
        (None, "my child got signal: killed", OTHER),
        (None, f"{RID} Error: Runtime exited with error: signal: aborted", MEMORY),
        ("Runtime.ExitError", f"{RID} Error: Runtime exited with error: signal: aborted", MEMORY),
        ("java.lang.OutOfMemoryError", "Java heap space", MEMORY),
        (None, "Java heap space", MEMORY),
        (None, "GC overhead limit exceeded", MEMORY),
        ("OutOfMemoryException", "Array dimensions exceeded supported range", MEMORY),
        (None, "Exception of type 'System.OutOfMemoryException' was thrown.", MEMORY),
        (None, "the worker said: Java heap space", OTHER),
        ("example.QueueError", "Java heap space", OTHER),
        (None, "my child got signal: aborted", OTHER),
        ("MemoryError", "", OTHER),
        ("KeyError", "'customer'", OTHER),
        (None, "Rate Exceeded.", OTHER),
        (None, None, OTHER),
    ],
)
def test_lambdas_words_tell_the_kinds_apart(
    error_type: str | None, error_message: str | None, kind: FailureKind
) -> None:
    """Lambda's own wording decides; what a handler happens to say does not."""
    assert classify(error_type=error_type, error_message=error_message) is kind


@pytest.mark.parametrize(
    ("name", "rules", "attempts", "rescued"),
    [
        ("dead_letter_timeout", frozenset(), 3, False),
        ("dead_letter_zero_concurrency", frozenset(), 0, False),
        ("dead_letter_timeout", DEFAULT, 3, True),
        ("destination_timeout", DEFAULT, 1, True),
        ("dead_letter_out_of_memory", DEFAULT, 3, True),
        ("dead_letter_timeout", frozenset({Rescue.OUT_OF_MEMORY}), 3, False),
        ("dead_letter_handler_error", DEFAULT, 3, False),
        ("dead_letter_handler_error", frozenset({Rescue.ANY}), 3, True),
        ("dead_letter_throttled", DEFAULT, 3, False),
        ("dead_letter_zero_concurrency", DEFAULT, 3, False),
        ("dead_letter_zero_concurrency", DEFAULT, 0, True),
        ("destination_zero_concurrency", DEFAULT, 0, True),
    ],
)
def test_the_rule_decides(name: str, rules: frozenset[Rescue], attempts: int, *, rescued: bool) -> None:
    """Each real record under each rule; with no Lambda attempts everything is handed over."""
    record = parse(SQSRecord(json.loads((EVENTS / f"{name}.json").read_text())["Records"][0]), "report")
    decision = decide(record, rules=rules, lambda_attempts=attempts)
    assert isinstance(decision, HandOver if rescued else Skip)


def test_a_skip_says_why() -> None:
    """Who finds a skipped run reads what failed and what the rule was."""
    record = parse(
        SQSRecord(json.loads((EVENTS / "dead_letter_handler_error.json").read_text())["Records"][0]), "report"
    )
    assert decide(record, rules=DEFAULT, lambda_attempts=3) == Skip(
        OTHER, "not handed over: the failure is 'other' and the rule is out_of_memory, timeout"
    )
