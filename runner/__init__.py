"""The container's program: claims the run, fetches the function's code, runs its handler, records the outcome.

All of it is loaded before the handler can start, in a process of its own. So it imports only the standard library, and
only modules that load fast: no `typing`, `dataclasses`, `http.client` or `subprocess`.
"""
