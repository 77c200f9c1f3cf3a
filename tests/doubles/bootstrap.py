"""A small runtime client in a file of its own, as a test's /var/runtime/bootstrap or the function's bootstrap.

It does what AWS documents of every runtime: it reads `_HANDLER` and `LAMBDA_TASK_ROOT`, asks for the event, and sends
the answer. What it does with the event is the handler's name: see `_handle`.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path

ROOT = "/2018-06-01/runtime"
SOURCE = Path(__file__)


def script() -> str:
    """Return this file as a program, for the interpreter that runs the tests."""
    return f"#!{sys.executable} -IS\n{SOURCE.read_text(encoding='utf-8')}"


class Failed(Exception):  # noqa: N818 -- as a handler may call it
    """What a handler throws."""


def _send(method: str, path: str, body: object = None, headers: dict[str, str] | None = None) -> HTTPResponse:
    connection = HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])
    connection.request(method, ROOT + path, None if body is None else json.dumps(body), headers or {})
    return connection.getresponse()


def _handle(event: object) -> object:
    name = os.environ["_HANDLER"].rpartition(".")[2].rpartition(":")[2]
    match name:
        case "echo":
            return event
        case "seen":
            return {"environment": dict(os.environ), "cwd": str(Path.cwd()), "arguments": sys.argv}
        case "raises":
            raise Failed("no such customer")
        case "exits":
            os._exit(3)
        case "aborts":
            os.abort()
        case "killed":
            os.kill(os.getpid(), signal.SIGKILL)
    raise NotImplementedError(name)


def main() -> None:
    """Handle events until there are no more; report a handler that is not there as an error of the init phase."""
    code = Path(os.environ["LAMBDA_TASK_ROOT"], "handler.txt")
    if not code.exists():
        error = {"errorType": "Runtime.HandlerNotFound", "errorMessage": f"{code.name} is missing"}
        _send("POST", "/init/error", error, {"Lambda-Runtime-Function-Error-Type": "Runtime.HandlerNotFound"})
        sys.exit(1)
    while True:
        invocation = _send("GET", "/invocation/next")
        path = f"/invocation/{invocation.headers['Lambda-Runtime-Aws-Request-Id']}"
        try:
            status = _send("POST", f"{path}/response", _handle(json.load(invocation))).status
        except Failed as error:
            # With the headers that the clients for .NET and Ruby send.
            headers = {
                "Content-Type": "application/vnd.aws.lambda.error+json",
                "Lambda-Runtime-Function-Error-Type": "Unhandled",
                "Lambda-Runtime-Function-XRay-Error-Cause": json.dumps({"exceptions": [], "paths": []}),
            }
            document = {"errorType": "Failed", "errorMessage": str(error), "stackTrace": []}
            status = _send("POST", f"{path}/error", document, headers).status
        if status != 202:
            sys.exit(f"the answer was not accepted: {status}")


if __name__ == "__main__":
    main()
