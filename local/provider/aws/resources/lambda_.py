"""Lambda functions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from local.provider.aws.archives import zipped
from local.provider.aws.resources.shapes import present, retag
from local.provider.aws.schema import (
    Change,
    Naming,
    ResourceType,
    block,
    code,
    integer,
    listed,
    mapping,
    text,
    unordered,
)
from local.provider.aws.session import code_of, text_of, unless_gone

if TYPE_CHECKING:
    from botocore.exceptions import ClientError
    from mypy_boto3_lambda.type_defs import FileSystemConfigTypeDef, VpcConfigResponseTypeDef

    from local.provider.aws.session import Aws
    from local.provider.aws.values import Values

GONE = "ResourceNotFoundException"
_NO_LIMIT = -1
_SOURCE = ("code", "s3Bucket", "s3Key", "s3ObjectVersion")
_CODE = (*_SOURCE, "architectures")
_CONFIGURATION = (
    "role",
    "handler",
    "runtime",
    "description",
    "timeout",
    "memorySize",
    "layers",
    "environment",
    "deadLetterConfig",
    "ephemeralStorage",
    "fileSystemConfig",
    "kmsKeyArn",
    "loggingConfig",
    "tracingConfig",
    "vpcConfig",
)
_ROLE_NOT_READY = ("cannot be assumed", "does not have permissions")


def name_of(function: Any) -> Any:  # noqa: ANN401 - a text, or unknown
    """Give the name in a function's ARN, because AWS takes both; a version or alias behind it stays."""
    return function.rpartition(":function:")[2] if isinstance(function, str) else function


def role_not_ready(error: ClientError) -> bool:
    """Say whether Lambda refuses a role that it may only not have heard of yet."""
    return code_of(error) == "InvalidParameterValueException" and any(
        words in text_of(error) for words in _ROLE_NOT_READY
    )


def _vpc(given: Values | None) -> dict[str, list[str]]:
    found = given or {}
    return {"SubnetIds": found.get("subnetIds") or [], "SecurityGroupIds": found.get("securityGroupIds") or []}


def _file_systems(given: Values | None) -> list[dict[str, str]]:
    return [{"Arn": given["arn"], "LocalMountPath": given["localMountPath"]}] if given else []


def _configuration(given: Values) -> Values:
    """Give all that is configured, what is not given as AWS's way to say nothing, so that an update takes it away."""
    return present(
        Role=given["role"],
        Handler=given["handler"],
        Runtime=given["runtime"],
        Description=given["description"] or "",
        Timeout=given["timeout"],
        MemorySize=given["memorySize"],
        Layers=given["layers"] or [],
        Environment={"Variables": (given["environment"] or {}).get("variables") or {}},
        DeadLetterConfig={"TargetArn": (given["deadLetterConfig"] or {}).get("targetArn") or ""},
        EphemeralStorage={"Size": given["ephemeralStorage"]["size"]},
        FileSystemConfigs=_file_systems(given["fileSystemConfig"]),
        KMSKeyArn=given["kmsKeyArn"] or "",
        LoggingConfig={"LogFormat": given["loggingConfig"]["logFormat"]},
        TracingConfig={"Mode": given["tracingConfig"]["mode"]},
        VpcConfig=_vpc(given["vpcConfig"]),
    )


def _source(given: Values) -> Values:
    """Give the code as both calls take it: an archive in the request, or a version of an object."""
    if given["code"] is not None:
        return {"ZipFile": zipped(given["code"])}
    return present(S3Bucket=given["s3Bucket"], S3Key=given["s3Key"], S3ObjectVersion=given["s3ObjectVersion"])


def _create(aws: Aws, given: Values) -> str:
    source: Any = _source(given)
    shape = present(FunctionName=given["name"], Architectures=given["architectures"], Tags=given["tags"] or None)
    configuration = _configuration(given)
    if not configuration["DeadLetterConfig"]["TargetArn"]:
        del configuration["DeadLetterConfig"]
    aws.when(lambda: aws.functions.create_function(**shape, **configuration, Code=source), role_not_ready)
    return str(given["name"])


def _finish(aws: Aws, name: str, given: Values) -> None:
    _wait(aws, name)
    if given["reservedConcurrentExecutions"] != _NO_LIMIT:
        _limit(aws, name, given["reservedConcurrentExecutions"])


def _limit(aws: Aws, name: str, executions: int) -> None:
    if executions == _NO_LIMIT:
        aws.functions.delete_function_concurrency(FunctionName=name)
    else:
        aws.functions.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=executions)


def _wait(aws: Aws, name: str) -> None:
    def done() -> bool:
        found = aws.functions.get_function_configuration(FunctionName=name)
        return found.get("State", "Active") != "Pending" and found.get("LastUpdateStatus") != "InProgress"

    aws.wait(done, until=f"the function {name!r} was ready")


def _read(aws: Aws, name: str, _known: Values) -> Values | None:
    found = unless_gone(lambda: aws.functions.get_function(FunctionName=name), GONE)
    if found is None:
        return None
    configuration, arn = found["Configuration"], found["Configuration"]["FunctionArn"]
    version = configuration["Version"]
    return {
        "name": configuration["FunctionName"],
        "role": configuration["Role"],
        "handler": configuration.get("Handler"),
        "runtime": configuration.get("Runtime"),
        "architectures": configuration.get("Architectures"),
        "description": configuration.get("Description"),
        "timeout": configuration.get("Timeout"),
        "memorySize": configuration.get("MemorySize"),
        "layers": [layer.get("Arn") for layer in configuration.get("Layers", [])],
        "environment": {"variables": configuration.get("Environment", {}).get("Variables", {})},
        "deadLetterConfig": present(targetArn=configuration.get("DeadLetterConfig", {}).get("TargetArn")),
        "ephemeralStorage": {"size": configuration.get("EphemeralStorage", {}).get("Size", 512)},
        "fileSystemConfig": next(map(_told_file_system, configuration.get("FileSystemConfigs", [])), None),
        "kmsKeyArn": configuration.get("KMSKeyArn"),
        "loggingConfig": {"logFormat": configuration.get("LoggingConfig", {}).get("LogFormat", "Text")},
        "tracingConfig": {"mode": configuration.get("TracingConfig", {}).get("Mode", "PassThrough")},
        "vpcConfig": _told_vpc(configuration.get("VpcConfig", {})),
        "reservedConcurrentExecutions": found.get("Concurrency", {}).get("ReservedConcurrentExecutions", _NO_LIMIT),
        "tags": found.get("Tags", {}),
        "arn": arn,
        "invokeArn": f"arn:{aws.partition}:apigateway:{aws.region}:lambda:path/2015-03-31/functions/{arn}/invocations",
        "qualifiedArn": f"{arn}:{version}",
        "version": version,
        "lastModified": configuration["LastModified"],
        "sourceCodeSize": configuration["CodeSize"],
        "sourceCodeHash": configuration["CodeSha256"],
        "codeSha256": configuration["CodeSha256"],
    }


def _told_vpc(found: VpcConfigResponseTypeDef) -> Values | None:
    subnets, groups = found.get("SubnetIds") or [], found.get("SecurityGroupIds") or []
    return {"subnetIds": subnets, "securityGroupIds": groups} if subnets else None


def _told_file_system(found: FileSystemConfigTypeDef) -> Values:
    return {"arn": found["Arn"], "localMountPath": found["LocalMountPath"]}


def _update(aws: Aws, change: Change) -> None:
    name, new, arn = change.id, change.new, change.outputs["arn"]
    if change.has(*_CONFIGURATION):
        configuration = _configuration(new)
        aws.when(
            lambda: aws.functions.update_function_configuration(FunctionName=name, **configuration), role_not_ready
        )
        _wait(aws, name)
    if change.has(*_CODE):
        aws.functions.update_function_code(FunctionName=name, **_source(new), Architectures=new["architectures"])
        _wait(aws, name)
    if change.has("reservedConcurrentExecutions"):
        _limit(aws, name, new["reservedConcurrentExecutions"])
    retag(
        change,
        put=lambda tags: aws.functions.tag_resource(Resource=arn, Tags=tags),
        remove=lambda names: aws.functions.untag_resource(Resource=arn, TagKeys=names),
    )


def _delete(aws: Aws, name: str, _known: Values) -> None:
    unless_gone(lambda: aws.functions.delete_function(FunctionName=name), GONE)


FUNCTION = ResourceType(
    token="aws:lambda/function:Function",  # noqa: S106
    properties={
        "name": text(replaces=True),
        "role": text(required=True),
        "code": code(told=False),
        "s3Bucket": text(told=False),
        "s3Key": text(told=False),
        "s3ObjectVersion": text(told=False),
        "handler": text(required=True),
        "runtime": text(required=True),
        "architectures": listed(text(), default=["x86_64"]),
        "description": text(),
        "timeout": integer(default=3),
        "memorySize": integer(default=128),
        "layers": listed(text()),
        "environment": block(fields={"variables": mapping()}),
        "deadLetterConfig": block(fields={"targetArn": text(required=True)}),
        "ephemeralStorage": block(fields={"size": integer(default=512)}, default={"size": 512}),
        "fileSystemConfig": block(fields={"arn": text(required=True), "localMountPath": text(required=True)}),
        "kmsKeyArn": text(),
        "loggingConfig": block(
            fields={"logFormat": text(required=True, choices=("Text", "JSON"))}, default={"logFormat": "Text"}
        ),
        "tracingConfig": block(
            fields={"mode": text(required=True, choices=("Active", "PassThrough"))}, default={"mode": "PassThrough"}
        ),
        "vpcConfig": block(
            fields={
                "subnetIds": unordered(text(), required=True),
                "securityGroupIds": unordered(text(), required=True),
            }
        ),
        "reservedConcurrentExecutions": integer(default=_NO_LIMIT),
        "tags": mapping(),
    },
    outputs={
        "arn": (),
        "invokeArn": (),
        "qualifiedArn": (),
        "version": (),
        "lastModified": (*_CODE, *_CONFIGURATION),
        "sourceCodeSize": _SOURCE,
        "sourceCodeHash": _SOURCE,
        "codeSha256": _SOURCE,
    },
    identity=("name",),
    naming=Naming(longest=64),
    create=_create,
    finish=_finish,
    read=_read,
    update=_update,
    delete=_delete,
)
