"""The program without an engine: every registration is recorded, and AWS's answers are made up.

What tests on this do not prove: that AWS, or the genuine providers, take what is registered.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import grpc  # type: ignore[import-untyped] # the library brings no types
import pulumi
from pulumi.runtime import mocks, rpc
from pulumi.runtime.settings import ROOT

from overtime.components.failure_queue import FailureQueue, FailureQueueArgs
from overtime.components.fargate_fallback import FargateFallback, FargateFallbackArgs
from overtime.components.platform import Platform, PlatformArgs
from overtime.components.primary_function import PrimaryFunction, PrimaryFunctionArgs
from overtime.components.watcher import Watcher, WatcherArgs
from overtime.program import build
from overtime.settings import Function, Network, Retention, parse

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from pulumi.runtime.proto import resource_pb2

    from overtime.settings import StackContext

ACCOUNT, REGION, PARTITION = "123456789012", "eu-west-1", "aws"
ZONES = {
    f"{REGION}-lon-1a": "opted-in",
    f"{REGION}c": "opt-in-not-required",
    f"{REGION}a": "opt-in-not-required",
    f"{REGION}b": "opt-in-not-required",
}
"""The zones of the region, of which one is a Local Zone; AWS promises no order."""


NO_SUBNET = "subnet-0000"
"""AWS refuses to tell of it."""


@dataclass(frozen=True)
class Secret:
    """An input that Pulumi encrypts in the state and never shows."""

    value: object


@dataclass(frozen=True, kw_only=True)
class Registered:
    """One resource as the program registered it; inputs carry the names of AWS's schema."""

    type: str
    name: str
    urn: str
    protected: bool
    """Whether Pulumi refuses to delete it."""
    parent: str
    """URN of the parent."""
    after: tuple[str, ...]
    """URNs of the resources that must exist before, whether the inputs or `depends_on` say so."""
    inputs: dict[str, Any]


@dataclass
class Recorder:
    """What one program registered, and what is deployed already."""

    before: dict[str, Any] = field(default_factory=dict)
    """The last deployment's outputs."""
    backlog: dict[str, Any] | None = None
    """What the deployed watcher tells; None where it cannot be asked."""
    routes: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    """Routes by subnet; others have one through a NAT gateway, from the main table of their VPC."""
    resources: list[Registered] = field(default_factory=list)
    outputs: dict[str, dict[str, Any]] = field(default_factory=dict)
    """What each component registered as its outputs, by URN."""

    def all(self, suffix: str) -> list[Registered]:
        """Give the resources of a type, by the end of its token."""
        return [each for each in self.resources if each.type.endswith(f":{suffix}")]

    def one(self, suffix: str, name: str) -> Registered:
        """Give one resource by type and name."""
        [found] = [each for each in self.all(suffix) if each.name == name]
        return found

    def inputs(self, suffix: str, name: str) -> dict[str, Any]:
        """Give the inputs of one resource."""
        return self.one(suffix, name).inputs

    def below(self, urn: str) -> list[Registered]:
        """Give the children of a resource, in no particular order."""
        return [each for each in self.resources if each.parent == urn]

    def policy(self, name: str) -> dict[str, dict[str, Any]]:
        """Give the statements of an inline policy by their Sid."""
        document = json.loads(self.inputs("RolePolicy", name)["policy"])
        statements = {statement.pop("Sid"): statement for statement in document["Statement"]}
        assert len(statements) == len(document["Statement"])
        return statements

    def container(self, name: str) -> dict[str, Any]:
        """Give the only container of a task definition."""
        [container] = json.loads(self.inputs("TaskDefinition", name)["containerDefinitions"])
        assert isinstance(container, dict)
        return container


class RefusedError(grpc.RpcError):  # type: ignore[misc] # likewise
    """What the engine answers where AWS refuses what a function asks."""

    def code(self) -> grpc.StatusCode:
        """Say which kind of error it is."""
        return grpc.StatusCode.UNKNOWN

    def details(self) -> str:
        """Say what AWS said."""
        return "AccessDeniedException: not authorized to perform lambda:InvokeFunction"


class Answers(mocks.Mocks):
    """Answers like AWS would."""

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder

    def new_resource(self, args: mocks.MockResourceArgs) -> tuple[str | None, dict[str, Any]]:
        """Make up what AWS says of a new resource."""
        name = args.inputs.get("name") or args.inputs.get("family") or f"{args.name}-0a1b2c3"
        # A component of another language tells its outputs only.
        known = {} if args.typ.startswith("awsx:") else {"name": name, "arn": arn(args.typ, name)} | args.inputs
        match args.typ:
            case "aws:sqs/queue:Queue":
                known["url"] = f"https://sqs.{REGION}.amazonaws.com/{ACCOUNT}/{name}"
            case "aws:s3/bucket:Bucket":
                known["bucket"] = name
            case "aws:s3/bucketObjectv2:BucketObjectv2":
                known["versionId"] = "v1"
            case "awsx:ec2:Vpc":
                known = {"vpcId": f"{name}-id", "publicSubnetIds": ["subnet-1", "subnet-2"]}
            case "awsx:ecr:Repository":
                known["url"] = f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/{name}"
            case "docker-build:index:Image":
                known["digest"] = f"sha256:{args.inputs['tags'][0].rpartition('-')[2]:0<64}"
        return f"{name}-id", known

    def call(self, args: mocks.MockCallArgs) -> tuple[dict[str, Any], list[tuple[str, str]] | None]:
        """Say where the program runs."""
        answers: dict[str, dict[str, Any]] = {
            "aws:index/getRegion:getRegion": {"region": REGION, "name": REGION},
            "aws:index/getCallerIdentity:getCallerIdentity": {"accountId": ACCOUNT},
            "aws:index/getPartition:getPartition": {"partition": PARTITION},
            "aws:ecr/getAuthorizationToken:getAuthorizationToken": {
                "proxyEndpoint": f"https://{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com",
                "userName": "AWS",
                "password": "hidden-token",
            },
            "aws:index/getAvailabilityZones:getAvailabilityZones": {
                "region": REGION,
                "names": (names := [name for name, kind in ZONES.items() if _asked_for(args.args, kind)]),
                "zoneIds": [f"euw1-az{'bca'.index(name[-1]) + 1}" for name in names],
            },
        }
        if args.token == "aws:efs/getAccessPoint:getAccessPoint":
            system = args.args["accessPointId"].replace("fsap-", "fs-")
            systems = f"arn:{PARTITION}:elasticfilesystem:{REGION}:{ACCOUNT}:file-system"
            return {"fileSystemId": system, "fileSystemArn": f"{systems}/{system}"}, []
        if args.token.startswith("aws:ec2/get"):
            return self._routed(args.token, args.args), []
        if args.token == "pulumi:pulumi:readStackOutputs":
            return {"name": args.args["name"], "outputs": self._recorder.before}, []
        if args.token == "aws:lambda/getInvocation:getInvocation":
            return self._asked(args.args), []
        return answers[args.token], []

    def _routed(self, token: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
        if token == "aws:ec2/getSubnet:getSubnet":
            if arguments["id"] == NO_SUBNET:
                raise RefusedError
            return {"id": arguments["id"], "vpcId": "vpc-0a"}
        if token == "aws:ec2/getRouteTables:getRouteTables":
            [asked] = arguments["filters"]
            main = asked == {"name": "association.main", "values": ["true"]}
            return {
                "ids": ["rtb-main"] if main else [each for each in asked["values"] if each in self._recorder.routes]
            }
        default = [{"cidrBlock": "0.0.0.0/0", "natGatewayId": "nat-0a", "gatewayId": ""}]
        return {"routes": self._recorder.routes.get(arguments["routeTableId"], default)}

    def _asked(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        assert arguments["functionName"] == self._recorder.before["watcher"]["name"]
        assert json.loads(arguments["input"]) == {"overtime": "backlog"}
        if self._recorder.backlog is None:
            raise RefusedError
        return {"result": json.dumps(self._recorder.backlog)}


def _asked_for(arguments: Mapping[str, Any], opt_in_status: str) -> bool:
    filters = {each["name"]: each["values"] for each in arguments.get("filters", [])}
    return opt_in_status in filters.get("opt-in-status", ["opted-in", "opt-in-not-required"])


class Monitor(mocks.MockMonitor):
    """Takes registrations as the engine would, and writes down what `mocks.Mocks` is not told: parents and order."""

    def __init__(self, recorder: Recorder) -> None:
        super().__init__(Answers(recorder))
        self.recorder = recorder

    def RegisterResource(  # noqa: N802 - the engine's name for it
        self, request: resource_pb2.RegisterResourceRequest
    ) -> resource_pb2.RegisterResourceResponse:
        """Take one resource."""
        register: Callable[[object], resource_pb2.RegisterResourceResponse] = super().RegisterResource
        response = register(request)
        if request.type != "pulumi:pulumi:Stack":
            self.recorder.resources.append(
                Registered(
                    type=request.type,
                    name=request.name,
                    urn=response.urn,
                    parent=request.parent,
                    protected=request.protect,
                    after=tuple(request.dependencies),
                    inputs=_unwrapped(rpc.deserialize_properties(request.object)),
                )
            )
        return response

    def RegisterResourceOutputs(  # noqa: N802 - likewise
        self, request: resource_pb2.RegisterResourceOutputsRequest
    ) -> object:
        """Take the outputs of one component."""
        assert request.urn not in self.recorder.outputs, f"{request.urn} registers its outputs twice"
        self.recorder.outputs[request.urn] = _unwrapped(rpc.deserialize_properties(request.outputs))
        register: Callable[[object], object] = super().RegisterResourceOutputs
        return register(request)


def _unwrapped(value: Any) -> Any:
    if rpc.is_rpc_secret(value):
        return Secret(_unwrapped(rpc.unwrap_rpc_secret(value)))
    if isinstance(value, dict):
        return {key: _unwrapped(each) for key, each in value.items()}
    return [_unwrapped(each) for each in value] if isinstance(value, list) else value


def arn(kind: str, name: str) -> str:
    """Make an ARN as AWS would."""
    service, noun = kind.split(":", 2)[1].split("/", 1)[0], kind.rpartition(":")[2]
    here = f"{REGION}:{ACCOUNT}"
    named = {
        "Bucket": f"s3:::{name}",
        "Role": f"iam::{ACCOUNT}:role/{name}",
        "Function": f"lambda:{here}:function:{name}",
        "Cluster": f"ecs:{here}:cluster/{name}",
        "Table": f"dynamodb:{here}:table/{name}",
        "LogGroup": f"logs:{here}:log-group:{name}",
        "EventRule": f"events:{here}:rule/{name}",
        "MetricAlarm": f"cloudwatch:{here}:alarm:{name}",
    }
    return f"arn:{PARTITION}:{named.get(noun, f'{service}:{here}:{name}')}"


def recording() -> Recorder:
    """Begin to record what the next program registers."""
    found = Recorder()
    ROOT.set(None)  # the stack of another test keeps that one's transformations
    mocks.set_mocks(Answers(found), project="overtime", stack="test", preview=False, monitor=Monitor(found))
    return found


def run(program: Callable[[], object]) -> None:
    """Run a program to its end, as the engine would."""
    to_its_end: Callable[[Callable[[], object]], Callable[[], None]] = mocks.test
    to_its_end(program)()


def deploy(settings: Mapping[str, object], context: StackContext) -> dict[str, Any]:
    """Build the stack of these settings, and return its exports."""
    outputs: dict[str, Any] = {}

    def program() -> pulumi.Output[None]:
        return pulumi.Output.from_input(build(parse(settings, context), context)).apply(outputs.update)

    run(program)
    return outputs


def platform(name: str, functions: Sequence[Function] = ()) -> Platform:
    """Make a platform for these functions."""
    images: dict[tuple[str, str], str] = {
        (each.runtime, each.architecture): f"base:{each.runtime}" for each in functions
    }
    return Platform(
        name,
        PlatformArgs(
            network=Network(),
            retention=Retention(),
            container_insights=False,
            spot=False,
            base_images=images,
            python_image="python",
        ),
    )


def failure_queue(name: str) -> FailureQueue:
    """Make a failure queue."""
    return FailureQueue(name, FailureQueueArgs(consumer_timeout_seconds=60, max_receive_count=5))


def primary_function(name: str, function: Function, root: Path) -> PrimaryFunction:
    """Make a function whose code is in `root`."""
    return PrimaryFunction(
        name,
        PrimaryFunctionArgs(
            function_name=f"overtime-test-{name}",
            options=function,
            root=root,
            logs_days=30,
            failure_queue_arn=pulumi.Output.from_input(arn("aws:sqs/queue:Queue", f"{name}-queue")),
            ecs_arn_prefix=f"arn:aws:ecs:{REGION}:{ACCOUNT}",
        ),
    )


def fargate_fallback(name: str, function: Function, root: Path, shared: Platform) -> FargateFallback:
    """Make a function with its fallback; `name` is its key."""
    return FargateFallback(
        name,
        FargateFallbackArgs(
            function=primary_function(f"f-{name}", function, root),
            failures=failure_queue(f"q-{name}"),
            options=function,
            platform=shared,
            retention=Retention(),
        ),
    )


def watcher(name: str, functions: Mapping[str, FargateFallback], shared: Platform) -> Watcher:
    """Make the watcher of these functions."""
    return Watcher(
        name,
        WatcherArgs(function_name=f"overtime-test-{name}", functions=functions, platform=shared, retention=Retention()),
    )
