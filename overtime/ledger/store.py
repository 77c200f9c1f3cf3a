"""The run ledger over boto3: records, changes and reads runs. `requests` and `wait_requests` define the conditions."""

from __future__ import annotations

import time
from functools import wraps
from typing import TYPE_CHECKING, Concatenate, ParamSpec, cast

from botocore.exceptions import BotoCoreError, ClientError

from overtime.contract import runs
from overtime.contract.aws_errors import CONDITION_FAILED
from overtime.contract.runs import RunKey, RunState
from overtime.ledger import reads, requests, wait_requests
from overtime.ledger.answers import (
    AlreadyRecorded,
    LedgerUnavailableError,
    Moved,
    ObjectGoneError,
    Recorded,
    Refused,
    error_code,
)
from overtime.ledger.run import Failure, Run

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_dynamodb.type_defs import AttributeValueTypeDef, PutItemInputTypeDef, UpdateItemInputTypeDef
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import PutObjectRequestTypeDef

_JSON = "application/json"
_OBJECT_IS_THERE = "PreconditionFailed"
_OBJECT_IS_GONE = frozenset({"NoSuchKey", "404"})

P = ParamSpec("P")


def _sent(
    request: Callable[Concatenate[str, float, RunKey, P], UpdateItemInputTypeDef],
) -> Callable[Concatenate[RunLedger, RunKey, P], Moved | Refused]:
    """Turn a request into a method that sends it; its parameters are those of the request from the run on."""

    @wraps(request)
    def send(self: RunLedger, key: RunKey, /, *args: P.args, **kwargs: P.kwargs) -> Moved | Refused:
        return self._update(key, request(self._table, self._clock(), key, *args, **kwargs))

    return send


def _with_its_event(
    send: Callable[Concatenate[RunLedger, RunKey, P], Moved | Refused],
) -> Callable[Concatenate[RunLedger, RunKey, P], Moved | Refused]:
    """Extend the event's life before the run's, so that the event never expires first."""

    @wraps(send)
    def prolong(self: RunLedger, key: RunKey, /, *args: P.args, **kwargs: P.kwargs) -> Moved | Refused:
        self.keep_event(key)
        return send(self, key, *args, **kwargs)

    return prolong


class RunLedger:
    """The items and objects of all runs.

    Every method may raise LedgerUnavailableError if a call to AWS fails; retrying is safe.
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

    def record(  # noqa: PLR0913 -- all that a new run's item contains
        self,
        key: RunKey,
        event: bytes,
        *,
        failure: Failure,
        runs_days: int,
        state: RunState = RunState.QUEUED,
        reason: str | None = None,
    ) -> Recorded | AlreadyRecorded:
        """Record a run with its event, once; `event` is stored byte for byte.

        The event is stored first, so a run never exists without its event. If a crash in between leaves an event
        without a run, the next delivery of the same record uses it; otherwise the bucket's lifecycle deletes it.
        """
        self._put_event(key, event)
        request = requests.record(
            self._table,
            self._clock(),
            key,
            event,
            failure=failure,
            runs_days=runs_days,
            state=state,
            reason=reason,
        )
        return self._put(key, request)

    def get(self, key: RunKey) -> Run | None:
        """Return one run, or None if the ledger does not have it."""
        try:
            item = self._dynamodb.get_item(**reads.get(self._table, key)).get("Item")
        except (ClientError, BotoCoreError) as error:
            raise self._unavailable("read", key, error) from error
        return None if item is None else Run.from_item(key, item)

    def open_keys(self, index: str | None = None) -> Iterator[str]:
        """Read the keys of open runs, and of the slot items of functions with occupied slots.

        `index` is the sparse index over `open`; without it, this scans the whole table.
        """
        after, more = None, True
        while more:
            try:
                page = self._dynamodb.scan(**reads.scan_open(self._table, index=index, after=after))
            except (ClientError, BotoCoreError) as error:
                raise self._unavailable("list", "the open runs", error) from error
            yield from (item[runs.KEY]["S"] for item in page["Items"])
            after = page.get("LastEvaluatedKey")
            more = bool(after)

    def event(self, key: RunKey) -> bytes:
        """Read the event as it was stored."""
        return self._object(key, key.event_object)

    def keep_event(self, key: RunKey) -> None:
        """Restart the event's age, by which the bucket's lifecycle deletes it; do nothing if it has already expired.

        S3 allows copying an object onto itself only if something changes, hence the directive REPLACE.
        """
        name = key.event_object
        try:
            self._s3.copy_object(
                Bucket=self._bucket,
                Key=name,
                CopySource={"Bucket": self._bucket, "Key": name},
                ContentType=_JSON,
                MetadataDirective="REPLACE",
            )
        except ClientError as error:
            if error_code(error) not in _OBJECT_IS_GONE:
                raise self._unavailable("keep the event of", key, error) from error
        except BotoCoreError as error:
            raise self._unavailable("keep the event of", key, error) from error

    def result(self, run: Run) -> bytes:
        """Read what the latest task attempt left: the handler's result, or Lambda's error document.

        The function's role may replace the object at any time. Raise ObjectGoneError if its size is not the ledger's.
        """
        return self._object(run.key, run.key.result_object(run.attempt), size=run.result_size)

    def revive(self, run: Run, event: bytes, reason: str, *, runs_days: int) -> Moved | Refused:
        """Store the event again, because its age must restart with the run's, then send `requests.revive`."""
        self._put_event(run.key, event, anew=True)
        return self._update(run.key, requests.revive(self._table, self._clock(), run, reason, runs_days=runs_days))

    launching = _sent(requests.launching)
    launched = _sent(requests.launched)
    release = _sent(wait_requests.release)
    fall_back = _sent(wait_requests.fall_back)
    hold = _sent(wait_requests.hold)
    park = _sent(wait_requests.park)
    abandon = _sent(requests.abandon)
    relaunch = _with_its_event(_sent(requests.relaunch))
    confirm = _sent(requests.confirm)
    count = _sent(requests.count)
    settle = _sent(requests.settle)
    cancel = _sent(requests.cancel)

    def _put_event(self, key: RunKey, event: bytes, *, anew: bool = False) -> None:
        request: PutObjectRequestTypeDef = {
            "Bucket": self._bucket,
            "Key": key.event_object,
            "Body": event,
            "ContentType": _JSON,
        }
        if not anew:
            request["IfNoneMatch"] = "*"
        try:
            self._s3.put_object(**request)
        except ClientError as error:
            # Every delivery of a record carries the same bytes, so the existing object is this event.
            if error_code(error) != _OBJECT_IS_THERE:
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
            return AlreadyRecorded(Run.from_item(key, item))
        except BotoCoreError as error:
            raise self._unavailable("record", key, error) from error
        return Recorded(Run.from_item(key, cast("dict[str, AttributeValueTypeDef]", request["Item"])))

    def _update(self, key: RunKey, request: UpdateItemInputTypeDef) -> Moved | Refused:
        try:
            answer = self._dynamodb.update_item(**request)
        except ClientError as error:
            if error_code(error) != CONDITION_FAILED:
                raise self._unavailable("update", key, error) from error
            item = _standing(error)
            return Refused(None if item is None else Run.from_item(key, item))
        except BotoCoreError as error:
            raise self._unavailable("update", key, error) from error
        return Moved(Run.from_item(key, answer["Attributes"]))

    def _object(self, key: RunKey, name: str, *, size: int | None = None) -> bytes:
        """Read an object, at most one byte beyond its expected size, because it might be larger than the memory."""
        try:
            body = self._s3.get_object(Bucket=self._bucket, Key=name)["Body"]
            content = body.read() if size is None else body.read(size + 1)
        except (ClientError, BotoCoreError) as error:
            if isinstance(error, ClientError) and error_code(error) in _OBJECT_IS_GONE:
                raise ObjectGoneError(
                    f"the ledger could not read {name!r} of {key}: the bucket {self._bucket!r} has no such object. "
                    "It has expired, or was never written."
                ) from error
            raise self._unavailable(f"read {name!r} of", key, error) from error
        if size is not None and len(content) != size:
            raise ObjectGoneError(
                f"the size of {name!r} of {key} is not the {size} bytes that the ledger recorded: something has "
                "replaced the object in the bucket."
            )
        return content

    def _unavailable(self, what: str, which: RunKey | str, error: Exception) -> LedgerUnavailableError:
        return LedgerUnavailableError(
            f"the ledger (table {self._table!r}, bucket {self._bucket!r}) could not {what} {which}: {error}. A write "
            "may have happened; retrying is safe. If this persists, check that both exist, and the role's permissions."
        )


def _standing(error: ClientError) -> dict[str, AttributeValueTypeDef] | None:
    if error_code(error) != CONDITION_FAILED:
        return None
    return cast("dict[str, AttributeValueTypeDef] | None", error.response.get("Item"))
