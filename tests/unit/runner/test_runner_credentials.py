"""The task role's credentials, found as every AWS SDK finds them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from overtime.runner.credentials import CredentialSource, parsed
from overtime.runner.errors import PermissionMissingError, UnavailableError
from overtime.runner.retrying import RetryBudget

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from tests.doubles.runner_aws import StandIn

ANSWER = {"AccessKeyId": "AKID", "SecretAccessKey": "s", "Token": "t", "Expiration": "2024-05-11T09:48:00Z"}
GOOD = ANSWER | {"Expiration": "2999-05-11T09:48:00Z"}


class Role:
    """A task's role behind the stand-in's endpoint, on a clock that the test sets."""

    def __init__(self, standin: StandIn) -> None:
        self.now = 0.0
        self.source = CredentialSource(endpoint(standin), RetryBudget(0), clock=lambda: self.now)
        self.first = self.source.get()
        assert self.first.expires is not None
        self.expires = self.first.expires


def endpoint(standin: StandIn) -> dict[str, str]:
    """Set what names the container's endpoint."""
    return {"AWS_CONTAINER_CREDENTIALS_FULL_URI": f"{standin.url}/credentials"}


def source_of(environ: Mapping[str, str], seconds: float = 0) -> CredentialSource:
    """Make a source that tries for so long."""
    return CredentialSource(environ, RetryBudget(seconds))


def test_keys_in_the_environment_come_first(standin: StandIn) -> None:
    environ = {
        "AWS_ACCESS_KEY_ID": "AKIDENV",
        "AWS_SECRET_ACCESS_KEY": "s",
        "AWS_CONTAINER_CREDENTIALS_FULL_URI": f"{standin.url}/credentials",
    }
    assert (source_of(environ).get().access_key, standin.calls) == ("AKIDENV", [])


def test_the_containers_answer_is_read() -> None:
    found = parsed(json.dumps(ANSWER).encode())
    assert (found.access_key, found.secret_key, found.token, found.expires) == ("AKID", "s", "t", 1715420880.0)


def test_they_are_fetched_once_while_they_are_good(standin: StandIn) -> None:
    source = source_of(endpoint(standin))
    assert source.get() is source.get()
    assert standin.calls == ["ecs:credentials"]


def test_they_are_renewed_five_minutes_before_they_end(standin: StandIn) -> None:
    role = Role(standin)
    role.now = role.expires - 301
    assert role.source.get() is role.first
    role.now = role.expires - 299
    assert role.source.get() is not role.first
    assert standin.calls == ["ecs:credentials"] * 2


@pytest.mark.parametrize("fault", [(503, b""), (400, b""), (200, b"{}")])
def test_keys_that_have_not_ended_are_kept_where_no_others_are_to_be_had(
    standin: StandIn, fault: tuple[int, bytes]
) -> None:
    """One try, for the call that waits for it can be made; the next call tries again."""
    role = Role(standin)
    role.now = role.expires - 1
    standin.faults["ecs:credentials"] = [fault]
    assert role.source.get() is role.first
    assert standin.calls == ["ecs:credentials"] * 2
    assert role.source.get() is not role.first


def test_keys_that_have_ended_are_not_used(standin: StandIn) -> None:
    role = Role(standin)
    role.now = role.expires
    standin.faults["ecs:credentials"] = [(503, b"")]
    with pytest.raises(UnavailableError, match=r"could not be fetched .* in 0 s: it answered 503"):
        role.source.get()


def test_an_endpoint_that_is_gone_may_come_back(standin: StandIn) -> None:
    environ = {"AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://127.0.0.1:9/credentials"}
    with pytest.raises(UnavailableError, match="the task role's credentials could not be fetched"):
        source_of(environ).get()
    standin.faults["ecs:credentials"] = [(503, b""), (429, b""), (200, b"cut o")]
    assert source_of(endpoint(standin), seconds=20).get().access_key == "AKID"


@pytest.mark.parametrize("status", [400, 403, 404])
def test_a_refusal_is_a_missing_role(standin: StandIn, status: int) -> None:
    """Only after its time, because a refusal may pass."""
    standin.faults["ecs:credentials"] = [(status, b"")] * 100
    expected = f"answered {status} for 1 s. Check that the task definition names a task"
    with pytest.raises(PermissionMissingError, match=expected):
        source_of(endpoint(standin), seconds=1).get()
    assert standin.calls.count("ecs:credentials") > 1


@pytest.mark.parametrize(
    "fault",
    [
        (400, b""),
        (404, b""),
        (200, json.dumps(ANSWER).encode()),
        (200, json.dumps(GOOD | {"SecretAccessKey": None}).encode()),
        (200, json.dumps(GOOD | {"AccessKeyId": ""}).encode()),
        (200, json.dumps(GOOD | {"Token": 7}).encode()),
        (200, json.dumps(GOOD | {"Expiration": "soon"}).encode()),
        (200, json.dumps(GOOD | {"Expiration": 7}).encode()),
        (200, json.dumps(GOOD).encode()[:40]),
        (200, b'{"code": "NoIdMatch", "message": "no"}'),
        (200, b"\xff"),
    ],
)
def test_what_is_no_set_of_keys_that_are_good_is_asked_for_again(standin: StandIn, fault: tuple[int, bytes]) -> None:
    """ANSWER ended long ago."""
    standin.faults["ecs:credentials"] = [fault]
    assert source_of(endpoint(standin), seconds=20).get().access_key == "AKID"
    assert standin.calls == ["ecs:credentials"] * 2


def test_an_answer_that_cannot_be_read_is_not_in_the_error(standin: StandIn) -> None:
    """It may hold keys all the same."""
    standin.faults["ecs:credentials"] = [(200, b'{"SecretAccessKey": "s3cret\xff"}')]
    with pytest.raises(UnavailableError, match="its answer has no keys: UnicodeDecodeError") as caught:
        source_of(endpoint(standin)).get()
    assert "s3cret" not in str(caught.value)


def test_an_address_that_is_none_is_named() -> None:
    with pytest.raises(PermissionMissingError, match="FULL_URI is invalid: 'ftp://x' is not an http or https URL"):
        source_of({"AWS_CONTAINER_CREDENTIALS_FULL_URI": "ftp://x"}).get()


def test_what_aws_calls_expired_is_fetched_anew(standin: StandIn) -> None:
    source = source_of(endpoint(standin))
    source.get()
    source.forget()
    source.get()
    assert standin.calls == ["ecs:credentials"] * 2


def test_the_relative_address_is_that_of_ecs() -> None:
    url, headers = source_of({"AWS_CONTAINER_CREDENTIALS_RELATIVE_URI": "/v2/credentials/1"})._address()
    assert (url.host, url.target, headers) == ("169.254.170.2", "/v2/credentials/1", {})


def test_the_token_may_come_from_a_file(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("from the file\n")
    environ = {
        "AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://127.0.0.1/x",
        "AWS_CONTAINER_AUTHORIZATION_TOKEN": "from the variable",
        "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": str(tmp_path / "token"),
    }
    assert source_of(environ)._address()[1] == {"authorization": "from the file"}


def test_a_tokens_file_that_is_not_there_is_named() -> None:
    environ = {
        "AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://127.0.0.1/x",
        "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": "/nowhere/token",
    }
    with pytest.raises(PermissionMissingError, match=r"names a file that cannot be read: .*'/nowhere/token'"):
        source_of(environ).get()


def test_an_answer_that_is_none_is_said(standin: StandIn) -> None:
    standin.faults["ecs:credentials"] = [(200, b"{}")]
    with pytest.raises(UnavailableError, match=r"its answer has no keys: KeyError\('AccessKeyId'\)"):
        source_of(endpoint(standin)).get()
