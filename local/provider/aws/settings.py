"""The provider's own configuration, such as `aws:region`."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

from local.provider.aws.checking import Failure

if TYPE_CHECKING:
    from collections.abc import Mapping

    from local.provider.aws.values import Values

_CREDENTIALS = MappingProxyType(
    {
        "accessKey": "aws_access_key_id",
        "secretKey": "aws_secret_access_key",
        "token": "aws_session_token",
        "profile": "profile_name",
    }
)
REGION = "region"
_WITHOUT_EFFECT = frozenset(
    {
        "version",
        "pluginDownloadURL",
        "skipCredentialsValidation",
        "skipMetadataApiCheck",
        "skipRegionValidation",
        "skipRequestingAccountId",
        "s3UsePathStyle",
    }
)
"""Checks that this provider does not make anyway, and what boto3 chooses by itself."""
_KNOWN = frozenset({REGION, *_CREDENTIALS, *_WITHOUT_EFFECT})


def setting_failures(settings: Values) -> list[Failure]:
    """List the settings that this provider does not know."""
    return [
        Failure(
            name,
            f"The local provider does not know the setting aws:{name}; it knows {', '.join(sorted(_KNOWN))}. Where AWS "
            "is, only the variable AWS_ENDPOINT_URL says. Remove the setting, or use the genuine aws plugin.",
        )
        for name, value in settings.items()
        if name not in _KNOWN and value is not None and not name.startswith("__")
    ]


def credentials(settings: Mapping[str, str]) -> dict[str, str]:
    """Give what is set of them as boto3 takes it."""
    return {parameter: settings[name] for name, parameter in _CREDENTIALS.items() if settings.get(name)}
