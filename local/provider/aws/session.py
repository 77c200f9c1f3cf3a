"""AWS's API: clients, bounded waiting, and what AWS's errors mean."""

from __future__ import annotations

import threading
import time
from functools import cached_property
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from local.errors import LocalError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_ec2 import EC2Client
    from mypy_boto3_ecr import ECRClient
    from mypy_boto3_ecs import ECSClient
    from mypy_boto3_iam import IAMClient
    from mypy_boto3_lambda import LambdaClient
    from mypy_boto3_logs import CloudWatchLogsClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_sts import STSClient

Answer = TypeVar("Answer")

CONFIG = Config(retries={"mode": "standard", "total_max_attempts": 5}, connect_timeout=10, read_timeout=120)
PATIENCE_SECONDS = 120.0
"""How long AWS may take until one service knows what another was told, or lets go of what was deleted."""
_FIRST_PAUSE_SECONDS = 0.2
_LONGEST_PAUSE_SECONDS = 5.0


class FileSystems(Protocol):
    """The client of EFS, for which no types are installed."""

    def describe_access_points(self, *, AccessPointId: str) -> Mapping[str, Any]:  # noqa: N803 - AWS's name
        """Describe an access point."""


class Aws:
    """Clients of one account and region; where they are is said by `AWS_ENDPOINT_URL` alone."""

    def __init__(self, *, region: str | None = None, credentials: Mapping[str, str] | None = None) -> None:
        self._session = boto3.Session(region_name=region, **(credentials or {}))  # type: ignore[arg-type]
        self._one_at_a_time = threading.Lock()
        self.stopping = threading.Event()
        """Set when the engine gives up; ends all waiting."""

    @property
    def region(self) -> str:
        """Name the region.

        Raises:
            LocalError: none is set.

        """
        if not self._session.region_name:
            raise LocalError(
                "No AWS region is set, so nothing can be placed. Set it: pulumi config set aws:region eu-west-1, or "
                "the variable AWS_REGION."
            )
        return self._session.region_name

    @cached_property
    def partition(self) -> str:
        """Name the partition, such as `aws`."""
        return str(self._session.get_partition_for_region(self.region))

    @cached_property
    def dynamodb(self) -> DynamoDBClient:
        """Tables."""
        client: DynamoDBClient = self._client("dynamodb")
        return client

    @cached_property
    def ec2(self) -> EC2Client:
        """Networks."""
        client: EC2Client = self._client("ec2")
        return client

    @cached_property
    def ecr(self) -> ECRClient:
        """Images."""
        client: ECRClient = self._client("ecr")
        return client

    @cached_property
    def ecs(self) -> ECSClient:
        """Tasks."""
        client: ECSClient = self._client("ecs")
        return client

    @cached_property
    def iam(self) -> IAMClient:
        """Roles."""
        client: IAMClient = self._client("iam")
        return client

    # For the next three mypy has no types.

    @cached_property
    def events(self) -> Any:  # noqa: ANN401 - as said
        """Event buses and rules."""
        return self._client("events")

    @cached_property
    def metrics(self) -> Any:  # noqa: ANN401 - as said
        """Alarms and dashboards."""
        return self._client("cloudwatch")

    @cached_property
    def sns(self) -> Any:  # noqa: ANN401 - as said
        """Topics."""
        return self._client("sns")

    @cached_property
    def efs(self) -> FileSystems:
        """File systems."""
        client: FileSystems = self._client("efs")
        return client

    @cached_property
    def functions(self) -> LambdaClient:
        """Lambda functions."""
        client: LambdaClient = self._client("lambda")
        return client

    @cached_property
    def logs(self) -> CloudWatchLogsClient:
        """Log groups."""
        client: CloudWatchLogsClient = self._client("logs")
        return client

    @cached_property
    def s3(self) -> S3Client:
        """Buckets."""
        client: S3Client = self._client("s3")
        return client

    @cached_property
    def sqs(self) -> SQSClient:
        """Queues."""
        client: SQSClient = self._client("sqs")
        return client

    @cached_property
    def sts(self) -> STSClient:
        """Who calls."""
        client: STSClient = self._client("sts")
        return client

    def wait(self, done: Callable[[], bool], *, until: str, seconds: float = PATIENCE_SECONDS) -> None:
        """Ask again and again, with growing pauses, until it is done.

        Raises:
            LocalError: it is not done in time.

        """
        deadline, pause = time.monotonic() + seconds, _FIRST_PAUSE_SECONDS
        while not done():
            if time.monotonic() + pause > deadline:
                raise LocalError(
                    f"AWS was asked for {seconds:g} s, and still {until} did not happen. Look at it there."
                )
            self._pause(pause, until)
            pause = min(pause * 1.5, _LONGEST_PAUSE_SECONDS)

    def when(
        self, call: Callable[[], Answer], not_yet: Callable[[ClientError], bool], *, seconds: float = PATIENCE_SECONDS
    ) -> Answer:
        """Call, and call again while AWS refuses for a reason that passes; the last refusal is raised."""
        deadline, pause = time.monotonic() + seconds, _FIRST_PAUSE_SECONDS
        while True:
            try:
                return call()
            except ClientError as error:
                if not not_yet(error) or time.monotonic() + pause > deadline:
                    raise
            self._pause(pause, "the call could succeed")
            pause = min(pause * 1.5, _LONGEST_PAUSE_SECONDS)

    def _pause(self, seconds: float, until: str) -> None:
        if self.stopping.wait(seconds):
            raise LocalError(f"The engine gave up before {until}. Run the update again to go on.")

    def _client(self, service: str) -> Any:  # noqa: ANN401 - the properties say which
        with self._one_at_a_time:  # a session's making of clients is not safe among threads
            return self._session.client(service, config=CONFIG)  # type: ignore[call-overload]


def code_of(error: ClientError) -> str:
    """Give the error's name."""
    return error.response.get("Error", {}).get("Code", "")


def text_of(error: ClientError) -> str:
    """Give what AWS says about it."""
    return error.response.get("Error", {}).get("Message", "")


def refused_with(*codes: str) -> Callable[[ClientError], bool]:
    """Make a test for errors of these names."""
    return lambda error: code_of(error) in codes


def unless_gone(call: Callable[[], Answer], *codes: str) -> Answer | None:
    """Call, and give None when AWS says with one of these names that the thing is not there."""
    try:
        return call()
    except ClientError as error:
        if code_of(error) in codes:
            return None
        raise


def told(error: ClientError | BotoCoreError, doing: str) -> str:
    """Say what AWS refused, to whom, and why."""
    if isinstance(error, ClientError):
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode")
        code = code_of(error) or f"HTTP status {status}"
        return f"{doing}: AWS refused {error.operation_name} with {code}: {text_of(error)}"
    return f"{doing}: AWS could not be asked: {error}. Are AWS_ENDPOINT_URL and the credentials right?"
