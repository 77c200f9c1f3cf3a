"""The obvious way to do what the runner does: an SDK client per service, a file, `extractall`, then the runtime."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import subprocess
import sys
import threading
import time
import urllib.request
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import boto3

from overtime.contract import task_requests
from overtime.contract.runs import RunKey, RunState

_answered = threading.Event()
_result = b""


def main() -> int:
    """Claim, fetch, unpack, run the handler once, write its result, finish."""
    environ = os.environ
    key, attempt = RunKey.parse(environ["OVERTIME_RUN_KEY"]), int(environ["OVERTIME_TASK_ATTEMPT"])
    table, bucket = environ["OVERTIME_LEDGER_TABLE"], environ["OVERTIME_LEDGER_BUCKET"]
    arn, task_root = environ["OVERTIME_FUNCTION_ARN"], environ["LAMBDA_TASK_ROOT"]
    dynamodb, s3, functions = boto3.client("dynamodb"), boto3.client("s3"), boto3.client("lambda")

    with urllib.request.urlopen(f"{environ['ECS_CONTAINER_METADATA_URI_V4']}/task") as answer:  # noqa: S310
        task_arn = json.load(answer)["TaskARN"]
    dynamodb.update_item(
        **task_requests.claim(table, time.time(), key, attempt, task_arn=task_arn, claim_id=os.urandom(16).hex())
    )
    event = s3.get_object(Bucket=bucket, Key=key.event_object)["Body"].read()

    function = functions.get_function(FunctionName=key.function_name)
    archive = Path(task_root).with_suffix(".zip")
    urllib.request.urlretrieve(function["Code"]["Location"], archive)  # noqa: S310
    digest = base64.b64encode(hashlib.sha256(archive.read_bytes()).digest()).decode()
    assert digest == function["Configuration"]["CodeSha256"]
    with zipfile.ZipFile(archive) as opened:
        opened.extractall(task_root)
    archive.unlink()

    server = _serve(event, key.request_id, arn)
    configuration = function["Configuration"]
    child = subprocess.Popen(
        [sys.executable, "-m", "awslambdaric", configuration["Handler"]],
        cwd=task_root,
        env={
            **environ,
            **configuration.get("Environment", {}).get("Variables", {}),
            "AWS_LAMBDA_RUNTIME_API": f"127.0.0.1:{server.server_port}",
            "AWS_LAMBDA_FUNCTION_NAME": configuration["FunctionName"],
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(configuration["MemorySize"]),
            "PYTHONPATH": task_root,
        },
    )
    _answered.wait()
    child.kill()
    child.wait()
    s3.put_object(Bucket=bucket, Key=key.result_object(attempt), Body=_result)
    dynamodb.update_item(
        **task_requests.finish(
            table, time.time(), key, attempt, task_arn=task_arn, state=RunState.SUCCEEDED, exit_code=0
        )
    )
    return 0


def _serve(event: bytes, request_id: str, arn: str) -> ThreadingHTTPServer:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            if _answered.is_set():
                time.sleep(60)
            self.send_response(200)
            self.send_header("Lambda-Runtime-Aws-Request-Id", request_id)
            self.send_header("Lambda-Runtime-Deadline-Ms", str(int((time.time() + 900) * 1000)))
            self.send_header("Lambda-Runtime-Invoked-Function-Arn", arn)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(event)))
            self.end_headers()
            self.wfile.write(event)

        def do_POST(self) -> None:
            global _result  # noqa: PLW0603 -- a script of one invocation
            _result = self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(202)
            self.send_header("Content-Length", "0")
            self.end_headers()
            _answered.set()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            pass

    class Server(ThreadingHTTPServer):
        def handle_error(self, request: object, client_address: object) -> None:
            """Say nothing of the runtime's hanging up: it is killed."""

    server = Server(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


if __name__ == "__main__":
    sys.exit(main())
