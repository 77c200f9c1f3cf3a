"""Whose certificates the runner trusts: the base image's, wherever they are, and its own only where there are none."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING

import pytest
from cryptography import x509

from overtime.runner import trust
from tests.unit.runner.test_runner_tls import certificate

if TYPE_CHECKING:
    from pathlib import Path


def test_the_first_store_that_there_is(tmp_path: Path) -> None:
    stores = [str(tmp_path / name) for name in ("debian", "amazon", "own")]
    assert trust.ca_file({}, stores) is None
    for store in reversed(stores):
        (tmp_path / store).touch()
        assert trust.ca_file({}, stores) == store


def test_the_runners_own_copy_comes_last() -> None:
    """A company's certificates are in the base image's store."""
    parameters = trust.ca_file.__defaults__
    assert parameters == ((*trust.STORES, trust.OWN),)


@pytest.mark.parametrize("name", ["SSL_CERT_FILE", "SSL_CERT_DIR"])
def test_openssls_own_variables_come_first(tmp_path: Path, name: str) -> None:
    (tmp_path / "store").touch()
    assert trust.ca_file({name: "/elsewhere"}, [str(tmp_path / "store")]) is None
    assert trust.ca_file({name: ""}, [str(tmp_path / "store")]) is not None


def test_the_store_is_what_is_trusted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = certificate(tmp_path, x509.DNSName("aws.example.com"))
    monkeypatch.setattr(trust, "ca_file", lambda _environ: str(file))
    monkeypatch.setattr(trust, "_contexts", {})
    found = trust.tls_context(None)
    assert "the runner's tests" in str(found.get_ca_certs())
    assert found.verify_mode is ssl.CERT_REQUIRED
    assert trust.tls_context(None) is found
