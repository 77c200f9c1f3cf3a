"""The runner's whole course: what runs concurrently, and how each outcome becomes the container's exit code."""

# ruff: noqa: PTH123 -- pathlib costs 5 ms before the handler can start

from __future__ import annotations

import os
import signal
from queue import SimpleQueue

from overtime.contract import variables
from overtime.runner import function as functions
from overtime.runner.aws import Aws
from overtime.runner.config import Claim, Config, FunctionName, read
from overtime.runner.credentials import CredentialSource
from overtime.runner.errors import RunnerError
from overtime.runner.fetch import CodeFetch
from overtime.runner.invocation import Invocation
from overtime.runner.keeping import Keeping
from overtime.runner.ledger import TaskLedger
from overtime.runner.log import STDOUT, last_words, write_all
from overtime.runner.outcome import outcome_of_error
from overtime.runner.retrying import RetryBudget
from overtime.runner.task import this_task

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from overtime.runner.messages import Message


def main(environ: Mapping[str, str] | None = None) -> int:
    """Run what the environment defines, and return the container's exit code."""
    messages: SimpleQueue[Message] = SimpleQueue()
    # A signal handler may call SimpleQueue's `put`, because it never waits for a lock.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: messages.put(("terminate", None)))
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)  # if it were ignored, a child's exit status would be lost
    try:
        config = read(_given() if environ is None else environ)
        invocation = Invocation(config, messages)
        try:
            if config.claim is not None and config.function is not None:
                return _from_ledger(config, config.claim, config.function, invocation, messages)
            return _by_hand(config, invocation, messages)
        finally:
            invocation.close()
    except RunnerError as error:
        last_words(f"overtime: {' '.join(str(error).split())}\n")
        return error.exit_code
    except Exception:  # noqa: BLE001 -- the last resort: log the trace, and exit as a bug
        import traceback  # noqa: PLC0415 -- costs nothing in runs without a bug

        last_words(traceback.format_exc())
        return RunnerError.exit_code


def _given() -> dict[str, str]:
    """Return the container's environment, without the variable that the runner's interpreter may add (PEP 538)."""
    environ = dict(os.environ)
    try:
        with open("/proc/self/environ", "rb") as file:
            given = file.read().split(b"\0")
    except OSError:
        return environ  # not on Linux
    if not any(each.startswith(b"LC_CTYPE=") for each in given):
        environ.pop("LC_CTYPE", None)
    return environ


def _from_ledger(
    config: Config, claim: Claim, name: FunctionName, invocation: Invocation, messages: SimpleQueue[Message]
) -> int:
    """Continue the invocation that the task was started for; the code is fetched while the run is being claimed."""
    budget = RetryBudget(config.patience_seconds)
    credentials = CredentialSource(config.environ, budget)
    fetch = CodeFetch(_aws(config, credentials), config, name, messages)
    fetch.start()
    task = this_task(config.environ, budget)
    ledger = TaskLedger(_aws(config, credentials), claim, task.arn, budget)
    ledger.claim()
    keeping = Keeping(config, messages)
    try:
        event = ledger.event()
        function = fetch.finished()
        for note in function.notes:
            last_words(f"overtime: {note}\n")
        outcome = invocation.run(
            function,
            request_id=claim.key.request_id,
            event=event,
            log_stream=task.log_stream,
            memory_mib=task.memory_mib,
            context={},
        )
    except RunnerError as error:
        # The handler has not started. If the cause may be temporary, the run stays open, and the exit code makes the
        # watcher relaunch it.
        if not error.may_pass:
            ledger.finish(outcome_of_error(error, claim.key.request_id))
        raise
    except Exception as error:
        defect = RunnerError(f"a bug in the runner ended this run: {error!r}. See the task's log.")
        ledger.finish(outcome_of_error(defect, claim.key.request_id))
        raise
    keeping.begin()
    executed = function.version if name.run_names_version else None
    ledger.finish(outcome, keeping.budget, keeping.passes, executed_version=executed)
    return outcome.exit_code


def _by_hand(config: Config, invocation: Invocation, messages: SimpleQueue[Message]) -> int:
    """Run the handler with the event from the environment, without calls to AWS unless the code must be fetched."""
    fetched = None
    if config.function is not None:
        credentials = CredentialSource(config.environ, RetryBudget(config.patience_seconds))
        fetch = CodeFetch(_aws(config, credentials), config, config.function, messages)
        fetch.start()
        fetched = fetch.finished()
    request_id = str(config.context.get("aws_request_id") or _random_request_id())
    outcome = invocation.run(
        functions.by_hand(config, fetched),
        request_id=request_id,
        event=config.event,
        log_stream=str(config.context.get("log_stream_name", "by-hand")),
        context=config.context,
    )
    invocation.close()  # the result is stdout's last line
    try:
        if config.result_file:
            with open(config.result_file, "wb") as file:
                file.write(outcome.result)
        else:
            write_all(STDOUT, outcome.result + b"\n")
    except OSError as error:
        raise RunnerError(
            f"the result could not be written to {config.result_file or 'stdout'}: {error}. The handler has run; "
            f"set {variables.RESULT_FILE} to a writable file, and run it again."
        ) from error
    return outcome.exit_code


def _aws(config: Config, credentials: CredentialSource) -> Aws:
    return Aws(region=config.region, endpoint=config.endpoint, credentials=credentials, ca_bundle=config.ca_bundle)


def _random_request_id() -> str:
    text = os.urandom(16).hex()
    return f"{text[:8]}-{text[8:12]}-4{text[13:16]}-a{text[17:20]}-{text[20:]}"
