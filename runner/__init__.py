"""The container's program: claim the run, fetch the function's own code, run its own handler, write down the result.

Everything here runs before the handler can start, in a process of its own, so it imports the standard library only and
of that only what is cheap: no `typing`, `dataclasses`, `http.client` or `subprocess`.
"""
