"""A place whose tasks are real runner processes, against the same tables that dispatcher and watcher use."""

from __future__ import annotations

import base64
import io
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError, ReadTimeoutError

from overtime.contract.exit_codes import ExitCode
from tests.doubles.crash import Crash
from tests.doubles.runner_aws import FUNCTION_ARN, LostAnswer, StandIn
from tests.faults.place import Place
from tests.faults.wire import Mode, Wire

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_s3 import S3Client

    from overtime.contract.runs import RunKey

ROOT = Path(__file__).resolve().parents[2]
_AT_MOST_SECONDS = 60
_BUSY = "/busy"
"""How the paths begin of the calls of a task for which Lambda is too busy."""
_THROTTLED = 429, b'{"Type":"User","message":"Rate exceeded","Code":"TooManyRequestsException"}'
_SIGKILL = 137


class Aws(StandIn):
    """The runner's AWS: Lambda and ECS from memory, the ledger from the world's own tables; calls go over a wire."""

    def __init__(self, dynamodb: DynamoDBClient, s3: S3Client) -> None:
        super().__init__()
        self._dynamodb, self._s3 = dynamodb, s3
        self.wire = Wire()
        self.victim = Victim()
        handlers = _zip({path.name: path.read_bytes() for path in (ROOT / "tests/faults/handlers").glob("*.py")})
        self.add_function(handlers, layers={"lib": _zip({"python/lib.py": b""})}, Handler="traced.handler")

    def answer(self, method: str, target: str, headers: Mapping[str, str], body: bytes) -> tuple[int, bytes]:
        """Answer one request, unless the wire says otherwise."""
        busy, path = target.startswith(_BUSY), target.removeprefix(_BUSY)
        name = self._name(method, path, headers)
        answers: list[tuple[int, bytes]] = []

        def answer() -> None:
            throttled = busy and name == "lambda:GetFunction"
            answers.append(_THROTTLED if throttled else super(Aws, self).answer(method, path, headers, body))

        try:
            self.wire.carry(name, answer)
        except Crash:
            self.victim.kill()
            raise LostAnswer from None
        except ReadTimeoutError:
            raise LostAnswer from None
        return answers[0]

    def _ledger(self, call: str, request: dict[str, object]) -> tuple[int, bytes]:
        assert call == "dynamodb:UpdateItem", "the runner may call nothing else"
        try:
            answer = self._dynamodb.update_item(**request)  # type: ignore[arg-type]
        except ClientError as error:
            refused = {"__type": error.response["Error"]["Code"], "Item": error.response.get("Item", {})}
            return 400, json.dumps(refused).encode()
        return 200, json.dumps({"Attributes": answer["Attributes"]}).encode()

    def _object(self, method: str, name: str, body: bytes) -> tuple[int, bytes]:
        bucket, _, key = name.partition("/")
        if bucket != "runs-objects":
            return super()._object(method, name, body)
        if method == "PUT":
            self._s3.put_object(Bucket=bucket, Key=key, Body=body)
            return 200, b""
        return 200, self._s3.get_object(Bucket=bucket, Key=key)["Body"].read()

    def _document(self, call: str, path: str, query: Mapping[str, list[str]]) -> Mapping[str, object] | None:
        if call == "ecs:metadata":
            arn = base64.urlsafe_b64decode(path.split("/")[3]).decode()
            return {"TaskARN": arn, "Limits": {"CPU": 1, "Memory": 2048}}
        return super()._document(call, path, query)


class Victim:
    """The container that is killed: its first process and every one that it has started."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._known = threading.Event()

    def meet(self, process: subprocess.Popen[bytes]) -> None:
        """Say who it is, once."""
        if self._process is None:
            self._process = process
            self._known.set()

    def kill(self) -> None:
        """End it as `kill -9` of a container does."""
        assert self._known.wait(_AT_MOST_SECONDS)
        process = self._process
        assert process is not None
        process.send_signal(signal.SIGSTOP)
        for task in Path(f"/proc/{process.pid}/task").iterdir():
            for child in (task / "children").read_text(encoding="ascii").split():
                os.killpg(int(child), signal.SIGKILL)
        process.kill()


class RunnerPlace(Place):
    """A place whose tasks are processes; a context manager.

    `busy` is for tasks of the first attempt: Lambda throttles them, and they try nothing twice.
    """

    def __init__(
        self, dynamodb: DynamoDBClient, s3: S3Client, *, name: str, raises: bool = False, busy: bool = False
    ) -> None:
        super().__init__(dynamodb, s3, name=name)
        self.now = time.time()  # the runner's own clock, which nobody can set
        self.raises, self.busy = raises, busy
        self._folder = tempfile.TemporaryDirectory()
        self._trace = Path(self._folder.name, "trace")
        self._trace.touch()
        self._about: dict[int, tuple[RunKey, int]] = {}
        self.aws = Aws(dynamodb, s3)
        self.aws.__enter__()

    def close(self) -> None:
        """End the stand-in and remove the containers' folders."""
        self.aws.__exit__()
        self._folder.cleanup()

    def fail(self, request_id: str, message: str = "Task timed out after 9.00 seconds") -> RunKey:
        """Put a failure record on the queue, with an event that says where to write and how to end."""
        key = super().fail(request_id, message)
        self.waiting()[-1]["Body"] = json.dumps({"trace": str(self._trace), "raises": self.raises})
        return key

    def live(self, arn: str, *, wire: Wire | None = None) -> None:
        """Let a task live to its end: the real runner, or nothing where it has stopped already."""
        if self.cluster.tasks[arn]["lastStatus"] == "STOPPED":
            return
        if wire is not None:
            self.aws.wire = wire
        with tempfile.TemporaryDirectory(dir=self._folder.name) as folder:
            process = self._started(arn, Path(folder))
            output, _ = process.communicate(timeout=_AT_MOST_SECONDS)
            if wire is not None and wire.mode in {Mode.DUPLICATE, Mode.FROZEN}:
                assert wire.over.wait(_AT_MOST_SECONDS), f"the call never came: {wire.call}"
        code = _SIGKILL if process.returncode < 0 else process.returncode
        expected = {0, 1, 2, _SIGKILL} | ({ExitCode.UNAVAILABLE} if self.busy else set())
        assert code in expected, output.decode()
        self._count()
        self.cluster.stop(arn, "EssentialContainerExited", "Essential container in task exited", "", code)

    def twin(self, arn: str) -> None:
        """Start a second task of the same attempt, as ECS does once it has forgotten a client token."""
        second = f"{arn}-twin"
        self.cluster.tasks[second] = self.cluster.tasks[arn] | {"taskArn": second}
        self.live(second)

    def freeze(self, arn: str) -> None:
        """Let everything else come to its end while ECS does not know this task, which then goes on."""
        self.cluster.unknown.add(arn)
        self.settle()

    def rise(self) -> None:
        """Do nothing: the tasks that ECS does not know are processes that go on by themselves."""

    def _started(self, arn: str, folder: Path) -> subprocess.Popen[bytes]:
        key, attempt = self.about(arn)
        busy = self.busy and attempt == 1
        for name in ("task", "opt", "runtime"):
            (folder / name).mkdir()
        address = f"{self.aws.url}/metadata/task/{base64.urlsafe_b64encode(arn.encode()).decode()}"
        process = subprocess.Popen(
            [sys.executable, "-s", "-S", "-m", "overtime.runner"],
            cwd=ROOT,
            env={
                "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
                "LAMBDA_TASK_ROOT": str(folder / "task"),
                "LAMBDA_RUNTIME_DIR": str(folder / "runtime"),
                "OVERTIME_LAYER_ROOT": str(folder / "opt"),
                "OVERTIME_PATIENCE_SECONDS": "0" if busy else "20",
                "AWS_CONTAINER_CREDENTIALS_FULL_URI": f"{self.aws.url}/credentials",
                "AWS_ENDPOINT_URL": self.aws.url + (_BUSY if busy else ""),
                "AWS_REGION": "eu-west-1",
                "ECS_CONTAINER_METADATA_URI_V4": address,
                "OVERTIME_FUNCTION_ARN": FUNCTION_ARN,
                "OVERTIME_LEDGER_BUCKET": "runs-objects",
                "OVERTIME_LEDGER_TABLE": "runs",
                "OVERTIME_RUN_KEY": str(key),
                "OVERTIME_TASK_ATTEMPT": str(attempt),
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        self._about[process.pid] = key, attempt
        self.aws.victim.meet(process)
        return process

    def _count(self) -> None:
        self.executed.clear()
        self.executed.update(self._about[int(line)] for line in self._trace.read_text(encoding="ascii").split())


def _zip(files: Mapping[str, bytes]) -> bytes:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as opened:
        for name, content in files.items():
            opened.writestr(name, content)
    return data.getvalue()
