"""What AWS's clients raise if AWS refuses a call."""

from __future__ import annotations

from botocore.exceptions import ClientError


def refused(code: str, status: int = 400, text: str = "no", *, call: str = "RunTask", **more: object) -> ClientError:
    """Return the error of a refused call; `more` is what else the answer contains."""
    response = {"Error": {"Code": code, "Message": text}, "ResponseMetadata": {"HTTPStatusCode": status}, **more}
    return ClientError(response, call)  # type: ignore[arg-type]


def throttled() -> ClientError:
    """Return the error of one call too many."""
    return refused("ThrottlingException", text="Rate exceeded")
