"""Derives what is recorded (state, exit code, result) from how the handler ended, in Lambda's words. Pure."""

from __future__ import annotations

import json
import re
import signal

from overtime.contract import error_types
from overtime.contract.exit_codes import ExitCode
from overtime.contract.runs import RunState
from overtime.runner.errors import RunnerError, StoppedError
from overtime.runner.runtime_api import LARGEST_RESULT

TYPE_CHECKING = False
if TYPE_CHECKING:
    from overtime.runner.messages import Answer
    from overtime.runner.supervise import Ending

_STRING_OR_BRACKET = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"|[\[\]{}]', re.DOTALL)
_NESTED = 2


class Outcome:
    """The outcome of the run. `fault` is a line for the log if the runtime itself has logged nothing."""

    def __init__(
        self, state: RunState, exit_code: int, result: bytes, *, error: tuple[str, str] | None = None, log: bool = False
    ) -> None:
        self.state, self.exit_code, self.result = state, exit_code, result
        self.error_type = error[0] if error else None
        self.reason = error[1] if error else None
        self.fault = self.reason if log else None


def outcome_of(ending: Ending, *, request_id: str, run_seconds: float, out_of_memory: bool) -> Outcome:
    """Return the outcome. The order matters: a run that timed out stays timed out, whatever its process did then."""
    answer, code = ending.answer, ending.exit.code if ending.exit else -signal.SIGKILL
    if ending.timed_out:
        text = f"Error: Task timed out after {run_seconds:.2f} seconds"
        return _fault(error_types.TIMED_OUT, text, request_id, RunState.TIMED_OUT)
    if answer is None:
        state = RunState.CANCELLED if ending.stopped else RunState.FAILED
        return _fault(*_death(code, stopped=ending.stopped, out_of_memory=out_of_memory), request_id, state)
    if answer.size > LARGEST_RESULT:
        text = (
            f"Response payload size ({answer.size} bytes) exceeded maximum allowed payload size "
            f"({LARGEST_RESULT} bytes)."
        )
        return _fault("Function.ResponseSizeTooLarge", text, request_id, prefix="")
    if answer.kind == "response":
        return Outcome(RunState.SUCCEEDED, ExitCode.HANDLER_RETURNED, answer.body)
    return _raised(answer, request_id)


def invalid_entrypoint(text: str, request_id: str) -> Outcome:
    """Return the outcome of a function whose bootstrap cannot be started; the text is Lambda's."""
    return _fault(error_types.INVALID_ENTRYPOINT, f"Error: {text}", request_id)


def outcome_of_error(error: RunnerError, request_id: str) -> Outcome:
    """Return the outcome of a claimed run whose handler could not be started or supervised to its end."""
    text = str(error)
    document = error_document(error.error_type, text, request_id)
    state = RunState.CANCELLED if isinstance(error, StoppedError) else RunState.FAILED
    return Outcome(state, error.exit_code, document, error=(error.error_type, text))


def error_document(error_type: str, message: str, request_id: str) -> bytes:
    """Return an error in the form in which Lambda returns it to the caller."""
    return json.dumps(
        {"errorMessage": message, "errorType": error_type, "requestId": request_id, "stackTrace": []}
    ).encode()


def _raised(answer: Answer, request_id: str) -> Outcome:
    """Keep the runtime's own document, and add the request id if it lacks one, because it precedes the event.

    Text that is not a JSON object becomes the message of one. The type beside the document counts if it names none.
    """
    body, error_type = answer.body, _word(answer.error_type)
    if not body.strip():
        return _fault(error_type or error_types.UNKNOWN, "Error: the runtime described no error", request_id)
    try:
        document = json.loads(_shallow(body.decode("utf-8", "replace")))
    except ValueError:
        document = None
    if not isinstance(document, dict):
        document = {
            "errorType": error_type or error_types.UNKNOWN,
            "errorMessage": body.decode("utf-8", "replace").strip(),
        }
        body = error_document(document["errorType"], document["errorMessage"], request_id)
    elif not document.get("requestId"):
        start = body.rstrip()[:-1] + (b", " if document else b"")
        body = start + json.dumps({"requestId": request_id}).encode()[1:]
    error = (
        _word(document.get("errorType")) or error_type or error_types.UNHANDLED,
        _text(document.get("errorMessage")),
    )
    return Outcome(RunState.FAILED, ExitCode.HANDLER_FAILED, body, error=error)


def _shallow(text: str) -> str:
    """Replace all nested values in a JSON object with null.

    The error's type and message are never nested, and Python's parser fails at about a thousand levels of nesting.
    """
    kept, depth, at = [], 0, 0
    for token in _STRING_OR_BRACKET.finditer(text):
        if token[0] in "[{":
            depth += 1
            if depth == _NESTED:
                kept.append(text[at : token.start()])
        elif token[0] in "]}":
            if depth == _NESTED:
                kept.append("null")
                at = token.end()
            depth -= 1
    return "".join(kept) + text[at:]


def _word(value: object) -> str:
    """Return a text for one line, because the type is part of the REPORT line."""
    return " ".join(_text(value).split())


def _text(value: object) -> str:
    """Return a text that UTF-8 can encode, because ledger, log and destinations reject half a surrogate pair."""
    return str(value or "").encode("utf-8", "backslashreplace").decode()


def _death(code: int, *, stopped: bool, out_of_memory: bool) -> tuple[str, str]:
    if code == 0:
        return error_types.EXIT_ERROR, "Error: Runtime exited without providing a reason"
    how = f"exit status {code}" if code > 0 else f"signal: {_name(-code)}"
    text = f"Error: Runtime exited with error: {how}"
    if stopped:
        text += " (the task was stopped: SIGTERM)"
    return (error_types.OUT_OF_MEMORY if out_of_memory and code == -signal.SIGKILL else error_types.EXIT_ERROR), text


def _name(number: int) -> str:
    return (signal.strsignal(number) or f"signal {number}").lower()


def _fault(
    error_type: str, text: str, request_id: str, state: RunState = RunState.FAILED, prefix: str | None = None
) -> Outcome:
    message = (f"RequestId: {request_id} " if prefix is None else prefix) + text
    document = error_document(error_type, message, request_id)
    return Outcome(state, ExitCode.HANDLER_FAILED, document, error=(error_type, message), log=True)
