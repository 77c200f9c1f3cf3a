"""TLS with the CA certificates of the base image, wherever its distribution keeps them.

OpenSSL knows only the places of the distribution that it was built for, and the runner's comes from another image.
"""

# ruff: noqa: PTH110 -- pathlib costs 5 ms before the handler can start

from __future__ import annotations

import os
import sys
import threading

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from ssl import SSLContext

STORES = (
    "/etc/ssl/certs/ca-certificates.crt",  # Debian, Alpine
    "/etc/pki/tls/certs/ca-bundle.crt",  # Amazon Linux, Fedora
    "/etc/ssl/ca-bundle.pem",  # SUSE
    "/etc/ssl/cert.pem",
)
OWN = f"{sys.prefix}/etc/ca-certificates.crt"
"""The copy that travels with the runner, for base images without any certificates."""
_OPENSSL = ("SSL_CERT_FILE", "SSL_CERT_DIR")

_lock = threading.Lock()
_contexts: dict[str | None, SSLContext] = {}


def tls_context(ca_bundle: str | None) -> SSLContext:
    """Return the context for TLS that trusts this file of certificates (AWS_CA_BUNDLE), or else the image's."""
    import ssl  # noqa: PLC0415 -- takes 10 ms, which plain http does not need

    with _lock:
        if ca_bundle not in _contexts:
            _contexts[ca_bundle] = ssl.create_default_context(cafile=ca_bundle or ca_file(os.environ))
        return _contexts[ca_bundle]


def ca_file(environ: Mapping[str, str], stores: Sequence[str] = (*STORES, OWN)) -> str | None:
    """Return the image's file of trusted certificates; None leaves it to OpenSSL, whose variables may name one."""
    if any(environ.get(name) for name in _OPENSSL):
        return None
    return next((file for file in stores if os.path.exists(file)), None)
