"""An endpoint on 127.0.0.1 that answers the runner's AWS calls from memory: for figures, and for tests without AWS."""

from __future__ import annotations

import base64
import hashlib
import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Self
from urllib.parse import parse_qs, unquote, urlsplit

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from urllib.parse import SplitResult

Item = dict[str, dict[str, object]]
TASK_ARN = "arn:aws:ecs:eu-west-1:123456789012:task/overtime/0123456789abcdef0123456789abcdef"
TABLE, BUCKET = "runs", "ledger"
FUNCTION, REQUEST_ID = "report", "11111111-2222-4333-8444-555555555555"
FUNCTION_ARN = f"arn:aws:lambda:eu-west-1:123456789012:function:{FUNCTION}"
CONDITION_FAILED = "com.amazonaws.dynamodb.v20120810#ConditionalCheckFailedException"


class LostAnswer(Exception):  # noqa: N818 -- no error: an accident that is played
    """The call had its effect or had not, and nobody is told; `sent` is all that comes of the answer."""

    def __init__(self, sent: bytes = b"") -> None:
        super().__init__()
        self.sent = sent


class StandIn:
    """The calls' state and record; a context manager that serves while it is open.

    `faults` maps a call's name ("dynamodb:UpdateItem") to answers that are given first, in order: (status, body).
    `on_call` maps one to what is done when it arrives, before it is answered; `lose_answers` to how many of its answers
    are lost: the call has its effect, and the connection is closed; `cut` to what is sent instead of answers before the
    connection is closed, without any effect.
    """

    def __init__(self) -> None:
        self.items: dict[str, Item] = {}
        self.objects: dict[str, bytes] = {}
        self.functions: dict[str, dict[str, object]] = {}
        self.layers: dict[str, dict[str, object]] = {}
        self.calls: list[str] = []
        self.on_call: dict[str, Callable[[], object]] = {}
        self.lose_answers: dict[str, int] = {}
        self.cut: dict[str, list[bytes]] = {}
        self._lock = threading.Lock()
        self.faults: dict[str, list[tuple[int, bytes]]] = {}
        self._server = _Server(self)
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def add_function(
        self,
        code: bytes,
        *,
        layers: Mapping[str, bytes] | None = None,
        qualifier: str | None = None,
        **configuration: object,
    ) -> None:
        """Deploy the function; `configuration` is merged over plain values, in the API's own words.

        A `qualifier` adds what is answered to it, and leaves the function itself as it is.
        """
        arns = []
        for name, archive in (layers or {}).items():
            arn = f"arn:aws:lambda:eu-west-1:123456789012:layer:{name}:1"
            self.layers[arn] = {"LayerVersionArn": arn, "Content": self._archive(archive)}
            arns.append({"Arn": arn, "CodeSize": len(archive)})
        location = self._archive(code)
        base: dict[str, object] = {
            "FunctionName": FUNCTION,
            "FunctionArn": FUNCTION_ARN,
            "Runtime": "python3.11",
            "Handler": "app.handler",
            "MemorySize": 256,
            "Version": "$LATEST",
            "PackageType": "Zip",
            "CodeSha256": location["CodeSha256"],
            "Layers": arns,
            "LoggingConfig": {"LogFormat": "Text", "LogGroup": f"/aws/lambda/{FUNCTION}"},
        }
        self.functions[f"{FUNCTION}:{qualifier}" if qualifier else FUNCTION] = {
            "Configuration": base | configuration,
            "Code": {"RepositoryType": "S3", "Location": location["Location"]},
        }

    def add_run(self, event: bytes, *, state: str = "launching", attempt: int = 1) -> None:
        """Record the run as the dispatcher leaves it."""
        key = f"{FUNCTION}/{REQUEST_ID}"
        self.items[key] = {
            "run_key": {"S": key},
            "state": {"S": state},
            "attempt": {"N": str(attempt)},
            "event_sha256": {"S": hashlib.sha256(event).hexdigest()},
        }
        self.objects[f"{BUCKET}/events/{key}.json"] = event

    @property
    def run(self) -> Item:
        """The run's item as it is now."""
        return self.items[f"{FUNCTION}/{REQUEST_ID}"]

    @property
    def result(self) -> bytes | None:
        """The result object of the first attempt."""
        return self.objects.get(f"{BUCKET}/results/{FUNCTION}/{REQUEST_ID}/1.json")

    def task_environment(self) -> dict[str, str]:
        """Give what the task definition and the override set, pointing here."""
        return {
            "AWS_ACCESS_KEY_ID": "AKIDEXAMPLE",
            "AWS_SECRET_ACCESS_KEY": "secret",
            "AWS_ENDPOINT_URL": self.url,
            "AWS_REGION": "eu-west-1",
            "ECS_CONTAINER_METADATA_URI_V4": f"{self.url}/metadata",
            "OVERTIME_FUNCTION_ARN": FUNCTION_ARN,
            "OVERTIME_LEDGER_BUCKET": BUCKET,
            "OVERTIME_LEDGER_TABLE": TABLE,
            "OVERTIME_RUN_KEY": f"{FUNCTION}/{REQUEST_ID}",
            "OVERTIME_TASK_ATTEMPT": "1",
        }

    def answer(self, method: str, target: str, headers: Mapping[str, str], body: bytes) -> tuple[int, bytes]:
        """Answer one request and write down which call it was."""
        url = urlsplit(target)
        call = self._name(method, unquote(url.path), headers)
        self.calls.append(call)
        self.on_call.get(call, int)()
        if self.cut.get(call):
            raise LostAnswer(self.cut[call].pop(0))
        if self.faults.get(call):
            return self.faults[call].pop(0)
        answer = self._answer(method, call, url, body)
        if self.lose_answers.get(call):
            self.lose_answers[call] -= 1
            raise LostAnswer
        return answer

    def _answer(self, method: str, call: str, url: SplitResult, body: bytes) -> tuple[int, bytes]:
        path = unquote(url.path)
        match call.partition(":")[0]:
            case "dynamodb":
                return self._ledger(call, json.loads(body))
            case "s3" | "code":
                return self._object(method, path[1:], body)
            case _:
                return _found(self._document(call, path, parse_qs(url.query)))

    def _ledger(self, call: str, request: dict[str, object]) -> tuple[int, bytes]:
        if call == "dynamodb:UpdateItem":
            return self._update(request)
        key = request["Key"]
        assert isinstance(key, dict)
        found = self.items.get(key["run_key"]["S"])
        return 200, json.dumps({"Item": found} if found else {}).encode()

    def _object(self, method: str, name: str, body: bytes) -> tuple[int, bytes]:
        if method == "PUT":
            self.objects[name] = body
            return 200, b""
        data = self.objects.get(name)
        return (404, b"<Error><Code>NoSuchKey</Code></Error>") if data is None else (200, data)

    def _document(self, call: str, path: str, query: Mapping[str, list[str]]) -> Mapping[str, object] | None:
        match call:
            case "lambda:GetFunction":
                qualifiers = query.get("Qualifier", [])
                return self.functions.get(":".join([path.rpartition("/")[2], *qualifiers]))
            case "lambda:GetLayerVersion":
                return self.layers.get(query["Arn"][0])
            case "ecs:metadata":
                return {"TaskARN": TASK_ARN, "Limits": {"CPU": 1, "Memory": 2048}}
            case _:
                expires = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 3600))
                return {"AccessKeyId": "AKID", "SecretAccessKey": "secret", "Token": "t", "Expiration": expires}

    def _archive(self, data: bytes) -> dict[str, object]:
        digest = hashlib.sha256(data).digest()
        self.objects[f"code/{digest.hex()}"] = data
        sha256 = base64.b64encode(digest).decode()
        return {"Location": f"{self.url}/code/{digest.hex()}?signed=yes", "CodeSha256": sha256}

    def _name(self, method: str, path: str, headers: Mapping[str, str]) -> str:
        if operation := headers.get("x-amz-target"):
            return f"dynamodb:{operation.rpartition('.')[2]}"
        for prefix, call in (
            ("/2015-03-31/functions/", "lambda:GetFunction"),
            ("/2018-10-31/layers", "lambda:GetLayerVersion"),
            ("/metadata/task", "ecs:metadata"),
            ("/credentials", "ecs:credentials"),
            ("/code/", "code:download"),
        ):
            if path.startswith(prefix):
                return call
        return "s3:PutObject" if method == "PUT" else "s3:GetObject"

    def _update(self, request: dict[str, object]) -> tuple[int, bytes]:
        with self._lock:
            return self._evaluated(request)

    def _evaluated(self, request: dict[str, object]) -> tuple[int, bytes]:
        """Evaluate as much of an UpdateItem as the ledger's requests say: IN, =, AND; SET of values, REMOVE."""
        key, names, values = request["Key"], request["ExpressionAttributeNames"], request["ExpressionAttributeValues"]
        assert isinstance(key, dict)
        assert isinstance(names, dict)
        assert isinstance(values, dict)
        item = self.items.get(key["run_key"]["S"], {})
        for condition in str(request["ConditionExpression"]).split(" AND "):
            attribute, operator, operand = condition.split(" ", 2)
            allowed = [values[name] for name in operand.strip("()").split(", ")]
            assert operator in ("IN", "=")
            if item.get(names[attribute]) not in allowed:
                return 400, json.dumps({"__type": CONDITION_FAILED} | ({"Item": item} if item else {})).encode()
        sets, _, removes = str(request["UpdateExpression"]).removeprefix("SET ").partition(" REMOVE ")
        for assignment in sets.split(", #"):
            attribute, value = assignment.split(" = ")
            if value in values:
                item[names[f"#{attribute.lstrip('#')}"]] = values[value]
        for name in filter(None, removes.split(", ")):
            item.pop(names[name], None)
        return 200, json.dumps({"Attributes": item}).encode()


def _found(document: Mapping[str, object] | None) -> tuple[int, bytes]:
    if document is None:
        return 404, b'{"Type":"User","Message":"not found","Code":"ResourceNotFoundException"}'
    return 200, json.dumps(document).encode()


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing of a client that hung up: to end a process is part of what is tried here."""

    def __init__(self, standin: StandIn) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.standin = standin


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1

    def _any(self) -> None:
        assert isinstance(self.server, _Server)
        body = self.rfile.read(int(self.headers.get("content-length", "0")))
        headers = {name.lower(): value for name, value in self.headers.items()}
        try:
            status, answer = self.server.standin.answer(self.command, self.path, headers, body)
        except LostAnswer as lost:
            self.wfile.write(lost.sent)
            self.close_connection = True
            return
        self.send_response(status)
        self.send_header("content-length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)
        self.wfile.flush()

    def handle_expect_100(self) -> bool:
        """Say "100 Continue" at once, which S3's clients wait for."""
        told = super().handle_expect_100()
        self.wfile.flush()
        return told

    do_GET = do_PUT = do_POST = _any  # noqa: N815 -- http.server looks for these names

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 -- http.server's name for it
        """Say nothing: the figures are the output."""
