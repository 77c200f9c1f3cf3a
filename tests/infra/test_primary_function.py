from __future__ import annotations

import json
import zipfile
from typing import TYPE_CHECKING

import pulumi
import pytest

from tests.infra.recording import Secret

if TYPE_CHECKING:
    from overtime.settings import StackContext
    from tests.infra.conftest import Deploy
    from tests.infra.recording import Recorder

LAYERS = [f"arn:aws:lambda:eu-west-1:123456789012:layer:{name}:1" for name in ("second", "first")]
KEY = "arn:aws:kms:eu-west-1:123456789012:key/12345678-90ab-cdef-1234-567890abcdef"
POLICY = "arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess"


def test_function(deploy: Deploy, recorder: Recorder) -> None:
    """The function gets what its settings say, layers in their order, and its queue."""
    deploy(
        {
            "report": {
                "runtime": "python3.12",
                "architecture": "arm64",
                "timeout_seconds": 70,
                "memory_mib": 1024,
                "layers": LAYERS,
                "ephemeral_storage_mib": 2048,
                "kms_key_arn": KEY,
                "tracing": "active",
                "log_format": "json",
            }
        }
    )

    inputs = recorder.inputs("Function", "report-function")
    assert isinstance(inputs.pop("code"), pulumi.AssetArchive)
    assert inputs == {
        "name": "overtime-test-report",
        "role": "arn:aws:iam::123456789012:role/report-role-0a1b2c3",
        "handler": "handler.handler",
        "runtime": "python3.12",
        "architectures": ["arm64"],
        "timeout": 70,
        "memorySize": 1024,
        "layers": LAYERS,
        "ephemeralStorage": {"size": 2048},
        "kmsKeyArn": KEY,
        "tracingConfig": {"mode": "Active"},
        "loggingConfig": {"logFormat": "JSON"},
        "deadLetterConfig": {"targetArn": "arn:aws:sqs:eu-west-1:123456789012:report-queue-0a1b2c3"},
    }


def test_function_in_a_vpc(deploy: Deploy, recorder: Recorder) -> None:
    """The function is attached once its role may create network interfaces."""
    vpc = {"subnet_ids": ["subnet-0a", "subnet-0b"], "security_group_ids": ["sg-0a"]}
    deploy({"report": {"vpc": vpc}, "sums": {}})

    function = recorder.one("Function", "report-function")
    assert function.inputs["vpcConfig"] == {"subnetIds": ["subnet-0a", "subnet-0b"], "securityGroupIds": ["sg-0a"]}
    assert "report-environment" in {urn.rpartition("::")[2] for urn in function.after}


def test_function_without_an_environment_of_its_own(deploy: Deploy, recorder: Recorder) -> None:
    """Defaults are given as such, because the provider keeps what is not given; nothing is permitted for them."""
    deploy()

    inputs = recorder.inputs("Function", "report-function")
    assert {"vpcConfig", "kmsKeyArn"} & set(inputs) == set()
    assert (inputs["ephemeralStorage"], inputs["tracingConfig"]) == ({"size": 512}, {"mode": "PassThrough"})
    assert inputs["loggingConfig"] == {"logFormat": "Text"}
    assert "report-environment" not in {each.name for each in recorder.all("RolePolicy")}


def test_secrets_stay_secret(deploy: Deploy, recorder: Recorder) -> None:
    """Every variable of the function is a Pulumi secret, and no other input of any resource holds its value."""
    deploy({"report": {"environment": {"TOKEN": "t0ps3cret", "PORT": 8080}}})

    environment = recorder.inputs("Function", "report-function")["environment"]
    assert environment == Secret({"variables": {"TOKEN": "t0ps3cret", "PORT": "8080"}})
    elsewhere = [each for each in recorder.resources if (each.type, each.name) != _FUNCTION]
    assert "t0ps3cret" not in repr([each.inputs for each in elsewhere])
    assert "t0ps3cret" not in repr(recorder.outputs)


_FUNCTION = ("aws:lambda/function:Function", "report-function")


@pytest.mark.parametrize(("attempts", "retries"), [(1, 0), (2, 1), (3, 2)])
def test_attempts(attempts: int, retries: int, deploy: Deploy, recorder: Recorder) -> None:
    """The first attempt is no retry; the function keeps the account's concurrency."""
    deploy({"report": {"attempts": attempts, "max_event_age": "1h"}})

    assert recorder.inputs("FunctionEventInvokeConfig", "report-retries") == {
        "functionName": "overtime-test-report",
        "maximumRetryAttempts": retries,
        "maximumEventAgeInSeconds": 3600,
    }
    assert "reservedConcurrentExecutions" not in recorder.inputs("Function", "report-function")


def test_straight_to_fargate(deploy: Deploy, recorder: Recorder) -> None:
    """Without an attempt nothing runs on Lambda, so nothing is retried there, and the dispatcher knows."""
    deploy({"report": {"attempts": 0}})

    assert recorder.inputs("Function", "report-function")["reservedConcurrentExecutions"] == 0
    assert recorder.inputs("FunctionEventInvokeConfig", "report-retries")["maximumRetryAttempts"] == 0
    variables = recorder.inputs("Function", "report-dispatcher-function")["environment"]["variables"]
    assert variables["OVERTIME_ATTEMPTS"] == "0"


def test_role_serves_lambda_and_fargate(deploy: Deploy, recorder: Recorder) -> None:
    """Both services may take the function's role, and managed policies are attached to it."""
    deploy({"report": {"policy_arns": [POLICY]}})

    trust = json.loads(recorder.inputs("Role", "report-role")["assumeRolePolicy"])["Statement"]
    assert [each["Principal"]["Service"] for each in trust] == ["lambda.amazonaws.com", "ecs-tasks.amazonaws.com"]
    attachment = recorder.inputs("RolePolicyAttachment", "report-policy-0")
    assert attachment == {"role": "report-role-0a1b2c3", "policyArn": POLICY}


def test_role_may_write_to_the_queue_first(deploy: Deploy, recorder: Recorder) -> None:
    """Permissions and log group exist before the function: Lambda checks the one and would make the other itself."""
    deploy({"report": {"policy_arns": [POLICY]}})

    before = {urn.rpartition("::")[2] for urn in recorder.one("Function", "report-function").after}
    assert {"report-permissions", "report-policy-0", "report-logs", "report-queue"} <= before


def test_log_group(deploy: Deploy, recorder: Recorder) -> None:
    """The log group is the one that Lambda writes to, kept as long as the settings say."""
    deploy(retention={"logs_days": 7})

    logs = recorder.inputs("LogGroup", "report-logs")
    assert logs == {"name": "/aws/lambda/overtime-test-report", "retentionInDays": 7}


def test_code_of_a_folder(deploy: Deploy, recorder: Recorder, context: StackContext) -> None:
    """A folder's code is what people wrote, without caches that would change the archive from one run to the next."""
    (context.root / "pkg" / "__pycache__").mkdir(parents=True)
    (context.root / "pkg" / "mod.py").write_text("")
    (context.root / "pkg" / "__pycache__" / "mod.pyc").write_text("")

    deploy()

    code = recorder.inputs("Function", "report-function")["code"]
    assert set(code.assets) == {"handler.py", "pkg/mod.py"}


def test_code_of_a_zip(deploy: Deploy, recorder: Recorder, context: StackContext) -> None:
    """A zip is handed over as it is."""
    with zipfile.ZipFile(context.root / "code.zip", "w") as archive:
        archive.writestr("handler.py", "")

    deploy({"report": {"code": "code.zip"}})

    code = recorder.inputs("Function", "report-function")["code"]
    assert isinstance(code, pulumi.FileArchive)
    assert code.path == str(context.root / "code.zip")
