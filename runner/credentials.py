"""The task role's credentials: from the environment, or from the address that ECS puts there; renewed before they end.

Which variables, and in which order, is what every AWS SDK does ("Container credential provider", AWS SDKs and Tools
Reference Guide).
"""

# ruff: noqa: PTH123 -- pathlib costs 5 ms before the handler can start

from __future__ import annotations

import json
import threading
import time
from datetime import datetime

from runner.errors import PermissionMissingError
from runner.retrying import Patience, retrying
from runner.transport import Client, TransportError, Url

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_CONTAINER_HOST = "http://169.254.170.2"
_RENEW_SECONDS_BEFORE_END = 300
_OK = 200


class Credentials:
    """One set of keys; `expires` is in seconds since the epoch, None where they do not end."""

    def __init__(
        self, access_key: str, secret_key: str, token: str | None = None, expires: float | None = None
    ) -> None:
        self.access_key, self.secret_key, self.token, self.expires = access_key, secret_key, token, expires


class CredentialSource:
    """Hands out credentials that are still good; threads may share it. Raises PermissionMissingError."""

    def __init__(self, environ: Mapping[str, str], clock: Callable[[], float] = time.time) -> None:
        self._environ, self._clock = environ, clock
        self._lock = threading.Lock()
        self._current: Credentials | None = None

    def get(self) -> Credentials:
        """Return the current set, fetching or renewing it where that is due."""
        with self._lock:
            current = self._current
            if current is None or (current.expires and current.expires - self._clock() < _RENEW_SECONDS_BEFORE_END):
                current = self._current = self._static() or self._fetch()
            return current

    def forget(self) -> None:
        """Fetch anew next time, because AWS called the current set expired."""
        with self._lock:
            self._current = None

    def _static(self) -> Credentials | None:
        key, secret = self._environ.get("AWS_ACCESS_KEY_ID"), self._environ.get("AWS_SECRET_ACCESS_KEY")
        return Credentials(key, secret, self._environ.get("AWS_SESSION_TOKEN")) if key and secret else None

    def _fetch(self) -> Credentials:
        url, headers = self._address()
        client = Client()

        def once() -> Credentials:
            response = client.send(Url(url), headers=headers)
            if response.status != _OK:
                raise TransportError(f"{url} answered {response.status}")
            return parsed(response.body)

        try:
            return retrying(once, lambda error: isinstance(error, TransportError), Patience(30))
        except (TransportError, ValueError, KeyError) as error:
            raise PermissionMissingError(
                f"the task role's credentials could not be had from the container's endpoint: {error}. "
                "Check that the task definition names a task role."
            ) from error
        finally:
            client.close()

    def _address(self) -> tuple[str, dict[str, str]]:
        relative = self._environ.get("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI")
        full = self._environ.get("AWS_CONTAINER_CREDENTIALS_FULL_URI")
        if relative:
            return _CONTAINER_HOST + relative, {}
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
        return full, {"authorization": token} if token else {}


def parsed(document: bytes | bytearray) -> Credentials:
    """Read the container endpoint's answer; raises ValueError or KeyError where it is something else."""
    answer = json.loads(document)
    expires = answer.get("Expiration")
    return Credentials(answer["AccessKeyId"], answer["SecretAccessKey"], answer.get("Token"), _epoch(expires))


def _epoch(timestamp: str | None) -> float | None:
    return datetime.fromisoformat(timestamp).timestamp() if timestamp else None
