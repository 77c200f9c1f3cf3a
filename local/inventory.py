"""What an account holds, service by service: after `destroy` it must be what it was before."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    import boto3

    Inventory = dict[str, list[str]]


def inventory(session: boto3.Session) -> Inventory:
    """List names by kind, only those kinds of which there are any."""
    found = {kind: sorted(names(session)) for kind, names in KINDS.items()}
    return {kind: names for kind, names in found.items() if names}


def _functions(session: boto3.Session) -> Iterable[str]:
    pages = session.client("lambda").get_paginator("list_functions").paginate()
    return [each["FunctionName"] for page in pages for each in page["Functions"]]


def _event_sources(session: boto3.Session) -> Iterable[str]:
    return [each["UUID"] for each in session.client("lambda").list_event_source_mappings()["EventSourceMappings"]]


def _recursion_configs(session: boto3.Session) -> Iterable[str]:
    """Name the functions that loops may lead back to; the others have what every function has."""
    client = session.client("lambda")
    found = {name: client.get_function_recursion_config(FunctionName=name) for name in _functions(session)}
    return [name for name, config in found.items() if config["RecursiveLoop"] != "Terminate"]


def _layers(session: boto3.Session) -> Iterable[str]:
    return [each["LayerName"] for each in session.client("lambda").list_layers()["Layers"]]


def _queues(session: boto3.Session) -> Iterable[str]:
    return session.client("sqs").list_queues().get("QueueUrls", [])


def _tables(session: boto3.Session) -> Iterable[str]:
    return session.client("dynamodb").list_tables()["TableNames"]


def _buckets(session: boto3.Session) -> Iterable[str]:
    return [each["Name"] for each in session.client("s3").list_buckets()["Buckets"]]


def _roles(session: boto3.Session) -> Iterable[str]:
    pages = session.client("iam").get_paginator("list_roles").paginate()
    return [each["RoleName"] for page in pages for each in page["Roles"]]


def _policies(session: boto3.Session) -> Iterable[str]:
    pages = session.client("iam").get_paginator("list_policies").paginate(Scope="Local")
    return [each["PolicyName"] for page in pages for each in page["Policies"]]


def _repositories(session: boto3.Session) -> Iterable[str]:
    return [each["repositoryName"] for each in session.client("ecr").describe_repositories()["repositories"]]


def _clusters(session: boto3.Session) -> Iterable[str]:
    ecs = session.client("ecs")
    active = ecs.describe_clusters(clusters=ecs.list_clusters()["clusterArns"])["clusters"]
    return [each["clusterName"] for each in active if each["status"] == "ACTIVE"]


def _task_definitions(session: boto3.Session) -> Iterable[str]:
    return session.client("ecs").list_task_definitions(status="ACTIVE")["taskDefinitionArns"]


def _tasks(session: boto3.Session) -> Iterable[str]:
    ecs = session.client("ecs")
    return [task for each in ecs.list_clusters()["clusterArns"] for task in ecs.list_tasks(cluster=each)["taskArns"]]


def _log_groups(session: boto3.Session) -> Iterable[str]:
    pages = session.client("logs").get_paginator("describe_log_groups").paginate()
    return [each["logGroupName"] for page in pages for each in page["logGroups"]]


def _vpcs(session: boto3.Session) -> Iterable[str]:
    return [each["VpcId"] for each in session.client("ec2").describe_vpcs()["Vpcs"]]


def _subnets(session: boto3.Session) -> Iterable[str]:
    return [each["SubnetId"] for each in session.client("ec2").describe_subnets()["Subnets"]]


def _gateways(session: boto3.Session) -> Iterable[str]:
    found = session.client("ec2").describe_internet_gateways()["InternetGateways"]
    return [each["InternetGatewayId"] for each in found]


def _route_tables(session: boto3.Session) -> Iterable[str]:
    return [each["RouteTableId"] for each in session.client("ec2").describe_route_tables()["RouteTables"]]


def _security_groups(session: boto3.Session) -> Iterable[str]:
    return [each["GroupId"] for each in session.client("ec2").describe_security_groups()["SecurityGroups"]]


def _event_buses(session: boto3.Session) -> Iterable[str]:
    return [each["Name"] for each in session.client("events").list_event_buses()["EventBuses"]]


def _event_rules(session: boto3.Session) -> Iterable[str]:
    """Name the rules, but not those that AWS's services make for themselves."""
    client = session.client("events")
    rules = [rule for bus in _event_buses(session) for rule in client.list_rules(EventBusName=bus)["Rules"]]
    return [f"{rule['EventBusName']}/{rule['Name']}" for rule in rules if not rule.get("ManagedBy")]


def _alarms(session: boto3.Session) -> Iterable[str]:
    found = session.client("cloudwatch").describe_alarms(AlarmTypes=["MetricAlarm", "CompositeAlarm"])
    return [each["AlarmName"] for each in (*found["MetricAlarms"], *found["CompositeAlarms"])]


def _dashboards(session: boto3.Session) -> Iterable[str]:
    return [each["DashboardName"] for each in session.client("cloudwatch").list_dashboards()["DashboardEntries"]]


def _topics(session: boto3.Session) -> Iterable[str]:
    return [each["TopicArn"] for each in session.client("sns").list_topics()["Topics"]]


KINDS: Mapping[str, Callable[[boto3.Session], Iterable[str]]] = {
    "lambda functions": _functions,
    "lambda event source mappings": _event_sources,
    "lambda recursion configs": _recursion_configs,
    "lambda layers": _layers,
    "sqs queues": _queues,
    "dynamodb tables": _tables,
    "s3 buckets": _buckets,
    "iam roles": _roles,
    "iam policies": _policies,
    "ecr repositories": _repositories,
    "ecs clusters": _clusters,
    "ecs task definitions": _task_definitions,
    "ecs tasks": _tasks,
    "log groups": _log_groups,
    "event buses": _event_buses,
    "event rules": _event_rules,
    "cloudwatch alarms": _alarms,
    "cloudwatch dashboards": _dashboards,
    "sns topics": _topics,
    "vpcs": _vpcs,
    "subnets": _subnets,
    "internet gateways": _gateways,
    "route tables": _route_tables,
    "security groups": _security_groups,
}
