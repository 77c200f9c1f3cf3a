"""Every IAM document of a stack as a pure function: exact resources, and a Sid that states the purpose.

Those for a function's own environment, such as its VPC, are in `environment_policies`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pulumi

from overtime.components.documents import written
from overtime.components.statements import allow, document, service_of
from overtime.components.watcher_grants import GRANTED
from overtime.contract.runs import TASK_ATTRIBUTES

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from overtime.components.statements import Document, Statement
    from overtime.components.watcher_grants import Grant
    from overtime.settings import Permission


def rendered(policy: Callable[..., Document], **names: pulumi.Input[object]) -> pulumi.Output[str]:
    """Return the JSON of a document whose arguments are known only during deployment."""
    return pulumi.Output.all(**names).apply(lambda known: written(policy(**known)))


def function_trust() -> Document:
    """Return a trust policy for Lambda."""
    return document([_trust("TrustLambda", "lambda")])


def execution_trust() -> Document:
    """Return the trust policy of an execution role, which ECS assumes to prepare containers.

    It has no condition: AWS documents `aws:SourceArn` and `aws:SourceAccount` only for task roles, and no task starts
    if ECS cannot assume its execution role.
    """
    return document([_trust("TrustTasks", "ecs-tasks")])


def function_and_task_trust(*, ecs_arn_prefix: str) -> Document:
    """Return a trust policy for Lambda, and for ECS tasks in the region and account of `ecs_arn_prefix`."""
    return document([_trust("TrustLambda", "lambda"), _trust_tasks(ecs_arn_prefix)])


def _trust_tasks(ecs_arn_prefix: str) -> Statement:
    # https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-iam-roles.html
    ours = {
        "ArnLike": {"aws:SourceArn": f"{ecs_arn_prefix}:*"},
        "StringEquals": {"aws:SourceAccount": ecs_arn_prefix.rpartition(":")[2]},
    }
    return {**_trust("TrustTasks", "ecs-tasks"), "Condition": ours}


def _trust(sid: str, service: str) -> Statement:
    return {"Sid": sid, "Effect": "Allow", "Principal": service_of(service), "Action": "sts:AssumeRole"}


def primary(*, log_group_arn: str, queue_arn: str, permissions: Sequence[Permission]) -> Document:
    """Return a function's policy: write its log, queue failed events, and what its settings allow."""
    own = [allow(f"Own{i}", each.actions, each.resources) for i, each in enumerate(permissions)]
    return document([_logs(log_group_arn), allow("LeaveFailedEvents", ["sqs:SendMessage"], [queue_arn]), *own])


def runner(
    *, function_name: str, function_arn: str, layer_arns: Sequence[str], table_arn: str, bucket_arn: str
) -> Document:
    """Return the runner's policy, part of the function's role: fetch the code; read events, record runs and results."""
    layers = [allow("FetchLayers", ["lambda:GetLayerVersion"], layer_arns)] if layer_arns else []
    return document(
        [
            allow("FetchCode", ["lambda:GetFunction"], [function_arn, f"{function_arn}:*"]),
            *layers,
            _runs("ClaimAndFinishRuns", ["dynamodb:UpdateItem"], table_arn, function_name, attributes=TASK_ATTRIBUTES),
            allow("ReadEvents", ["s3:GetObject"], [f"{bucket_arn}/events/{function_name}/*"]),
            allow("WriteResults", ["s3:PutObject"], [f"{bucket_arn}/results/{function_name}/*"]),
        ]
    )


def dispatcher(  # noqa: PLR0913 - each is one resource that the dispatcher touches
    *,
    function_name: str,
    log_group_arn: str,
    queue_arn: str,
    parking_arn: str,
    table_arn: str,
    bucket_arn: str,
    cluster_arn: str,
    family_arn: str,
    role_arns: Sequence[str],
) -> Document:
    """Return a dispatcher's policy: consume failure records of one function, record its runs, and start its task."""
    runs = ["dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:UpdateItem"]
    take = ["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"]
    in_cluster = {"ArnEquals": {"ecs:cluster": cluster_arn}}
    to_tasks = {"StringEquals": {"iam:PassedToService": "ecs-tasks.amazonaws.com"}}
    # AWS requires ecs:TagResource if RunTask copies tags, including those of `tags` and `aws:defaultTags`.
    at_launch = {"StringEquals": {"ecs:CreateAction": "RunTask"}}
    return document(
        [
            _logs(log_group_arn),
            allow("TakeFailureRecords", take, [queue_arn]),
            allow("LetRecordsWait", ["sqs:SendMessage"], [queue_arn]),
            allow("ParkWhatIsNotRescued", ["sqs:SendMessage"], [parking_arn]),
            _runs("RecordRuns", runs, table_arn, function_name),
            allow("StoreEvents", ["s3:PutObject"], [f"{bucket_arn}/events/{function_name}/*"]),
            allow("StartTask", ["ecs:RunTask"], [f"{family_arn}:*"], in_cluster),
            allow("TagTask", ["ecs:TagResource"], [_tasks(cluster_arn)], at_launch),
            allow("HandRolesToTask", ["iam:PassRole"], role_arns, to_tasks),
        ]
    )


def watcher(  # noqa: PLR0913 - each is one resource that the watcher touches
    *,
    log_group_arn: str,
    table_arn: str,
    open_index_arn: str,
    bucket_arn: str,
    cluster_arn: str,
    reads_payloads: bool,
    grants: Sequence[Grant],
) -> Document:
    """Return the watcher's policy for all runs of the stack, including those of functions that were removed.

    A relaunched run needs its event for longer, so the watcher copies the object onto itself; it can write no other.
    It reads results only if there are destinations, because records include them. The policy covers objects of all
    functions, because its size is limited and the bucket contains nothing else. `grants` is one share of the watcher's
    permissions to send.
    """
    in_cluster = {"ArnEquals": {"ecs:cluster": cluster_arn}}
    return document(
        [
            _logs(log_group_arn),
            allow("FindOpenRuns", ["dynamodb:Scan"], [open_index_arn]),
            allow("SettleRuns", ["dynamodb:GetItem", "dynamodb:UpdateItem"], [table_arn]),
            allow("LookAtTasks", ["ecs:DescribeTasks", "ecs:StopTask"], [_tasks(cluster_arn)], in_cluster),
            # The action has no resource, because these settings belong to the account.
            allow("ReadTaskRetirement", ["ecs:ListAccountSettings"], ["*"]),
            *_payloads(bucket_arn, results=reads_payloads),
            *_grant_statements(grants),
        ]
    )


def sending(*, grants: Sequence[Grant]) -> Document:
    """Return a further policy of the watcher, for permissions to send that do not fit into its first one."""
    return document(_grant_statements(grants))


def _grant_statements(grants: Sequence[Grant]) -> list[Statement]:
    by_sid = {sid: [arn for granted, arn in grants if granted == sid] for sid in GRANTED}
    return [allow(sid, GRANTED[sid], arns) for sid, arns in by_sid.items() if arns]


def _payloads(bucket_arn: str, *, results: bool) -> list[Statement]:
    events, bucket = f"{bucket_arn}/events/*", bucket_arn.rpartition(":")[2]
    # S3's documentation shows the copy source with and without a leading slash.
    copies = {"StringLike": {"s3:x-amz-copy-source": [f"/{bucket}/events/*", f"{bucket}/events/*"]}}
    return [
        allow("ReadPayloads", ["s3:GetObject"], [events, f"{bucket_arn}/results/*"] if results else [events]),
        allow("KeepEvents", ["s3:PutObject"], [events], copies),
        # Without ListBucket, S3 answers 403 instead of 404 for an expired object, and its run could never be settled.
        allow("TellGoneFromForbidden", ["s3:ListBucket"], [bucket_arn]),
    ]


def execution(*, repository_arn: str, log_group_arn: str) -> Document:
    """Return an execution role's policy: pull the runner image and write the container's output.

    If GuardDuty Runtime Monitoring is enabled in the account, ECS adds its agent to every task and pulls it with this
    role from AWS's own repository, whose account depends on the region:
    https://docs.aws.amazon.com/guardduty/latest/ug/ecs-runtime-agent-ecr-image-uri.html
    """
    pull = ["ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"]
    guard_duty = ":".join([*repository_arn.split(":")[:4], "*", "repository/aws-guardduty-agent-fargate"])
    return document(
        [
            # The action has no resource, because a token is valid for the whole registry.
            allow("LogIntoRegistry", ["ecr:GetAuthorizationToken"], ["*"]),
            allow("PullRunnerImage", pull, [repository_arn]),
            allow("PullGuardDutyAgent", pull, [guard_duty]),
            _logs(log_group_arn),
        ]
    )


def encrypted_transport_only(*, arn: str, service: str) -> Document:
    """Return the policy of a bucket (`s3`) or queue (`sqs`) that denies requests without TLS."""
    resources = [arn, f"{arn}/*"] if service == "s3" else [arn]
    return document([_refuse_plain_text(f"{service}:*", resources)])


def dead_letters(*, arn: str, rule_arns: Sequence[str]) -> Document:
    """Return the policy of a dead-letter queue: only these rules may send to it, and only with TLS."""
    from_rules = {"ArnEquals": {"aws:SourceArn": sorted(rule_arns)}}
    leave = allow("RulesLeaveWhatFailed", ["sqs:SendMessage"], [arn], from_rules)
    return document([{**leave, "Principal": service_of("events")}, _refuse_plain_text("sqs:*", [arn])])


def alarm_topic(*, arn: str) -> Document:
    """Return the policy of the alarm topic: alarms in its account and region may publish, and only with TLS."""
    _, partition, _, region, account, _ = arn.split(":", 5)
    alarms = {
        "ArnLike": {"aws:SourceArn": f"arn:{partition}:cloudwatch:{region}:{account}:alarm:*"},
        "StringEquals": {"aws:SourceAccount": account},
    }
    tell = allow("AlarmsTell", ["sns:Publish"], [arn], alarms)
    # A topic's policy does not accept sns:*; only publishing carries content.
    return document([{**tell, "Principal": service_of("cloudwatch")}, _refuse_plain_text("sns:Publish", [arn])])


def _refuse_plain_text(action: str, resources: Sequence[str]) -> Statement:
    return {
        "Sid": "EncryptedTransportOnly",
        "Effect": "Deny",
        "Principal": "*",
        "Action": action,
        "Resource": list(resources),
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    }


def _tasks(cluster_arn: str) -> str:
    return cluster_arn.replace(":cluster/", ":task/") + "/*"


def _logs(log_group_arn: str) -> Statement:
    return allow("WriteLog", ["logs:CreateLogStream", "logs:PutLogEvents"], [f"{log_group_arn}:*"])


def _runs(
    sid: str, actions: Sequence[str], table_arn: str, function_name: str, *, attributes: Collection[str] = ()
) -> Statement:
    # Runs of other functions are in the same table; their keys begin with those functions' names.
    condition = {"ForAllValues:StringLike": {"dynamodb:LeadingKeys": [f"{function_name}/*"]}}
    if attributes:
        # All attributes that a request names, including its key and conditions. There is no condition on
        # dynamodb:ReturnValues, because a response contains only items of the same function.
        # https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/specifying-conditions.html
        condition["ForAllValues:StringEquals"] = {"dynamodb:Attributes": sorted(attributes)}
    return allow(sid, actions, [table_arn], condition)
