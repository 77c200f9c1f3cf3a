"""The credentials of a task: those of its role, for the container that they were handed to, and for nobody else."""

from __future__ import annotations

import json
import secrets
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from local.emulator.patches.patching import Answer, Record, module, original, replace

if TYPE_CHECKING:
    from collections.abc import Mapping

LIFETIME_SECONDS = 6 * 3600
PATH = "/v2/credentials/"


@dataclass(frozen=True, kw_only=True)
class _Granted:
    """One container's credentials and the token that fetches them."""

    token: str
    role_arn: str
    access_key: str
    secret_key: str
    session_token: str
    expires: float


_granted: dict[str, _Granted] = {}


def assumed_role(role_arn: str, session: str) -> str:
    """Name the caller that a service becomes when it assumes a role."""
    account, name = role_arn.split(":")[4], role_arn.rpartition("/")[2]
    return f"arn:aws:sts::{account}:assumed-role/{name}/{session}"


def grant(role_arn: str, task_id: str) -> dict[str, str]:
    """Make credentials of `role_arn` for a container of a task; returns the environment that leads there.

    The session is named after the task, so that every call it makes names it, as on Fargate.
    """
    identity, token = secrets.token_urlsafe(16), secrets.token_urlsafe(32)
    credentials = _Granted(
        token=token,
        role_arn=role_arn,
        access_key=f"ASIA{secrets.token_hex(8).upper()}",
        secret_key=secrets.token_urlsafe(30),
        session_token=secrets.token_urlsafe(60),
        expires=time.time() + LIFETIME_SECONDS,
    )
    _granted[identity] = credentials
    module("services.sts").register_session(
        credentials.access_key,
        {
            "Arn": assumed_role(role_arn, task_id),
            "UserId": f"{role_arn.rpartition('/')[2]}:{task_id}",
            "SecretAccessKey": credentials.secret_key,
            "SessionToken": credentials.session_token,
            "Expiration": credentials.expires,
        },
    )
    return {"path": PATH + identity, "token": token}


def answer(path: str, headers: Mapping[str, str]) -> Answer:
    """Serve the credentials endpoint of a task (ECS developer guide, "Task IAM role")."""
    credentials = _granted.get(path.removeprefix(PATH))
    if credentials is None or not secrets.compare_digest(headers.get("authorization", ""), credentials.token):
        body = {"code": "AccessDenied", "message": "These credentials belong to another container."}
        return 403, {"Content-Type": "application/json"}, json.dumps(body).encode()
    expires = datetime.fromtimestamp(credentials.expires, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    body = {
        "RoleArn": credentials.role_arn,
        "AccessKeyId": credentials.access_key,
        "SecretAccessKey": credentials.secret_key,
        "Token": credentials.session_token,
        "Expiration": expires,
    }
    return 200, {"Content-Type": "application/json"}, json.dumps(body).encode()


def hand_out_the_task_roles_credentials() -> None:
    """Give a container its task role's credentials, and none when the task has no role.

    The environment variables are those that Fargate sets (ECS developer guide, "Task metadata"). Credentials go by the
    full URI with a token instead of the link-local address, which SDKs accept for loopback.
    """
    ecs = module("services.ecs")
    inner = original(ecs, "_register_metadata")

    def register(  # noqa: PLR0913, PLR0917 - ministack's signature
        task_arn: str,
        cluster_arn: str,
        definition: Record,
        container: Record,
        launch_type: str,
        env: dict[str, str],
        host_mode: bool,  # noqa: FBT001 - ministack's signature
        address: str | None,
    ) -> str:
        token: str = inner(task_arn, cluster_arn, definition, container, launch_type, env, host_mode, address)
        for name in ("AWS_CONTAINER_CREDENTIALS_FULL_URI", "AWS_CONTAINER_AUTHORIZATION_TOKEN"):
            env.pop(name, None)
        region = task_arn.split(":")[3]
        env.setdefault("AWS_REGION", region)
        env.setdefault("AWS_DEFAULT_REGION", region)
        if launch_type == "FARGATE":
            env["AWS_EXECUTION_ENV"] = "AWS_ECS_FARGATE"
        task = ecs._tasks.get(task_arn) or {}  # noqa: SLF001
        role = (task.get("overrides") or {}).get("taskRoleArn") or definition.get("taskRoleArn")
        if role:
            granted = grant(role, task_arn.rpartition("/")[2])
            env["AWS_CONTAINER_CREDENTIALS_FULL_URI"] = env["AWS_ENDPOINT_URL"] + granted["path"]
            env["AWS_CONTAINER_AUTHORIZATION_TOKEN"] = granted["token"]
        return token

    replace(ecs, "_register_metadata", register)


PATCHES = (hand_out_the_task_roles_credentials,)
