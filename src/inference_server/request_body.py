"""From an HTTP body to the flows it describes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

import orjson
from starlette.requests import Request

from inference_server.errors import BodyTooLargeError, UnprocessableError

MAX_BODY_BYTES: Final = 10_000_000


async def read_body(request: Request, limit: int = MAX_BODY_BYTES) -> bytes:
    """Return the request's body.

    Raises:
        BodyTooLargeError: it has more than `limit` bytes; the rest of it is not read.
    """
    message = f"The body exceeds {limit} bytes: send fewer flows per request"
    if int(request.headers.get("content-length", "0")) > limit:
        raise BodyTooLargeError(message)
    parts: list[bytes] = []
    size = 0
    async for part in request.stream():
        size += len(part)
        if size > limit:
            raise BodyTooLargeError(message)
        parts.append(part)
    return b"".join(parts)


def parse_records(body: bytes) -> list[Mapping[str, object]]:
    """Return the flows of a body: one JSON object, or a list of them.

    Raises:
        UnprocessableError: the body is not that, or names no feature.
    """
    if not body.strip():
        raise UnprocessableError("No body: send a JSON object of flow features, or a list of them")
    content = _decode(body)
    records = content if isinstance(content, list) else [content]
    for number, record in enumerate(records):
        if not isinstance(record, dict):
            where = f"entry {number}" if isinstance(content, list) else "the body"
            raise UnprocessableError(f"Not an object of flow features: {where} is {_kind(record)}")
    if not records or not all(records):
        raise UnprocessableError("No features provided")
    return records


def _decode(body: bytes) -> Any:
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        pass
    try:
        # Python clients write NaN and Infinity, which are flow features but no JSON.
        content = json.loads(body)
        # Half a surrogate pair is read here, but could not be written to any log or answer.
        json.dumps(content, ensure_ascii=False).encode()
        return content
    except (ValueError, RecursionError) as error:
        raise UnprocessableError(f"The body is not JSON: {error}") from None


def _kind(value: object) -> str:
    names = {bool: "a boolean", int: "a number", float: "a number", str: "a string", list: "a list"}
    return names.get(type(value), "null")
