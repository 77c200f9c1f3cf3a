"""What Lambda refuses of a function that is made or changed, by looking at the request alone."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

from local.emulator.patches.invocations import refuse
from local.emulator.patches.patching import Answer, Record, module, original, replace

if TYPE_CHECKING:
    from collections.abc import Callable

REQUEST_BYTES = 70_167_211
"""A zip of 50 MB (Lambda developer guide, "Lambda quotas") in base64, and 256 KB for the rest."""
_UPLOADS = (
    ("CreateFunction", "POST", re.compile(r"/2015-03-31/functions/?$")),
    ("UpdateFunctionCode", "PUT", re.compile(r"/2015-03-31/functions/[^/]+/code/?$")),
    ("PublishLayerVersion", "POST", re.compile(r"/2018-10-31/layers/[^/]+/versions/?$")),
)
_CONFIGURATIONS = (
    ("POST", re.compile(r"/2015-03-31/functions/?$")),
    ("PUT", re.compile(r"/2015-03-31/functions/[^/]+/configuration/?$")),
)
VARIABLE_PATTERN = "[a-zA-Z]([a-zA-Z0-9_])+"
_VARIABLE = re.compile(VARIABLE_PATTERN)


def refuse_uploads_over_50_mb() -> None:
    """Refuse code that comes in the request itself and is over 50 MB; larger zips go through S3.

    RequestEntityTooLargeException, "Request must be smaller than 70167211 bytes for the CreateFunction operation".
    """

    def checked(method: str, path: str, body: bytes) -> Answer | None:
        text = too_large(method, path, len(body))
        return refuse(413, "RequestEntityTooLargeException", text) if text else None

    _check_first(checked)


def refuse_names_that_no_variable_may_have() -> None:
    """Refuse environment variables that do not begin with a letter or are one character long (API type Environment)."""

    def checked(method: str, path: str, body: bytes) -> Answer | None:
        configures = any(verb == method and form.match(path) for verb, form in _CONFIGURATIONS)
        text = wrong_variables(body) if configures else ""
        return refuse(400, "ValidationException", text) if text else None

    _check_first(checked)


def too_large(method: str, path: str, size: int) -> str:
    """Say in Lambda's words why a request of this size cannot be taken; empty when it can."""
    for name, verb, form in _UPLOADS:
        if verb == method and form.match(path) and size >= REQUEST_BYTES:
            return f"Request must be smaller than {REQUEST_BYTES} bytes for the {name} operation"
    return ""


def wrong_variables(body: bytes) -> str:
    """Say in Lambda's words why a function cannot have these environment variables; empty when it can."""
    try:
        asked = json.loads(body or b"{}")
    except ValueError:
        return ""
    if not isinstance(asked, dict):
        return ""
    names = ((asked.get("Environment") or {}).get("Variables") or {}).keys()
    if all(map(_VARIABLE.fullmatch, names)):
        return ""
    return (
        "1 validation error detected: Value at 'environment.variables' failed to satisfy constraint: Map keys must "
        f"satisfy constraint: [Member must satisfy regular expression pattern: {VARIABLE_PATTERN}]"
    )


def _check_first(check: Callable[[str, str, bytes], Answer | None]) -> None:
    lambdas = module("services.lambda_svc")
    inner = original(lambdas, "handle_request")

    async def handle(method: str, path: str, headers: Record, body: bytes, query: Record) -> Answer:
        refused = check(method, path, body)
        if refused is not None:
            return refused
        answer: Answer = await inner(method, path, headers, body, query)
        return answer

    replace(lambdas, "handle_request", handle)


PATCHES = (refuse_uploads_over_50_mb, refuse_names_that_no_variable_may_have)
