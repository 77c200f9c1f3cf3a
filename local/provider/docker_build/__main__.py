"""Serve the plugin to a Pulumi engine."""

from __future__ import annotations

from pulumi.provider.experimental.server import ProviderServicer

from local.provider.docker_build.provider import VERSION, ImageProvider
from local.provider.serving import serve

if __name__ == "__main__":
    serve(lambda engine: ProviderServicer([], VERSION, ImageProvider(), engine_address=engine))
