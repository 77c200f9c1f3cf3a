"""The condition keys of DynamoDB's items and S3's copies, of which ministack tells some and for some calls.

https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/specifying-conditions.html
https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazons3.html
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

from local.emulator.patches.patching import Record, module, original, replace

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_EXPRESSIONS = ("UpdateExpression", "ConditionExpression", "FilterExpression", "ProjectionExpression")
_WORD = re.compile(r"(?<![:.\w#\[])(#\w+|[A-Za-z_]\w*)(?!\w|\s*\()")
"""A path's first part: no value (`:now`), no later part (`.slot`, `[0]`), no function (`size(`)."""
_KEYWORDS = frozenset({"SET", "REMOVE", "ADD", "DELETE", "AND", "OR", "NOT", "IN", "BETWEEN"})


def tell_items_and_attributes() -> None:
    """Tell `dynamodb:LeadingKeys`, and as `dynamodb:Attributes` every attribute that a request names, keys included."""
    actions = module("core.iam_actions")
    inner = original(actions, "dynamodb_service_context")

    def context(body: bytes) -> dict[str, object]:
        found: dict[str, object] = dict(inner(body))
        asked = _json(body)
        named = attributes(asked)
        if named:
            found["dynamodb:Attributes"] = sorted(named)
        table = module("services.dynamodb")._tables.get(asked.get("TableName"))  # noqa: SLF001
        leading = leading_keys(asked, str(table["pk_name"])) if table else []
        if leading:
            found["dynamodb:LeadingKeys"] = leading
        return found

    replace(actions, "dynamodb_service_context", context)


def tell_the_source_of_a_copy() -> None:
    """Tell `s3:x-amz-copy-source` of a CopyObject, which is allowed as a PutObject."""
    actions = module("core.iam_actions")
    inner = original(actions, "s3_service_context")

    def context(action: str, query: Record | None, path: str = "", headers: Record | None = None) -> dict[str, object]:
        found: dict[str, object] = dict(inner(action, query, path, headers))
        source = (headers or {}).get("x-amz-copy-source")
        if action == "s3:PutObject" and source:
            found["s3:x-amz-copy-source"] = str(source)
        return found

    replace(actions, "s3_service_context", context)


def attributes(asked: Mapping[str, object]) -> frozenset[str]:
    """Name the attributes of the request's key, item, expressions and older parameters, each by its first part."""
    placeholders = _members(asked, "ExpressionAttributeNames")
    words: Iterable[str] = (word for name in _EXPRESSIONS for word in _WORD.findall(str(asked.get(name) or "")))
    found = {str(placeholders.get(word, word)) for word in words if word.upper() not in _KEYWORDS}
    for name in ("Key", "Item", "AttributeUpdates", "Expected"):
        found.update(_members(asked, name))
    return frozenset(found)


def leading_keys(asked: Mapping[str, object], partition_key: str) -> list[str]:
    """Give the partition key of the item that is asked for."""
    value = {**_members(asked, "Item"), **_members(asked, "Key")}.get(partition_key)
    return [str(each) for each in value.values()] if isinstance(value, dict) else []


def _members(asked: Mapping[str, object], name: str) -> Mapping[str, object]:
    found = asked.get(name)
    return found if isinstance(found, dict) else {}


def _json(body: bytes) -> Mapping[str, object]:
    try:
        found = json.loads(body or b"{}")
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


PATCHES = (tell_items_and_attributes, tell_the_source_of_a_copy)
