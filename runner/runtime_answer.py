"""Reads the runtime's answer from its request: a body, whole or in chunks, and an error beside it."""

from __future__ import annotations

import binascii

from overtime.contract import error_types
from overtime.runner.http_reader import HttpReader, chunked, size
from overtime.runner.messages import Answer

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

_PIECE = 1 << 16
_ERROR_TYPE = "lambda-runtime-function-error-type"
"""A header of an error, or a trailer of a response that a handler could not finish."""
_ERROR_BODY = "lambda-runtime-function-error-body"
"""The trailer with the error's document, in base64."""
_MODE, _STREAMING = "lambda-runtime-function-response-mode", "streaming"


def read_answer(reader: HttpReader, fields: dict[str, str], kind: str, *, largest: int) -> Answer:
    """Read a request's body and trailers, and return the answer; a body above `largest` bytes is not kept.

    A response with an error in its trailers becomes that error: what the handler wrote before it is not its result.
    Raise ConnectionResetError or ValueError if the body is incomplete.
    """
    kept, total = bytearray(), 0
    for piece in _pieces(reader, fields):
        total += len(piece)
        if total <= largest:
            kept += piece
    trailers = reader.fields() if chunked(fields) else {}
    body = b"" if total > largest else bytes(kept)
    if kind != "response":
        return Answer(kind, body, total, fields.get(_ERROR_TYPE, ""))
    if fields.get(_MODE, _STREAMING) != _STREAMING:
        return Answer("error", b"", total, error_types.INVALID_RESPONSE_MODE)
    if error_type := trailers.get(_ERROR_TYPE):
        return Answer("error", _decoded(trailers.get(_ERROR_BODY, "")), total, error_type)
    return Answer(kind, body, total)


def _pieces(reader: HttpReader, fields: dict[str, str]) -> Iterator[bytes]:
    lengths = reader.chunks() if chunked(fields) else [size(fields.get("content-length", "0").encode("latin-1"))]
    for length in lengths:
        left = length
        while left:
            piece = reader.stream.read(min(left, _PIECE))
            if not piece:
                raise ConnectionResetError("the runtime hung up in the middle of its answer")
            left -= len(piece)
            yield piece


def _decoded(text: str) -> bytes:
    try:
        return binascii.a2b_base64(text.encode("latin-1"))
    except ValueError:
        return text.encode()
