"""The few AWS calls that the runner makes, with its own HTTP client; each error names the call and what to do."""

from __future__ import annotations

import hashlib
import json
import time

from overtime.contract.aws_errors import THROTTLED
from overtime.contract.partitions import partition_of
from overtime.runner.errors import PermissionMissingError
from overtime.runner.retrying import RetryBudget, retrying
from overtime.runner.signing import query_string, quote, signed_headers
from overtime.runner.transport import Client, Response, TransportError, Url

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import TypeVar

    from overtime.runner.credentials import CredentialSource

    Answer = TypeVar("Answer")

_SUCCESS = range(200, 300)
_CLIENT_ERRORS, _TOO_MANY_REQUESTS = range(300, 500), 429
_READ_OBJECT = "s3:GetObject"
_PERMISSION = frozenset({"AccessDeniedException", "InvalidSignatureException", "UnrecognizedClientException"})
"""DynamoDB's codes for a call that it does not allow; their status is 400. Other services answer 401 or 403."""
_EXPIRED = frozenset({"ExpiredToken", "ExpiredTokenException"})
_MAY_PASS = THROTTLED | {
    "BandwidthLimitExceeded",
    "InternalServerError",
    "LimitExceededException",
    "PriorRequestNotComplete",
    "ProvisionedThroughputExceededException",
    "RequestThrottled",
    "RequestThrottledException",
    "RequestTimeout",
    "RequestTimeoutException",
    "SlowDown",
    "TransactionConflictException",
    "TransactionInProgressException",
}
"""The errors that AWS's SDKs retry (botocore's standard mode), and two of DynamoDB's."""


class OtherContentError(TransportError):
    """The content has the wrong hash: a broken transfer, unless every retry has the same result."""


class CallError(Exception):
    """AWS answered a call with an error; `code` is AWS's error code, `body` the whole answer."""

    def __init__(self, call: str, response: Response) -> None:
        self.call, self.status, self.body = call, response.status, bytes(response.body)
        self.code, self.message = error_of(response)
        super().__init__(f"{call} answered {self.status} {self.code}: {self.message}")

    @property
    def may_pass(self) -> bool:
        """Whether the cause may be temporary, so that a retry may succeed."""
        busy = self.status not in _CLIENT_ERRORS or self.status == _TOO_MANY_REQUESTS
        # AWS's errors have codes. An answer without one was truncated, or comes from a proxy in between.
        return busy or not self.code or self.code in _MAY_PASS or self.code in _EXPIRED


def error_of(response: Response) -> tuple[str, str]:
    """Return AWS's error code and message from an answer in any of its protocols (JSON, REST-JSON, S3's XML)."""
    text = bytes(response.body).decode("utf-8", "replace")
    if text.lstrip().startswith("<"):
        return _between(text, "Code"), _between(text, "Message")
    try:
        document = json.loads(text or "{}")
    except ValueError:
        return "", text[:200]
    if not isinstance(document, dict):
        return "", text[:200]
    code = response.headers.get("x-amzn-errortype") or document.get("__type") or document.get("Code") or ""
    return str(code).rpartition("#")[2].partition(":")[0], str(document.get("message") or document.get("Message") or "")


def _between(text: str, tag: str) -> str:
    return text.partition(f"<{tag}>")[2].partition(f"</{tag}>")[0]


class Aws:
    """Signed calls in one region. Use one per thread; they may share credentials."""

    def __init__(
        self, *, region: str, endpoint: str | None, credentials: CredentialSource, ca_bundle: str | None = None
    ) -> None:
        self._region, self._endpoint, self._credentials = region, endpoint, credentials
        self.client = Client(ca_bundle)

    def dynamodb(self, operation: str, request: Mapping[str, object], budget: RetryBudget) -> dict[str, object]:
        """Call DynamoDB with a low-level request, and return its answer."""
        headers = {"x-amz-target": f"DynamoDB_20120810.{operation}", "content-type": "application/x-amz-json-1.0"}
        body = json.dumps(request).encode()
        return self._call(
            f"dynamodb:{operation}",
            "POST",
            self._url("dynamodb"),
            "/",
            budget,
            read=_document,
            headers=headers,
            body=body,
        )

    def get_object(self, bucket: str, key: str, sha256: str, budget: RetryBudget) -> bytes:
        """Return a whole object from S3. Raise OtherContentError if every retry has another SHA-256 (in hex)."""
        url, path = self._object(bucket, key)

        def read(response: Response) -> bytes:
            found = hashlib.sha256(response.body).hexdigest()
            if found != sha256:
                raise OtherContentError(
                    f"{key} has {len(response.body)} bytes with the SHA-256 {found!r}, but {sha256!r} was expected"
                )
            return bytes(response.body)

        return self._call(_READ_OBJECT, "GET", url, path, budget, read=read)

    def put_object(self, bucket: str, key: str, body: bytes, budget: RetryBudget) -> None:
        """Write a JSON object to S3."""
        url, path = self._object(bucket, key)
        headers = {"content-type": "application/json"}
        self._call("s3:PutObject", "PUT", url, path, budget, read=lambda _: None, headers=headers, body=body)

    def get_function(self, name: str, qualifier: str | None, budget: RetryBudget) -> dict[str, object]:
        """Return a function's configuration and the URL of its code, which is valid for 10 minutes."""
        query = {"Qualifier": qualifier} if qualifier else {}
        path = f"/2015-03-31/functions/{quote(name)}"
        return self._lambda("lambda:GetFunction", path, query, budget, "Configuration")

    def get_layer(self, arn: str, budget: RetryBudget) -> dict[str, object]:
        """Return a layer version and the URL of its archive, which is valid for 10 minutes."""
        query = {"find": "LayerVersion", "Arn": arn}
        return self._lambda("lambda:GetLayerVersion", "/2018-10-31/layers", query, budget, "Content")

    def _lambda(
        self, call: str, path: str, query: Mapping[str, str], budget: RetryBudget, needed: str
    ) -> dict[str, object]:
        return self._call(
            call, "GET", self._url("lambda"), path, budget, read=lambda answer: _document(answer, needed), query=query
        )

    def _url(self, service: str, prefix: str = "") -> Url:
        return Url(
            self._endpoint or f"https://{prefix}{service}.{self._region}.{partition_of(self._region).dns_suffix}"
        )

    def _object(self, bucket: str, key: str) -> tuple[Url, str]:
        # S3's certificate covers only one label before "s3", and other endpoints may not support bucket names as hosts.
        in_path = self._endpoint or "." in bucket
        path = f"/{bucket}/{quote(key, '/')}" if in_path else f"/{quote(key, '/')}"
        return self._url("s3", "" if in_path else f"{bucket}."), path

    def _call(  # noqa: PLR0913 -- the parts of a request
        self,
        call: str,
        method: str,
        url: Url,
        path: str,
        budget: RetryBudget,
        *,
        read: Callable[[Response], Answer],
        query: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        body: bytes = b"",
    ) -> Answer:
        encoded = query_string(query or {})
        path = url.target.rstrip("/") + path

        def once() -> Answer:
            sent = signed_headers(
                method=method,
                host=url.host,
                path=path,
                query=encoded,
                headers=headers or {},
                body=body,
                service=call.partition(":")[0],
                region=self._region,
                credentials=self._credentials.get(),
                timestamp=time.strftime("%Y%m%dT%H%M%SZ", time.gmtime()),
            )
            target = f"{path}?{encoded}" if encoded else path
            response = self.client.send(url, method=method, target=target, headers=sent, body=body)
            # S3 may detect an error after it has sent status 200.
            if response.status not in _SUCCESS or (method == "PUT" and b"<Error>" in response.body):
                error = CallError(call, response)
                if error.code in _EXPIRED:
                    self._credentials.forget()
                raise error
            return read(response)

        try:
            return retrying(once, may_pass, budget)
        except CallError as error:
            # Lambda also answers 403 to an expired token.
            if not error.may_pass and (error.code in _PERMISSION or error.status in (401, 403)):
                raise _permission_missing(error) from error
            raise


def _document(response: Response, needed: str | None = None) -> dict[str, object]:
    """Return a JSON object; anything else is a broken transfer."""
    try:
        answer = json.loads(response.body)
    except ValueError as error:
        raise TransportError(f"an answer of {len(response.body)} bytes is not JSON: {error}") from error
    if not isinstance(answer, dict) or (needed and needed not in answer):
        raise TransportError(f"an answer of {len(response.body)} bytes has no {needed or 'JSON object'}")
    return answer


def may_pass(error: Exception) -> bool:
    """Return whether the cause may be temporary: the network, throttling, or an error inside AWS."""
    return isinstance(error, TransportError) or (isinstance(error, CallError) and error.may_pass)


def _permission_missing(error: CallError) -> PermissionMissingError:
    gone = ", or the object has expired: without s3:ListBucket, S3 answers 403 if an object does not exist"
    or_gone = gone if error.call == _READ_OBJECT else ""
    return PermissionMissingError(
        f"the task's role may not call {error.call}{or_gone}. AWS answered {error.status} {error.code} "
        f"({error.message}). Allow {error.call} in the role that the task runs as."
    )
