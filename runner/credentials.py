"""The task role's credentials: from the environment, or from ECS's endpoint; renewed before they expire.

The variables and their order are those of every AWS SDK ("Container credential provider", AWS SDKs and Tools Reference
Guide).
"""

# ruff: noqa: PTH123 -- pathlib costs 5 ms before the handler can start

from __future__ import annotations

import json
import threading
import time
from datetime import datetime

from overtime.runner.errors import PermissionMissingError, RunnerError, UnavailableError
from overtime.runner.retrying import RetryBudget, retrying
from overtime.runner.transport import Client, TransportError, Url

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_CONTAINER_HOST = "http://169.254.170.2"
_RENEW_SECONDS_BEFORE_END = 300
_ONE_TRY = RetryBudget(0)
_OK, _TOO_MANY_REQUESTS = 200, 429
_REFUSALS = range(400, 500)


class Credentials:
    """One set of keys; `expires` is in seconds since the epoch, or None if they do not expire."""

    def __init__(
        self, access_key: str, secret_key: str, token: str | None = None, expires: float | None = None
    ) -> None:
        self.access_key, self.secret_key, self.token, self.expires = access_key, secret_key, token, expires


class _RefusedError(TransportError):
    """The endpoint refused the request; the cause may be temporary."""


class CredentialSource:
    """Provides valid credentials; threads may share it.

    Raises PermissionMissingError if there are none, and UnavailableError if the container's endpoint returns none in
    time.
    """

    def __init__(
        self, environ: Mapping[str, str], budget: RetryBudget, *, clock: Callable[[], float] = time.time
    ) -> None:
        self._environ, self._budget, self._clock = environ, budget, clock
        self._lock = threading.Lock()
        self._current: Credentials | None = None

    def get(self) -> Credentials:
        """Return the current set, after fetching or renewing it if necessary."""
        with self._lock:
            left = self._seconds_left()
            if self._current is None or left <= 0:
                self._current = self._static() or self._fetch(self._budget)
            elif left < _RENEW_SECONDS_BEFORE_END:
                self._current = self._renewed(self._current)
            return self._current

    def forget(self) -> None:
        """Discard the current set, because AWS reported it as expired."""
        with self._lock:
            self._current = None

    def _seconds_left(self) -> float:
        expires = self._current.expires if self._current else None
        return float("inf") if expires is None else expires - self._clock()

    def _renewed(self, current: Credentials) -> Credentials:
        try:
            return self._fetch(_ONE_TRY)
        except RunnerError:
            return current  # still valid; the next call tries again

    def _static(self) -> Credentials | None:
        key, secret = self._environ.get("AWS_ACCESS_KEY_ID"), self._environ.get("AWS_SECRET_ACCESS_KEY")
        return Credentials(key, secret, self._environ.get("AWS_SESSION_TOKEN")) if key and secret else None

    def _fetch(self, budget: RetryBudget) -> Credentials:
        url, headers = self._address()
        client = Client()

        def once() -> Credentials:
            response = client.send(url, headers=headers)
            if response.status in _REFUSALS and response.status != _TOO_MANY_REQUESTS:
                raise _RefusedError(f"it answered {response.status}")
            if response.status != _OK:
                raise TransportError(f"it answered {response.status}")
            try:
                found = parsed(response.body)
            except (AttributeError, KeyError, TypeError, ValueError) as error:
                # Not its repr, because that of a decoding error contains the whole answer.
                raise TransportError(f"its answer has no keys: {type(error).__name__}({error})") from error
            if found.expires is not None and found.expires <= self._clock():
                raise TransportError("its answer has expired keys")
            return found

        try:
            return retrying(once, lambda error: isinstance(error, TransportError), budget)
        except _RefusedError as error:
            raise PermissionMissingError(
                "the container's endpoint refused to return the task role's credentials: "
                f"{error} for {budget.seconds} s. Check that the task definition names a task role."
            ) from error
        except TransportError as error:
            raise UnavailableError(
                "the task role's credentials could not be fetched from the container's endpoint in "
                f"{budget.seconds} s: {error}."
            ) from error
        finally:
            client.close()

    def _address(self) -> tuple[Url, dict[str, str]]:
        relative = self._environ.get("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI")
        full = self._environ.get("AWS_CONTAINER_CREDENTIALS_FULL_URI")
        if relative:
            return Url(_CONTAINER_HOST + relative), {}
        if not full:
            raise PermissionMissingError(
                "there are no AWS credentials: neither AWS_ACCESS_KEY_ID nor AWS_CONTAINER_CREDENTIALS_RELATIVE_URI is "
                "set. On ECS, give the task definition a task role."
            )
        token = self._environ.get("AWS_CONTAINER_AUTHORIZATION_TOKEN")
        if token_file := self._environ.get("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"):
            try:
                with open(token_file, encoding="utf-8") as file:
                    token = file.read().strip()
            except OSError as error:
                raise PermissionMissingError(
                    f"AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE names a file that cannot be read: {error}. "
                    "Mount it into the container, or unset the variable."
                ) from error
        try:
            return Url(full), {"authorization": token} if token else {}
        except ValueError as error:
            raise PermissionMissingError(f"AWS_CONTAINER_CREDENTIALS_FULL_URI is invalid: {error}.") from error


def parsed(document: bytes | bytearray) -> Credentials:
    """Read the container endpoint's answer."""
    answer = json.loads(document)
    expires = answer.get("Expiration")
    keys = answer["AccessKeyId"], answer["SecretAccessKey"], answer.get("Token")
    if not all(isinstance(key, str) and key for key in keys[:2]) or not isinstance(keys[2], str | None):
        raise ValueError("a key is not a string")
    return Credentials(*keys, _epoch(expires))


def _epoch(timestamp: str | None) -> float | None:
    return datetime.fromisoformat(timestamp).timestamp() if timestamp else None
