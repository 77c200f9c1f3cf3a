"""The description of an alarm: the function, the meaning, and links to the manual, dashboard and logs. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from overtime.contract import partitions

if TYPE_CHECKING:
    from overtime.components.alarm import Alarm

MANUAL = "docs/operating.md"
LONGEST_DESCRIPTION = 1024
"""https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutMetricAlarm.html"""


@dataclass(frozen=True, kw_only=True)
class Place:
    """What the links in a stack's alarms depend on."""

    partition: str
    region: str
    dashboard_name: str | None
    """The stack's dashboard, if there is one."""
    manual_url: str | None
    """URL of the manual, if set."""


def description(alarm: Alarm, place: Place) -> str:
    """Return the description of an alarm, which is part of every notification.

    If the names are too long for all links, the one to the dashboard is omitted.
    """
    whole = _text(alarm, place)
    return whole if len(whole) <= LONGEST_DESCRIPTION else _text(alarm, replace(place, dashboard_name=None))


def _text(alarm: Alarm, place: Place) -> str:
    manual = f"{place.manual_url or MANUAL}#{alarm.key}"
    return "\n".join([f"{alarm.about}: {alarm.meaning}", f"What to do: {manual}", *_console(alarm, place)])


def _console(alarm: Alarm, place: Place) -> list[str]:
    partition = partitions.named(place.partition)
    if partition is None or partition.console is None:
        return []
    start = f"https://{place.region}.{partition.console}/cloudwatch/home?region={place.region}"
    sources = "".join(f"~'{_encoded(each)}" for each in alarm.question.log_groups)
    query = (
        "~(end~0~start~-10800~timeType~'RELATIVE~unit~'seconds"
        f"~editorString~'{_encoded(alarm.question.query)}~source~({sources}))"
    )
    dashboard = (
        [] if place.dashboard_name is None else [f"Dashboard: {start}#dashboards/dashboard/{place.dashboard_name}"]
    )
    return [*dashboard, f"Logs: {start}#logsV2:logs-insights$3FqueryDetail$3D{query}"]


def _encoded(text: str) -> str:
    """Return a text encoded as in the console's own links."""
    return re.sub(r"[^A-Za-z0-9_.-]", lambda found: f"*{ord(found[0]):02x}", text)
