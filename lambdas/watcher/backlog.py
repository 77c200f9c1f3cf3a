"""What a stack still has to do, counted for somebody who is about to change or remove it.

The program asks the deployed watcher for it at each preview (`contract.backlog`), because the watcher knows the
functions of the last deployment, has the rights, and needs no other credentials than the provider's.
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
    """Count the work of every function that was deployed last, and of every other that has open runs.

    `open_keys` are the ledger's. `failed` hears of each look-up that AWS refused.
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
            continue  # no run has such a key; reconciling reports it


def messages_on(sqs: SQSClient, url: str) -> int:
    """Count the messages of a queue, those in flight and delayed included; approximately, as SQS does."""
    attributes = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=_COUNTED)["Attributes"]
    return sum(int(attributes[name]) for name in _COUNTED)


def _retirement_days(ecs: ECSClient) -> int | None:
    """Read how long Fargate waits before it stops tasks of a platform revision that it retires, in days.

    API: ListAccountSettings, `fargateTaskRetirementWaitPeriod`: 0, 7 (unless set) or 14.
    """
    found = ecs.list_account_settings(name=RETIREMENT_SETTING, effectiveSettings=True).get("settings", [])
    values = [each["value"] for each in found if each.get("name") == RETIREMENT_SETTING and "value" in each]
    return int(values[0]) if values and values[0].isdecimal() else None
