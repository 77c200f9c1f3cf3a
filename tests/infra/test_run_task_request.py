"""From the settings to the whole RunTask request: every setting that a task or its dispatcher needs arrives there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from overtime.components.documents import written
from overtime.settings import Settings, StackContext, parse
from tests.infra import recording
from tests.infra.handing_over import KEY, everything, handed_over
from tests.infra.task_settings import ARRIVES, ELSEWHERE, GOLDEN, REQUIRED, VPC, nested
from tests.setting_paths import paths

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pydantic import BaseModel

    from tests.infra.recording import Recorder

    Built = Callable[[Mapping[str, object]], Recorder]

ROLE, PARKING = (
    "arn:aws:iam::123456789012:role",
    "https://sqs.eu-west-1.amazonaws.com/123456789012/report-parking-0a1b2c3",
)
LAMBDA_ARN = "arn:aws:lambda:eu-west-1:123456789012:function:overtime-test-report"


@pytest.fixture(scope="module")
def context(tmp_path_factory: pytest.TempPathFactory) -> StackContext:
    """Make a folder with code in it, and code in a folder below."""
    root = tmp_path_factory.mktemp("project")
    (root / "other").mkdir()
    for folder in (root, root / "other"):
        (folder / "handler.py").write_text("def handler(event, context): ...\ndef other(event, context): ...")
    return StackContext(project="overtime", stack="test", root=root)


@pytest.fixture(scope="module")
def build(context: StackContext) -> Built:
    """Build a stack; one that was built before is not built again."""
    known: dict[str, Recorder] = {}

    def build(settings: Mapping[str, object]) -> Recorder:
        name = repr(sorted(settings.items()))
        if name not in known:
            known[name] = recording.recording()
            recording.deploy(nested(settings), context)
        return known[name]

    return build


def test_everything_that_is_handed_over(build: Built) -> None:
    """Dispatcher, task definition, image and request, with every setting in it at a value of its own."""
    found = handed_over(build(GOLDEN))

    assert found.environment == {
        "OVERTIME_FUNCTION_NAME": "overtime-test-report",
        "OVERTIME_FUNCTION_ARN": LAMBDA_ARN,
        "OVERTIME_LEDGER_TABLE": "overtime-ledger-runs-0a1b2c3",
        "OVERTIME_LEDGER_BUCKET": "overtime-ledger-objects-0a1b2c3",
        "OVERTIME_RUNS_DAYS": "60",
        "OVERTIME_RUN_TASK": written(
            {
                "cluster": "arn:aws:ecs:eu-west-1:123456789012:cluster/overtime-cluster-0a1b2c3",
                "taskDefinition": "overtime-test-report",
                "propagateTags": "TASK_DEFINITION",
                "enableECSManagedTags": True,
                "networkConfiguration": {
                    "awsvpcConfiguration": {
                        "subnets": ["subnet-0a", "subnet-0b"],
                        "securityGroups": ["sg-0a", "sg-0b"],
                        "assignPublicIp": "ENABLED",
                    }
                },
            }
        ),
        "OVERTIME_RESCUE": "timeout",
        "OVERTIME_ATTEMPTS": "2",
        "OVERTIME_CAPACITY": "spot",
        "OVERTIME_MAX_CONCURRENT_RUNS": "3",
        "OVERTIME_QUEUE_URL": PARKING.replace("parking", "queue"),
        "OVERTIME_PARKING_QUEUE_URL": PARKING,
        "OVERTIME_MAX_RECEIVE_COUNT": "7",
        "POWERTOOLS_SERVICE_NAME": "dispatcher",
        "POWERTOOLS_METRICS_NAMESPACE": "overtime",
    }
    [container] = found.definition.pop("containerDefinitions")
    assert found.definition == {
        "family": "overtime-test-report",
        "cpu": "2048",
        "memory": "8192",
        "networkMode": "awsvpc",
        "requiresCompatibilities": ["FARGATE"],
        "runtimePlatform": {"operatingSystemFamily": "LINUX", "cpuArchitecture": "ARM64"},
        "ephemeralStorage": {"sizeInGib": 50},
        "executionRoleArn": f"{ROLE}/report-task-execution-role-0a1b2c3",
        "taskRoleArn": f"{ROLE}/report-role-0a1b2c3",
        "volumes": [{"name": "tmp"}, {"name": "task"}, {"name": "opt"}],
        "tags": {"owner": "reports", "overtime:function": "overtime-test-report"},
    }
    assert container == {
        "name": "runner",
        "image": "overtime-runner-python3-12-arm64-image",
        "essential": True,
        "user": "993:990",
        "readonlyRootFilesystem": True,
        "linuxParameters": {"initProcessEnabled": True},
        "stopTimeout": 60,
        "mountPoints": [
            {"sourceVolume": "tmp", "containerPath": "/tmp", "readOnly": False},
            {"sourceVolume": "task", "containerPath": "/var/task", "readOnly": False},
            {"sourceVolume": "opt", "containerPath": "/opt", "readOnly": False},
        ],
        "environment": [
            {"name": "AWS_REGION", "value": "eu-west-1"},
            {"name": "OVERTIME_FUNCTION_ARN", "value": LAMBDA_ARN},
            {"name": "OVERTIME_LEDGER_BUCKET", "value": "overtime-ledger-objects-0a1b2c3"},
            {"name": "OVERTIME_LEDGER_TABLE", "value": "overtime-ledger-runs-0a1b2c3"},
            {"name": "OVERTIME_MAX_RUNTIME_SECONDS", "value": "21600"},
            {"name": "OVERTIME_STOP_SECONDS", "value": "50"},
        ],
        "logConfiguration": {
            "logDriver": "awslogs",
            "options": {
                "awslogs-group": "/aws/lambda/overtime-test-report",
                "awslogs-region": "eu-west-1",
                "awslogs-stream-prefix": "overtime",
                "mode": "non-blocking",
                "max-buffer-size": "25m",
            },
        },
    }
    assert found.image == {
        "platform": "linux/arm64",
        "base": "mirror.example.com/python:3.12",
        "python": "mirror.example.com/python:3.13",
        "runtime": "python3.12",
    }
    assert found.request == {
        "cluster": "arn:aws:ecs:eu-west-1:123456789012:cluster/overtime-cluster-0a1b2c3",
        "taskDefinition": "overtime-test-report",
        "count": 1,
        "clientToken": "c35f519c0b336b3846d32b443abaeb0dd930cb5660093be2b92136eabbd33135",
        "startedBy": "overtime",
        "propagateTags": "TASK_DEFINITION",
        "enableECSManagedTags": True,
        "capacityProviderStrategy": [{"capacityProvider": "FARGATE_SPOT", "weight": 1}],
        "networkConfiguration": {
            "awsvpcConfiguration": {
                "subnets": ["subnet-0a", "subnet-0b"],
                "securityGroups": ["sg-0a", "sg-0b"],
                "assignPublicIp": "ENABLED",
            }
        },
        "overrides": {
            "containerOverrides": [
                {
                    "name": "runner",
                    "environment": [
                        {
                            "name": "OVERTIME_RUN_KEY",
                            "value": "overtime-test-report/8b1f1a2c-5d0e-4f6a-9f0e-2f7c9f4f2a10",
                        },
                        {"name": "OVERTIME_TASK_ATTEMPT", "value": "1"},
                    ],
                }
            ]
        },
    }


def test_none_of_it_is_a_default(context: StackContext) -> None:
    """A default could arrive without being handed on."""
    golden, default = (parse(nested(settings), context) for settings in (GOLDEN, REQUIRED))
    same = [path for path in ARRIVES if _at(path, golden) == _at(path, default)]
    assert same == ["functions.<key>.enabled", *(path for path, setting in ARRIVES.items() if setting.beside)]


def test_every_setting_arrives_or_has_its_reason() -> None:
    """A setting that is added is added to one of the two tables."""
    assert sorted([*ARRIVES, *ELSEWHERE]) == sorted(paths(Settings))


@pytest.mark.parametrize("path", ARRIVES)
def test_a_setting_arrives(path: str, build: Built) -> None:
    """Changed alone, it changes what is handed over, in exactly the places where it belongs."""
    setting = ARRIVES[path]
    before, after = (
        handed_over(build(GOLDEN | dict(setting.beside) | {path: to})) for to in (setting.value, setting.other)
    )
    assert before.differences(after) == setting.at


def test_a_vpc_of_the_function(build: Built) -> None:
    """Its tasks run there and nowhere else, without a public address, whatever the stack's network says."""
    golden, request = handed_over(build(GOLDEN)).request, handed_over(build(GOLDEN | VPC)).request
    assert golden is not None
    assert request == golden | {
        "networkConfiguration": {
            "awsvpcConfiguration": {
                "subnets": ["subnet-0d"],
                "securityGroups": ["sg-0d"],
                "assignPublicIp": "DISABLED",
            }
        }
    }


@pytest.mark.parametrize("path", ELSEWHERE)
def test_a_setting_goes_elsewhere(path: str, build: Built) -> None:
    """Changed alone, it changes something in the stack, but nothing of what is handed over."""
    setting = ELSEWHERE[path]
    before, after = (build(REQUIRED | dict(setting.beside) | more) for more in ({}, {path: setting.other}))
    assert everything(before) != everything(after)
    assert handed_over(before).differences(handed_over(after)) == set(), setting.why


def test_nothing_changes_by_itself(build: Built, context: StackContext) -> None:
    """The same settings give the same stack, or no difference would mean anything."""
    before, again = build(REQUIRED), recording.recording()
    recording.deploy(nested(REQUIRED), context)
    assert again is not before
    assert everything(again) == everything(before)


def _at(path: str, settings: BaseModel) -> object:
    found: Any = settings
    for part in path.replace("<key>", KEY).split("."):
        found = found[part] if isinstance(found, dict) else getattr(found, part)
    return found
