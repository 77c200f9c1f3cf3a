"""The dispatcher's settings, read from its environment once per execution environment."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from overtime.contract import variables
from overtime.contract.capacity import Capacity
from overtime.contract.limits import MOST_CONCURRENT_RUNS, MOST_LAMBDA_ATTEMPTS
from overtime.contract.rescue import NOTHING, Rescue
from overtime.errors import OvertimeError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mypy_boto3_ecs.type_defs import RunTaskRequestTypeDef

_REQUIRED_BY_RUN_TASK = frozenset({"cluster", "networkConfiguration", "taskDefinition"})


class ConfigError(OvertimeError):
    """An environment variable of the dispatcher is missing or invalid."""


@dataclass(frozen=True, kw_only=True)
class Config:
    """The dispatcher's function, queues, ledger and cluster, and the failures that it hands over."""

    function_name: str
    function_arn: str
    ledger_table: str
    ledger_bucket: str
    runs_days: int
    """Days for which a run is kept from its creation, and at least `limits.LONGEST_LIFE_DAYS`."""
    run_task: RunTaskRequestTypeDef
    """The part of the RunTask request that is the same for all runs. `launch` adds the rest."""
    rescue: frozenset[Rescue]
    """The failures that it hands over; empty while the function is being drained."""
    lambda_attempts: int
    """Lambda attempts before the failure record; 0 means that Lambda never tries, and every event is handed over."""
    queue_url: str
    """The failure queue, to which the dispatcher sends pointer records."""
    parking_queue_url: str
    max_receive_count: int
    """Receives after which the failure queue parks a record."""
    max_concurrent_runs: int | None = None
    """Limit of this function's concurrent tasks; None if they are not limited."""
    capacity: Capacity = Capacity.ON_DEMAND

    @classmethod
    def from_environ(cls, environ: Mapping[str, str]) -> Config:
        """Read the variables that the program sets. Raise ConfigError, which names the first invalid one."""
        read = _Reader(environ)
        most = variables.MAX_CONCURRENT_RUNS
        return cls(
            function_name=read.text(variables.FUNCTION_NAME),
            function_arn=read.text(variables.FUNCTION_ARN),
            ledger_table=read.text(variables.LEDGER_TABLE),
            ledger_bucket=read.text(variables.LEDGER_BUCKET),
            runs_days=read.number(variables.RUNS_DAYS, lowest=1),
            run_task=read.run_task(variables.RUN_TASK),
            rescue=read.rescue(variables.RESCUE),
            lambda_attempts=read.number(variables.ATTEMPTS, lowest=0, highest=MOST_LAMBDA_ATTEMPTS),
            queue_url=read.text(variables.QUEUE_URL),
            parking_queue_url=read.text(variables.PARKING_QUEUE_URL),
            max_receive_count=read.number(variables.MAX_RECEIVE_COUNT, lowest=1),
            max_concurrent_runs=read.number(most, lowest=1, highest=MOST_CONCURRENT_RUNS) if read.has(most) else None,
            capacity=read.capacity(variables.CAPACITY),
        )


class _Reader:
    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ

    def has(self, name: str) -> bool:
        return bool(self._environ.get(name, "").strip())

    def capacity(self, name: str) -> Capacity:
        if not self.has(name):
            return Capacity.ON_DEMAND
        if self.text(name) not in set(Capacity):
            raise self.refusal(name, f"it must be one of {', '.join(sorted(Capacity))}")
        return Capacity(self.text(name))

    def text(self, name: str) -> str:
        value = self._environ.get(name, "").strip()
        if not value:
            raise self.refusal(name, "it must not be empty")
        return value

    def words(self, name: str) -> tuple[str, ...]:
        words = tuple(word.strip() for word in self.text(name).split(","))
        if not all(words):
            raise self.refusal(name, "it must be a comma-separated list without empty parts")
        return words

    def number(self, name: str, *, lowest: int, highest: int | None = None) -> int:
        text = self.text(name)
        bounds = f"at least {lowest}" if highest is None else f"from {lowest} to {highest}"
        if not (text.isascii() and text.isdigit()):
            raise self.refusal(name, f"it must be a whole number {bounds}")
        number = int(text)
        if number < lowest or (highest is not None and number > highest):
            raise self.refusal(name, f"it must be {bounds}")
        return number

    def run_task(self, name: str) -> RunTaskRequestTypeDef:
        try:
            request = json.loads(self.text(name))
        except ValueError:
            request = None
        if not isinstance(request, dict) or not request.keys() >= _REQUIRED_BY_RUN_TASK:
            needed = ", ".join(sorted(_REQUIRED_BY_RUN_TASK))
            raise self.refusal(name, f"it must be a JSON object with {needed}, the parameters of RunTask")
        return cast("RunTaskRequestTypeDef", request)

    def rescue(self, name: str) -> frozenset[Rescue]:
        words = self.words(name)
        if words == (NOTHING,):
            return frozenset()
        allowed = {rule.value for rule in Rescue}
        if not allowed.issuperset(words):
            raise self.refusal(name, f"each part must be one of {', '.join(sorted(allowed))}, or the value {NOTHING}")
        return frozenset(map(Rescue, words))

    def refusal(self, name: str, rule: str) -> ConfigError:
        value = self._environ.get(name)
        found = "is not set" if value is None else f"is {value!r}"
        return ConfigError(
            f"the environment variable {name} {found}: {rule}. The dispatcher cannot start tasks until it is fixed: "
            "run `pulumi up` to set it again, or correct the setting from which it comes."
        )
