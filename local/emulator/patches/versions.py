"""GetFunction for a version or an alias: the code of that version."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from local.emulator.patches.patching import Answer, module, original, replace

if TYPE_CHECKING:
    from urllib.parse import SplitResult

_OK = 200
_BETWEEN = ":"


def serve_the_code_of_versions() -> None:
    """Let `Code.Location` name the version's code, which is not what is deployed now (Lambda API, GetFunction)."""
    lambdas = module("services.lambda_svc")
    get, serve = original(lambdas, "_get_function"), original(lambdas, "serve_function_code")

    def get_function(name: str, qualifier: str | None = None) -> Answer:
        status, headers, body = get(name, qualifier)
        if status != _OK:
            return status, headers, body
        answer = json.loads(body)
        version = answer["Configuration"].get("Version", "$LATEST")
        if version != "$LATEST" and "Location" in answer["Code"]:
            answer["Code"]["Location"] = _of_version(urlsplit(answer["Code"]["Location"]), version)
        return status, headers, json.dumps(answer).encode()

    def serve_function_code(name: str, account_id: str | None = None, region: str | None = None) -> Answer:
        name, _, version = name.partition(_BETWEEN)
        if not version:
            answer: Answer = serve(name, account_id, region)
            return answer
        functions = lambdas._functions  # noqa: SLF001
        function = functions.get_scoped(account_id, region, name) or {}
        found = function.get("versions", {}).get(version)
        if found is None:
            return 404, {"Content-Type": "text/plain"}, b"Version not found"
        return _OK, {"Content-Type": "application/zip"}, found.get("code_zip") or b""

    replace(lambdas, "_get_function", get_function)
    replace(lambdas, "serve_function_code", serve_function_code)


def _of_version(location: SplitResult, version: str) -> str:
    return location._replace(path=f"{location.path}{_BETWEEN}{version}").geturl()


PATCHES = (serve_the_code_of_versions,)
