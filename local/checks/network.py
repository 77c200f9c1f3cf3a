"""Whether servers can be reached: all asked at once, with one bound for all."""

from __future__ import annotations

import configparser
import http.client
import importlib
import ssl
import threading
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

SECONDS = 4.0
"""A name server that does not answer is waited for by the system's resolver, however short a connection's time-out."""
PULUMI = "https://get.pulumi.com/install.sh"
REGISTRY = "https://public.ecr.aws/v2/"


def unreachable(addresses: Iterable[str], *, seconds: float = SECONDS) -> dict[str, str]:
    """Ask every address and say of each why there is no way to it; empty text where somebody answers."""
    faults: dict[str, str] = {}
    # Daemon threads: one that hangs in the resolver must not keep this process from ending.
    threads = {
        each: threading.Thread(target=lambda each=each: faults.update({each: _fault(each, seconds)}), daemon=True)
        for each in addresses
    }
    for thread in threads.values():
        thread.start()
    deadline = time.monotonic() + seconds
    for thread in threads.values():
        thread.join(max(0.0, deadline - time.monotonic()))
    return {each: _named(each, faults.get(each, _late(seconds))) for each in threads}


def pip_index(environ: Mapping[str, str], home: Path | None) -> str:
    """Name the package index that pip will ask; empty where that is not known, or more is configured than an address.

    pip's documentation, "Configuration": files from the least to the most important one, then the environment.
    """
    if environ.get("PIP_NO_INDEX") or environ.get("PIP_PROXY"):
        return ""
    files = [Path("/etc/xdg/pip/pip.conf"), Path("/etc/pip.conf")]
    if home is not None:
        files += [home / ".pip" / "pip.conf", home / ".config" / "pip" / "pip.conf"]
    if named := environ.get("PIP_CONFIG_FILE"):
        files.append(Path(named))
    parser = configparser.RawConfigParser()
    try:
        parser.read(files)
    except (configparser.Error, OSError, UnicodeDecodeError):
        return ""
    options = {
        key: value
        for section in ("global", "install")
        if parser.has_section(section)
        for key, value in parser.items(section)
    }
    if "no-index" in options or "proxy" in options:
        return ""
    index = environ.get("PIP_INDEX_URL") or options.get("index-url") or _pips_default()
    # One project's page (the simple repository API), because the index of all is large.
    return f"{index.rstrip('/')}/pip/" if index else ""


def _pips_default() -> str:
    """Ask pip which index it takes where nothing is configured; empty where this Python has no pip to ask."""
    try:
        models = importlib.import_module("pip._internal.models.index")
        return str(models.PyPI.simple_url)
    except (ImportError, AttributeError):
        return ""


def go_proxies(setting: str) -> list[str]:
    """Take the servers out of GOPROXY; empty where modules may come from elsewhere (`direct`, a folder)."""
    parts = [part.strip() for part in setting.replace("|", ",").split(",") if part.strip()]
    servers = [part for part in parts if part.startswith(("http://", "https://"))]
    return servers if all(part in {*servers, "direct", "off"} for part in parts) else []


def _fault(address: str, seconds: float) -> str:
    """Say why nobody answers. Who answers with an error, or with a certificate of its own, is there."""
    try:
        urllib.request.urlopen(urllib.request.Request(address, method="HEAD"), timeout=seconds).close()  # noqa: S310
    except urllib.error.HTTPError:
        return ""
    except urllib.error.URLError as error:
        return "" if isinstance(error.reason, ssl.SSLError) else _text(error.reason, seconds)
    except (OSError, ValueError, http.client.HTTPException) as error:
        return _text(error, seconds)
    return ""


def _text(reason: str | BaseException, seconds: float) -> str:
    if isinstance(reason, TimeoutError):
        return _late(seconds)
    return getattr(reason, "strerror", None) or str(reason)


def _late(seconds: float) -> str:
    return f"no answer within {seconds:g} s"


def _named(address: str, fault: str) -> str:
    return fault and f"{urlsplit(address).hostname}: {fault}"
