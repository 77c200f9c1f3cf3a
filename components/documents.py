"""JSON that AWS keeps as text, in the form that AWS itself writes: compact and sorted.

So what is read back equals what was written, whatever the service, or the provider, makes of it in between.
"""

from __future__ import annotations

import json

import pulumi

_COMPACT = (",", ":")


def written(document: object) -> str:
    """Write a document whose values are known."""
    return json.dumps(document, sort_keys=True, separators=_COMPACT)


def written_later(document: pulumi.Input[object]) -> pulumi.Output[str]:
    """Write a document with names in it that AWS gives first."""
    return pulumi.Output.json_dumps(document, sort_keys=True, separators=_COMPACT)
