"""What each role may do: the exact statements, and rules that every statement keeps."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from overtime.contract.runs import TASK_ATTRIBUTES

if TYPE_CHECKING:
    from tests.infra.conftest import Deploy
    from tests.infra.recording import Recorder

LAYER = "arn:aws:lambda:eu-west-1:123456789012:layer:numbers:1"
OWN = {"actions": ["s3:PutObject", "s3:GetObject"], "resources": ["arn:aws:s3:::mine/*"]}
LOGS = "arn:aws:logs:eu-west-1:123456789012:log-group:/aws/lambda/overtime-test-report"
GUARD_DUTY = "arn:aws:ecr:eu-west-1:*:repository/aws-guardduty-agent-fargate"
"""AWS's own; the account depends on the region."""
FUNCTION = "arn:aws:lambda:eu-west-1:123456789012:function:overtime-test-report"
TABLE = "arn:aws:dynamodb:eu-west-1:123456789012:table/overtime-ledger-runs-0a1b2c3"
BUCKET = "arn:aws:s3:::overtime-ledger-objects-0a1b2c3"
RUNS_OF_ONE = {"ForAllValues:StringLike": {"dynamodb:LeadingKeys": ["overtime-test-report/*"]}}
WHAT_TASKS_WRITE = {"ForAllValues:StringEquals": {"dynamodb:Attributes": sorted(TASK_ATTRIBUTES)}}
_COPIES = [f"{slash}overtime-ledger-objects-0a1b2c3/events/*" for slash in ("/", "")]
KEEPS_EVENTS = {
    "KeepEvents": {
        "Effect": "Allow",
        "Action": ["s3:PutObject"],
        "Resource": [f"{BUCKET}/events/*"],
        "Condition": {"StringLike": {"s3:x-amz-copy-source": _COPIES}},
    },
    "TellGoneFromForbidden": {"Effect": "Allow", "Action": ["s3:ListBucket"], "Resource": [BUCKET]},
}
KEY = "arn:aws:kms:eu-west-1:123456789012:key/12345678-90ab-cdef-1234-567890abcdef"
ACCESS_POINT = "arn:aws:elasticfilesystem:eu-west-1:123456789012:access-point/fsap-0123456789abcdef0"
VPC = {"subnet_ids": ["subnet-0a"], "security_group_ids": ["sg-0a"]}
INTERFACES = "arn:aws:ec2:eu-west-1:123456789012:*/*"
"""What AWS documents for functions in a VPC: they create interfaces, whose ids are not known before."""
NO_RESOURCE = {
    "ecr:GetAuthorizationToken",
    "ecs:ListAccountSettings",
    "ec2:DescribeNetworkInterfaces",
    "ec2:DescribeSubnets",
    "xray:PutTelemetryRecords",
    "xray:PutTraceSegments",
}
"""Actions for which AWS knows no resource."""


def allow(actions: list[str], resources: list[str], condition: dict[str, Any] | None = None) -> dict[str, Any]:
    statement = {"Effect": "Allow", "Action": actions, "Resource": resources}
    return statement | ({"Condition": condition} if condition else {})


def test_function_itself(deploy: Deploy, recorder: Recorder) -> None:
    """The function may write its log, leave failed events on its own queue, and what its settings say."""
    deploy({"report": {"permissions": [OWN]}, "sums": {}})

    assert recorder.inputs("RolePolicy", "report-permissions")["role"] == "report-role-0a1b2c3"
    assert recorder.policy("report-permissions") == {
        "WriteLog": allow(["logs:CreateLogStream", "logs:PutLogEvents"], [f"{LOGS}:*"]),
        "LeaveFailedEvents": allow(["sqs:SendMessage"], ["arn:aws:sqs:eu-west-1:123456789012:report-queue-0a1b2c3"]),
        "Own0": allow(["s3:GetObject", "s3:PutObject"], ["arn:aws:s3:::mine/*"]),
    }


def test_function_in_a_vpc(deploy: Deploy, recorder: Recorder) -> None:
    """Lambda may attach the function, which the code itself may not do."""
    deploy({"report": {"vpc": VPC}})

    change = [
        "ec2:AssignPrivateIpAddresses",
        "ec2:CreateNetworkInterface",
        "ec2:DeleteNetworkInterface",
        "ec2:UnassignPrivateIpAddresses",
    ]
    see = ["ec2:DescribeNetworkInterfaces", "ec2:DescribeSubnets"]
    assert recorder.inputs("RolePolicy", "report-environment")["role"] == "report-role-0a1b2c3"
    assert recorder.policy("report-environment") == {
        "AttachToVpc": allow(change, [INTERFACES]),
        "SeeVpc": allow(see, ["*"]),
        "NotForTheCode": {
            **allow(sorted(change + see), ["*"], {"ArnEquals": {"lambda:SourceFunctionArn": FUNCTION}}),
            "Effect": "Deny",
        },
    }


def test_function_with_a_file_system(deploy: Deploy, recorder: Recorder) -> None:
    """Function and task may mount this file system, through this access point alone, and write, but not as root."""
    deploy({"report": {"vpc": VPC, "file_systems": [{"access_point_arn": ACCESS_POINT, "path": "/mnt/data"}]}})

    assert recorder.policy("report-environment")["MountFileSystem0"] == allow(
        ["elasticfilesystem:ClientMount", "elasticfilesystem:ClientWrite"],
        ["arn:aws:elasticfilesystem:eu-west-1:123456789012:file-system/fs-0123456789abcdef0"],
        {"StringEquals": {"elasticfilesystem:AccessPointArn": ACCESS_POINT}},
    )


def test_function_with_a_key(deploy: Deploy, recorder: Recorder) -> None:
    """Function and runner may decrypt this function's variables, and nothing else that the key encrypts."""
    deploy({"report": {"kms_key_arn": KEY}, "sums": {}})

    context = {"StringEquals": {"kms:EncryptionContext:aws:lambda:FunctionArn": FUNCTION}}
    assert recorder.policy("report-environment") == {"DecryptVariables": allow(["kms:Decrypt"], [KEY], context)}


def test_function_that_is_traced(deploy: Deploy, recorder: Recorder) -> None:
    """Lambda may send traces as the function."""
    deploy({"report": {"tracing": "active"}})

    sent = ["xray:PutTelemetryRecords", "xray:PutTraceSegments"]
    assert recorder.policy("report-environment") == {"SendTraces": allow(sent, ["*"])}


def test_runner(deploy: Deploy, recorder: Recorder) -> None:
    """The runner, as the function, may fetch this function's code and keep this function's runs."""
    deploy({"report": {"layers": [LAYER]}, "sums": {}})

    assert recorder.inputs("RolePolicy", "report-task-runner")["role"] == "report-role-0a1b2c3"
    assert recorder.policy("report-task-runner") == {
        "FetchCode": allow(["lambda:GetFunction"], [FUNCTION, f"{FUNCTION}:*"]),
        "FetchLayers": allow(["lambda:GetLayerVersion"], [LAYER]),
        "ClaimAndFinishRuns": allow(["dynamodb:UpdateItem"], [TABLE], RUNS_OF_ONE | WHAT_TASKS_WRITE),
        "ReadEvents": allow(["s3:GetObject"], [f"{BUCKET}/events/overtime-test-report/*"]),
        "WriteResults": allow(["s3:PutObject"], [f"{BUCKET}/results/overtime-test-report/*"]),
    }


def test_runner_without_layers(deploy: Deploy, recorder: Recorder) -> None:
    """Without layers there is no statement for them."""
    deploy()

    assert "FetchLayers" not in recorder.policy("report-task-runner")


def test_dispatcher(deploy: Deploy, recorder: Recorder) -> None:
    """The dispatcher may touch the queues, runs, task and roles of its one function."""
    deploy({"report": {}, "sums": {}})

    roles = [f"arn:aws:iam::123456789012:role/report-{noun}-0a1b2c3" for noun in ("role", "task-execution-role")]
    ecs = "arn:aws:ecs:eu-west-1:123456789012"
    assert recorder.inputs("RolePolicy", "report-dispatcher-permissions")["role"] == "report-dispatcher-role-0a1b2c3"
    assert recorder.policy("report-dispatcher-permissions") == {
        "WriteLog": allow(["logs:CreateLogStream", "logs:PutLogEvents"], [f"{LOGS}-dispatcher:*"]),
        "TakeFailureRecords": allow(
            ["sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:ReceiveMessage"],
            ["arn:aws:sqs:eu-west-1:123456789012:report-queue-0a1b2c3"],
        ),
        "LetRecordsWait": allow(["sqs:SendMessage"], ["arn:aws:sqs:eu-west-1:123456789012:report-queue-0a1b2c3"]),
        "ParkWhatIsNotRescued": allow(
            ["sqs:SendMessage"], ["arn:aws:sqs:eu-west-1:123456789012:report-parking-0a1b2c3"]
        ),
        "RecordRuns": allow(["dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:UpdateItem"], [TABLE], RUNS_OF_ONE),
        "StoreEvents": allow(["s3:PutObject"], [f"{BUCKET}/events/overtime-test-report/*"]),
        "StartTask": allow(
            ["ecs:RunTask"],
            [f"{ecs}:task-definition/overtime-test-report:*"],
            {"ArnEquals": {"ecs:cluster": f"{ecs}:cluster/overtime-cluster-0a1b2c3"}},
        ),
        "TagTask": allow(
            ["ecs:TagResource"],
            [f"{ecs}:task/overtime-cluster-0a1b2c3/*"],
            {"StringEquals": {"ecs:CreateAction": "RunTask"}},
        ),
        "HandRolesToTask": allow(
            ["iam:PassRole"], roles, {"StringEquals": {"iam:PassedToService": "ecs-tasks.amazonaws.com"}}
        ),
    }


def test_watcher(deploy: Deploy, recorder: Recorder) -> None:
    """The watcher may look after every run, and touch its tasks and queues; of payloads, it copies events in place."""
    deploy({"report": {}, "sums": {}})

    ecs, sqs = "arn:aws:ecs:eu-west-1:123456789012", "arn:aws:sqs:eu-west-1:123456789012"
    assert recorder.inputs("RolePolicy", "overtime-watcher-permissions")["role"] == "overtime-watcher-role-0a1b2c3"
    assert recorder.policy("overtime-watcher-permissions") == {
        "WriteLog": allow(["logs:CreateLogStream", "logs:PutLogEvents"], [f"{LOGS.replace('report', 'watcher')}:*"]),
        "FindOpenRuns": allow(["dynamodb:Scan"], [f"{TABLE}/index/open"]),
        "SettleRuns": allow(["dynamodb:GetItem", "dynamodb:UpdateItem"], [TABLE]),
        "LookAtTasks": allow(
            ["ecs:DescribeTasks", "ecs:StopTask"],
            [f"{ecs}:task/overtime-cluster-0a1b2c3/*"],
            {"ArnEquals": {"ecs:cluster": f"{ecs}:cluster/overtime-cluster-0a1b2c3"}},
        ),
        "ReadPayloads": allow(["s3:GetObject"], [f"{BUCKET}/events/*"]),
        **KEEPS_EVENTS,
        "ReadTaskRetirement": allow(["ecs:ListAccountSettings"], ["*"]),
        "LaunchAgain": allow(
            ["sqs:GetQueueAttributes", "sqs:SendMessage"],
            [f"{sqs}:report-queue-0a1b2c3", f"{sqs}:sums-queue-0a1b2c3"],
        ),
        "ParkRuns": allow(
            ["sqs:GetQueueAttributes", "sqs:ReceiveMessage", "sqs:SendMessage"],
            [f"{sqs}:report-parking-0a1b2c3", f"{sqs}:sums-parking-0a1b2c3"],
        ),
    }


def test_destinations(deploy: Deploy, recorder: Recorder) -> None:
    """Each destination of each function adds the calls that its kind takes, on it alone and once."""
    queue, topic = "arn:aws:sqs:eu-west-1:123456789012:done", "arn:aws:sns:eu-west-1:123456789012:failed"
    bus, function = "arn:aws:events:eu-west-1:123456789012:event-bus/runs", f"{FUNCTION}-tell"
    deploy(
        {
            "report": {"destinations": {"on_success": queue, "on_failure": topic}},
            "sums": {"destinations": {"on_success": queue, "on_failure": bus}},
            "third": {"destinations": {"on_failure": function}},
            "silent": {},
        }
    )

    statements = recorder.policy("overtime-watcher-permissions")
    of_all = {"WriteLog", "LeaveFailedEvents", "FindOpenRuns", "SettleRuns", "LookAtTasks", "ReadTaskRetirement"}
    of_all |= {"LaunchAgain", "ParkRuns"}
    assert {sid: statement for sid, statement in statements.items() if sid not in of_all} == {
        "ReadPayloads": allow(["s3:GetObject"], [f"{BUCKET}/events/*", f"{BUCKET}/results/*"]),
        **KEEPS_EVENTS,
        "TellQueues": allow(["sqs:GetQueueUrl", "sqs:SendMessage"], [queue]),
        "TellTopics": allow(["sns:Publish"], [topic]),
        "TellBuses": allow(["events:PutEvents"], [bus]),
        "TellFunctions": allow(["lambda:InvokeFunction"], [function]),
    }


def test_who_may_leave_dead_letters(deploy: Deploy, recorder: Recorder) -> None:
    """Only the rule that tells of stopped tasks may leave events there, and nobody comes without TLS."""
    deploy()

    queue = "arn:aws:sqs:eu-west-1:123456789012:overtime-watcher-dead-letters-0a1b2c3"
    rule = "arn:aws:events:eu-west-1:123456789012:rule/overtime-watcher-rules"
    policy = recorder.inputs("QueuePolicy", "overtime-watcher-rules-dead-letters")
    assert policy["queueUrl"].endswith("/overtime-watcher-dead-letters-0a1b2c3")
    assert json.loads(policy["policy"])["Statement"] == [
        {
            "Sid": "RulesLeaveWhatFailed",
            "Principal": {"Service": "events.amazonaws.com"},
            **allow(
                ["sqs:SendMessage"],
                [queue],
                {"ArnEquals": {"aws:SourceArn": [f"{rule}-stopped-0a1b2c3"]}},
            ),
        },
        {
            "Sid": "EncryptedTransportOnly",
            "Effect": "Deny",
            "Principal": "*",
            "Action": "sqs:*",
            "Resource": [queue],
            "Condition": {"Bool": {"aws:SecureTransport": "false"}},
        },
    ]


def test_who_may_tell_of_alarms(deploy: Deploy, recorder: Recorder) -> None:
    """Only alarms of this account and region may publish to the topic, and nobody comes without TLS."""
    deploy()

    topic = "arn:aws:sns:eu-west-1:123456789012:overtime-alarms-topic-0a1b2c3"
    document = json.loads(recorder.inputs("TopicPolicy", "overtime-alarms-topic-policy")["policy"])
    assert document["Statement"] == [
        {
            "Sid": "AlarmsTell",
            "Principal": {"Service": "cloudwatch.amazonaws.com"},
            **allow(
                ["sns:Publish"],
                [topic],
                {
                    "ArnLike": {"aws:SourceArn": "arn:aws:cloudwatch:eu-west-1:123456789012:alarm:*"},
                    "StringEquals": {"aws:SourceAccount": "123456789012"},
                },
            ),
        },
        {
            "Sid": "EncryptedTransportOnly",
            "Effect": "Deny",
            "Principal": "*",
            "Action": "sns:Publish",
            "Resource": [topic],
            "Condition": {"Bool": {"aws:SecureTransport": "false"}},
        },
    ]


def test_execution(deploy: Deploy, recorder: Recorder) -> None:
    """ECS may pull the stack's own images and GuardDuty's agent, and write this function's log."""
    deploy()

    assert recorder.policy("report-task-execution-permissions") == {
        "LogIntoRegistry": allow(["ecr:GetAuthorizationToken"], ["*"]),
        "PullRunnerImage": allow(
            ["ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"],
            ["arn:aws:ecr:eu-west-1:123456789012:repository/overtime-images-0a1b2c3"],
        ),
        "PullGuardDutyAgent": allow(
            ["ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"], [GUARD_DUTY]
        ),
        "WriteLog": allow(["logs:CreateLogStream", "logs:PutLogEvents"], [f"{LOGS}:*"]),
    }


def test_destination_keys(deploy: Deploy, recorder: Recorder) -> None:
    """The watcher may use the keys that destinations are encrypted with, each named once, and no others."""
    keys = [f"arn:aws:kms:eu-west-1:123456789012:key/{digit * 8}-90ab-cdef-1234-567890abcdef" for digit in "21"]
    told = {"on_success": "arn:aws:sqs:eu-west-1:123456789012:done", "kms_key_arns": keys}
    deploy({"report": {"destinations": told}, "sums": {"destinations": told}, "silent": {}})

    found = recorder.policy("overtime-watcher-permissions")
    assert found["UseDestinationKeys"] == allow(["kms:Decrypt", "kms:GenerateDataKey"], sorted(keys))


def statements_of_trust(recorder: Recorder, role: str) -> list[dict[str, Any]]:
    statements: list[dict[str, Any]] = json.loads(recorder.inputs("Role", role)["assumeRolePolicy"])["Statement"]
    return [{key: value for key, value in each.items() if key != "Sid"} for each in statements]


def trusted(service: str, condition: dict[str, Any] | None = None) -> dict[str, Any]:
    principal = {"Service": f"{service}.amazonaws.com"}
    statement = {"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole"}
    return statement | ({"Condition": condition} if condition else {})


LAMBDA = trusted("lambda")
TASKS = trusted(
    "ecs-tasks",
    {
        "ArnLike": {"aws:SourceArn": "arn:aws:ecs:eu-west-1:123456789012:*"},
        "StringEquals": {"aws:SourceAccount": "123456789012"},
    },
)


@pytest.mark.parametrize(
    ("role", "statements"),
    [
        ("report-role", [LAMBDA, TASKS]),
        ("report-task-execution-role", [trusted("ecs-tasks")]),
        ("report-dispatcher-role", [LAMBDA]),
        ("overtime-watcher-role", [LAMBDA]),
    ],
)
def test_trust(role: str, statements: list[dict[str, Any]], deploy: Deploy, recorder: Recorder) -> None:
    """Only the services that work as a role may take it, ECS a task's for this account and region alone."""
    deploy()

    assert statements_of_trust(recorder, role) == statements


def test_every_statement(deploy: Deploy, recorder: Recorder) -> None:
    """Each statement has a Sid of its own and exact actions; `*` stands only where AWS knows no resource."""
    deploy(
        {
            "report": {
                "permissions": [OWN, OWN],
                "layers": [LAYER],
                "vpc": VPC,
                "kms_key_arn": KEY,
                "tracing": "active",
                "file_systems": [{"access_point_arn": ACCESS_POINT, "path": "/mnt/data"}],
            },
            "sums": {"attempts": 0},
        }
    )

    kinds = ("RolePolicy", "QueuePolicy", "BucketPolicy", "TopicPolicy")
    policies = [policy for kind in kinds for policy in recorder.all(kind)]
    assert len(policies) == 17
    for policy in policies:
        document = json.loads(policy.inputs["policy"])
        sids = [statement["Sid"] for statement in document["Statement"]]
        assert document["Version"] == "2012-10-17"
        assert len(sids) == len(set(sids)), policy.name
        for statement in document["Statement"]:
            assert statement["Sid"].isalnum(), policy.name
            if statement["Effect"] == "Deny":
                continue
            assert not [action for action in statement["Action"] if "*" in action], policy.name
            if not NO_RESOURCE.issuperset(statement["Action"]):
                broad = [arn for arn in statement["Resource"] if not arn.startswith("arn:aws:") or "*" in arn[:-2]]
                assert set(broad) <= {GUARD_DUTY, INTERFACES}, policy.name


def test_roles_stay_apart(deploy: Deploy, recorder: Recorder) -> None:
    """No policy of one function names anything of the other."""
    deploy({"report": {"layers": [LAYER]}, "sums": {}})

    for own, other in (("report", "sums"), ("sums", "report")):
        documents = [each.inputs["policy"] for each in recorder.all("RolePolicy") if each.name.startswith(own)]
        assert len(documents) == 4
        assert not [text for text in documents if other in text]
