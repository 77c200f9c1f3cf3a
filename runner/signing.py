"""AWS Signature Version 4, as described in the IAM User Guide ("Create a signed AWS API request"). Pure."""

from __future__ import annotations

import hashlib
import hmac

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from overtime.runner.credentials import Credentials

_UNRESERVED = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.~")
_ENCODED = tuple(chr(byte) if byte in _UNRESERVED else f"%{byte:02X}" for byte in range(256))


def quote(text: str, keep: str = "") -> str:
    """Percent-encode everything except the unreserved characters of RFC 3986 and those in `keep`."""
    return "".join(char if char in keep else "".join(_ENCODED[b] for b in char.encode()) for char in text)


def query_string(parameters: Mapping[str, str]) -> str:
    """Encode query parameters in canonical order, so the same text can be sent and signed."""
    return "&".join(f"{name}={value}" for name, value in sorted((quote(n), quote(v)) for n, v in parameters.items()))


def signed_headers(  # noqa: PLR0913 -- a signature covers all of these
    *,
    method: str,
    host: str,
    path: str,
    query: str,
    headers: Mapping[str, str],
    body: bytes,
    service: str,
    region: str,
    credentials: Credentials,
    timestamp: str,
) -> dict[str, str]:
    """Return the headers to send: the given ones, the date, the token, and the signature of all.

    `path` is the one to be sent (already encoded once); `timestamp` is `YYYYMMDDTHHMMSSZ` in UTC.
    """
    body_hash = hashlib.sha256(body).hexdigest()
    sent = {name.lower(): value for name, value in headers.items()}
    sent |= {"host": host, "x-amz-date": timestamp}
    if credentials.token:
        sent["x-amz-security-token"] = credentials.token
    if service == "s3":
        sent["x-amz-content-sha256"] = body_hash
    names = ";".join(sorted(sent))
    # For all services except S3, the signed path is encoded twice.
    canonical_path = path if service == "s3" else quote(path, "/")
    lines = [method, canonical_path, query]
    lines += [f"{name}:{' '.join(sent[name].split())}" for name in sorted(sent)]
    lines += ["", names, body_hash]
    scope = f"{timestamp[:8]}/{region}/{service}/aws4_request"
    digest = hashlib.sha256("\n".join(lines).encode()).hexdigest()
    key = f"AWS4{credentials.secret_key}".encode()
    for part in (*scope.split("/"), f"AWS4-HMAC-SHA256\n{timestamp}\n{scope}\n{digest}"):
        key = hmac.digest(key, part.encode(), "sha256")
    sent["authorization"] = (
        f"AWS4-HMAC-SHA256 Credential={credentials.access_key}/{scope}, SignedHeaders={names}, Signature={key.hex()}"
    )
    return sent
