"""Lambda layers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from local.provider.aws.archives import zipped
from local.provider.aws.resources.lambda_ import GONE
from local.provider.aws.resources.shapes import present
from local.provider.aws.schema import ResourceType, code, text, unordered
from local.provider.aws.session import unless_gone

if TYPE_CHECKING:
    from local.provider.aws.session import Aws
    from local.provider.aws.values import Values


def _publish_layer(aws: Aws, given: Values) -> str:
    shape = present(
        LayerName=given["layerName"],
        Content={"ZipFile": zipped(given["code"])},
        CompatibleRuntimes=given["compatibleRuntimes"],
        CompatibleArchitectures=given["compatibleArchitectures"],
        Description=given["description"],
        LicenseInfo=given["licenseInfo"],
    )
    return aws.functions.publish_layer_version(**shape)["LayerVersionArn"]


def _read_layer(aws: Aws, arn: str, _known: Values) -> Values | None:
    found = unless_gone(lambda: aws.functions.get_layer_version_by_arn(Arn=arn), GONE)
    if found is None:
        return None
    content = found["Content"]
    return {
        "layerName": arn.split(":")[6],
        "compatibleRuntimes": found.get("CompatibleRuntimes"),
        "compatibleArchitectures": found.get("CompatibleArchitectures"),
        "description": found.get("Description"),
        "licenseInfo": found.get("LicenseInfo"),
        "arn": arn,
        "layerArn": found["LayerArn"],
        "version": str(found["Version"]),
        "createdDate": found["CreatedDate"],
        "sourceCodeSize": content.get("CodeSize"),
        "sourceCodeHash": content.get("CodeSha256"),
        "codeSha256": content.get("CodeSha256"),
    }


def _delete_layer(aws: Aws, arn: str, _known: Values) -> None:
    *_, name, version = arn.split(":")
    unless_gone(lambda: aws.functions.delete_layer_version(LayerName=name, VersionNumber=int(version)), GONE)


LAYER_VERSION = ResourceType(
    token="aws:lambda/layerVersion:LayerVersion",  # noqa: S106
    properties={
        "layerName": text(required=True, replaces=True),
        "code": code(required=True, replaces=True, told=False),
        "compatibleRuntimes": unordered(text(), replaces=True),
        "compatibleArchitectures": unordered(text(), replaces=True),
        "description": text(replaces=True),
        "licenseInfo": text(replaces=True),
    },
    outputs={
        "arn": (),
        "layerArn": (),
        "version": (),
        "createdDate": (),
        "sourceCodeSize": (),
        "sourceCodeHash": (),
        "codeSha256": (),
    },
    # No identity: versions of one layer stand side by side.
    create=_publish_layer,
    read=_read_layer,
    delete=_delete_layer,
)
