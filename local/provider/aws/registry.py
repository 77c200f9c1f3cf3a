"""All resource types by their token."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

from local.errors import LocalError
from local.provider.aws.resources import (
    capacity,
    cloudwatch,
    dynamodb,
    ecr,
    ecs,
    event_targets,
    events,
    iam,
    iam_policies,
    lambda_,
    lambda_events,
    lambda_layers,
    lambda_permission,
    lambda_recursion,
    logs,
    network,
    routes,
    s3,
    s3_objects,
    s3_settings,
    security,
    sns,
    sqs,
)

if TYPE_CHECKING:
    from local.provider.aws.schema import ResourceType

_ALL = (
    capacity.CLUSTER_CAPACITY_PROVIDERS,
    cloudwatch.DASHBOARD,
    cloudwatch.METRIC_ALARM,
    dynamodb.TABLE,
    ecr.LIFECYCLE_POLICY,
    ecr.REPOSITORY,
    ecs.CLUSTER,
    ecs.TASK_DEFINITION,
    event_targets.EVENT_TARGET,
    events.EVENT_BUS,
    events.EVENT_RULE,
    iam.ROLE,
    iam.ROLE_POLICY,
    iam.ROLE_POLICY_ATTACHMENT,
    iam_policies.POLICY,
    lambda_.FUNCTION,
    lambda_events.EVENT_INVOKE_CONFIG,
    lambda_events.EVENT_SOURCE_MAPPING,
    lambda_layers.LAYER_VERSION,
    lambda_permission.PERMISSION,
    lambda_recursion.FUNCTION_RECURSION_CONFIG,
    logs.LOG_GROUP,
    network.INTERNET_GATEWAY,
    network.SUBNET,
    network.VPC,
    routes.ROUTE,
    routes.ROUTE_TABLE,
    routes.ROUTE_TABLE_ASSOCIATION,
    s3.BUCKET,
    s3_settings.BUCKET_ENCRYPTION,
    s3_settings.BUCKET_LIFECYCLE,
    s3_settings.BUCKET_POLICY,
    s3_settings.BUCKET_PUBLIC_ACCESS_BLOCK,
    s3_settings.BUCKET_VERSIONING,
    s3_objects.OBJECT,
    security.EGRESS_RULE,
    security.SECURITY_GROUP,
    sns.TOPIC,
    sns.TOPIC_POLICY,
    sqs.QUEUE,
    sqs.QUEUE_POLICY,
    sqs.REDRIVE_ALLOW_POLICY,
)
TYPES = MappingProxyType({resource.token: resource for resource in _ALL})


def type_of(token: str) -> ResourceType:
    """Find a resource type.

    Raises:
        LocalError: it is not among those that the program uses.

    """
    if token not in TYPES:
        raise LocalError(
            f"The local provider makes no {token}; it makes {', '.join(sorted(TYPES))}. Use the genuine aws plugin, "
            "or add the type to local/provider/aws/resources."
        )
    return TYPES[token]
