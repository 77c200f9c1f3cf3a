"""Every component, made twice with different names: its children, their parent, its outputs."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pulumi_aws as aws
import pytest

import overtime.components
from overtime import settings
from overtime.components.alarms import Alarms, AlarmsArgs
from overtime.components.code_store import CodeStore
from overtime.components.dashboard import Dashboard, DashboardArgs
from overtime.components.dispatcher import Dispatcher, DispatcherArgs
from overtime.components.network import Network, NetworkArgs
from overtime.components.run_ledger import RunLedger, RunLedgerArgs
from overtime.components.runner_image import RunnerImage, RunnerImageArgs
from overtime.components.runner_task import RunnerTask, RunnerTaskArgs
from overtime.components.watcher_rules import WatcherRules, WatcherRulesArgs
from tests.infra.recording import failure_queue, fargate_fallback, platform, primary_function
from tests.infra.recording import watcher as make_watcher

if TYPE_CHECKING:
    from collections.abc import Callable

    from overtime.components.fargate_fallback import FargateFallback
    from overtime.components.watcher import Watcher
    from overtime.settings import StackContext
    from tests.infra.conftest import Deploy, Run
    from tests.infra.recording import Recorder

POLICY = "arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess"
FUNCTION = settings.Function(
    code=".",
    handler="handler.handler",
    vpc=settings.Vpc(subnet_ids=("subnet-0a",), security_group_ids=("sg-0a",)),
    policy_arns=(POLICY, POLICY.replace("S3", "SQS")),
    alarms=settings.FunctionAlarms(longest_run=3600),
)


def run_ledger(name: str, _root: Path) -> object:
    return RunLedger(name, RunLedgerArgs(runs_days=30, force_destroy=False))


def network(name: str, _root: Path) -> object:
    return Network(name, NetworkArgs(network=settings.Network()))


def runner_image(name: str, _root: Path) -> object:
    args = RunnerImageArgs(
        repository_url="r.example.com/x",
        base_image="base",
        python_image="python",
        runtime="python3.13",
        architecture="arm64",
    )
    return RunnerImage(name, args)


def runner_task(name: str, root: Path) -> object:
    function = primary_function(f"f-{name}", FUNCTION, root)
    return RunnerTask(
        name, RunnerTaskArgs(function=function, options=FUNCTION, platform=platform(f"p-{name}", [FUNCTION]))
    )


def dispatcher(name: str, root: Path) -> object:
    function, shared = primary_function(f"f-{name}", FUNCTION, root), platform(f"p-{name}", [FUNCTION])
    return Dispatcher(
        name,
        DispatcherArgs(
            function=function,
            options=FUNCTION,
            failures=failure_queue(f"q-{name}"),
            task=RunnerTask(f"t-{name}", RunnerTaskArgs(function=function, options=FUNCTION, platform=shared)),
            platform=shared,
            retention=settings.Retention(),
        ),
    )


def watched(name: str, root: Path) -> tuple[dict[str, FargateFallback], Watcher]:
    shared = platform(f"p-{name}", [FUNCTION])
    functions = {"report": fargate_fallback(f"report-{name}", FUNCTION, root, shared)}
    return functions, make_watcher(f"w-{name}", functions, shared)


def watcher(name: str, root: Path) -> object:
    shared = platform(f"p-{name}", [FUNCTION])
    return make_watcher(name, {"report": fargate_fallback(f"report-{name}", FUNCTION, root, shared)}, shared)


def watcher_rules(name: str, _root: Path) -> object:
    function = aws.lambda_.Function(f"f-{name}", role="arn:aws:iam::123456789012:role/w")
    return WatcherRules(
        name, WatcherRulesArgs(function=function, dead_letters=aws.sqs.Queue(f"d-{name}"), cluster_arn="arn:c")
    )


def alarms(name: str, root: Path) -> object:
    functions, of_them = watched(name, root)
    return Alarms(
        name,
        AlarmsArgs(
            functions=functions,
            watcher=of_them,
            options=settings.Alarms(),
            name_prefix=f"overtime-{name}",
            dashboard_name=None,
            arn_prefix="arn:aws:ecs:eu-west-1:123456789012",
        ),
    )


def dashboard(name: str, root: Path) -> object:
    functions, of_them = watched(name, root)
    return Dashboard(
        name,
        DashboardArgs(
            dashboard_name=f"overtime-{name}", region="eu-west-1", functions=functions, watcher=of_them, alarm_arns=()
        ),
    )


@dataclass(frozen=True, kw_only=True)
class Expected:
    """What a component registers."""

    make: Callable[[str, Path], object]
    children: dict[str, str]
    """What is added to the component's name → type."""
    outputs: set[str]


OURS = "overtime:index:"
EXPECTED = {
    "Platform": Expected(
        make=lambda name, _root: platform(name, [FUNCTION]),
        children={
            "-network": f"{OURS}Network",
            "-ledger": f"{OURS}RunLedger",
            "-cluster": "aws:ecs/cluster:Cluster",
            "-capacity": "aws:ecs/clusterCapacityProviders:ClusterCapacityProviders",
            "-images": "awsx:ecr:Repository",
            "-runner-python3-13-x86-64": f"{OURS}RunnerImage",
        },
        outputs={"cluster_arn", "image_uris"},
    ),
    "Network": Expected(
        make=network,
        children={
            "-vpc": "awsx:ec2:Vpc",
            "-tasks": "aws:ec2/securityGroup:SecurityGroup",
            "-out": "aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule",
        },
        outputs={"subnet_ids", "security_group_ids"},
    ),
    "RunLedger": Expected(
        make=run_ledger,
        children={
            "-runs": "aws:dynamodb/table:Table",
            "-objects": "aws:s3/bucket:Bucket",
            "-encryption": ("aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration"),
            "-private": "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock",
            "-tls-only": "aws:s3/bucketPolicy:BucketPolicy",
            "-expiry": "aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration",
        },
        outputs={"table_name", "table_arn", "bucket_name", "bucket_arn"},
    ),
    "CodeStore": Expected(
        make=lambda name, _root: CodeStore(name),
        children={
            "-objects": "aws:s3/bucket:Bucket",
            "-encryption": ("aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration"),
            "-private": "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock",
            "-tls-only": "aws:s3/bucketPolicy:BucketPolicy",
            "-versions": "aws:s3/bucketVersioning:BucketVersioning",
            "-expiry": "aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration",
        },
        outputs={"bucket_name"},
    ),
    "RunnerImage": Expected(make=runner_image, children={"-image": "docker-build:index:Image"}, outputs={"uri"}),
    "FailureQueue": Expected(
        make=lambda name, _root: failure_queue(name),
        children={
            "-queue": "aws:sqs/queue:Queue",
            "-parking": "aws:sqs/queue:Queue",
            "-redrive": "aws:sqs/redriveAllowPolicy:RedriveAllowPolicy",
            "-queue-tls-only": "aws:sqs/queuePolicy:QueuePolicy",
            "-parking-tls-only": "aws:sqs/queuePolicy:QueuePolicy",
        },
        outputs={"arn", "url", "parking_arn", "parking_url"},
    ),
    "PrimaryFunction": Expected(
        make=lambda name, root: primary_function(name, FUNCTION, root),
        children={
            "-logs": "aws:cloudwatch/logGroup:LogGroup",
            "-role": "aws:iam/role:Role",
            "-permissions": "aws:iam/rolePolicy:RolePolicy",
            "-policy-0": "aws:iam/rolePolicyAttachment:RolePolicyAttachment",
            "-policy-1": "aws:iam/rolePolicyAttachment:RolePolicyAttachment",
            "-environment": "aws:iam/rolePolicy:RolePolicy",
            "-function": "aws:lambda/function:Function",
            "-retries": "aws:lambda/functionEventInvokeConfig:FunctionEventInvokeConfig",
        },
        outputs={"arn", "role_arn", "log_group_name"},
    ),
    "RunnerTask": Expected(
        make=runner_task,
        children={
            "-execution-role": "aws:iam/role:Role",
            "-execution-permissions": "aws:iam/rolePolicy:RolePolicy",
            "-runner": "aws:iam/rolePolicy:RolePolicy",
            "-definition": "aws:ecs/taskDefinition:TaskDefinition",
        },
        outputs={"family", "execution_role_arn"},
    ),
    "Dispatcher": Expected(
        make=dispatcher,
        children={
            "-logs": "aws:cloudwatch/logGroup:LogGroup",
            "-role": "aws:iam/role:Role",
            "-permissions": "aws:iam/rolePolicy:RolePolicy",
            "-function": "aws:lambda/function:Function",
            "-recursion": "aws:lambda/functionRecursionConfig:FunctionRecursionConfig",
            "-source": "aws:lambda/eventSourceMapping:EventSourceMapping",
        },
        outputs={"name"},
    ),
    "FargateFallback": Expected(
        make=lambda name, root: fargate_fallback(name, FUNCTION, root, platform(f"p-{name}", [FUNCTION])),
        children={"-task": f"{OURS}RunnerTask", "-dispatcher": f"{OURS}Dispatcher"},
        outputs={"task_family", "dispatcher_name"},
    ),
    "Watcher": Expected(
        make=watcher,
        children={
            "-logs": "aws:cloudwatch/logGroup:LogGroup",
            "-dead-letters": "aws:sqs/queue:Queue",
            "-role": "aws:iam/role:Role",
            "-permissions": "aws:iam/rolePolicy:RolePolicy",
            "-function": "aws:lambda/function:Function",
            "-one-try": "aws:lambda/functionEventInvokeConfig:FunctionEventInvokeConfig",
            "-rules": f"{OURS}WatcherRules",
        },
        outputs={"dead_letters_url", "log_group_name"},
    ),
    "WatcherRules": Expected(
        make=watcher_rules,
        children={
            "-stopped": "aws:cloudwatch/eventRule:EventRule",
            "-stopped-permission": "aws:lambda/permission:Permission",
            "-stopped-target": "aws:cloudwatch/eventTarget:EventTarget",
            "-clock": "aws:cloudwatch/eventRule:EventRule",
            "-clock-permission": "aws:lambda/permission:Permission",
            "-clock-target": "aws:cloudwatch/eventTarget:EventTarget",
            "-dead-letters": "aws:sqs/queuePolicy:QueuePolicy",
        },
        outputs={"stopped", "clock"},
    ),
    "Alarms": Expected(
        make=alarms,
        children={
            "-topic": "aws:sns/topic:Topic",
            "-topic-policy": "aws:sns/topicPolicy:TopicPolicy",
            **{
                f"-{noun}": "aws:cloudwatch/metricAlarm:MetricAlarm"
                for noun in (
                    "watcher-silent",
                    "watcher-failing",
                    "watcher-behind",
                    "watcher-dead-letters",
                    "watcher-unreadable",
                    "report-failed",
                    "report-platform-failed",
                    "report-parked",
                    "report-expiring",
                    "report-waiting",
                    "report-lost",
                    "report-skipped",
                    "report-long-run",
                    "report-long-wait",
                )
            },
        },
        outputs={"arns"},
    ),
    "Dashboard": Expected(
        make=dashboard, children={"-dashboard": "aws:cloudwatch/dashboard:Dashboard"}, outputs={"name"}
    ),
}


@pytest.mark.parametrize("component", EXPECTED)
def test_children(component: str, run: Run, recorder: Recorder, context: StackContext) -> None:
    """Made twice, a component has exactly these children, named after it and below it, and registers its outputs."""
    expected = EXPECTED[component]

    run(lambda: [expected.make(name, context.root) for name in ("one", "two")])

    for name in ("one", "two"):
        self = recorder.one(f"index:{component}", name)
        children = {child.name: child.type for child in recorder.below(self.urn)}
        assert children == {f"{name}{noun}": kind for noun, kind in expected.children.items()}
        assert set(recorder.outputs[self.urn]) == expected.outputs
        assert all(recorder.outputs[self.urn].values())


def test_every_component_is_here() -> None:
    """A component that is added is added to this table too."""
    [folder] = overtime.components.__path__
    declared = {
        line.split("(", 1)[0].removeprefix("class ")
        for file in sorted(Path(folder).glob("*.py"))
        for line in file.read_text().splitlines()
        if line.endswith("(pulumi.ComponentResource):")
    }
    assert declared == set(EXPECTED)


def test_names_in_a_whole_stack(deploy: Deploy, recorder: Recorder) -> None:
    """Every resource but the components of the stack itself is named after its parent."""
    deploy({"report": {"policy_arns": [POLICY]}, "sums": {}})

    names = {each.urn: each.name for each in recorder.resources}
    wrong = [
        each.name
        for each in recorder.resources
        if each.parent in names and not each.name.startswith(f"{names[each.parent]}-")
    ]
    roots = {each.name for each in recorder.resources if each.parent not in names}
    assert wrong == []
    assert roots == {"overtime", "report", "sums"}


def test_every_registration_is_different(deploy: Deploy, recorder: Recorder) -> None:
    """No two resources of a stack share type and name, which the engine would refuse."""
    deploy({"report": {}, "sums": {"architecture": "arm64", "runtime": "python3.12"}})

    urns = [each.urn for each in recorder.resources]
    assert len(urns) == len(set(urns))
