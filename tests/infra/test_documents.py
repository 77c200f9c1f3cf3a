"""JSON that AWS keeps as text is written as AWS would write it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from tests.infra import recording

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pytest

    from tests.infra.conftest import Deploy
    from tests.infra.recording import Recorder


def texts(value: Any) -> Iterator[str]:
    """Give every text in a resource's inputs."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, (dict, list)):
        for each in value.values() if isinstance(value, dict) else value:
            yield from texts(each)


def test_every_arn_has_the_partition_of_the_stack(
    deploy: Deploy, recorder: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In China and GovCloud an ARN of `aws` names nothing, and IAM refuses a policy with one in it."""
    monkeypatch.setattr(recording, "PARTITION", "aws-cn")
    monkeypatch.setattr(recording, "REGION", "cn-north-1")
    layer = "arn:aws-cn:lambda:cn-north-1:123456789012:layer:numbers:1"
    told = {"on_failure": "arn:aws-cn:events:cn-north-1:123456789012:event-bus/default"}
    given = {"subnet_ids": ["subnet-0123456789abcdef0"], "security_group_ids": ["sg-0123456789abcdef0"]}
    deploy({"report": {"layers": [layer], "destinations": told}}, network=given)

    every = [(resource.name, text) for resource in recorder.resources for text in texts(resource.inputs)]
    assert [name for name, text in every if "arn:aws-cn:" in text]
    assert [(name, text) for name, text in every if "arn:aws:" in text] == []


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
