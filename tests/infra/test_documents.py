"""JSON that AWS keeps as text is written as AWS would write it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.infra.conftest import Deploy
    from tests.infra.recording import Recorder


def texts(value: Any) -> Iterator[str]:
    """Give every text in a resource's inputs."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, (dict, list)):
        for each in value.values() if isinstance(value, dict) else value:
            yield from texts(each)


def test_every_document_is_compact_and_sorted(deploy: Deploy, recorder: Recorder) -> None:
    """SQS, for one, stores a redrive policy so: whoever compares texts sees no difference where there is none."""
    told = {"on_success": "arn:aws:sqs:eu-west-1:123456789012:done"}
    statement = {"actions": ["s3:GetObject"], "resources": ["arn:aws:s3:::mine/*"]}
    deploy({"report": {"destinations": told, "permissions": [statement]}})

    documents = [
        (resource.name, text)
        for resource in recorder.resources
        for text in texts(resource.inputs)
        if text.startswith(("{", "["))
    ]
    kinds = ["report-queue", "report-redrive", "report-permissions", "report-task-definition"]
    assert {name for name, _ in documents} >= {*kinds, "overtime-watcher-rules-stopped"}
    loose = [
        name for name, text in documents if text != json.dumps(json.loads(text), sort_keys=True, separators=(",", ":"))
    ]
    assert loose == []
