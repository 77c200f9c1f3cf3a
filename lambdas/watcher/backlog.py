"""Counts the work that a stack has left, before somebody changes or removes it.

At each preview, the program asks the deployed watcher (`contract.backlog`), because the watcher knows the functions of
the last deployment and has the permissions, so the program needs only the provider's credentials.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from overtime.contract.backlog import FUNCTIONS, RETIREMENT_SETTING, TASK_RETIREMENT_DAYS, Work
from overtime.contract.runs import RunKey, slots_of
from overtime.errors import OvertimeError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from mypy_boto3_ecs import ECSClient
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_sqs.literals import QueueAttributeNameType

    from overtime.contract.functions_table import FunctionSettings

_COUNTED: tuple[QueueAttributeNameType, ...] = (
    "ApproximateNumberOfMessages",
    "ApproximateNumberOfMessagesDelayed",
    "ApproximateNumberOfMessagesNotVisible",
)


def backlog(
    functions: Mapping[str, FunctionSettings],
    open_keys: Iterable[str],
    *,
    sqs: SQSClient,
    ecs: ECSClient,
    failed: Callable[[str, Exception], None],
) -> dict[str, object]:
    """Count the work of each function of the last deployment, and of any other function that has open runs.

    `open_keys` are the ledger's. `failed` is called for each look-up that fails.
    """
    runs = Counter(_function_names(open_keys))

    def messages(url: str | None) -> int | None:
        if url is None:
            return None
        try:
            return messages_on(sqs, url)
        except (ClientError, BotoCoreError) as error:
            failed(url, error)
            return None

    work = {
        name: Work(
            open_runs=runs[name],
            waiting=messages(functions[name].queue_url) if name in functions else None,
            parked=messages(functions[name].parking_queue_url) if name in functions else None,
        )
        for name in sorted({*functions, *runs})
    }
    try:
        retirement = _retirement_days(ecs)
    except (ClientError, BotoCoreError) as error:
        failed(RETIREMENT_SETTING, error)
        retirement = None
    return {FUNCTIONS: {name: asdict(each) for name, each in work.items()}, TASK_RETIREMENT_DAYS: retirement}


def _function_names(keys: Iterable[str]) -> Iterable[str]:
    for key in keys:
        if slots_of(key) is not None:
            continue
        try:
            yield RunKey.parse(key).function_name
        except OvertimeError:
            continue  # not a run's key; reconciling reports it


def messages_on(sqs: SQSClient, url: str) -> int:
    """Return the number of messages on a queue, including those in flight and delayed; SQS's counts are approximate."""
    attributes = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=_COUNTED)["Attributes"]
    return sum(int(attributes[name]) for name in _COUNTED)


def _retirement_days(ecs: ECSClient) -> int | None:
    """Return how long Fargate waits before it stops tasks on a platform revision that it retires, in days.

    API: ListAccountSettings, `fargateTaskRetirementWaitPeriod`: 0, 7 (the default) or 14.
    """
    found = ecs.list_account_settings(name=RETIREMENT_SETTING, effectiveSettings=True).get("settings", [])
    values = [each["value"] for each in found if each.get("name") == RETIREMENT_SETTING and "value" in each]
    return int(values[0]) if values and values[0].isdecimal() else None
