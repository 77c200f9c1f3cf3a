"""The START, END and REPORT lines of an invocation's log, in Lambda's format, for tools that parse it. Pure.

If the function's log format is JSON, they are the events of Lambda's Telemetry API (platform.start, platform.report).
Both omit the billed duration, because Lambda bills nothing here.
"""

from __future__ import annotations

import json

from overtime.contract.runs import timestamp

TYPE_CHECKING = False
if TYPE_CHECKING:
    from overtime.runner.outcome import Outcome


class Report:
    """Formats one invocation's lines; durations are in seconds, `now` in seconds since the epoch."""

    def __init__(self, request_id: str, version: str, *, log_format: str) -> None:
        self._request_id, self._version = request_id, version
        self._json = log_format == "JSON"

    def start(self, now: float) -> str:
        """Return the line before the handler's first one."""
        if self._json:
            return _platform(now, "start", {"requestId": self._request_id, "version": self._version})
        return f"START RequestId: {self._request_id} Version: {self._version}\n"

    def end(  # noqa: PLR0913 -- the fields of a REPORT line
        self,
        now: float,
        outcome: Outcome,
        *,
        duration: float,
        init_duration: float,
        memory_mib: int,
        peak_mib: int,
    ) -> str:
        """Return the lines after the handler's last one."""
        status = "timeout" if outcome.state == "timed_out" else "error" if outcome.error_type else "success"
        metrics = {
            "durationMs": round(duration * 1000, 2),
            "memorySizeMB": memory_mib,
            "maxMemoryUsedMB": peak_mib,
            "initDurationMs": round(init_duration * 1000, 2),
        }
        if not self._json:
            return self._text(outcome, status, metrics)
        record: dict[str, object] = {"requestId": self._request_id, "metrics": metrics, "status": status}
        if status == "error":
            record["errorType"] = outcome.error_type
        return self._fault(now, outcome) + _platform(now, "report", record)

    def _text(self, outcome: Outcome, status: str, metrics: dict[str, float]) -> str:
        fields = [
            f"REPORT RequestId: {self._request_id}",
            f"Duration: {metrics['durationMs']:.2f} ms",
            f"Memory Size: {metrics['memorySizeMB']} MB",
            f"Max Memory Used: {metrics['maxMemoryUsedMB']} MB",
            f"Init Duration: {metrics['initDurationMs']:.2f} ms",
        ]
        if status != "success":
            fields.append(f"Status: {status}")
        if status == "error":
            fields.append(f"Error Type: {outcome.error_type}")
        fault = f"{outcome.fault}\n" if outcome.fault else ""
        return f"{fault}END RequestId: {self._request_id}\n" + "\t".join(fields) + "\t\n"

    def _fault(self, now: float, outcome: Outcome) -> str:
        """Return an error that the runtime could not report itself, in the form in which it reports errors."""
        if not outcome.fault:
            return ""
        error = {"errorType": outcome.error_type, "errorMessage": outcome.fault, "requestId": self._request_id}
        return json.dumps({"timestamp": timestamp(now), "level": "ERROR", **error}) + "\n"


def _platform(now: float, kind: str, record: dict[str, object]) -> str:
    return json.dumps({"time": timestamp(now), "type": f"platform.{kind}", "record": record}) + "\n"
