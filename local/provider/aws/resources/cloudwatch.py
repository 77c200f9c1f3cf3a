"""CloudWatch alarms and dashboards."""

from __future__ import annotations

from typing import TYPE_CHECKING

from local.provider.aws.resources.shapes import present, retag, tag_list, tags_of
from local.provider.aws.schema import (
    Change,
    Naming,
    ResourceType,
    block,
    flag,
    integer,
    json_text,
    listed,
    mapping,
    number,
    text,
    unordered,
)
from local.provider.aws.session import unless_gone

if TYPE_CHECKING:
    from local.provider.aws.session import Aws
    from local.provider.aws.values import Values

_GONE = ("ResourceNotFound", "ResourceNotFoundException", "DashboardNotFoundError")
_PLAIN = {
    "actionsEnabled": "ActionsEnabled",
    "alarmActions": "AlarmActions",
    "alarmDescription": "AlarmDescription",
    "comparisonOperator": "ComparisonOperator",
    "datapointsToAlarm": "DatapointsToAlarm",
    "evaluationPeriods": "EvaluationPeriods",
    "extendedStatistic": "ExtendedStatistic",
    "insufficientDataActions": "InsufficientDataActions",
    "metricName": "MetricName",
    "name": "AlarmName",
    "namespace": "Namespace",
    "okActions": "OKActions",
    "period": "Period",
    "statistic": "Statistic",
    "threshold": "Threshold",
    "treatMissingData": "TreatMissingData",
    "unit": "Unit",
}
_QUERY = {
    "id": "Id",
    "expression": "Expression",
    "label": "Label",
    "period": "Period",
    "returnData": "ReturnData",
    "accountId": "AccountId",
}
_METRIC = {"metricName": "MetricName", "namespace": "Namespace"}
_STAT = {"period": "Period", "stat": "Stat", "unit": "Unit"}


def _dimensions(given: Values | None) -> list[Values] | None:
    return tag_list(given, "Name") or None


def _query(given: Values) -> Values:
    shape = present(**{name: given[key] for key, name in _QUERY.items()})
    metric = given["metric"]
    if metric:
        named = present(Dimensions=_dimensions(metric["dimensions"]), **{_METRIC[key]: metric[key] for key in _METRIC})
        shape["MetricStat"] = {"Metric": named, **present(**{name: metric[key] for key, name in _STAT.items()})}
    return shape


def _put(aws: Aws, given: Values) -> None:
    plain = present(**{name: given[key] for key, name in _PLAIN.items()})
    queries = [_query(each) for each in given["metricQueries"] or []] or None
    tags = tag_list(given["tags"]) or None
    aws.metrics.put_metric_alarm(
        **plain, **present(Dimensions=_dimensions(given["dimensions"]), Metrics=queries, Tags=tags)
    )


def _create(aws: Aws, given: Values) -> str:
    _put(aws, given)
    return str(given["name"])


def _told_query(found: Values) -> Values:
    query = {key: found.get(name) for key, name in _QUERY.items()}
    stat = found.get("MetricStat")
    if not stat:
        return query
    metric = {key: stat["Metric"].get(name) for key, name in _METRIC.items()}
    metric["dimensions"] = tags_of(stat["Metric"].get("Dimensions", []), "Name")
    return {**query, "metric": {**metric, **{key: stat.get(name) for key, name in _STAT.items()}}}


def _read(aws: Aws, name: str, _known: Values) -> Values | None:
    found = aws.metrics.describe_alarms(AlarmNames=[name], AlarmTypes=["MetricAlarm"])["MetricAlarms"]
    if not found:
        return None
    alarm = found[0]
    return {
        **{key: alarm.get(given) for key, given in _PLAIN.items()},
        "dimensions": tags_of(alarm.get("Dimensions", []), "Name"),
        "metricQueries": [_told_query(each) for each in alarm.get("Metrics", [])],
        "tags": tags_of(aws.metrics.list_tags_for_resource(ResourceARN=alarm["AlarmArn"])["Tags"]),
        "arn": alarm["AlarmArn"],
    }


def _update(aws: Aws, change: Change) -> None:
    if change.names - {"tags"}:
        _put(aws, {**change.new, "tags": None})
    arn = change.outputs["arn"]
    retag(
        change,
        put=lambda tags: aws.metrics.tag_resource(ResourceARN=arn, Tags=tag_list(tags)),
        remove=lambda names: aws.metrics.untag_resource(ResourceARN=arn, TagKeys=names),
    )


def _delete(aws: Aws, name: str, _known: Values) -> None:
    unless_gone(lambda: aws.metrics.delete_alarms(AlarmNames=[name]), *_GONE)


_METRIC_BLOCK = block(
    fields={
        "metricName": text(required=True),
        "namespace": text(),
        "dimensions": mapping(),
        "period": integer(),
        "stat": text(required=True),
        "unit": text(),
    }
)
METRIC_ALARM = ResourceType(
    token="aws:cloudwatch/metricAlarm:MetricAlarm",  # noqa: S106
    properties={
        "name": text(replaces=True),
        "actionsEnabled": flag(default=True),
        "alarmActions": unordered(text()),
        "alarmDescription": text(),
        "comparisonOperator": text(required=True),
        "datapointsToAlarm": integer(),
        "dimensions": mapping(),
        "evaluationPeriods": integer(required=True),
        "extendedStatistic": text(),
        "insufficientDataActions": unordered(text()),
        "metricName": text(),
        "metricQueries": listed(
            block(
                fields={
                    "id": text(required=True),
                    "accountId": text(),
                    "expression": text(),
                    "label": text(),
                    "metric": _METRIC_BLOCK,
                    "period": integer(),
                    "returnData": flag(default=False),
                }
            )
        ),
        "namespace": text(),
        "okActions": unordered(text()),
        "period": integer(),
        "statistic": text(),
        "threshold": number(),
        "treatMissingData": text(default="missing"),
        "unit": text(),
        "tags": mapping(),
    },
    outputs={"arn": ()},
    identity=("name",),
    naming=Naming(longest=255),
    create=_create,
    read=_read,
    update=_update,
    delete=_delete,
)


def _put_dashboard(aws: Aws, given: Values) -> str:
    aws.metrics.put_dashboard(DashboardName=given["dashboardName"], DashboardBody=given["dashboardBody"])
    return str(given["dashboardName"])


def _read_dashboard(aws: Aws, name: str, _known: Values) -> Values | None:
    found = unless_gone(lambda: aws.metrics.get_dashboard(DashboardName=name), *_GONE, "ResourceNotFound")
    if found is None:
        return None
    return {"dashboardName": name, "dashboardBody": found["DashboardBody"], "dashboardArn": found["DashboardArn"]}


def _update_dashboard(aws: Aws, change: Change) -> None:
    _put_dashboard(aws, change.new)


def _delete_dashboard(aws: Aws, name: str, _known: Values) -> None:
    unless_gone(lambda: aws.metrics.delete_dashboards(DashboardNames=[name]), *_GONE)


DASHBOARD = ResourceType(
    token="aws:cloudwatch/dashboard:Dashboard",  # noqa: S106
    properties={
        "dashboardName": text(required=True, replaces=True),
        "dashboardBody": json_text(required=True),
    },
    outputs={"dashboardArn": ()},
    identity=("dashboardName",),
    create=_put_dashboard,
    read=_read_dashboard,
    update=_update_dashboard,
    delete=_delete_dashboard,
)
