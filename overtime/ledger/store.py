"""The run ledger over boto3: records runs, moves them, reads them. What each move needs is decided in `requests`."""

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
    """Make a method of a request: it takes what the request takes after the run, and says what the write came to."""

    @wraps(request)
    def send(self: RunLedger, key: RunKey, /, *args: P.args, **kwargs: P.kwargs) -> Moved | Refused:
        return self._update(key, request(self._table, self._clock(), key, *args, **kwargs))

    return send


def _with_its_event(
    send: Callable[Concatenate[RunLedger, RunKey, P], Moved | Refused],
) -> Callable[Concatenate[RunLedger, RunKey, P], Moved | Refused]:
    """Make a method that prolongs the life of a run also prolong that of its event, first: it must never be shorter."""

    @wraps(send)
    def prolong(self: RunLedger, key: RunKey, /, *args: P.args, **kwargs: P.kwargs) -> Moved | Refused:
        self.keep_event(key)
        return send(self, key, *args, **kwargs)

    return prolong


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
        """Read one run, or None where there is none."""
        try:
            item = self._dynamodb.get_item(**reads.get(self._table, key)).get("Item")
        except (ClientError, BotoCoreError) as error:
            raise self._unavailable("read", key, error) from error
        return None if item is None else Run.from_item(key, item)

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
            yield from (item[runs.KEY]["S"] for item in page["Items"])
            after = page.get("LastEvaluatedKey")
            more = bool(after)

    def event(self, key: RunKey) -> bytes:
        """Read the event as it was stored."""
        return self._object(key, key.event_object)

    def keep_event(self, key: RunKey) -> None:
        """Let the event's life in the bucket begin anew, which ends objects by their age; one that is gone stays so.

        S3 takes a copy of an object onto itself only where something of it is given anew.
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

        The function's role may put another object there at any time, and one that has another size is not the run's.
        """
        return self._object(run.key, run.key.result_object(run.attempt), size=run.result_size)

    def revive(self, run: Run, event: bytes, reason: str, *, runs_days: int) -> Moved | Refused:
        """See `requests.revive`; the event is stored anew first, for the run begins another life, and so must it."""
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
            # Every delivery of one record carries the same bytes: what is there is this event.
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
        """Read an object; one that is to have a size is read no further, because it may be larger than the memory."""
        try:
            body = self._s3.get_object(Bucket=self._bucket, Key=name)["Body"]
            content = body.read() if size is None else body.read(size + 1)
        except (ClientError, BotoCoreError) as error:
            if isinstance(error, ClientError) and error_code(error) in _OBJECT_IS_GONE:
                raise ObjectGoneError(
                    f"the ledger could not read {name!r} of {key}: the bucket {self._bucket!r} has no such object. "
                    "It was never written, or has expired."
                ) from error
            raise self._unavailable(f"read {name!r} of", key, error) from error
        if size is not None and len(content) != size:
            raise ObjectGoneError(
                f"the ledger has another size for {name!r} of {key}, {size} bytes, so it is not what the run left: "
                "something has replaced it in the bucket."
            )
        return content

    def _unavailable(self, what: str, which: RunKey | str, error: Exception) -> LedgerUnavailableError:
        return LedgerUnavailableError(
            f"the ledger (table {self._table!r}, bucket {self._bucket!r}) could not {what} {which}: {error}. Whether "
            "it was written is not known; trying again is safe. If it lasts, check that both exist and the role's "
            "permissions."
        )


def _standing(error: ClientError) -> dict[str, AttributeValueTypeDef] | None:
    if error_code(error) != CONDITION_FAILED:
        return None
    return cast("dict[str, AttributeValueTypeDef] | None", error.response.get("Item"))
