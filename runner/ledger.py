"""The runner's side of the run ledger: claim the run, read its event, leave its result, close it."""

from __future__ import annotations

import json
import os
import time

from overtime.ledger import task_requests
from runner.aws import Aws, CallError, may_pass
from runner.errors import NotOursError, UnavailableError
from runner.transport import TransportError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import TypeVar

    from mypy_boto3_dynamodb.type_defs import AttributeValueTypeDef

    from runner.outcome import Outcome
    from runner.retrying import RetryBudget
    from runner.settings import Claim

    Answer = TypeVar("Answer")

_CONDITION = "ConditionalCheckFailedException"


class TaskLedger:
    """One task's hold on one run. Every method raises UnavailableError or PermissionMissingError."""

    def __init__(self, aws: Aws, claim: Claim, task_arn: str, budget: RetryBudget) -> None:
        self._aws, self._claim, self._task_arn, self._budget = aws, claim, task_arn, budget
        self._claim_id = os.urandom(16).hex()

    def claim(self) -> None:
        """Take the run. Raises NotOursError, which says how the ledger has it, where it is not to be had."""
        claim = self._claim
        request = task_requests.claim(
            claim.table, time.time(), claim.key, claim.attempt, task_arn=self._task_arn, claim_id=self._claim_id
        )
        refused = self._update(request, "claiming")
        if refused is None:
            return
        if not task_requests.claimed_by(
            refused, attempt=claim.attempt, task_arn=self._task_arn, claim_id=self._claim_id
        ):
            raise NotOursError(
                f"run {claim.key} cannot be claimed for task attempt {claim.attempt}: {described(refused)}. "
                "The handler was not started."
            )

    def event(self) -> bytes:
        """Return the event's bytes as Lambda got them."""
        claim = self._claim
        return self._tried(
            lambda: self._aws.get_object(claim.bucket, claim.key.event_object, self._budget), "reading the event"
        )

    def finish(self, outcome: Outcome) -> None:
        """Leave the result, then close the run: a state that names a result must find it there.

        Raises NotOursError where the ledger has meanwhile given the run to another task, or ended it.
        """
        claim = self._claim
        self._tried(
            lambda: self._aws.put_object(
                claim.bucket, claim.key.result_object(claim.attempt), outcome.result, self._budget
            ),
            "writing the result",
        )
        request = task_requests.finish(
            claim.table,
            time.time(),
            claim.key,
            claim.attempt,
            task_arn=self._task_arn,
            state=outcome.state,
            reason=outcome.reason,
            error_type=outcome.error_type,
            exit_code=outcome.exit_code,
            result_size=len(outcome.result),
        )
        refused = self._update(request, "finishing")
        if refused is not None and not task_requests.finished_by(
            refused, attempt=claim.attempt, task_arn=self._task_arn, state=outcome.state
        ):
            raise NotOursError(
                f"run {claim.key} ended here as {outcome.state.value} but is not this task's any more: "
                f"{described(refused)}. "
                "Its result was left in the bucket; the ledger was not changed."
            )

    def _update(self, request: Mapping[str, object], doing: str) -> Mapping[str, AttributeValueTypeDef] | None:
        """Send an UpdateItem; return the item that stood against it, None where the write was made."""
        try:
            self._tried(lambda: self._aws.dynamodb("UpdateItem", request, self._budget), doing)
        except CallError as error:
            item = json.loads(error.body).get("Item")
            # The refusal brings the item that stood against it; where there is no such run, none.
            found: Mapping[str, AttributeValueTypeDef] = item if isinstance(item, dict) else {}
            return found
        return None

    def _tried(self, call: Callable[[], Answer], doing: str) -> Answer:
        try:
            return call()
        except (CallError, TransportError) as error:
            if isinstance(error, CallError) and error.code == _CONDITION:
                raise
            tried = f" after {self._budget.seconds} s of trying" if may_pass(error) else ""
            raise UnavailableError(
                f"{doing} run {self._claim.key} failed{tried}: {error}. "
                "Check that the ledger's table and bucket exist and that the task's subnet reaches them.",
                may_pass=may_pass(error),
            ) from error


def described(item: Mapping[str, AttributeValueTypeDef]) -> str:
    """Say in a few words how the ledger has a run."""
    if not item:
        return "the ledger does not know it"
    state, attempt = item.get("state", {}).get("S"), item.get("attempt", {}).get("N")
    task = item.get("task_arn", {}).get("S")
    return f"the ledger has it as {state}, task attempt {attempt}" + (f", held by {task}" if task else "")
