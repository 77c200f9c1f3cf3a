"""The runner's side of the ledger, over a test's own client: what a task writes, and whether it was written."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from overtime.contract import task_requests
from overtime.contract.aws_errors import CONDITION_FAILED
from overtime.ledger.answers import error_code

if TYPE_CHECKING:
    from collections.abc import Callable

    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_dynamodb.type_defs import UpdateItemInputTypeDef

    from overtime.contract.runs import RunKey, RunState


class TaskLedger:
    """Claims and finishes runs for any task."""

    def __init__(
        self, dynamodb: DynamoDBClient, *, table: str = "runs", clock: Callable[[], float] = time.time
    ) -> None:
        self._dynamodb, self._table, self._clock = dynamodb, table, clock

    def claim(self, key: RunKey, attempt: int, task_arn: str, claim_id: str = "c") -> bool:
        """Claim a run; False where it is refused."""
        return self._sent(
            task_requests.claim(self._table, self._clock(), key, attempt, task_arn=task_arn, claim_id=claim_id)
        )

    def finish(  # noqa: PLR0913 -- what is known of a run when it ends
        self,
        key: RunKey,
        attempt: int,
        task_arn: str,
        state: RunState,
        *,
        reason: str | None = None,
        error_type: str | None = None,
        exit_code: int | None = None,
        result_size: int | None = None,
    ) -> bool:
        """Finish a run; False where it is refused."""
        return self._sent(
            task_requests.finish(
                self._table,
                self._clock(),
                key,
                attempt,
                task_arn=task_arn,
                state=state,
                reason=reason,
                error_type=error_type,
                exit_code=exit_code,
                result_size=result_size,
            )
        )

    def _sent(self, request: UpdateItemInputTypeDef) -> bool:
        try:
            self._dynamodb.update_item(**request)
        except ClientError as error:
            if error_code(error) != CONDITION_FAILED:
                raise
            return False
        return True
