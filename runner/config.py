"""The task's environment variables as checked values; an error reports all faults at once."""

from __future__ import annotations

import json
from functools import partial

from overtime.contract import variables
from overtime.contract.limits import LONGEST_RUN_SECONDS
from overtime.contract.runs import InvalidRunKeyError, RunKey
from overtime.contract.runtimes import FAMILIES, PROVIDED, PYTHON, RUNTIMES
from overtime.runner.errors import BadEnvironmentError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

CONTEXT_FIELDS = frozenset(
    {
        "aws_request_id",
        "client_context",
        "function_name",
        "function_version",
        "identity",
        "invoked_function_arn",
        "log_group_name",
        "log_stream_name",
        "memory_limit_in_mb",
        "tenant_id",
        "trace_id",
    }
)
"""The allowed keys of AWS_LAMBDA_FUNCTION_CONTEXT: attributes of the handler's context, and `trace_id`."""

_ARN_PARTS = 7


class FunctionName:
    """A function's ARN as it was invoked, and its parts that calls need.

    `qualifiers` are those by which to look for the code: the version that failed on Lambda, if the run names it, then
    what was invoked, then what `arn` names. Versions and aliases may have been deleted since.
    """

    def __init__(self, arn: str, *, version: str | None = None, qualifier: str | None = None) -> None:
        parts = arn.split(":")
        if parts[0] != "arn" or parts[2:3] != ["lambda"] or len(parts) not in (_ARN_PARTS, _ARN_PARTS + 1):
            raise ValueError(f"{arn!r} is not a function's ARN (arn:aws:lambda:<region>:<account>:function:<name>)")
        self.region, self.name = parts[3], parts[6]
        own = parts[7] if len(parts) > _ARN_PARTS else None
        self.arn = ":".join([*parts[:_ARN_PARTS], qualifier]) if qualifier else arn
        self.qualifiers = [*dict.fromkeys(each for each in (version, qualifier) if each and each != own), own]
        self.run_names_version = bool(version or qualifier)


class Claim:
    """The run to claim, and its ledger."""

    def __init__(self, key: RunKey, attempt: int, table: str, bucket: str) -> None:
        self.key, self.attempt, self.table, self.bucket = key, attempt, table, bucket


class Config:
    """The work of this process. `claim` is None by hand; `function` is None if the code is already in place."""

    claim: Claim | None = None
    function: FunctionName | None = None
    event: bytes = b""
    handler: str | None = None
    result_file: str | None = None
    runtime = ""
    """The image's runtime; empty if the image does not name it."""
    family = PYTHON
    starts_ahead = True
    max_runtime_seconds = LONGEST_RUN_SECONDS
    patience_seconds = 300
    """How long a call is retried before the handler starts, and the minimum for recording the outcome."""
    result_patience_seconds = 86_400
    """The maximum for recording the outcome, because it may represent days of work."""
    stop_seconds = 100
    """The handler's time after SIGTERM: less than the task's stop timeout, so the outcome can still be recorded."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self.environ = environ
        self.region = environ.get("AWS_REGION") or environ.get("AWS_DEFAULT_REGION") or ""
        self.endpoint = environ.get("AWS_ENDPOINT_URL") or None
        self.ca_bundle = environ.get("AWS_CA_BUNDLE") or None
        self.task_root = environ.get("LAMBDA_TASK_ROOT") or "/var/task"
        self.layer_root = environ.get(variables.LAYER_ROOT) or "/opt"
        self.runtime_dir = environ.get("LAMBDA_RUNTIME_DIR") or "/var/runtime"
        self.context: dict[str, object] = {}


def read(environ: Mapping[str, str]) -> Config:
    """Read and check the environment. Raise BadEnvironmentError, which lists all faults."""
    config = Config(environ)
    faults: list[str] = []
    number = partial(_number, environ, faults)
    config.max_runtime_seconds = number(
        variables.MAX_RUNTIME_SECONDS, config.max_runtime_seconds, range(1, LONGEST_RUN_SECONDS + 1)
    )
    config.patience_seconds = number(variables.PATIENCE_SECONDS, config.patience_seconds, range(86_401))
    config.result_patience_seconds = number(
        variables.RESULT_PATIENCE_SECONDS, config.result_patience_seconds, range(LONGEST_RUN_SECONDS + 1)
    )
    config.stop_seconds = number(variables.STOP_SECONDS, config.stop_seconds, range(1, 121))
    _runtime(config, environ, faults)
    if arn := environ.get(variables.FUNCTION_ARN):
        try:
            config.function = FunctionName(
                arn,
                version=environ.get(variables.FUNCTION_VERSION),
                qualifier=environ.get(variables.FUNCTION_QUALIFIER),
            )
            config.region = config.region or config.function.region
        except ValueError as error:
            faults.append(f"{variables.FUNCTION_ARN}: {error}")
    if "AWS_LAMBDA_FUNCTION_EVENT" in environ:
        config.region = config.region or "us-east-1"  # Lambda is always somewhere
        _by_hand(config, environ, faults)
    else:
        _from_ledger(config, environ, faults)
    if faults:
        raise BadEnvironmentError("the environment does not define what to run: " + "; ".join(faults))
    return config


def _runtime(config: Config, environ: Mapping[str, str], faults: list[str]) -> None:
    """Read the image's runtime. A runtime that is too new to be known starts as its family does."""
    if not (name := environ.get(variables.RUNTIME)):
        return
    family = next((each for each in FAMILIES if each.includes(name)), None)
    if family is None:
        names = ", ".join(each.name for each in FAMILIES)
        faults.append(f"{variables.RUNTIME} = {name!r} is not a runtime of {names}; the image sets it")
        return
    config.runtime, config.family = name, family
    config.starts_ahead = name in RUNTIMES and RUNTIMES[name].starts_ahead


def _by_hand(config: Config, environ: Mapping[str, str], faults: list[str]) -> None:
    config.event = environ["AWS_LAMBDA_FUNCTION_EVENT"].encode("utf-8", "surrogateescape")
    config.result_file = environ.get(variables.RESULT_FILE) or None
    try:
        json.loads(config.event)
    except ValueError as error:
        faults.append(f"AWS_LAMBDA_FUNCTION_EVENT is not JSON: {error}")
    try:
        context = json.loads(environ.get("AWS_LAMBDA_FUNCTION_CONTEXT") or "{}")
    except ValueError as error:
        faults.append(f"AWS_LAMBDA_FUNCTION_CONTEXT is not JSON: {error}")
    else:
        if not isinstance(context, dict) or set(context) - CONTEXT_FIELDS:
            faults.append(f"AWS_LAMBDA_FUNCTION_CONTEXT must be an object of {', '.join(sorted(CONTEXT_FIELDS))}")
        else:
            config.context = {name: value for name, value in context.items() if value is not None}
            faults += [f"AWS_LAMBDA_FUNCTION_CONTEXT: {fault}" for fault in _context_faults(config.context)]
    folder, config.handler = handler_path(environ.get("AWS_LAMBDA_HANDLER_PATH") or environ.get("_HANDLER") or "")
    config.task_root = folder or config.task_root
    if not config.handler and config.function is None and config.family is not PROVIDED:
        faults.append("AWS_LAMBDA_HANDLER_PATH is missing: name the handler as in Lambda, for example app.handler")


def _context_faults(context: Mapping[str, object]) -> Iterator[str]:
    """Yield the values that cannot become headers or variables, from which the runtime builds the context."""
    for name, value in context.items():
        if name in ("client_context", "identity") and isinstance(value, dict):
            continue
        if name == "memory_limit_in_mb":
            if not str(value).isdecimal():
                yield f"{name} must be a whole number of MB"
        elif not (isinstance(value, str) and value.isascii() and value.isprintable()):
            yield f"{name} must be a text of printable ASCII characters"


def handler_path(text: str) -> tuple[str | None, str | None]:
    """Split AWS_LAMBDA_HANDLER_PATH into the code's folder (None: /var/task) and the handler (None: not set).

    Three forms: `app.handler` or `pkg/mod.handler` below /var/task, `/folder:pkg/mod.handler`, `/folder/app.handler`.
    Java and .NET have `::` within their handlers.
    """
    if not text.startswith("/"):
        return None, text or None
    folder, colon, handler = text.partition(":")
    if not colon or handler.startswith(":"):
        folder, _, handler = text.rpartition("/")
    return folder or "/", handler or None


def _from_ledger(config: Config, environ: Mapping[str, str], faults: list[str]) -> None:
    names = (variables.RUN_KEY, variables.LEDGER_TABLE, variables.LEDGER_BUCKET, variables.FUNCTION_ARN)
    missing = [name for name in names if not environ.get(name)]
    if missing:
        faults.append(
            f"{', '.join(missing)} missing: the task definition and RunTask's override set them; "
            "by hand, set AWS_LAMBDA_FUNCTION_EVENT instead"
        )
    attempt = _number(environ, faults, variables.TASK_ATTEMPT, 1, range(1, 1_000_000))
    if not missing:
        try:
            key = RunKey.parse(environ[variables.RUN_KEY])
        except InvalidRunKeyError as error:
            faults.append(f"{variables.RUN_KEY}: {error}")
        else:
            table, bucket = environ[variables.LEDGER_TABLE], environ[variables.LEDGER_BUCKET]
            config.claim = Claim(key, attempt, table, bucket)


def _number(environ: Mapping[str, str], faults: list[str], name: str, default: int, allowed: range) -> int:
    text = environ.get(name) or str(default)
    if text.isascii() and text.isdigit() and int(text) in allowed:
        return int(text)
    faults.append(f"{name} = {text!r} must be a whole number from {allowed.start} to {allowed.stop - 1}")
    return default
