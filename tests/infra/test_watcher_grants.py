"""The watcher's policies fit, however many functions and destinations a stack has."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from overtime.components import policies, watcher_grants
from overtime.components.watcher_grants import shared_out

if TYPE_CHECKING:
    import pytest

    from tests.infra.conftest import Deploy
    from tests.infra.recording import Recorder

HERE = "ap-southeast-1:123456789012"
INLINE, MANAGED, ATTACHED = 10_240, 6_144, 10
"""Characters of a role's inline policies, of a managed policy, and how many of these a role may have."""


def size(document: dict[str, object]) -> int:
    return len(json.dumps(document, separators=(",", ":")))


def test_a_hundred_functions_with_two_destinations_each() -> None:
    """No policy is larger than IAM takes, and every queue, destination and key is in one of them."""
    queues = [f"arn:aws:sqs:{HERE}:a-function-with-a-long-name-{number}-queue-0a1b2c3" for number in range(100)]
    parking = [queue.replace("-queue-", "-parking-") for queue in queues]
    told = [f"arn:aws:{kind}:{HERE}:a-destination-{number}" for kind in ("sqs", "sns") for number in range(100)]
    keys = [f"arn:aws:kms:{HERE}:key/12345678-90ab-cdef-1234-{number:012}" for number in range(10)]
    first, *others = shared_out(queues, parking_arns=parking, destination_arns=told, key_arns=keys)

    documents = [
        policies.watcher(
            log_group_arn=f"arn:aws:logs:{HERE}:log-group:/aws/lambda/{'w' * 64}",
            table_arn=f"arn:aws:dynamodb:{HERE}:table/{'t' * 80}",
            open_index_arn=f"arn:aws:dynamodb:{HERE}:table/{'t' * 80}/index/open",
            bucket_arn=f"arn:aws:s3:::{'b' * 63}",
            cluster_arn=f"arn:aws:ecs:{HERE}:cluster/{'c' * 80}",
            reads_payloads=True,
            grants=[(sid, str(arn)) for sid, arn in first],
        ),
        *(policies.sending(grants=[(sid, str(arn)) for sid, arn in share]) for share in others),
    ]
    assert size(documents[0]) < INLINE
    assert max(map(size, documents[1:])) < MANAGED
    assert len(others) <= ATTACHED
    written = json.dumps(documents)
    assert [arn for arn in (*queues, *parking, *told, *keys) if f'"{arn}"' not in written] == []


def test_the_longest_arns_fit() -> None:
    """A share that is full of statements and of the longest ARNs still is a policy that IAM takes."""
    topics = [f"arn:aws-us-gov:sns:us-gov-west-1:123456789012:{'t' * 253}{number:03}" for number in range(60)]
    mixed = [f"arn:aws:{kind}:{HERE}:x{number}" for kind in ("sqs", "sns", "events", "lambda") for number in range(60)]
    keys = [f"arn:aws:kms:{HERE}:key/12345678-90ab-cdef-1234-{number:012}" for number in range(60)]
    for shares in (
        shared_out([], parking_arns=[], destination_arns=topics, key_arns=[]),
        shared_out(["arn:aws:sqs:r:1:q"], parking_arns=["arn:aws:sqs:r:1:p"], destination_arns=mixed, key_arns=keys),
    ):
        for share in shares:
            assert size(policies.sending(grants=[(sid, str(arn)) for sid, arn in share])) < MANAGED


def test_few_functions_need_no_further_policy(deploy: Deploy, recorder: Recorder) -> None:
    """An ordinary stack has the one inline policy."""
    deploy({"report": {}, "sums": {}})
    assert recorder.all("iam/policy:Policy") == []


def test_what_does_not_fit_is_attached_before_the_function(
    deploy: Deploy, recorder: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Further policies are attached to the watcher's role before the watcher works."""
    monkeypatch.setattr(watcher_grants, "_ROOM", 150)
    deploy({"report": {}, "sums": {}, "third": {}})

    made = {each.name: json.loads(each.inputs["policy"])["Statement"] for each in recorder.all("iam/policy:Policy")}
    queues = [
        *(f"{key}-queue" for key in ("sums", "third")),
        *(f"{key}-parking" for key in ("report", "sums", "third")),
    ]
    assert {name: [each["Resource"] for each in statements] for name, statements in made.items()} == {
        f"overtime-watcher-permissions-{number}": [[f"arn:aws:sqs:eu-west-1:123456789012:{queue}-0a1b2c3"]]
        for number, queue in enumerate(queues, 1)
    }
    attached = {each.name for each in recorder.all("RolePolicyAttachment")}
    assert attached == {f"overtime-watcher-attachment-{number}" for number in range(1, 6)}
    before = {urn.rpartition("::")[2] for urn in recorder.one("Function", "overtime-watcher-function").after}
    assert attached <= before
