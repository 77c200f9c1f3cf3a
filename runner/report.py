"""The lines that frame an invocation's log, as Lambda writes them; what reads Lambda's logs reads these. Pure."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from runner.outcome import Outcome


def start(request_id: str, version: str) -> str:
    """Write the line before the handler's first."""
    return f"START RequestId: {request_id} Version: {version}\n"


def end(  # noqa: PLR0913 -- the fields of a REPORT line
    *,
    request_id: str,
    duration: float,
    init_duration: float,
    memory_mib: int,
    peak_mib: int,
    outcome: Outcome,
) -> str:
    """Write the lines after the handler's last; durations in seconds. Lambda bills nothing here: no such field."""
    fields = [
        f"REPORT RequestId: {request_id}",
        f"Duration: {duration * 1000:.2f} ms",
        f"Memory Size: {memory_mib} MB",
        f"Max Memory Used: {peak_mib} MB",
        f"Init Duration: {init_duration * 1000:.2f} ms",
    ]
    if outcome.state == "timed_out":
        fields.append("Status: timeout")
    elif outcome.error_type:
        fields += ["Status: error", f"Error Type: {outcome.error_type}"]
    fault = f"{outcome.fault}\n" if outcome.fault else ""
    return f"{fault}END RequestId: {request_id}\n" + "\t".join(fields) + "\t\n"
