"""The type `aws:lambda/functionRecursionConfig:FunctionRecursionConfig`, against the answers that botocore takes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from botocore.stub import Stubber

from local.provider.aws.provider import Named, Naming, Provider
from local.provider.aws.session import Aws

if TYPE_CHECKING:
    from collections.abc import Iterator

CONFIG = Named("aws:lambda/functionRecursionConfig:FunctionRecursionConfig", "dispatcher")
ALLOWED = {"functionName": "dispatch", "recursiveLoop": "Allow"}
STATE = {**ALLOWED, "region": "eu-west-1"}


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Aws:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    return Aws(region="eu-west-1")


@pytest.fixture
def stub(aws: Aws) -> Iterator[Stubber]:
    """Take the calls that a test names, in this order and no others."""
    with Stubber(aws.functions) as found:
        yield found
        found.assert_no_pending_responses()


def put(stub: Stubber, recursive_loop: str) -> None:
    asked = {"FunctionName": "dispatch", "RecursiveLoop": recursive_loop}
    stub.add_response("put_function_recursion_config", {"RecursiveLoop": recursive_loop}, asked)


def get(stub: Stubber, recursive_loop: str) -> None:
    stub.add_response("get_function_recursion_config", {"RecursiveLoop": recursive_loop}, {"FunctionName": "dispatch"})


@pytest.mark.usefixtures("stub")
def test_a_preview_calls_nothing_and_knows_everything(aws: Aws) -> None:
    """AWS chooses nothing of this type, so nothing is left open."""
    assert Provider(aws).preview_create(CONFIG, ALLOWED) == STATE


def test_it_is_set_and_read_back(aws: Aws, stub: Stubber) -> None:
    """The setting's name is the function's."""
    put(stub, "Allow")
    get(stub, "Allow")
    assert Provider(aws).create(CONFIG, ALLOWED) == ("dispatch", STATE)


def test_it_changes_in_place(aws: Aws, stub: Stubber) -> None:
    """The other value is put over the one that is there."""
    put(stub, "Terminate")
    get(stub, "Terminate")
    other = {**ALLOWED, "recursiveLoop": "Terminate"}
    assert Provider(aws).update(CONFIG, "dispatch", STATE, ALLOWED, other) == {**STATE, "recursiveLoop": "Terminate"}


def test_a_refresh_sees_that_somebody_set_it_back(aws: Aws, stub: Stubber) -> None:
    """Then the next update allows it again."""
    get(stub, "Terminate")
    found = Provider(aws).read(CONFIG, "dispatch", ALLOWED, STATE)
    assert found is not None
    assert [each["recursiveLoop"] for each in found] == ["Terminate", "Terminate"]


def test_it_is_gone_with_its_function(aws: Aws, stub: Stubber) -> None:
    """Without the function there is nothing to read, nor to delete."""
    for method in ("get_function_recursion_config", "put_function_recursion_config"):
        stub.add_client_error(method, "ResourceNotFoundException")
    assert Provider(aws).read(CONFIG, "dispatch", ALLOWED, STATE) is None
    Provider(aws).delete(CONFIG, "dispatch", STATE)


def test_deleting_it_gives_back_the_setting_of_every_other_function(aws: Aws, stub: Stubber) -> None:
    """Lambda has no call that removes the setting; its default is to stop loops."""
    put(stub, "Terminate")
    Provider(aws).delete(CONFIG, "dispatch", STATE)


def test_another_value_is_refused_beforehand(aws: Aws) -> None:
    """Lambda knows two."""
    wanted = {**ALLOWED, "recursiveLoop": "Forbid"}
    _, wrong = Provider(aws).check(CONFIG, {}, wanted, Naming(seed=b""))
    assert [each.property for each in wrong] == ["recursiveLoop"]
