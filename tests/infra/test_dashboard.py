from __future__ import annotations

import ast
import json
from typing import TYPE_CHECKING, Any

from aws_lambda_powertools.metrics import EphemeralMetrics, MetricUnit

from overtime.components.archives import SOURCES
from overtime.components.dashboard_body import ShownFunction, ShownWatcher, body
from overtime.contract import metrics

if TYPE_CHECKING:
    import pytest

    from tests.infra.conftest import Deploy
    from tests.infra.recording import Recorder

REPORT = ShownFunction(name="report", queue_name="report-queue", parking_name="report-parking")
SUMS = ShownFunction(name="sums", queue_name="sums-queue", parking_name="sums-parking")
WATCHER = ShownWatcher(name="watcher", dead_letters_name="letters")
NOT_SHOWN = {
    "RunAge",  # for the alarm on long runs, which has its own bound
    "OldestParked",  # for the alarm on messages that expire, likewise
    "DuplicateRecords",  # harmless, and a part of every busy queue
    "RecordsUnreadable",  # counted as parked in the end, which is shown
    "LaunchFailed",  # likewise
}
"""Figures that the Lambda functions write and the dashboard leaves to the metrics' own page."""


def widgets(*functions: ShownFunction, alarms: tuple[str, ...] = ()) -> list[dict[str, Any]]:
    shown = body(region="eu-west-1", functions=functions, watcher=WATCHER, alarm_arns=alarms)
    found: list[dict[str, Any]] = json.loads(json.dumps(shown))["widgets"]
    return found


def lines(found: list[dict[str, Any]]) -> dict[str, list[list[Any]]]:
    return {each["properties"]["title"]: each["properties"]["metrics"] for each in found if each["type"] == "metric"}


def test_nothing_overlaps_and_all_is_on_the_grid() -> None:
    """Every cell of the grid belongs to one widget at most, and no widget is wider than the grid."""
    cells = [
        (x, y)
        for each in widgets(REPORT, SUMS, alarms=("arn:a",))
        for x in range(each["x"], each["x"] + each["width"])
        for y in range(each["y"], each["y"] + each["height"])
    ]
    assert len(cells) == len(set(cells))
    assert {x for x, _ in cells} == set(range(24))


def test_rows() -> None:
    """Alarms come first, then a row a function, then the watcher."""
    found = widgets(REPORT, SUMS, alarms=("arn:a", "arn:b"))
    assert found[0]["properties"] == {"title": "Alarms", "alarms": ["arn:a", "arn:b"]}
    titles = [each["properties"]["markdown"] for each in found if each["type"] == "text"]
    assert titles == ["## report", "## sums", "## watcher"]
    graphs = ["Runs", "Failure queue", "From failure to handler start", "Run duration"]
    assert [each["properties"]["title"] for each in found if each["type"] == "metric"] == [
        *graphs,
        *graphs,
        "Invocations",
        "Duration",
        "Dead letters",
    ]


def test_no_row_for_no_alarms() -> None:
    """CloudWatch refuses an alarm widget without alarms."""
    assert [each["type"] for each in widgets(REPORT)].count("alarm") == 0
    assert widgets(REPORT)[0]["y"] == 0


def test_many_alarms_are_in_several_widgets() -> None:
    """CloudWatch takes a hundred alarms in one, and none is left out."""
    arns = tuple(f"arn:{number}" for number in range(250))
    shown = [each["properties"]["alarms"] for each in widgets(REPORT, alarms=arns) if each["type"] == "alarm"]
    assert [len(each) for each in shown] == [100, 100, 50]
    assert [arn for each in shown for arn in each] == list(arns)


def test_two_functions_fit_into_a_dashboard_that_costs_nothing() -> None:
    """An account's first three are free, with at most 50 metrics each."""
    drawn = {tuple(line[:-1]) for graph in widgets(REPORT, SUMS) for line in graph["properties"].get("metrics", [])}
    assert len(drawn) <= 50


def test_graphs_of_a_function() -> None:
    """A function's graphs show what became of its runs, how old its records are, and how long runs waited and took."""
    shown = lines(widgets(REPORT))

    def figure(name: str, part: str, options: dict[str, str]) -> list[object]:
        return ["overtime", name, "function_name", "report", "service", part, options]

    assert shown["Runs"] == [
        figure("RunsStarted", "dispatcher", {"label": "started"}),
        figure("RunsSucceeded", "watcher", {"label": "succeeded"}),
        figure("RunsFailed", "watcher", {"label": "failed or timed out"}),
        figure("RunsTimedOut", "watcher", {"label": "timed out"}),
        figure("RunsFailedByPlatform", "watcher", {"label": "failed by the platform"}),
        figure("DestinationDeliveryFailures", "watcher", {"label": "rejected by a destination"}),
        figure("RunsCancelled", "watcher", {"label": "cancelled"}),
        figure("RunsRelaunched", "watcher", {"label": "relaunched"}),
        figure("RunsHeld", "dispatcher", {"label": "deferred"}),
        figure("RunsSkipped", "dispatcher", {"label": "skipped"}),
        figure("RunsParked", "dispatcher", {"label": "parked"}),
        figure("RunsWaiting", "watcher", {"label": "waiting"}),
    ]
    assert [(line[1], line[3]) for line in shown["Failure queue"]] == [
        ("ApproximateAgeOfOldestMessage", "report-queue"),
        ("ApproximateNumberOfMessagesVisible", "report-queue"),
        ("ApproximateNumberOfMessagesVisible", "report-parking"),
    ]
    waits = shown["From failure to handler start"].pop()
    for title, name in (
        ("From failure to handler start", "FailureToHandlerStart"),
        ("Run duration", "RunDuration"),
    ):
        assert [(line[1], line[5], line[6]["stat"]) for line in shown[title]] == [
            (name, "watcher", "p50"),
            (name, "watcher", "Maximum"),
        ]
    assert waits[1] == "LongestWait"
    own = ["function_name", "watcher", "service", "watcher"]
    assert lines(widgets())["Invocations"][-2:] == [
        ["overtime", "RunsLeft", *own, {"label": "runs not processed"}],
        ["overtime", "ItemsUnreadable", *own, {"label": "unreadable items"}],
    ]


def written(part: str) -> set[metrics.Metric]:
    """Find the metrics that a function's code names, such as `metrics.RUNS_STARTED`."""
    return {
        getattr(metrics, node.attr)
        for file in (SOURCES / "lambdas" / part).glob("*.py")
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "metrics"
        if isinstance(getattr(metrics, node.attr), metrics.Metric)
    }


def test_every_metric_is_written_by_the_function_that_is_named_and_shown() -> None:
    """What the graphs show is written, and what is written is shown, apart from a few."""
    ours = [line for graph in lines(widgets(REPORT)).values() for line in graph if line[0] == "overtime"]
    shown = {(line[1], line[5]) for line in ours}
    defined = {each for each in vars(metrics).values() if isinstance(each, metrics.Metric)}
    by_itself = {each for part in metrics.Service for each in written(part) if each.service is part}
    assert by_itself == defined
    assert shown <= {(each.name, each.service) for each in defined}
    assert {each.name for each in defined if (each.name, each.service) not in shown} == NOT_SHOWN


def test_dimensions_are_those_that_are_written(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """With the variables that the program sets, the library writes the dimensions that graphs and alarms ask for."""
    for name, value in metrics.Service.WATCHER.variables().items():
        monkeypatch.setenv(name, value)
    figures = EphemeralMetrics()
    figures.add_dimension("function_name", "report")
    figures.add_metric("RunDuration", MetricUnit.Seconds, 1)
    figures.flush_metrics()

    emf = json.loads(capsys.readouterr().out)
    [directive] = emf["_aws"]["CloudWatchMetrics"]
    [dimensions] = directive["Dimensions"]
    assert directive["Namespace"] == metrics.NAMESPACE
    assert {name: emf[name] for name in dimensions} == metrics.RUN_DURATION.dimensions("report")


def test_dashboard(deploy: Deploy, recorder: Recorder) -> None:
    """A stack has one, named after it, with its functions, watcher and alarms."""
    outputs = deploy({"report": {}, "sums": {}})

    [dashboard] = recorder.all("Dashboard")[-1:]
    found = json.loads(recorder.inputs("cloudwatch/dashboard:Dashboard", dashboard.name)["dashboardBody"])["widgets"]
    assert dashboard.inputs["dashboardName"] == outputs["dashboard_name"] == "overtime-test"
    assert sorted(found[0]["properties"]["alarms"]) == sorted(
        f"arn:aws:cloudwatch:eu-west-1:123456789012:alarm:{each.inputs['name']}" for each in recorder.all("MetricAlarm")
    )
    titles = [each["properties"]["markdown"] for each in found if each["type"] == "text"]
    assert titles == ["## overtime-test-report", "## overtime-test-sums", "## overtime-test-watcher"]
    assert {each["properties"]["region"] for each in found if each["type"] == "metric"} == {"eu-west-1"}
    assert "report-parking-0a1b2c3" in json.dumps(found)
    assert "overtime-watcher-dead-letters-0a1b2c3" in json.dumps(found)


def test_no_dashboard(deploy: Deploy, recorder: Recorder) -> None:
    """Switched off there is none; without alarms it shows none."""
    outputs = deploy(dashboard={"enabled": False})

    assert recorder.all("cloudwatch/dashboard:Dashboard") == []
    assert "dashboard_name" not in outputs


def test_dashboard_without_alarms(deploy: Deploy, recorder: Recorder) -> None:
    """Without alarms there is no row for them."""
    deploy(alarms={"enabled": False})

    text = recorder.inputs("cloudwatch/dashboard:Dashboard", "overtime-dashboard-dashboard")["dashboardBody"]
    assert [each["type"] for each in json.loads(text)["widgets"]].count("alarm") == 0
