from __future__ import annotations

from typing import Any

import pytest

from local.errors import LocalError
from local.provider.aws.provider import Named, Naming, Provider
from local.provider.aws.session import Aws
from local.provider.aws.values import UNKNOWN, Archive, Asset, Secret

QUEUE, TABLE, BUCKET = "aws:sqs/queue:Queue", "aws:dynamodb/table:Table", "aws:s3/bucket:Bucket"
FUNCTION, OBJECT = "aws:lambda/function:Function", "aws:s3/bucketObjectv2:BucketObjectv2"
SEED = Naming(b"seed")
KEY = {"name": "k", "type": "S"}


def check(token: str, before: dict[str, Any], inputs: dict[str, Any], naming: Naming = SEED, name: str = "It") -> Any:
    return Provider(Aws(region="eu-west-1")).check(Named(token, name), before, inputs, naming)


def reasons(token: str, inputs: dict[str, Any]) -> dict[str, str]:
    return {each.property: each.reason for each in check(token, {}, inputs)[1]}


def test_an_unknown_property_is_refused_by_name() -> None:
    found = reasons(QUEUE, {"fifoQueue": True})
    assert list(found) == ["fifoQueue"]
    assert found["fifoQueue"].startswith(
        "The local provider cannot pass 'fifoQueue' of aws:sqs/queue:Queue to AWS; it knows delaySeconds, "
    )


def test_an_unknown_property_in_a_block_in_a_list_is_refused_by_its_path() -> None:
    rule = {"id": "a", "status": "Enabled", "transitions": []}
    token = "aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration"
    assert list(reasons(token, {"bucket": "b", "rules": [rule]})) == ["rules[0].transitions"]


@pytest.mark.parametrize("value", [UNKNOWN, Secret(UNKNOWN)])
def test_a_value_that_is_not_known_yet_is_right(value: object) -> None:
    assert reasons(QUEUE, {"delaySeconds": value, "redrivePolicy": value}) == {}


@pytest.mark.parametrize(
    ("token", "inputs", "reason"),
    [
        (QUEUE, {"delaySeconds": "soon"}, "'delaySeconds' of aws:sqs/queue:Queue is 'soon', and must be a whole num"),
        (QUEUE, {"redrivePolicy": "{"}, "'redrivePolicy' of aws:sqs/queue:Queue is '{', and must be a JSON document"),
        (QUEUE, {"tags": {"a": []}}, "'tags' of aws:sqs/queue:Queue is {'a': []}, and must be texts by name"),
        (QUEUE, {"sqsManagedSseEnabled": "yes"}, "'sqsManagedSseEnabled' .* must be true or false"),
        (
            TABLE,
            {"billingMode": "PROVISIONED", "hashKey": "k", "attributes": [KEY]},
            "'billingMode' of aws:dynamodb/table:Table is 'PROVISIONED'; the local provider takes PAY_PER_REQUEST",
        ),
        (TABLE, {"billingMode": "PAY_PER_REQUEST", "attributes": [KEY]}, "Table needs a value for 'hashKey'"),
        (
            TABLE,
            {"billingMode": "PAY_PER_REQUEST", "hashKey": "k", "attributes": [{"name": "k"}]},
            r"needs a value for 'attributes\[0\]\.type'",
        ),
    ],
)
def test_what_cannot_work_is_told_with_its_value(token: str, inputs: dict[str, Any], reason: str) -> None:
    found = reasons(token, inputs)
    assert len(found) == 1
    with pytest.raises(ValueError, match=reason.replace("{", r"\{").replace("[]", r"\[\]")):
        raise ValueError(*found.values())


def test_a_secret_of_the_wrong_kind_is_not_printed() -> None:
    assert "hush" not in str(reasons(QUEUE, {"delaySeconds": Secret("hush")}))


def test_code_must_be_an_archive() -> None:
    inputs = {"role": "r", "handler": "h", "runtime": "python3.13", "code": "folder"}
    assert "must be an archive" in reasons(FUNCTION, inputs)["code"]
    assert reasons(FUNCTION, {**inputs, "code": Archive(path="folder")}) == {}


def test_an_objects_content_must_be_a_file() -> None:
    inputs = {"bucket": "b", "key": "k", "source": Archive(path="folder")}
    assert "is an archive, and must be a file" in reasons(OBJECT, inputs)["source"]
    assert reasons(OBJECT, {**inputs, "source": Asset(path="code.zip")}) == {}


def test_an_unknown_type_is_refused_by_name() -> None:
    with pytest.raises(LocalError, match=r"makes no aws:sns/topicSubscription:TopicSubscription; it makes "):
        check("aws:sns/topicSubscription:TopicSubscription", {}, {})


def test_a_resource_without_a_name_is_named_after_the_program() -> None:
    inputs, _ = check(QUEUE, {}, {})
    name = inputs["name"]
    assert (name[:3], len(name), inputs["__defaults"]) == ("It-", len("It-") + 7, ["name"])
    assert int(name[3:], 16) >= 0


def test_the_same_seed_names_the_same() -> None:
    """A preview and the update after it speak of one name."""
    assert check(QUEUE, {}, {})[0] == check(QUEUE, {}, {})[0]
    assert check(QUEUE, {}, {}, Naming(b"other"))[0] != check(QUEUE, {}, {})[0]


def test_a_chosen_name_stays() -> None:
    before, _ = check(QUEUE, {}, {})
    assert check(QUEUE, before, {"delaySeconds": 1}, Naming(b"other"))[0]["name"] == before["name"]


def test_a_name_that_the_program_gave_before_is_not_kept_without_it() -> None:
    assert check(QUEUE, {"name": "given"}, {})[0]["name"].startswith("It-")


def test_a_given_name_is_the_program_s_own() -> None:
    assert check(QUEUE, {}, {"name": "given"})[0] == {"name": "given"}


def test_buckets_have_no_capital_letters() -> None:
    assert check(BUCKET, {}, {})[0]["bucket"].startswith("it-")


def test_a_name_that_gets_too_long_is_refused() -> None:
    _, wrong = check(BUCKET, {}, {}, name="b" * 56)
    assert [each.property for each in wrong] == ["bucket"]
    assert "has 64 characters, and AWS takes 63" in wrong[0].reason


def test_the_stack_s_own_way_of_naming_is_followed() -> None:
    assert check(QUEUE, {}, {}, Naming(b"", proposed="p-1"))[0]["name"] == "p-1"


def test_without_automatic_naming_a_name_is_needed() -> None:
    _, wrong = check(QUEUE, {}, {}, Naming(b"", allowed=False))
    assert wrong == [("name", "Automatic naming is switched off for this stack, and the program gives no name.")]
