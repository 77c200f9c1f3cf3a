"""How long a message's delay lasts here."""

from __future__ import annotations

import os
import time

from local.emulator.patches.patching import Record, module, original, replace
from local.emulator.settings import DELAY_VARIABLE


def keep_delays_as_set() -> None:
    """Let a minute of `DelaySeconds`, the message's or its queue's, last as long as the settings say."""
    sqs = module("services.sqs")
    inner = original(sqs, "_act_send_message")
    share = float(os.environ[DELAY_VARIABLE]) / 60

    def send(data: Record, url: str) -> Record:
        began = time.time()
        answer: Record = inner(data, url)
        for message in reversed(sqs._get_q(data.get("QueueUrl", url))["messages"]):  # noqa: SLF001
            if message["sent_at"] < began:  # an older one, for a repeated deduplication id
                break
            if message["id"] == answer["MessageId"]:
                message["visible_at"] = shortened(message["sent_at"], message["visible_at"], share)
                break
        return answer

    replace(sqs, "_act_send_message", send)
    sqs._HANDLERS["SendMessage"] = send  # noqa: SLF001


def shortened(sent: float, visible: float, share: float) -> float:
    """Say when a message is visible of whose delay only this share lasts."""
    return sent + (visible - sent) * share


PATCHES = (keep_delays_as_set,)
