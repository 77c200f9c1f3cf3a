"""Notifies the destination of a run that has ended, with a record of Lambda's form."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from overtime.contract import metrics
from overtime.contract.destinations import LARGEST_RECORD, kind_of
from overtime.contract.functions_table import FunctionSettings
from overtime.contract.runs import RunState
from overtime.lambdas.watcher import destination_record
from overtime.lambdas.watcher.destinations import Delivery, DeliveryError
from overtime.ledger.answers import ObjectGoneError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from overtime.lambdas.watcher.destinations import Destinations
    from overtime.lambdas.watcher.meter import Meter
    from overtime.ledger.run import Run
    from overtime.ledger.store import RunLedger

_GIVE_UP_SECONDS = 86_400
"""After this time, the watcher stops retrying a destination that rejects a record, as Lambda does."""
NO_DESTINATION, UNDELIVERABLE = "no destination", "undeliverable"


@dataclass(frozen=True, kw_only=True)
class Owners:
    """Notifies the destinations of a stack's functions."""

    functions: Mapping[str, FunctionSettings]
    ledger: RunLedger
    destinations: Destinations
    meter: Meter
    failed: Callable[[str, Exception], None]
    """Called for each run whose destination could not be notified."""
    clock: Callable[[], float]

    def tell(self, run: Run) -> str | None:
        """Notify the run's destination; return the ledger's `notified`, or None if the record must be sent again."""
        function = self.functions.get(run.key.function_name, FunctionSettings())
        arn = function.on_success if run.state is RunState.SUCCEEDED else function.on_failure
        if arn is None:
            return NO_DESTINATION
        try:
            self.destinations.send(arn, self._delivery(run, function, arn))
        except DeliveryError as error:
            self.meter.measure(run.key.function_name, metrics.DESTINATION_DELIVERY_FAILURES)
            self.failed(str(run.key), error)
            ended = (run.finished_at or run.updated_at).timestamp()
            return None if self.clock() - ended < _GIVE_UP_SECONDS else UNDELIVERABLE
        return arn

    def _delivery(self, run: Run, function: FunctionSettings, arn: str) -> Delivery:
        function_arn = function.function_arn or run.key.function_name
        write = partial(
            destination_record.record, run, function_arn=function_arn, lambda_attempts=function.lambda_attempts
        )
        whole = without_payloads = write(event=None, result=None, payloads=False)
        kind = kind_of(arn)
        # Payloads that no record has room for are not even read.
        if run.event_size + (run.result_size or 0) <= (kind.largest if kind else LARGEST_RECORD):
            event = _unless_gone(lambda: self.ledger.event(run.key))
            result = None if run.result_size is None else _unless_gone(lambda: self.ledger.result(run))
            whole = write(event=event, result=result)
        return Delivery(
            key=run.key,
            function_arn=function_arn,
            succeeded=run.state is RunState.SUCCEEDED,
            record=whole,
            without_payloads=without_payloads,
        )


def _unless_gone(read_object: Callable[[], bytes]) -> bytes | None:
    try:
        return read_object()
    except ObjectGoneError:
        return None
