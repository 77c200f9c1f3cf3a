"""The task role's credentials, found as every AWS SDK finds them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from runner.credentials import CredentialSource, parsed
from runner.errors import PermissionMissingError

if TYPE_CHECKING:
    from pathlib import Path

    from bench.runner.standin import StandIn

ANSWER = {"AccessKeyId": "AKID", "SecretAccessKey": "s", "Token": "t", "Expiration": "2024-05-11T09:48:00Z"}


def test_keys_in_the_environment_come_first(standin: StandIn) -> None:
    environ = {
        "AWS_ACCESS_KEY_ID": "AKIDENV",
        "AWS_SECRET_ACCESS_KEY": "s",
        "AWS_CONTAINER_CREDENTIALS_FULL_URI": f"{standin.url}/credentials",
    }
    assert (CredentialSource(environ).get().access_key, standin.calls) == ("AKIDENV", [])


def test_the_containers_answer_is_read() -> None:
    found = parsed(json.dumps(ANSWER).encode())
    assert (found.access_key, found.secret_key, found.token, found.expires) == ("AKID", "s", "t", 1715420880.0)


def test_they_are_fetched_once_while_they_are_good(standin: StandIn) -> None:
    source = CredentialSource({"AWS_CONTAINER_CREDENTIALS_FULL_URI": f"{standin.url}/credentials"})
    assert source.get() is source.get()
    assert standin.calls == ["ecs:credentials"]


def test_they_are_renewed_five_minutes_before_they_end(standin: StandIn) -> None:
    now = [0.0]
    source = CredentialSource(
        {"AWS_CONTAINER_CREDENTIALS_FULL_URI": f"{standin.url}/credentials"}, clock=lambda: now[0]
    )
    expires = source.get().expires
    assert expires is not None
    now[0] = expires - 301
    source.get()
    now[0] = expires - 299
    source.get()
    assert standin.calls == ["ecs:credentials"] * 2


def test_what_aws_calls_expired_is_fetched_anew(standin: StandIn) -> None:
    source = CredentialSource({"AWS_CONTAINER_CREDENTIALS_FULL_URI": f"{standin.url}/credentials"})
    source.get()
    source.forget()
    source.get()
    assert standin.calls == ["ecs:credentials"] * 2


def test_the_relative_address_is_that_of_ecs() -> None:
    source = CredentialSource({"AWS_CONTAINER_CREDENTIALS_RELATIVE_URI": "/v2/credentials/1"})
    assert source._address() == ("http://169.254.170.2/v2/credentials/1", {})


def test_the_token_may_come_from_a_file(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("from the file\n")
    environ = {
        "AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://127.0.0.1/x",
        "AWS_CONTAINER_AUTHORIZATION_TOKEN": "from the variable",
        "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": str(tmp_path / "token"),
    }
    assert CredentialSource(environ)._address()[1] == {"authorization": "from the file"}


def test_a_tokens_file_that_is_not_there_is_named() -> None:
    environ = {
        "AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://127.0.0.1/x",
        "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": "/nowhere/token",
    }
    with pytest.raises(PermissionMissingError, match=r"names a file that cannot be read: .*'/nowhere/token'"):
        CredentialSource(environ).get()


def test_an_answer_that_is_none_is_said(standin: StandIn) -> None:
    standin.faults["ecs:credentials"] = [(200, b"{}")]
    source = CredentialSource({"AWS_CONTAINER_CREDENTIALS_FULL_URI": f"{standin.url}/credentials"})
    with pytest.raises(PermissionMissingError, match="Check that the task definition names a task role"):
        source.get()
