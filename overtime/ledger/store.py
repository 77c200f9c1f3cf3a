"""The run ledger over boto3: records runs, moves them, reads them. What each move needs is decided in `requests`."""

from __future__ import annotations

import hashlib
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from botocore.exceptions import BotoCoreError, ClientError

from overtime.errors import OvertimeError
from overtime.ledger import reads, requests
from overtime.ledger.model import ANY_TASK, RunKey, RunState, expiry
from overtime.ledger.run import Failure, Run

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_dynamodb.type_defs import AttributeValueTypeDef, PutItemInputTypeDef, UpdateItemInputTypeDef
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import PutObjectRequestTypeDef

_CONDITION_FAILED = "ConditionalCheckFailedException"
_OBJECT_IS_THERE = "PreconditionFailed"
_OBJECT_IS_GONE = frozenset({"NoSuchKey", "404"})


class LedgerUnavailableError(OvertimeError):
    """DynamoDB or S3 did not do what the ledger asked; whether the write happened is not known."""


class ObjectGoneError(LedgerUnavailableError):
    """An event or a result is not in the bucket any more; its time was over."""


@dataclass(frozen=True)
class Recorded:
    """The run is new, and now written down."""

    run: Run


@dataclass(frozen=True)
class AlreadyRecorded:
    """The run was known before; this is how it stands."""

    run: Run


@dataclass(frozen=True)
class Moved:
    """The run changed as asked."""

    run: Run


@dataclass(frozen=True)
class Refused:
    """The run did not allow the change; this is how it stands, or nothing where there is no such run."""

    run: Run | None


class RunLedger:
    """One item in DynamoDB and two objects in S3 for each run.

    Every method raises LedgerUnavailableError where AWS refuses or does not answer, and can then be called again.
    """

    def __init__(
        self,
        *,
        table: str,
        bucket: str,
        dynamodb: DynamoDBClient,
        s3: S3Client,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._table, self._bucket = table, bucket
        self._dynamodb, self._s3 = dynamodb, s3
        self._clock = clock

    def record(  # noqa: PLR0913 -- what is known of a run when it begins
        self,
        key: RunKey,
        event: bytes,
        *,
        failure: Failure,
        runs_days: int,
        state: RunState = RunState.QUEUED,
        reason: str | None = None,
    ) -> Recorded | AlreadyRecorded:
        """Write a run down with its event, once; `event` is stored byte for byte.

        The event's object goes first, so that a run never exists without its event. An object without a run, left by
        a crash between the two, is what the next delivery of the same record finds, and the bucket's lifecycle ends.
        """
        self._put_event(key, event)
        now = self._clock()
        request = requests.record(
            self._table,
            key,
            state=state,
            event_size=len(event),
            event_sha256=hashlib.sha256(event).hexdigest(),
            form=failure.form,
            error_code=failure.error_code,
            error_message=failure.error_message,
            invoke_count=failure.invoke_count,
            reason=reason,
            now=now,
            expires_at=expiry(now, runs_days),
            failed_at=None if failure.failed_at is None else failure.failed_at.timestamp(),
        )
        return self._put(key, request)

    def get(self, key: RunKey) -> Run | None:
        """Read one run, or None where there is none."""
        try:
            item = self._dynamodb.get_item(**requests.get(self._table, key)).get("Item")
        except (ClientError, BotoCoreError) as error:
            raise self._unavailable("read", key, error) from error
        return None if item is None else Run.from_item(item)

    def runs(self, states: Iterable[RunState]) -> Iterator[Run]:
        """Read every run that is in one of these states; this goes through the whole table."""
        wanted, after, more = tuple(states), None, True
        while more:
            try:
                page = self._dynamodb.scan(**reads.scan(self._table, wanted, after=after))
            except (ClientError, BotoCoreError) as error:
                raise self._unavailable("list", "the runs", error) from error
            yield from map(Run.from_item, page["Items"])
            after = page.get("LastEvaluatedKey")
            more = bool(after)

    def open_keys(self, index: str | None = None) -> Iterator[str]:
        """Read the keys of the runs that are not settled, and of functions whose tasks are counted.

        `index` is the sparse index over `open`; without it this goes through the whole table.
        """
        after, more = None, True
        while more:
            try:
                page = self._dynamodb.scan(**reads.scan_open(self._table, index=index, after=after))
            except (ClientError, BotoCoreError) as error:
                raise self._unavailable("list", "the open runs", error) from error
            yield from (item["run_key"]["S"] for item in page["Items"])
            after = page.get("LastEvaluatedKey")
            more = bool(after)

    def event(self, key: RunKey) -> bytes:
        """Read the event as it was stored."""
        return self._object(key, key.event_object)

    def result(self, run: Run) -> bytes:
        """Read what the latest task attempt left: the handler's result, or Lambda's error document."""
        return self._object(run.key, run.key.result_object(run.attempt))

    def revive(self, run: Run, event: bytes, reason: str, *, runs_days: int) -> Moved | Refused:
        """See `requests.revive`; the event is stored anew first, for the run begins another life, and so must it."""
        self._put_event(run.key, event, anew=True)
        now = self._clock()
        request = requests.revive(
            self._table,
            run.key,
            attempt=run.attempt,
            reason=reason,
            now=now,
            expires_at=max(run.expires_at, expiry(now, runs_days)),
        )
        return self._update(run.key, request)

    def launching(self, key: RunKey, attempt: int, *, remember: bool = True) -> Moved | Refused:
        """See `requests.launching`."""
        request = requests.launching(self._table, key, attempt=attempt, now=self._clock(), remember=remember)
        return self._update(key, request)

    def launched(self, key: RunKey, attempt: int, task_arn: str) -> Moved | Refused:
        """See `requests.launched`."""
        return self._update(
            key, requests.launched(self._table, key, attempt=attempt, task_arn=task_arn, now=self._clock())
        )

    def note(self, key: RunKey, attempt: int, reason: str, *, parked: bool = False) -> Moved | Refused:
        """See `requests.note`."""
        request = requests.note(self._table, key, attempt=attempt, reason=reason, now=self._clock(), parked=parked)
        return self._update(key, request)

    def fall_back(self, key: RunKey, attempt: int, reason: str) -> Moved | Refused:
        """See `requests.fall_back`."""
        return self._update(
            key, requests.fall_back(self._table, key, attempt=attempt, reason=reason, now=self._clock())
        )

    def hold(self, key: RunKey, attempt: int, *, turn: int, delay: float, reason: str) -> Moved | Refused:
        """See `requests.hold`; `delay` is in seconds from now."""
        now = self._clock()
        request = requests.hold(self._table, key, attempt=attempt, turn=turn, due=now + delay, reason=reason, now=now)
        return self._update(key, request)

    def release(
        self, key: RunKey, attempt: int, reason: str, *, remember: bool = True, parked: bool = False
    ) -> Moved | Refused:
        """See `requests.release`."""
        request = requests.release(
            self._table, key, attempt=attempt, reason=reason, now=self._clock(), remember=remember, parked=parked
        )
        return self._update(key, request)

    def claim(self, key: RunKey, attempt: int, task_arn: str, claim_id: str) -> Moved | Refused:
        """See `requests.claim`."""
        request = requests.claim(
            self._table, key, attempt=attempt, task_arn=task_arn, claim_id=claim_id, now=self._clock()
        )
        return self._update(key, request)

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
    ) -> Moved | Refused:
        """See `requests.finish`."""
        request = requests.finish(
            self._table,
            key,
            attempt=attempt,
            task_arn=task_arn,
            state=state,
            now=self._clock(),
            reason=reason,
            error_type=error_type,
            exit_code=exit_code,
            result_size=result_size,
        )
        return self._update(key, request)

    def abandon(  # noqa: PLR0913 -- likewise
        self,
        key: RunKey,
        attempt: int,
        reason: str,
        *,
        held_by: str | None = ANY_TASK,
        state: RunState = RunState.FAILED,
        error_type: str | None = None,
        exit_code: int | None = None,
        reopened: bool = False,
    ) -> Moved | Refused:
        """See `requests.abandon`."""
        request = requests.abandon(
            self._table,
            key,
            attempt=attempt,
            reason=reason,
            now=self._clock(),
            held_by=held_by,
            state=state,
            error_type=error_type,
            exit_code=exit_code,
            reopened=reopened,
        )
        return self._update(key, request)

    def relaunch(  # noqa: PLR0913 -- likewise
        self,
        key: RunKey,
        attempt: int,
        reason: str,
        *,
        held_by: str | None = ANY_TASK,
        expires_at: int = 0,
        reopened: bool = False,
    ) -> Moved | Refused:
        """See `requests.relaunch`; the item is kept until `expires_at` at least, and while the attempt may last."""
        now = self._clock()
        request = requests.relaunch(
            self._table,
            key,
            attempt=attempt,
            reason=reason,
            now=now,
            held_by=held_by,
            expires_at=max(expires_at, expiry(now, 1)),
            reopened=reopened,
        )
        return self._update(key, request)

    def settle(self, key: RunKey, attempt: int, notified: str) -> Moved | Refused:
        """See `requests.settle`."""
        request = requests.settle(self._table, key, attempt=attempt, notified=notified, now=self._clock())
        return self._update(key, request)

    def cancel(self, key: RunKey, attempt: int, reason: str) -> Moved | Refused:
        """See `requests.cancel`."""
        return self._update(key, requests.cancel(self._table, key, attempt=attempt, reason=reason, now=self._clock()))

    def _put_event(self, key: RunKey, event: bytes, *, anew: bool = False) -> None:
        request: PutObjectRequestTypeDef = {
            "Bucket": self._bucket,
            "Key": key.event_object,
            "Body": event,
            "ContentType": "application/json",
        }
        if not anew:
            request["IfNoneMatch"] = "*"
        try:
            self._s3.put_object(**request)
        except ClientError as error:
            # Every delivery of one record carries the same bytes: what is there is this event.
            if _code(error) != _OBJECT_IS_THERE:
                raise self._unavailable("store the event of", key, error) from error
        except BotoCoreError as error:
            raise self._unavailable("store the event of", key, error) from error

    def _put(self, key: RunKey, request: PutItemInputTypeDef) -> Recorded | AlreadyRecorded:
        try:
            self._dynamodb.put_item(**request)
        except ClientError as error:
            item = _standing(error)
            if item is None:
                raise self._unavailable("record", key, error) from error
            return AlreadyRecorded(Run.from_item(item))
        except BotoCoreError as error:
            raise self._unavailable("record", key, error) from error
        return Recorded(Run.from_item(cast("dict[str, AttributeValueTypeDef]", request["Item"])))

    def _update(self, key: RunKey, request: UpdateItemInputTypeDef) -> Moved | Refused:
        try:
            answer = self._dynamodb.update_item(**request)
        except ClientError as error:
            if _code(error) != _CONDITION_FAILED:
                raise self._unavailable("update", key, error) from error
            item = _standing(error)
            return Refused(None if item is None else Run.from_item(item))
        except BotoCoreError as error:
            raise self._unavailable("update", key, error) from error
        return Moved(Run.from_item(answer["Attributes"]))

    def _object(self, key: RunKey, name: str) -> bytes:
        try:
            return self._s3.get_object(Bucket=self._bucket, Key=name)["Body"].read()
        except (ClientError, BotoCoreError) as error:
            if isinstance(error, ClientError) and _code(error) in _OBJECT_IS_GONE:
                raise ObjectGoneError(
                    f"the ledger could not read {name!r} of {key}: the bucket {self._bucket!r} has no such object. "
                    "It was never written, or has expired."
                ) from error
            raise self._unavailable(f"read {name!r} of", key, error) from error

    def _unavailable(self, what: str, which: RunKey | str, error: Exception) -> LedgerUnavailableError:
        return LedgerUnavailableError(
            f"the ledger (table {self._table!r}, bucket {self._bucket!r}) could not {what} {which}: {error}. Whether "
            "it was written is not known; trying again is safe. If it lasts, check that both exist and the role's "
            "permissions."
        )


def _code(error: ClientError) -> str:
    return error.response.get("Error", {}).get("Code", "")


def _standing(error: ClientError) -> dict[str, AttributeValueTypeDef] | None:
    if _code(error) != _CONDITION_FAILED:
        return None
    return cast("dict[str, AttributeValueTypeDef] | None", error.response.get("Item"))
