"""Each kind of handler, run by the runner as a process: state in the ledger, exit code, result."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.doubles.runner_aws import REQUEST_ID
from tests.unit.runner.conftest import HANDLERS, assert_gone, zipped

if TYPE_CHECKING:
    from tests.unit.runner.conftest import Task

LARGEST = 6_291_556


def test_a_handler_at_the_top_of_the_code(task: Task) -> None:
    ended = task.run("app.handler", {"report": 7})
    assert (ended.code, ended.state, ended.result) == (0, "succeeded", {"report": 7})


@pytest.mark.parametrize("handler", ["pkg/mod.handler", "pkg.mod.handler"])
def test_a_handler_in_a_folder(task: Task, handler: str) -> None:
    ended = task.run(handler, [1])
    assert (ended.code, ended.result) == (0, {"module": "pkg.mod", "event": [1]})


def test_module_level_code_reads_the_functions_environment(task: Task) -> None:
    task.deploy("at_import.handler", variables={"GREETING": "grüezi"})
    assert task.run().result == "grüezi"


@pytest.mark.parametrize(("name", "value"), [("PYTHONUTF8", "1"), ("TZ", "Europe/Zurich"), ("LD_PRELOAD", "")])
def test_what_is_read_as_a_process_starts_is_there_from_its_start(task: Task, name: str, value: str) -> None:
    task.deploy("at_import.handler", variables={"GREETING": "hello", name: value})
    ended = task.run()
    assert (ended.code, ended.result) == (0, "hello")


def test_of_two_layers_the_later_one_shadows_the_earlier(task: Task) -> None:
    layers = {name: zipped(HANDLERS / "layers" / name) for name in ("lower", "upper")}
    task.deploy("layered.handler", layers=layers)
    assert task.run().result == {"shared": "upper", "only_lower": "lower"}


def test_threads_work_and_the_one_left_behind_does_not_hold_up_the_end(task: Task) -> None:
    ended = task.run("behaviours.threads")
    assert (ended.code, ended.result) == (0, [number**2 for number in range(8)])


def test_a_process_left_behind_is_ended(task: Task) -> None:
    ended = task.run("behaviours.with_children")
    assert isinstance(ended.result, int)
    assert_gone(ended.result)


def test_none_is_the_result_null(task: Task) -> None:
    ended = task.run("behaviours.nothing")
    assert (ended.code, ended.state, ended.standin.result) == (0, "succeeded", b"null")


def test_sys_exit_3_is_lambdas_exit_error(task: Task) -> None:
    ended = task.run("behaviours.exits")
    assert (ended.code, ended.state, ended.error["errorType"]) == (1, "failed", "Runtime.ExitError")
    text = f"RequestId: {REQUEST_ID} Error: Runtime exited with error: exit status 3"
    assert ended.error["errorMessage"] == text
    assert text in ended.output


def test_sys_exit_0_before_an_answer_is_no_success(task: Task) -> None:
    ended = task.run("behaviours.leaves")
    assert (ended.code, ended.state) == (1, "failed")
    assert str(ended.error["errorMessage"]).endswith("Error: Runtime exited without providing a reason")


def test_a_killed_handler_is_lambdas_signal_killed(task: Task) -> None:
    ended = task.run("behaviours.killed")
    assert (ended.code, ended.state, ended.error["errorType"]) == (1, "failed", "Runtime.ExitError")
    assert str(ended.error["errorMessage"]).endswith("Error: Runtime exited with error: signal: killed")


def test_pythons_own_memory_error_is_the_handlers(task: Task) -> None:
    ended = task.run("behaviours.limited")
    assert (ended.code, ended.state, ended.error["errorType"]) == (1, "failed", "MemoryError")


def test_ten_megabytes_of_output_come_through(task: Task) -> None:
    size = 10 * 1024 * 1024
    ended = task.run("behaviours.prints", {"bytes": size})
    assert (ended.code, ended.output.count("y" * 1023 + "\n")) == (0, size // 1024)


def test_stderr_stays_stderr(task: Task) -> None:
    assert task.run("behaviours.prints", {"bytes": 0}).errors == "this went to stderr\n"


def test_the_largest_result_that_lambda_takes(task: Task) -> None:
    ended = task.run("behaviours.returns", {"bytes": LARGEST})
    assert (ended.code, ended.state, len(ended.standin.result or b"")) == (0, "succeeded", LARGEST)


def test_one_byte_more_is_lambdas_size_error(task: Task) -> None:
    ended = task.run("behaviours.returns", {"bytes": LARGEST + 1})
    assert (ended.code, ended.state, ended.error["errorType"]) == (1, "failed", "Function.ResponseSizeTooLarge")
    assert ended.error["errorMessage"] == (
        f"Response payload size ({LARGEST + 1} bytes) exceeded maximum allowed payload size ({LARGEST} bytes)."
    )


def test_what_has_no_json_is_lambdas_marshal_error(task: Task) -> None:
    ended = task.run("behaviours.unserialisable")
    assert (ended.code, ended.state, ended.error["errorType"]) == (1, "failed", "Runtime.MarshalError")
    assert "Object of type set is not JSON serializable" in str(ended.error["errorMessage"])


def test_a_raised_error_is_kept_as_lambda_hands_it_out(task: Task) -> None:
    ended = task.run("behaviours.raises")
    stack = ended.error.pop("stackTrace")
    assert (ended.code, ended.state) == (1, "failed")
    assert isinstance(stack, list)
    assert len(stack) == 1, "the handler's frame, and none of the runtime's"
    assert 'raise LookupError("no such customer")' in stack[0]


def test_a_raised_errors_type_text_and_request_are_in_ledger_and_result(task: Task) -> None:
    ended = task.run("behaviours.raises")
    document = {key: ended.error[key] for key in ("errorType", "errorMessage", "requestId")}
    assert document == {"errorType": "LookupError", "errorMessage": "no such customer", "requestId": REQUEST_ID}
    run = ended.standin.run
    assert (run["error_type"], run["reason"], run["exit_code"]) == (
        {"S": "LookupError"},
        {"S": "no such customer"},
        {"N": "1"},
    )


def test_an_error_whose_type_no_log_can_hold_is_the_handlers(task: Task) -> None:
    task.deploy("behaviours.raises_half_a_pair", LoggingConfig={"LogFormat": "JSON", "LogGroup": "/own"})
    ended = task.run()
    assert (ended.code, ended.state, ended.error["errorType"]) == (1, "failed", "Half\ud800")
    assert ended.standin.run["error_type"] == {"S": r"Half\ud800"}
    assert json.loads(ended.output.splitlines()[-1])["record"]["errorType"] == r"Half\ud800"


def test_an_import_error_is_lambdas_import_module_error(task: Task) -> None:
    ended = task.run("broken_import.handler")
    assert (ended.code, ended.state, ended.error["errorType"]) == (1, "failed", "Runtime.ImportModuleError")
    assert ended.error["errorMessage"] == (
        "Unable to import module 'broken_import': No module named 'a_module_that_is_nowhere'"
    )
    assert ended.error["requestId"] == REQUEST_ID


def test_a_handler_that_is_not_there(task: Task) -> None:
    assert task.run("app.nobody").error["errorType"] == "Runtime.HandlerNotFound"


def test_start_end_and_report_frame_what_the_handler_prints(task: Task) -> None:
    lines = task.run("behaviours.prints", {"bytes": 1024}).output.splitlines()
    assert lines[0] == f"START RequestId: {REQUEST_ID} Version: $LATEST"
    assert lines[1] == "y" * 1023
    assert lines[2] == f"END RequestId: {REQUEST_ID}"
    assert lines[3].startswith(f"REPORT RequestId: {REQUEST_ID}\tDuration: ")


def test_a_function_that_logs_json_has_no_line_that_is_none(task: Task) -> None:
    task.deploy("behaviours.raises", LoggingConfig={"LogFormat": "JSON", "LogGroup": "/aws/lambda/report"})
    lines = [json.loads(line) for line in task.run().output.splitlines()]
    assert [line.get("type") or line["level"] for line in lines] == ["platform.start", "ERROR", "platform.report"]


def test_the_report_line_names_memory_and_error_type(task: Task) -> None:
    report = task.run("behaviours.raises").report
    assert (report["Status"], report["Error Type"], report["Memory Size"]) == ("error", "LookupError", "2048 MB")


def test_the_images_bootstrap_is_the_runtime_where_there_is_one(task: Task) -> None:
    (task.folder / "runtime" / "bootstrap.py").write_text(
        "import os, sys\n"
        "from awslambdaric.__main__ import main\n"
        "assert __name__ == '__main__' and sys.path[0] == os.environ['LAMBDA_RUNTIME_DIR']\n"
        "assert sys.argv == [__file__], sys.argv\n"
        "print('the bootstrap of the image', flush=True)\n"
        "sys.path.insert(0, os.environ['LAMBDA_TASK_ROOT'])\n"
        "main([sys.argv[0], os.environ['_HANDLER']])\n"
    )
    ended = task.run("app.handler", "event")
    assert (ended.code, ended.result) == (0, "event")
    assert "the bootstrap of the image" in ended.output
