"""Lambda's own words for how an invocation failed: what it writes into failure records, and the runner does too.

https://docs.aws.amazon.com/lambda/latest/dg/troubleshooting-invocation.html
"""

from __future__ import annotations

TIMED_OUT = "Sandbox.Timedout"
OUT_OF_MEMORY = "Runtime.OutOfMemory"
EXIT_ERROR = "Runtime.ExitError"
"""The runtime's process ended, or was killed, before it had answered."""
UNHANDLED = "Unhandled"
"""The error has no type of its own."""
OVERTIMES_OWN = "Overtime."
"""How the types begin of what was not the handler's fault."""
