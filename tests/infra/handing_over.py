"""What a stack hands over from its settings: the dispatcher's variables, the task definition, the RunTask request.

The dispatcher that sends the request is the real one. It reads the variables that the program registered and makes its
clients as in Lambda. The ledger is moto's, and the answer of ECS is the double's.
"""

from __future__ import annotations

import functools
import json
import os
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any
from unittest import mock

import boto3
import pulumi
from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord
from moto import mock_aws

from overtime.contract.variables import RUN_TASK
from overtime.lambdas.dispatcher import handler
from tests.doubles.ecs import Cluster
from tests.infra.recording import REGION

if TYPE_CHECKING:
    from collections.abc import Mapping

    from overtime.lambdas.dispatcher.dispatch import Dispatcher
    from tests.infra.recording import Recorder

EVENTS = Path(__file__).parents[1] / "events"
KEY = "report"
"""The function's key in the stack."""
_CREDENTIALS = {
    "AWS_ACCESS_KEY_ID": "testing",
    "AWS_SECRET_ACCESS_KEY": "testing",
    "AWS_DEFAULT_REGION": REGION,
}


@dataclass(frozen=True, kw_only=True)
class HandedOver:
    """Everything that decides how a task is started and what it is given, as plain values."""

    environment: dict[str, str]
    """The dispatcher's variables."""
    definition: dict[str, Any]
    """The task definition, its container parsed; instead of the image's digest, the resource that builds the image."""
    image: dict[str, Any]
    """What that resource builds the image from."""
    request: dict[str, Any] | None
    """The body that the client sends to RunTask for the record of a timeout; None if it does not call it."""

    def differences(self, other: HandedOver) -> set[str]:
        """List the values in which the two differ, by their paths."""
        mine, others = _leaves(vars(self)), _leaves(vars(other))
        if other.request is None:  # one difference, not one for each part of the request
            mine = {name: value for name, value in mine.items() if not name.startswith("request.")}
        return {name for name in mine | others if name not in mine or name not in others or mine[name] != others[name]}


def handed_over(recorder: Recorder) -> HandedOver:
    """Read what a program registered, and let the dispatcher start a task."""
    environment = recorder.inputs("Function", f"{KEY}-dispatcher-function")["environment"]["variables"]
    container = recorder.container(f"{KEY}-task-definition")
    [image] = [
        each for each in recorder.all("index:Image") if _digest(each.inputs) == container["image"].partition("@")[2]
    ]
    definition = recorder.inputs("TaskDefinition", f"{KEY}-task-definition")
    return HandedOver(
        environment=environment,
        definition=definition | {"containerDefinitions": [container | {"image": image.name}]},
        image={
            "platform": image.inputs["platforms"][0],
            "base": image.inputs["buildArgs"]["BASE_IMAGE"],
            "python": image.inputs["buildArgs"]["PYTHON_IMAGE"],
            "runtime": image.inputs["buildArgs"]["RUNTIME"],
        },
        request=_requested(tuple(sorted(environment.items()))),
    )


def _digest(image: Mapping[str, Any]) -> str:
    return f"sha256:{image['tags'][0].rpartition('-')[2]:0<64}"


@functools.cache
def _requested(variables: tuple[tuple[str, str], ...]) -> dict[str, Any] | None:
    environ = dict(variables)
    cluster = Cluster(json.loads(environ[RUN_TASK])["cluster"])

    def answer(params: Mapping[str, Any], **_: object) -> Any:
        return SimpleNamespace(status_code=200), cluster.run_task(**json.loads(params["body"]))

    handler.dispatcher.cache_clear()  # it keeps the dispatcher that the first call made
    with (
        mock.patch.dict(os.environ, environ | _CREDENTIALS, clear=True),
        mock.patch.object(handler, "time_left", handler.TimeLeft()),
        mock.patch.object(handler.emf, "set_default_dimensions"),  # a second dispatcher would set them again
        mock_aws(),
    ):
        dispatcher = handler.dispatcher()
        dispatcher.ecs.meta.events.register("before-call.ecs.RunTask", answer)
        _make_ledger_and_queues(dispatcher)
        [record] = json.loads((EVENTS / "dead_letter_timeout.json").read_text(encoding="utf-8"))["Records"]
        dispatcher.dispatch(SQSRecord(record))
    handler.dispatcher.cache_clear()
    assert len(cluster.requests) <= 1
    return cluster.requests[0] if cluster.requests else None


def _make_ledger_and_queues(dispatcher: Dispatcher) -> None:
    config = dispatcher.config
    session = boto3.Session()
    session.client("dynamodb").create_table(
        TableName=config.ledger_table,
        KeySchema=[{"AttributeName": "run_key", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "run_key", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    session.client("s3").create_bucket(
        Bucket=config.ledger_bucket, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"}
    )
    for url in (config.queue_url, config.parking_queue_url):
        session.client("sqs").create_queue(QueueName=url.rpartition("/")[2])


def everything(recorder: Recorder) -> dict[str, object]:
    """Return all inputs that a program registered, in a form that can be compared: an archive by its contents."""
    return {each.urn: (_plain(each.inputs), each.protected) for each in recorder.resources}


def _plain(value: Any) -> Any:
    match value:
        case pulumi.AssetArchive():
            return {name: _plain(each) for name, each in value.assets.items()}
        case pulumi.FileAsset() | pulumi.FileArchive():
            return value.path
        case pulumi.StringAsset():
            return value.text
        case dict():
            return {key: _plain(each) for key, each in value.items()}
        case list():
            return [_plain(each) for each in value]
        case _:
            return value


def _leaves(value: object, at: str = "") -> dict[str, object]:
    """Return each single value by its path; a list counts as one value unless its elements have names."""
    if isinstance(value, dict):
        named = value
    elif isinstance(value, list) and all(isinstance(each, dict) and "name" in each for each in value):
        named = {each["name"]: each.get("value", each) for each in value}
    else:
        return {at: value}
    found: dict[str, object] = {}
    for name, each in named.items():
        found |= _leaves(each, f"{at}.{name}" if at else name)
    return found
