"""The runner's side of the run ledger: claims the run, reads its event, stores its result, finishes it."""

from __future__ import annotations

import json
import os
import time

from overtime.contract import task_requests
from overtime.contract.aws_errors import CONDITION_FAILED
from overtime.runner.aws import Aws, CallError, OtherContentError, may_pass
from overtime.runner.errors import NotOursError, UnavailableError
from overtime.runner.retrying import RetryBudget, retrying
from overtime.runner.transport import TransportError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import TypeVar

    from mypy_boto3_dynamodb.type_defs import AttributeValueTypeDef

    from overtime.runner.config import Claim
    from overtime.runner.outcome import Outcome

    Answer = TypeVar("Answer")
    Item = Mapping[str, AttributeValueTypeDef]

_ONE_TRY = RetryBudget(0)


class TaskLedger:
    """One run in the ledger, for its task. Every method may raise UnavailableError or PermissionMissingError."""

    def __init__(self, aws: Aws, claim: Claim, task_arn: str, budget: RetryBudget) -> None:
        self._aws, self._claim, self._task_arn, self._budget = aws, claim, task_arn, budget
        self._claim_id = os.urandom(16).hex()
        self._event_sha256 = ""

    def claim(self) -> None:
        """Claim the run. Raise NotOursError, which describes the ledger's item, if the claim is refused."""
        claim = self._claim
        request = task_requests.claim(
            claim.table, time.time(), claim.key, claim.attempt, task_arn=self._task_arn, claim_id=self._claim_id
        )
        written, item = self._tried(lambda: self._update(request, self._budget), "claiming")
        if not written and not task_requests.claimed_by(
            item, attempt=claim.attempt, task_arn=self._task_arn, claim_id=self._claim_id
        ):
            raise NotOursError(
                f"run {claim.key} cannot be claimed for task attempt {claim.attempt}: {described(item)}. "
                "The handler was not started."
            )
        self._event_sha256 = item.get("event_sha256", {}).get("S", "")

    def event(self) -> bytes:
        """Return the event, byte for byte; its hash is the one in the claimed item."""
        claim = self._claim
        return self._tried(
            lambda: self._aws.get_object(claim.bucket, claim.key.event_object, self._event_sha256, self._budget),
            "reading the event of",
        )

    def finish(
        self,
        outcome: Outcome,
        budget: RetryBudget | None = None,
        passes: Callable[[Exception], bool] = may_pass,
        *,
        executed_version: str | None = None,
    ) -> None:
        """Store the result, then finish the run, so that the result of a finished run always exists.

        Both are retried within `budget` after errors for which `passes` returns True. Raise NotOursError if the run has
        another task by now, or has ended.
        """
        claim = self._claim
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
            executed_version=executed_version,
        )
        stored = False

        def once() -> tuple[bool, Item]:
            nonlocal stored
            if not stored:
                name = claim.key.result_object(claim.attempt)
                self._aws.put_object(claim.bucket, name, outcome.result, _ONE_TRY)
                stored = True
            return self._update(request, _ONE_TRY)

        written, item = self._tried(
            lambda: retrying(once, passes, budget or self._budget), "recording the result and the outcome of", budget
        )
        if not written and not task_requests.finished_by(
            item, attempt=claim.attempt, task_arn=self._task_arn, state=outcome.state
        ):
            raise NotOursError(
                f"run {claim.key} ended here as {outcome.state.value}, but no longer belongs to this task: "
                f"{described(item)}. "
                "Its result is in the bucket; the ledger was not changed."
            )

    def _update(self, request: Mapping[str, object], budget: RetryBudget) -> tuple[bool, Item]:
        """Send an UpdateItem; return whether the item was written, and its current content (empty: unknown)."""
        try:
            written, item = True, self._aws.dynamodb("UpdateItem", request, budget).get("Attributes")
        except CallError as error:
            if error.code != CONDITION_FAILED:
                raise
            # The error contains the item that did not meet the condition.
            written, item = False, json.loads(error.body).get("Item")
        return written, item if isinstance(item, dict) else {}

    def _tried(self, call: Callable[[], Answer], doing: str, budget: RetryBudget | None = None) -> Answer:
        try:
            return call()
        except (CallError, TransportError) as error:
            passes = may_pass(error) and not isinstance(error, OtherContentError)
            tried = f" despite retries for {(budget or self._budget).seconds:.0f} s" if may_pass(error) else ""
            raise UnavailableError(
                f"{doing} run {self._claim.key} failed{tried}: {error}. "
                "Check that the ledger's table and bucket exist, and that the task's subnet can reach them.",
                may_pass=passes,
            ) from error


def described(item: Item) -> str:
    """Return a short description of a run's item."""
    if not item:
        return "it is not in the ledger"
    state, attempt = item.get("state", {}).get("S"), item.get("attempt", {}).get("N")
    task = item.get("task_arn", {}).get("S")
    return f"in the ledger it is {state}, task attempt {attempt}" + (f", with task {task}" if task else "")
