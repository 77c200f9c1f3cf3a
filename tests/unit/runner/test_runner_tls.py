"""Calls to AWS go over TLS: the endpoint's certificate must be trusted and must be its own."""

from __future__ import annotations

import datetime as dt
import ipaddress
import ssl
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from overtime.runner.transport import Client, TransportError, Url

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def certificate(folder: Path, alternative: x509.GeneralName) -> Path:
    """Make a certificate that vouches for itself, with its key, in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "the runner's tests")])
    now = dt.datetime.now(dt.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - dt.timedelta(minutes=1))
        .not_valid_after(now + dt.timedelta(minutes=10))
        .add_extension(x509.SubjectAlternativeName([alternative]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    file = folder / "certificate.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    file.write_bytes(private + made.public_bytes(serialization.Encoding.PEM))
    return file


class Server:
    """An https endpoint that answers "secure"."""

    def __init__(self, file: Path) -> None:
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(200)
                self.send_header("content-length", "6")
                self.end_headers()
                self.wfile.write(b"secure")

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 -- http.server's name for it
                """Say nothing."""

        class Quiet(ThreadingHTTPServer):
            def handle_error(self, request: object, client_address: object) -> None:
                """Say nothing of a client that does not trust us."""

        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(file)
        self.server = Quiet(("127.0.0.1", 0), Handler)
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        self.url = Url(f"https://127.0.0.1:{self.server.server_port}/")
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()


@pytest.fixture
def trusted(tmp_path: Path) -> Iterator[tuple[Server, Path]]:
    """Give an endpoint with a certificate of its own name."""
    file = certificate(tmp_path, x509.IPAddress(ipaddress.ip_address("127.0.0.1")))
    made = Server(file)
    yield made, file
    made.server.shutdown()
    made.server.server_close()


@pytest.fixture
def impostor(tmp_path: Path) -> Iterator[tuple[Server, Path]]:
    """Give an endpoint with somebody else's certificate."""
    file = certificate(tmp_path, x509.DNSName("s3.eu-west-1.amazonaws.com"))
    made = Server(file)
    yield made, file
    made.server.shutdown()
    made.server.server_close()


def test_an_endpoint_that_the_ca_bundle_vouches_for_is_talked_to(trusted: tuple[Server, Path]) -> None:
    server, file = trusted
    assert bytes(Client(str(file)).send(server.url).body) == b"secure"


def test_an_endpoint_that_nobody_vouches_for_is_not(trusted: tuple[Server, Path]) -> None:
    with pytest.raises(TransportError, match="certificate verify failed"):
        Client().send(trusted[0].url)


def test_an_endpoint_with_anothers_certificate_is_not(impostor: tuple[Server, Path]) -> None:
    server, file = impostor
    with pytest.raises(TransportError, match=r"certificate is not valid for '127\.0\.0\.1'"):
        Client(str(file)).send(server.url)
