"""CloudWatch alarms: which metric they look at, for how long, and what they make of periods without data."""

from __future__ import annotations

import operator
import threading
import time
from types import MappingProxyType
from typing import TYPE_CHECKING

from local.emulator.patches.patching import Answer, Record, module, original, replace

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

EVALUATION_SECONDS = 2
"""How often alarms are evaluated; AWS does it each minute."""
_BREACHES: Mapping[str, Callable[[float, float], bool]] = MappingProxyType(
    {
        "GreaterThanOrEqualToThreshold": operator.ge,
        "GreaterThanThreshold": operator.gt,
        "LessThanOrEqualToThreshold": operator.le,
        "LessThanThreshold": operator.lt,
    }
)


class DimensionSet(dict[str, str]):
    """Dimensions that are there although there is none."""

    def __bool__(self) -> bool:
        return True


def state_of(alarm: Mapping[str, object], values: Sequence[float | None]) -> str:
    """Say an alarm's state from the values of its evaluation periods, None where there were no data.

    CloudWatch user guide, "Evaluating an alarm" and "Configuring how CloudWatch alarms treat missing data".
    """
    missing = alarm.get("TreatMissingData") or "missing"
    present = [value for value in values if value is not None]
    if not present and missing in ("missing", "ignore"):
        return "INSUFFICIENT_DATA" if missing == "missing" else str(alarm["StateValue"])
    breaches = _BREACHES[str(alarm["ComparisonOperator"])]
    threshold, needed = float(str(alarm["Threshold"])), int(str(alarm.get("DatapointsToAlarm") or len(values)))
    count = sum(breaches(value, threshold) for value in present)
    # A single missing period neither breaches nor clears, unless the alarm says that it breaches.
    if missing == "breaching":
        count += len(values) - len(present)
    elif missing in ("missing", "ignore"):
        needed = min(needed, len(present))
    return "ALARM" if count >= needed else "OK"


def tell_dimension_sets_apart() -> None:
    """Make a metric without dimensions another one than those of the same name with dimensions.

    CloudWatch user guide, "Metrics concepts", dimensions: every set of them is a metric of its own.
    """
    metrics = module("services.cloudwatch")
    inner = original(metrics, "_dims_from_list")

    def dimensions(pairs: list[Record]) -> DimensionSet:
        return DimensionSet(inner(pairs))

    replace(metrics, "_dims_from_list", dimensions)


def keep_metric_math() -> None:
    """Keep an alarm's `Metrics`, and tell no statistic and period that were not given (API reference, MetricAlarm)."""
    metrics = module("services.cloudwatch")
    inner = original(metrics, "_put_metric_alarm")

    def put(params: Record, data: Record, is_cbor: bool, is_json: bool = False) -> Answer:  # noqa: FBT001, FBT002
        answer: Answer = inner(params, data, is_cbor, is_json)
        alarm = metrics._alarms.get((data or {}).get("AlarmName"))  # noqa: SLF001
        if alarm and data.get("Metrics"):
            alarm["Metrics"] = data["Metrics"]
            for name in ("Statistic", "Period", "MetricName", "Namespace"):
                alarm.pop(name, None)
        return answer

    replace(metrics, "_put_metric_alarm", put)


def evaluate_alarms_by_their_own_metric() -> None:
    """Evaluate an alarm on its own dimensions, M out of N periods, and again as time goes by."""
    metrics = module("services.cloudwatch")

    def evaluate(alarm: Record) -> None:
        if not alarm.get("MetricName") or alarm["ComparisonOperator"] not in _BREACHES:
            return  # metric math and anomaly detection are not evaluated here
        old, new = alarm["StateValue"], state_of(alarm, _values(alarm, time.time()))
        if old == new:
            return
        reason = f"{alarm['MetricName']} {alarm['ComparisonOperator']} {alarm['Threshold']}: {new}"
        alarm.update(StateValue=new, StateReason=reason, StateUpdatedTimestamp=int(time.time()))
        metrics._record_history(alarm["AlarmName"], old, new, reason)  # noqa: SLF001
        metrics._dispatch_alarm_actions(alarm, old, new, reason)  # noqa: SLF001
        metrics._evaluate_parent_alarms(alarm)  # noqa: SLF001

    replace(metrics, "_evaluate_alarm", evaluate)
    threading.Thread(target=_evaluate_again, args=(evaluate,), daemon=True).start()


def _values(alarm: Record, now: float) -> list[float | None]:
    metrics = module("services.cloudwatch")
    dimensions = {pair["Name"]: pair["Value"] for pair in alarm.get("Dimensions") or []}
    key = (alarm["Namespace"], alarm["MetricName"], metrics._dims_key(dimensions))  # noqa: SLF001
    points: list[Record] = list(metrics._metrics.get(key) or [])  # noqa: SLF001
    period, statistic = int(alarm["Period"]), alarm.get("ExtendedStatistic") or alarm["Statistic"]
    values: list[float | None] = []
    for number in range(int(alarm["EvaluationPeriods"])):
        end = now - number * period
        inside = [point for point in points if end - period <= point["Timestamp"] <= end]
        stats = metrics._calc_stats(inside) if inside else None  # noqa: SLF001
        values.append(metrics._stat_value(stats, statistic, inside) if stats else None)  # noqa: SLF001
    return values


def _evaluate_again(evaluate: Callable[[Record], None]) -> None:
    metrics, responses = module("services.cloudwatch"), module("core.responses")
    while True:
        time.sleep(EVALUATION_SECONDS)
        for (account, region, _name), alarm in metrics._alarms.all_items():  # noqa: SLF001
            with responses.request_scope(account, region):
                evaluate(alarm)


PATCHES = (tell_dimension_sets_apart, keep_metric_math, evaluate_alarms_by_their_own_metric)
