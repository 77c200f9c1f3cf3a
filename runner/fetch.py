"""Bringing the function's own code and layers into their folders; nothing unchecked is ever written, let alone run."""

from __future__ import annotations

import binascii
import hashlib
import threading
from functools import partial

from runner.archive import ArchiveError
from runner.aws import Aws, CallError, may_pass
from runner.errors import CodeError, StoppedError
from runner.function import Archive, Function, from_lambda, layer_archive
from runner.retrying import Patience, retrying
from runner.transport import Client, TransportError, Url
from runner.unpack import unpack

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from queue import SimpleQueue

    from runner.settings import FunctionName, Settings
    from runner.supervise import Happening

_OK, _SERVER_ERROR = 200, 500
_START_SECONDS = 60
"""How long each call, and each download, is tried again before the handler has started."""


class CodeFetch(threading.Thread):
    """Fetches while the run is being claimed; `finished` waits for it, unless the task is told to stop meanwhile."""

    def __init__(self, aws: Aws, settings: Settings, name: FunctionName, happenings: SimpleQueue[Happening]) -> None:
        super().__init__(name="fetch", daemon=True)
        self._aws, self._settings, self._name, self._happenings = aws, settings, name, happenings
        self._function: Function | None = None
        self._error: BaseException | None = None

    def run(self) -> None:
        """Keep what comes of it for `finished`."""
        try:
            self._function = fetch(self._aws, self._settings, self._name)
        except BaseException as error:  # noqa: BLE001 -- raised again in the thread that waits
            self._error = error
        self._happenings.put(("fetched", None))

    def finished(self) -> Function:
        """Wait for the code to be in place. Raises CodeError, PermissionMissingError or StoppedError."""
        while (kind := self._happenings.get()[0]) != "fetched":
            if kind == "terminate":
                raise StoppedError("the task was told to stop (SIGTERM) before its handler began.")
        if self._error is not None:
            raise self._error
        if self._function is None:
            raise CodeError("the code was never fetched")
        return self._function


def fetch(aws: Aws, settings: Settings, name: FunctionName) -> Function:
    """Fetch and unpack everything, and describe the function. Raises CodeError or PermissionMissingError."""
    patience = Patience(_START_SECONDS)
    answer = _asked(partial(aws.get_function, name.name, name.qualifier, patience), f"reading {name.arn}")
    function = from_lambda(answer, name.arn)
    if function.code is not None:
        _place(aws.client, function.code, settings.task_root)
    for arn in function.layers:
        answer = _asked(partial(aws.get_layer, arn, patience), f"reading layer {arn}")
        _place(aws.client, layer_archive(answer, arn), settings.layer_root)
    return function


def _asked(call: Callable[[], dict[str, object]], doing: str) -> dict[str, object]:
    try:
        return call()
    except (CallError, TransportError) as error:
        raise CodeError(f"{doing} failed: {error}. Check that it still exists.") from error


def _place(client: Client, archive: Archive, root: str) -> None:
    data = _downloaded(client, archive)
    try:
        unpack(memoryview(data), root)
    except ArchiveError as error:
        raise CodeError(f"{archive.what} cannot be unpacked: {error}.") from error
    except OSError as error:
        raise CodeError(
            f"{archive.what} cannot be unpacked into {root}: {error}. "
            "Give the task more ephemeral storage if the disk is full."
        ) from error


def _downloaded(client: Client, archive: Archive) -> bytearray:
    """Return the archive's bytes, which are those that Lambda has the hash of."""

    def once() -> bytearray:
        hashed = hashlib.sha256()
        response = client.send(Url(archive.url), observe=hashed.update)
        if response.status >= _SERVER_ERROR:
            raise TransportError(f"the store answered {response.status}")
        if response.status != _OK:
            raise CodeError(f"{archive.what} could not be downloaded: the store answered {response.status}.")
        found = binascii.b2a_base64(hashed.digest(), newline=False).decode()
        if found != archive.sha256:
            raise CodeError(
                f"{archive.what} is not what was deployed: its SHA-256 is {found!r}, Lambda says {archive.sha256!r}. "
                "Nothing of it was run. Deploy the function again."
            )
        return response.body

    try:
        return retrying(once, may_pass, Patience(_START_SECONDS))
    except (TransportError, ValueError) as error:
        raise CodeError(f"{archive.what} could not be downloaded: {error}.") from error
