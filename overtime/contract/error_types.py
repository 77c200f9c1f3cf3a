"""Lambda's error types of a failed invocation, as Lambda writes them into failure records and the runner into results.

https://docs.aws.amazon.com/lambda/latest/dg/troubleshooting-invocation.html
"""

from __future__ import annotations

TIMED_OUT = "Sandbox.Timedout"
OUT_OF_MEMORY = "Runtime.OutOfMemory"
EXIT_ERROR = "Runtime.ExitError"
"""The runtime's process exited or was killed before it responded."""
UNHANDLED = "Unhandled"
"""The error has no type of its own."""
OVERTIMES_OWN = "Overtime."
"""Prefix of the types of errors that the handler did not cause."""
