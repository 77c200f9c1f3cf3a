"""Decides from ECS's reasons whether the cause that kept a task from starting is permanent or temporary. Pure.

| ECS's reasons mention | the cause is |
|---|---|
| a connection issue, timeout, throttling, a rate limit, a status of 500 and up | temporary |
| a role that cannot be assumed; access denied, not authorized, forbidden | permanent: needs an operator |
| image, repository, log group, secret, parameter, subnet or security group not found | permanent |
| an image for another platform, a program that is not in it, a key that is disabled | permanent |
| anything else: no free address, network interface, capacity, internal errors of AWS | temporary |

The first row takes precedence, because ECS also reports a log group or an image that "cannot be found" if it only
failed to reach the service ("There is a connection issue between the task and …"). Mistaking a permanent cause for a
temporary one costs a task every five minutes; the opposite mistake alarms an operator for nothing.

The words are those of https://docs.aws.amazon.com/AmazonECS/latest/developerguide/stopped-task-error-codes.html, of
the pages that it links to, and of the answers that ECS gets from registries, container runtimes and other AWS services.
"""

from __future__ import annotations

import re

_PASSES = re.compile(
    r"connection issue|network configuration|time-?d? ?out|deadline exceeded|(?:context|request) cancell?ed"
    r"|send failed|signal: killed|reset by peer|throttl|too ?many ?requests|rate (?:limit|exceeded)"
    r"|(?:status(?: code)?:? ?|error \()5\d\d",
    re.IGNORECASE,
)
_LASTS = re.compile(
    r"(?:unable to|can.?t|cannot|could not) assume"
    r"|access ?denied|permission denied|not authorized|unauthorized|forbidden|no basic auth|has the permissions"
    r"|not ?found|does not exist|(?:can.?t|cannot|could not) find|manifest unknown|no such file|invalid reference"
    r"|matching platform|exec format error|not compatible with|is (?:disabled|pending deletion)",
    re.IGNORECASE,
)


def lasts(said: str) -> bool:
    """Return whether the cause is permanent, so that no retry can help before an operator has fixed something."""
    return _PASSES.search(said) is None and _LASTS.search(said) is not None
