"""Downloads the function's code and layers, verifies them, and unpacks them; nothing unverified is ever written."""

from __future__ import annotations

import binascii
import errno
import hashlib
import threading
from functools import partial
from queue import Empty

from overtime.runner.archive import ArchiveError
from overtime.runner.aws import Aws, CallError, OtherContentError, may_pass
from overtime.runner.errors import CodeError, StoppedError, UnavailableError
from overtime.runner.function import Archive, Function, from_lambda, layer_archive
from overtime.runner.retrying import RetryBudget, retrying
from overtime.runner.transport import Client, TransportError, Url
from overtime.runner.unpack import unpack

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from queue import SimpleQueue
    from typing import TypeVar

    from overtime.runner.config import Config, FunctionName
    from overtime.runner.messages import Message

    Answer = TypeVar("Answer")

_OK = 200
_GONE = "ResourceNotFoundException"
"""GetFunction's answer if the function, or its version or alias, does not exist."""
_LONGEST_DOWNLOAD_SECONDS = 480
"""How long a download is retried: its URL is valid for 10 minutes, which must include the last retry."""


_LOOK_SECONDS = 5
"""How often the fetching thread is checked, because it may have died."""


class CodeFetch(threading.Thread):
    """Fetches the code while the run is being claimed; `finished` waits for it, unless the task is stopped."""

    def __init__(self, aws: Aws, config: Config, name: FunctionName, messages: SimpleQueue[Message]) -> None:
        super().__init__(name="fetch", daemon=True)
        self._aws, self._config, self._name, self._messages = aws, config, name, messages
        self._function: Function | None = None
        self._error: BaseException | None = None

    def run(self) -> None:
        """Fetch, and keep the result or error for `finished`."""
        try:
            self._function = fetch(self._aws, self._config, self._name)
        except BaseException as error:  # noqa: BLE001 -- raised again in the thread that waits
            self._error = error
        self._messages.put(("fetched", None))

    def finished(self) -> Function:
        """Wait until the code is in place. Raise the errors of `fetch`, or StoppedError."""
        kind = ""
        while kind != "fetched" and (self.is_alive() or not self._messages.empty()):
            try:
                kind = self._messages.get(timeout=_LOOK_SECONDS)[0]
            except Empty:
                continue
            if kind == "terminate":
                raise StoppedError("the task was stopped (SIGTERM) before its handler started.")
        if self._error is not None:
            raise self._error
        if self._function is None:
            raise CodeError("the code was never fetched")
        return self._function


def fetch(aws: Aws, config: Config, name: FunctionName) -> Function:
    """Fetch and unpack code and layers, and return the function.

    Raise CodeError or PermissionMissingError for permanent causes, and UnavailableError if a call or download still
    fails after all retries.
    """
    budget = RetryBudget(config.patience_seconds)
    answer, gone = _asked(partial(_deployed, aws, name, budget), f"reading {name.arn}", budget)
    function = from_lambda(answer, name.arn, config.family)
    if gone:
        function.notes.append(
            f"{name.name} no longer has {' or '.join(gone)}, which failed on Lambda, "
            f"so version {function.version} runs instead."
        )
    if config.runtime not in ("", function.runtime):
        function.notes.append(
            f"{name.name} runs on {function.runtime}, but this image starts {config.runtime}. "
            "If the function has changed since the stack was deployed, run `pulumi up`."
        )
    if function.code is not None:
        _place(aws.client, function.code, config.task_root, budget)
    for arn in function.layers:
        answer = _asked(partial(aws.get_layer, arn, budget), f"reading layer {arn}", budget)
        _place(aws.client, layer_archive(answer, arn), config.layer_root, budget)
    return function


def _deployed(aws: Aws, name: FunctionName, budget: RetryBudget) -> tuple[dict[str, object], list[str]]:
    """Return GetFunction's answer for the first qualifier that exists, and those before it. Raise CallError."""
    *preferred, last = name.qualifiers
    gone: list[str] = []
    for qualifier in preferred:
        try:
            return aws.get_function(name.name, qualifier, budget), gone
        except CallError as error:
            if error.code != _GONE:
                raise
            gone.append(f"version {qualifier}" if str(qualifier).isdigit() else f"alias {qualifier}")
    return aws.get_function(name.name, last, budget), gone


def _asked(call: Callable[[], Answer], doing: str, budget: RetryBudget) -> Answer:
    try:
        return call()
    except (CallError, TransportError) as error:
        if may_pass(error):
            raise UnavailableError(f"{doing} failed despite retries for {budget.seconds} s: {error}.") from error
        raise CodeError(f"{doing} failed: {error}. Check that it still exists.") from error


def _place(client: Client, archive: Archive, root: str, budget: RetryBudget) -> None:
    data = _downloaded(client, archive, RetryBudget(min(budget.seconds, _LONGEST_DOWNLOAD_SECONDS)))
    try:
        unpack(memoryview(data), root)
    except ArchiveError as error:
        raise CodeError(f"{archive.what} cannot be unpacked: {error}.") from error
    except OSError as error:
        full = " Give the task more ephemeral storage." if error.errno in (errno.ENOSPC, errno.EDQUOT) else ""
        raise CodeError(f"{archive.what} cannot be unpacked into {root}: {error}.{full}") from error


def _downloaded(client: Client, archive: Archive, budget: RetryBudget) -> bytearray:
    """Return the archive, whose hash is the one that Lambda reports."""

    def once() -> bytearray:
        hashed = hashlib.sha256()
        response = client.send(Url(archive.url), observe=hashed.update)
        if response.status != _OK:
            raise CallError("the store", response)
        found = binascii.b2a_base64(hashed.digest(), newline=False).decode()
        if found != archive.sha256:
            raise OtherContentError(
                f"{archive.what} is not what was deployed: its SHA-256 is {found!r}, but Lambda has {archive.sha256!r}"
            )
        return response.body

    try:
        return retrying(once, may_pass, budget)
    except OtherContentError as error:
        raise CodeError(f"{error}. None of it was run. Deploy the function again.") from error
    except (CallError, TransportError) as error:
        if not may_pass(error):
            raise CodeError(f"{archive.what} could not be downloaded: {error}.") from error
        raise UnavailableError(
            f"{archive.what} could not be downloaded despite retries for {budget.seconds} s: {error}."
        ) from error
    except ValueError as error:
        raise CodeError(f"{archive.what} could not be downloaded: {error}.") from error
