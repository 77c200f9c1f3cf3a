"""Serve the plugin to a Pulumi engine."""

from __future__ import annotations

from pulumi.provider.server import ProviderServicer

from local.provider.awsx.provider import AwsxProvider
from local.provider.serving import serve

if __name__ == "__main__":
    serve(lambda engine: ProviderServicer(AwsxProvider(), [], engine_address=engine))
