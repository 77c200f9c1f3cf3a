"""JSON documents that AWS stores as text, in the form in which AWS itself writes them: compact and sorted.

So a document that is read back equals the one that was written, even if the service or the provider reformats it.
"""

from __future__ import annotations

import json

import pulumi

_COMPACT = (",", ":")


def written(document: object) -> str:
    """Return the JSON of a document whose values are known."""
    return json.dumps(document, sort_keys=True, separators=_COMPACT)


def written_later(document: pulumi.Input[object]) -> pulumi.Output[str]:
    """Return the JSON of a document with values that are known only during deployment."""
    return pulumi.Output.json_dumps(document, sort_keys=True, separators=_COMPACT)
