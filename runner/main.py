"""The runner from beginning to end: what runs beside what, and what each end means to the container's exit code."""

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
    """Do what the environment says and return the container's exit code."""
    messages: SimpleQueue[Message] = SimpleQueue()
    # `put` of a SimpleQueue may be called from a signal handler: it never waits for a lock.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: messages.put(("terminate", None)))
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)  # whoever ignores it is not told how a child ended
    try:
        config = read(os.environ if environ is None else environ)
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
    except Exception:  # noqa: BLE001 -- the last resort: say what is known, and end as what it is
        import traceback  # noqa: PLC0415 -- not for the runs that go well

        last_words(traceback.format_exc())
        return RunnerError.exit_code


def _from_ledger(
    config: Config, claim: Claim, name: FunctionName, invocation: Invocation, messages: SimpleQueue[Message]
) -> int:
    """Continue the invocation that the task was started for. The code is fetched meanwhile, but waits for the claim."""
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
        outcome = invocation.run(
            fetch.finished(),
            request_id=claim.key.request_id,
            event=event,
            log_stream=task.log_stream,
            memory_mib=task.memory_mib,
            context={},
        )
    except RunnerError as error:
        # The handler has not begun. What may pass is left to the next task: the run stays open, and by the exit code
        # the watcher knows to launch it again.
        if not error.may_pass:
            ledger.finish(outcome_of_error(error, claim.key.request_id))
        raise
    except Exception as error:
        defect = RunnerError(f"a defect in the runner ended this run: {error!r}. The task's log says more.")
        ledger.finish(outcome_of_error(defect, claim.key.request_id))
        raise
    keeping.begin()
    ledger.finish(outcome, keeping.budget, keeping.passes)
    return outcome.exit_code


def _by_hand(config: Config, invocation: Invocation, messages: SimpleQueue[Message]) -> int:
    """Run the handler on the event from the environment. No call to AWS, unless the code is to be fetched."""
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
            f"name a file that can be written in {variables.RESULT_FILE}, and run it again."
        ) from error
    return outcome.exit_code


def _aws(config: Config, credentials: CredentialSource) -> Aws:
    return Aws(region=config.region, endpoint=config.endpoint, credentials=credentials, ca_bundle=config.ca_bundle)


def _random_request_id() -> str:
    text = os.urandom(16).hex()
    return f"{text[:8]}-{text[8:12]}-4{text[13:16]}-a{text[17:20]}-{text[20:]}"
