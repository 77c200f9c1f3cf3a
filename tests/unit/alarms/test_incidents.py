"""Which alarm tells of what, and when: the program's own alarms, on metrics that its own functions wrote.

.venv/bin/pytest -s tests/unit/alarms/test_incidents.py -k table
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import pytest

from local.demo.table import table
from overtime.components import function_alarms, watcher_alarms
from overtime.components.alarm import PERIOD_SECONDS
from tests.doubles.world import World
from tests.unit.alarms.cloudwatch import Metrics, notified
from tests.unit.alarms.incidents import INCIDENTS, Incident
from tests.unit.alarms.stage import FUNCTION, WATCHER, Stage, Told

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_s3 import S3Client

BEFORE = 30
"""Minutes in which nothing happens."""
BY_WHAT = {each.what: each for each in INCIDENTS}
_written: dict[str, Told] = {}
ALARMS = [
    *function_alarms.of_function(
        FUNCTION,
        queue_name="failures",
        watcher_name=WATCHER,
        longest_run=12 * 3600,
        longest_wait=3600,
        has_destinations=True,
        skipped=True,
    ),
    *watcher_alarms.of_watcher(WATCHER, dead_letters_name="letters"),
]
Raised = list[tuple[str, int]]
"""Alarms that went to ALARM, and after how many minutes."""


@pytest.fixture(params=BY_WHAT)
def incident(request: pytest.FixtureRequest) -> Incident:
    return BY_WHAT[request.param]


@pytest.fixture
def stage(dynamodb: DynamoDBClient, s3: S3Client, monkeypatch: pytest.MonkeyPatch) -> Stage:
    return Stage(World(dynamodb, s3), monkeypatch)


def written(incident: Incident, stage: Stage) -> Told:
    """Let it happen, once for all tests; times begin with the incident."""
    if incident.what in _written:
        return _written[incident.what]
    for minute in range(-BEFORE, incident.minutes):
        if minute == 0:
            incident.begin(stage)
        elif minute in incident.at:
            incident.at[minute](stage)
        stage.minute()
    beginning = stage.start + BEFORE * 60
    _written[incident.what] = Told(
        Metrics().merged(stage.told.in_rounds, later=-beginning),
        Metrics().merged(stage.told.else_where, later=-beginning),
    )
    return _written[incident.what]


def raised(metrics: Metrics, minutes: int) -> Raised:
    period = PERIOD_SECONDS
    found = notified(ALARMS, metrics, start=-5 * 60, end=minutes * 60, period=period)
    return [(alarm.key, round(at / 60)) for at, alarm in found]


def alone(incident: Incident, stage: Stage) -> Raised:
    told = written(incident, stage)
    return raised(told.in_rounds.merged(told.else_where, later=0), incident.minutes - 1)


def test_which_alarms_an_incident_raises_and_when(incident: Incident, stage: Stage) -> None:
    """Those and no others, each once, within minutes of when it can be known."""
    found = alone(incident, stage)
    assert sorted(key for key, _ in found) == sorted(incident.raises)
    for key, minute in found:
        first, last = incident.raises[key]
        assert first <= minute <= last, (key, minute)


@pytest.mark.parametrize(
    "what", ["handler fails", "platform fails", "destination dead", "parked by exception", "lost event"]
)
def test_the_same_again_is_told_again(what: str, stage: Stage) -> None:
    """What happened is over within a quarter of an hour, whatever is still on a queue."""
    told = written(BY_WHAT[what], stage)
    once = told.else_where.merged(told.in_rounds, later=0)
    if what == "destination dead":  # each round tries it again, until it is mended
        once = told.else_where
    [(key, first)] = [each for each in raised(once, 29) if each[0] != "watcher-silent"]
    again = [each for each in raised(once.merged(once, later=30 * 60), 59) if each[0] != "watcher-silent"]
    assert again == [(key, first), (key, first + 30)]


def test_parked_messages_are_told_of_before_they_go(stage: Stage) -> None:
    """However often they are looked at, the watcher tells by when the oldest was sent, which a later one hides not."""
    day, hours = 86_400, 6
    stage.world.fail("r-1")
    stage.world.park()
    for round_ in range(13 * 24 // hours):
        if round_ == 20:
            stage.world.fail("r-2")
            stage.world.park()
        stage.round()
        stage.world.now += hours * 3600
    expiring = [each for each in ALARMS if each.key == "expiring"]
    ages = Metrics().merged(stage.told.in_rounds, later=-stage.start)
    [(at, _)] = notified(expiring, ages, start=0, end=13 * day, period=hours * 3600)
    assert 11 * day < at < 11.5 * day


def both(first: Incident, second: Incident, told: dict[str, Told], later: int) -> Metrics:
    """Give the metrics of two incidents, the second so many minutes after the first."""
    one, other = told[first.what], told[second.what]
    metrics = one.else_where.merged(other.else_where, later=60 * later)
    rounds = one.in_rounds
    if "watcher-silent" in second.raises:
        rounds = Metrics(
            {series: [each for each in values if each[0] < 60 * later] for series, values in rounds.values.items()}
        )
    metrics = metrics.merged(rounds, later=0)
    return metrics if "watcher-silent" in first.raises else metrics.merged(other.in_rounds, later=60 * later)


def test_the_table_and_a_second_incident(dynamodb: DynamoDBClient, s3: S3Client) -> None:
    """While the alarm of one incident lasts, one of another kind raises its own.

    Except for what only a round of the watcher sees, while there are none; of that the alarm on its silence speaks.
    """
    told, rows = {}, []
    heard: dict[bool, int] = {True: 0, False: 0}
    for each in INCIDENTS:
        with pytest.MonkeyPatch.context() as patch:
            world = World(dynamodb, s3, name=FUNCTION)
            stage = Stage(world, patch)
            found = alone(each, stage)
            told[each.what] = _written[each.what]
        for item in dynamodb.scan(TableName="runs")["Items"]:
            dynamodb.delete_item(TableName="runs", Key={"run_key": item["run_key"]})
        rows.append((each.what, ", ".join(f"{key} after {minute} min" for key, minute in found)))
    for first, second in itertools.permutations(INCIDENTS, 2):
        later = max(last for _, last in first.raises.values()) + 2
        lasts = {*first.raises} if first.what == "detached mapping" else set()
        own = {*second.raises} - lasts
        minutes = later + second.minutes - 1
        found = raised(both(first, second, told, later), minutes)
        news = {key for key, minute in found if minute >= later} & own
        unseen = second.in_rounds if "watcher-silent" in first.raises else frozenset()
        assert news == own - unseen, (first.what, second.what, found)
        heard[bool(news)] += 1
    print("\n" + table(("incident", "alarms that go to ALARM"), rows))  # noqa: T201 -- with -s
    print(f"a second incident of another kind was told in {heard[True]} pairs; in {heard[False]} no round of the")  # noqa: T201
    print("watcher was there to see it, and watcher-silent spoke instead")  # noqa: T201 -- likewise
