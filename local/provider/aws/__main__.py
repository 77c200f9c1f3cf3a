"""`python -m local.provider.aws`: the plugin `pulumi-resource-aws`."""

from local.provider.aws.server import serve

serve()
