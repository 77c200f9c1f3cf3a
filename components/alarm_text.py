"""What an alarm says to whoever is woken: whose it is, what it means, and where to look and to read on. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from overtime.contract import partitions

if TYPE_CHECKING:
    from overtime.components.alarm_definitions import Alarm

MANUAL = "docs/operating.md"
LONGEST_DESCRIPTION = 1024
"""https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutMetricAlarm.html"""


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where the links of a stack's alarms lead."""

    partition: str
    region: str
    dashboard_name: str | None
    """The stack's dashboard, if there is one."""
    manual_url: str | None
    """Where people read the manual on the web, if that was said."""


def description(alarm: Alarm, place: Place) -> str:
    """Write the description of an alarm, which is part of every notification.

    With the longest names there is no room for all links, and the dashboard's is the one that can be done without.
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
    """Write a text as the console does in its own links."""
    return re.sub(r"[^A-Za-z0-9_.-]", lambda found: f"*{ord(found[0]):02x}", text)
