"""Whether what kept a task from its work may pass by itself, told from ECS's words. Pure.

| ECS says, in any of its reasons | it |
|---|---|
| connection issue, time-out, throttling, a rate limit, a status of 500 and up | passes |
| a role that cannot be assumed; access denied, not authorized, forbidden | lasts: a person has to mend it |
| image, repository, log group, secret, parameter, subnet or security group not found | lasts |
| an image for another platform, a program that is not in it, a key that is disabled | lasts |
| anything else: no free address, network interface, capacity, internal errors of AWS | passes |

The first row is asked first, because ECS writes of a log group or an image that "cannot be found" where it has only
failed to reach the service ("There is a connection issue between the task and …"). To take what lasts for what passes
costs a task every five minutes; the other way round a person is called for nothing.

The words are those of https://docs.aws.amazon.com/AmazonECS/latest/developerguide/stopped-task-error-codes.html, of
the pages that it links to, and of what registries, container runtimes and other services of AWS answer to ECS.
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
    """Tell whether trying again is certain not to help before a person has mended something."""
    return _PASSES.search(said) is None and _LASTS.search(said) is not None
