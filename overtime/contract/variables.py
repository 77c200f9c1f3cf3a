"""The environment variables with which the program, the dispatcher, the watcher and the runner configure each other.

`docs/context.md` lists those for running the image by hand. All begin with `PREFIX`; the handler sees none of them.
"""

from __future__ import annotations

PREFIX = "OVERTIME_"

# Used by more than one program.
FUNCTION_ARN = "OVERTIME_FUNCTION_ARN"
LEDGER_BUCKET = "OVERTIME_LEDGER_BUCKET"
LEDGER_TABLE = "OVERTIME_LEDGER_TABLE"
CLUSTER_ARN = "OVERTIME_CLUSTER_ARN"

# RunTask's override: the run that the task is for, its attempt, and what was invoked if the failure record names it.
RUN_KEY = "OVERTIME_RUN_KEY"
TASK_ATTEMPT = "OVERTIME_TASK_ATTEMPT"
FUNCTION_VERSION = "OVERTIME_FUNCTION_VERSION"
"""The published version that failed on Lambda."""
FUNCTION_QUALIFIER = "OVERTIME_FUNCTION_QUALIFIER"
"""The version or alias that was invoked."""

# The runner.
RUNTIME = "OVERTIME_RUNTIME"
"""The runtime that the image was built for, such as `nodejs22.x`; the image sets it."""
MAX_RUNTIME_SECONDS = "OVERTIME_MAX_RUNTIME_SECONDS"
STOP_SECONDS = "OVERTIME_STOP_SECONDS"
"""Seconds between SIGTERM to the handler and SIGKILL."""
PATIENCE_SECONDS = "OVERTIME_PATIENCE_SECONDS"
"""Seconds for which a call to AWS is retried; default 300."""
RESULT_PATIENCE_SECONDS = "OVERTIME_RESULT_PATIENCE_SECONDS"
"""Seconds for which recording the outcome is retried after the handler has run; default 86,400."""
RESULT_FILE = "OVERTIME_RESULT_FILE"
"""The file for the result if the runner is started by hand."""
LAYER_ROOT = "OVERTIME_LAYER_ROOT"
"""The layers' folder; default /opt."""
HEAP_OPTION = "OVERTIME_HEAP_OPTION"
"""For the runner's execution wrapper: the option that it adds."""
EXEC_WRAPPER = "OVERTIME_EXEC_WRAPPER"
"""For the runner's execution wrapper: the function's own, with which it continues."""

# The dispatcher.
FUNCTION_NAME = "OVERTIME_FUNCTION_NAME"
RUNS_DAYS = "OVERTIME_RUNS_DAYS"
RUN_TASK = "OVERTIME_RUN_TASK"
"""The part of the RunTask request that is the same for all runs of the function, as JSON."""
RESCUE = "OVERTIME_RESCUE"
ATTEMPTS = "OVERTIME_ATTEMPTS"
QUEUE_URL = "OVERTIME_QUEUE_URL"
PARKING_QUEUE_URL = "OVERTIME_PARKING_QUEUE_URL"
MAX_RECEIVE_COUNT = "OVERTIME_MAX_RECEIVE_COUNT"
MAX_CONCURRENT_RUNS = "OVERTIME_MAX_CONCURRENT_RUNS"
CAPACITY = "OVERTIME_CAPACITY"

# The watcher.
OPEN_INDEX = "OVERTIME_OPEN_INDEX"
FUNCTIONS_FILE = "OVERTIME_FUNCTIONS_FILE"
