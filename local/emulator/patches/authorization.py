"""Which action and resource IAM is asked about, where ministack asks about another."""

from __future__ import annotations

import json
import re
from contextvars import ContextVar
from typing import TYPE_CHECKING
from urllib.parse import unquote

from local.emulator.patches.patching import Record, module, original, replace

if TYPE_CHECKING:
    from collections.abc import Mapping

_LAYER_PATH = re.compile(r"/2018-10-31/layers/([^/]+)/versions/(\d+)/?$")
_RECURSION_PATH = re.compile(r"/2024-08-31/functions/[^/]+/recursion-config/?$")
_RECURSION_ACTIONS = {"GET": "lambda:GetFunctionRecursionConfig", "PUT": "lambda:PutFunctionRecursionConfig"}


def count_loopback_as_tls() -> None:
    """Policies that demand TLS (`aws:SecureTransport`) are kept as they are on AWS.

    Calls that never leave this computer go without TLS, so they count as if they had it; so does what services do by
    themselves, without any call: on a schedule, or for an event.
    """
    evaluator = module("core.iam_evaluator")
    before = original(evaluator, "_request_origin")
    origin: ContextVar[tuple[str, bool]] = ContextVar("request_origin", default=(before.get()[0], True))
    replace(evaluator, "_request_origin", origin)
    for owner in (module("app"), evaluator):
        inner = original(owner, "pin_request_origin")

        def pin(source_ip: str, secure: bool, inner: object = inner) -> None:  # noqa: FBT001 - ministack's signature
            del secure
            inner(source_ip, True)  # type: ignore[operator]  # noqa: FBT003

        replace(owner, "pin_request_origin", pin)


def name_the_layer_actions() -> None:
    """GetLayerVersion and GetLayerVersionByArn are allowed by `lambda:GetLayerVersion` on the layer version's ARN.

    Service Authorization Reference, AWS Lambda.
    """
    actions = module("core.iam_actions")
    action_of, resource_of = original(actions, "extract_iam_action"), original(actions, "extract_resource_arn")

    def action(  # noqa: PLR0913, PLR0917 - ministack's signature
        service: str, method: str, path: str, headers: Record, body: bytes, query: Record
    ) -> str | None:
        if service == "lambda" and method == "GET" and (_LAYER_PATH.match(path) or _layer_arn(path, query)):
            return "lambda:GetLayerVersion"
        found: str | None = action_of(service, method, path, headers, body, query)
        return found

    def resource(  # noqa: PLR0913, PLR0917 - ministack's signature
        service: str, method: str, path: str, headers: Record, body: bytes, query: Record, region: str, account: str
    ) -> str:
        if service == "lambda" and method == "GET":
            if arn := _layer_arn(path, query):
                return arn
            if found := _LAYER_PATH.match(path):
                name, version = found.groups()
                return f"arn:aws:lambda:{region}:{account}:layer:{unquote(name)}:{version}"
        arn = resource_of(service, method, path, headers, body, query, region, account)
        return str(arn)

    replace(actions, "extract_iam_action", action)
    replace(actions, "extract_resource_arn", resource)


def name_the_recursion_actions() -> None:
    """Ask for the actions of its own that a function's recursion config is read and set with, on the function.

    Service Authorization Reference, AWS Lambda: GetFunctionRecursionConfig, PutFunctionRecursionConfig.
    """
    actions = module("core.iam_actions")
    inner = original(actions, "extract_iam_action")

    def action(  # noqa: PLR0913, PLR0917 - ministack's signature
        service: str, method: str, path: str, headers: Record, body: bytes, query: Record
    ) -> str | None:
        if service == "lambda" and _RECURSION_PATH.match(path):
            return _RECURSION_ACTIONS.get(method)
        found: str | None = inner(service, method, path, headers, body, query)
        return found

    replace(actions, "extract_iam_action", action)


def name_the_task_resources() -> None:
    """`ecs:RunTask` is allowed on the task definition with its revision, with the cluster as condition `ecs:cluster`.

    A family without revision stands for its newest active revision. StopTask and DescribeTasks are allowed on the task.
    Service Authorization Reference, Amazon Elastic Container Service.
    """
    actions = module("core.iam_actions")
    resource_of, context_of = original(actions, "extract_resource_arn"), original(actions, "request_tag_context")

    def resource(  # noqa: PLR0913, PLR0917 - ministack's signature
        service: str, method: str, path: str, headers: Record, body: bytes, query: Record, region: str, account: str
    ) -> str:
        if service == "ecs":
            target = str(headers.get("x-amz-target", "")).rpartition(".")[2]
            if named := _task_resource(target, _json(body), region, account):
                return named
        return str(resource_of(service, method, path, headers, body, query, region, account))

    def context(service: str, action: str, body: bytes, params: Record) -> dict[str, object]:
        found: dict[str, object] = dict(context_of(service, action, body, params))
        if service == "ecs" and (cluster := _json(body).get("cluster")):
            responses = module("core.responses")
            here = f"arn:aws:ecs:{responses.get_region()}:{responses.get_account_id()}:cluster/"
            found["ecs:cluster"] = cluster if str(cluster).startswith("arn:") else f"{here}{cluster}"
        return found

    replace(actions, "extract_resource_arn", resource)
    replace(actions, "request_tag_context", context)


def _layer_arn(path: str, query: Mapping[str, list[str]]) -> str:
    if path.rstrip("/").endswith("/layers") and query.get("find") == ["LayerVersion"]:
        return query.get("Arn", [""])[0]
    return ""


def _task_resource(target: str, asked: Mapping[str, str], region: str, account: str) -> str:
    here = f"arn:aws:ecs:{region}:{account}"
    match target:
        case "RunTask" if asked.get("taskDefinition"):
            key = module("services.ecs")._resolve_td_key(asked["taskDefinition"])  # noqa: SLF001
            return f"{here}:task-definition/{key}"
        case "StopTask" if asked.get("task"):
            task = asked["task"]
            cluster = str(asked.get("cluster", "default")).rpartition("/")[2]
            return task if task.startswith("arn:") else f"{here}:task/{cluster}/{task}"
        case "DescribeTasks" if asked.get("tasks"):
            task = asked["tasks"][0]
            cluster = str(asked.get("cluster", "default")).rpartition("/")[2]
            return task if task.startswith("arn:") else f"{here}:task/{cluster}/{task}"
    return ""


def _json(body: bytes) -> Record:
    try:
        found = json.loads(body or b"{}")
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


PATCHES = (count_loopback_as_tls, name_the_layer_actions, name_the_recursion_actions, name_the_task_resources)
