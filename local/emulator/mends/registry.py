"""ECR as a registry that a container engine on this computer can reach."""

from __future__ import annotations

import json
import os

from local.emulator.mends.patching import Answer, Record, module, original, replace


def address() -> str:
    """Name the registry; container engines allow plain HTTP on 127.0.0.1 without being told to."""
    return f"127.0.0.1:{os.environ['GATEWAY_PORT']}"


def serve_the_registry_here() -> None:
    """Name the registry that serves it in a repository's URI; on AWS: `<account>.dkr.ecr.<region>.amazonaws.com`.

    This one is served on the emulator's own port, so its URI says that.
    """
    ecr = module("services.ecr")

    def uri(name: str) -> str:
        return f"{address()}/{name}"

    replace(ecr, "_repo_uri", uri)


def log_in_here() -> None:
    """GetAuthorizationToken names the endpoint to log in to."""
    ecr = module("services.ecr")
    inner = original(ecr, "_get_authorization_token")

    def token(data: Record) -> Answer:
        status, headers, body = inner(data)
        answer = json.loads(body)
        for entry in answer["authorizationData"]:
            entry["proxyEndpoint"] = f"http://{address()}"
        return status, headers, json.dumps(answer).encode()

    replace(ecr, "_get_authorization_token", token)


MENDS = (serve_the_registry_here, log_in_here)
