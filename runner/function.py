"""The function's configuration from Lambda's API, as the values that the runner needs."""

from __future__ import annotations

from overtime.contract.log_groups import log_group_of
from overtime.contract.partitions import partition_of
from overtime.runner.errors import CodeError, PermissionMissingError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from overtime.contract.runtimes import Family
    from overtime.runner.config import Config


class Archive:
    """A zip to fetch: the code or a layer. `sha256` is in base64, as in Lambda's API."""

    def __init__(self, what: str, url: str, sha256: str) -> None:
        self.what, self.url, self.sha256 = what, url, sha256


class Function:
    """The function's configuration, for the handler's environment and context."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.arn = ""
        self.version = "$LATEST"
        self.handler = ""
        self.runtime = ""
        self.memory_mib = 128
        self.log_group = log_group_of(name)
        self.log_format = "Text"
        self.log_level: str | None = None
        self.variables: dict[str, str] = {}
        self.layers: list[str] = []
        self.code: Archive | None = None
        self.notes: list[str] = []
        """What the log should say of the code."""


def from_lambda(answer: Mapping[str, object], arn: str, family: Family) -> Function:
    """Read GetFunction's answer. Raise CodeError if the function is not a zip of the image's family of runtimes."""
    configuration, location = _object(answer, "Configuration"), _object(answer, "Code")
    function = Function(_text(configuration, "FunctionName"))
    function.arn = arn
    function.version = _text(configuration, "Version") or function.version
    function.handler, function.runtime = _text(configuration, "Handler"), _text(configuration, "Runtime")
    if _text(configuration, "PackageType") == "Image" or not _text(location, "Location"):
        raise CodeError(f"{arn} has no zip archive to fetch: only functions packaged as a zip can continue here.")
    if not family.includes(function.runtime):
        raise CodeError(
            f"{arn} runs on {function.runtime!r}, but this image runs only {family.name} functions: the function's "
            "runtime has changed since the stack was deployed. Run `pulumi up`, which builds the image for it."
        )
    environment = _object(configuration, "Environment")
    if error := _object(environment, "Error"):
        raise PermissionMissingError(
            f"Lambda could not decrypt the function's environment variables for the task's role: "
            f"{_text(error, 'ErrorCode')}. Allow kms:Decrypt on the function's key in that role."
        )
    function.variables = {name: str(value) for name, value in _object(environment, "Variables").items()}
    memory = configuration.get("MemorySize")
    function.memory_mib = memory if isinstance(memory, int) else function.memory_mib
    logging = _object(configuration, "LoggingConfig")
    function.log_group = _text(logging, "LogGroup") or function.log_group
    function.log_format = _text(logging, "LogFormat") or function.log_format
    function.log_level = _text(logging, "ApplicationLogLevel") or None
    layers = configuration.get("Layers")
    function.layers = [str(layer["Arn"]) for layer in layers if "Arn" in layer] if isinstance(layers, list) else []
    function.code = Archive("the function's code", _text(location, "Location"), _text(configuration, "CodeSha256"))
    return function


def layer_archive(answer: Mapping[str, object], arn: str) -> Archive:
    """Return the archive in GetLayerVersionByArn's answer."""
    content = _object(answer, "Content")
    return Archive(f"layer {arn}", _text(content, "Location"), _text(content, "CodeSha256"))


def by_hand(config: Config, fetched: Function | None = None) -> Function:
    """Return the function with values from AWS_LAMBDA_FUNCTION_CONTEXT, which override those fetched from Lambda."""
    context = config.context
    function = fetched or Function(str(context.get("function_name", "by-hand")))
    function.name = str(context.get("function_name", function.name))
    function.version = str(context.get("function_version", function.version))
    function.memory_mib = int(str(context.get("memory_limit_in_mb", function.memory_mib)))
    function.log_group = str(context.get("log_group_name", function.log_group))
    place = f"{partition_of(config.region).name}:lambda:{config.region}:000000000000"
    default_arn = function.arn or f"arn:{place}:function:{function.name}"
    function.arn = str(context.get("invoked_function_arn", default_arn))
    function.handler = config.handler or function.handler
    function.runtime = function.runtime or config.runtime
    return function


def _object(value: Mapping[str, object], name: str) -> dict[str, object]:
    found = value.get(name)
    return found if isinstance(found, dict) else {}


def _text(value: Mapping[str, object], name: str) -> str:
    found = value.get(name)
    return found if isinstance(found, str) else ""
