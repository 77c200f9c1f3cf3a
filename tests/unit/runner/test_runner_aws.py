"""Where a call goes, and how AWS's answers are read."""

from __future__ import annotations

import json
import re
from pathlib import Path

import botocore
import pytest
from botocore.retries import standard

from overtime.contract.partitions import partition_of
from overtime.runner.aws import Aws, CallError, error_of, may_pass
from overtime.runner.credentials import CredentialSource
from overtime.runner.errors import PermissionMissingError
from overtime.runner.retrying import RetryBudget
from overtime.runner.transport import Response, TransportError


def response(status: int, body: bytes, **headers: str) -> Response:
    """Make an answer."""
    return Response(status, headers, bytearray(body))


def address(bucket: str, region: str, endpoint: str | None = None) -> tuple[str, str]:
    """Return the host and the path to which an object's request goes."""
    aws = Aws(region=region, endpoint=endpoint, credentials=CredentialSource({}, RetryBudget(0)))
    url, path = aws._object(bucket, "a/ü b.json")
    return f"{url.scheme}://{url.host}", path


@pytest.mark.parametrize(
    ("bucket", "region", "endpoint", "expected"),
    [
        ("b", "eu-west-1", None, ("https://b.s3.eu-west-1.amazonaws.com", "/a/%C3%BC%20b.json")),
        ("b.c", "eu-west-1", None, ("https://s3.eu-west-1.amazonaws.com", "/b.c/a/%C3%BC%20b.json")),
        ("b", "cn-north-1", None, ("https://b.s3.cn-north-1.amazonaws.com.cn", "/a/%C3%BC%20b.json")),
        ("b", "eusc-de-east-1", None, ("https://b.s3.eusc-de-east-1.amazonaws.eu", "/a/%C3%BC%20b.json")),
        ("b", "eu-west-1", "http://localhost:4566", ("http://localhost:4566", "/b/a/%C3%BC%20b.json")),
    ],
)
def test_where_an_object_is(bucket: str, region: str, endpoint: str | None, expected: tuple[str, str]) -> None:
    assert address(bucket, region, endpoint) == expected


def test_every_partition_of_aws_has_its_own_names() -> None:
    """Of every region that the SDK knows, and of those that it would take for one of the partition's."""
    data = json.loads((Path(botocore.__file__).parent / "data" / "partitions.json").read_bytes())
    seen = set()
    for partition in data["partitions"]:
        suffix, of_region = partition["outputs"]["dnsSuffix"], re.compile(partition["regionRegex"])
        known = [region for region in partition["regions"] if not region.endswith("-global")]
        for region in [*known, *(region.replace("-1", "-7") for region in known)]:
            assert of_region.match(region), region
            assert (region, partition_of(region).dns_suffix) == (region, suffix)
            seen.add(suffix)
    assert {"amazonaws.com", "amazonaws.com.cn", "amazonaws.eu", "c2s.ic.gov"} < seen


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (response(400, b'{"__type":"com.amazonaws.x#Throttling","message":"slow"}'), ("Throttling", "slow")),
        (response(404, b'{"Message":"gone"}', **{"x-amzn-errortype": "NotFound:http://x"}), ("NotFound", "gone")),
        (response(403, b"<Error><Code>AccessDenied</Code><Message>no</Message></Error>"), ("AccessDenied", "no")),
        (response(502, b"Bad Gateway"), ("", "Bad Gateway")),
        (response(500, b""), ("", "")),
        (response(500, b"[]"), ("", "[]")),
    ],
)
def test_an_errors_code_and_text_in_each_protocol(answer: Response, expected: tuple[str, str]) -> None:
    assert error_of(answer) == expected


@pytest.mark.parametrize(
    ("status", "code", "passes"),
    [
        (503, "SlowDown", True),
        (400, "ThrottlingException", True),
        (400, "ProvisionedThroughputExceededException", True),
        (400, "TransactionConflictException", True),
        (400, "InternalServerError", True),
        (429, "TooManyRequestsException", True),
        (429, "", True),
        (400, "ExpiredTokenException", True),
        (400, "ValidationException", False),
        (403, "AccessDenied", False),
        (404, "NoSuchKey", False),
        (301, "PermanentRedirect", False),
        (200, "InternalError", True),
        (400, "", True),
        (403, "", True),
    ],
)
def test_what_is_worth_another_try(status: int, code: str, passes: bool) -> None:  # noqa: FBT001
    assert may_pass(CallError("s3:GetObject", response(status, json.dumps({"Code": code}).encode()))) is passes


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (400, "AccessDeniedException"),
        (400, "InvalidSignatureException"),
        (400, "UnrecognizedClientException"),
        (401, "AuthFailure"),
        (403, "AccessDenied"),
    ],
)
def test_what_is_a_missing_permission(status: int, code: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """DynamoDB refuses with 400, which otherwise means a mistake in the request."""
    credentials = CredentialSource({"AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "x"}, RetryBudget(0))
    aws = Aws(region="eu-west-1", endpoint=None, credentials=credentials)
    answer = response(status, json.dumps({"__type": f"com.amazonaws.x#{code}"}).encode())
    monkeypatch.setattr(aws.client, "send", lambda *_, **__: answer)
    with pytest.raises(PermissionMissingError, match=f"may not call dynamodb:UpdateItem. AWS answered {status} {code}"):
        aws.dynamodb("UpdateItem", {}, RetryBudget(0))


def test_what_the_sdk_tries_again_is_tried_again_here() -> None:
    passing = (
        vars(standard.TransientRetryableChecker)["_TRANSIENT_ERROR_CODES"]
        + vars(standard.ThrottledRetryableChecker)["_THROTTLED_ERROR_CODES"]
    )
    of_ec2 = {"EC2ThrottledException"}  # the runner calls no EC2
    codes = sorted(set(passing) - of_ec2)
    assert [
        code for code in codes if not CallError("x:Y", response(400, json.dumps({"Code": code}).encode())).may_pass
    ] == []


def test_the_network_is_always_worth_another_try() -> None:
    assert may_pass(TransportError("down"))
    assert not may_pass(ValueError("wrong"))
