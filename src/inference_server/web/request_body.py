"""From an HTTP body to the flows it describes."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import orjson
from starlette.requests import Request

from flows.records import NO_FEATURES, Rows, rows_of
from inference_server.bodies.envelopes import (
    ENVELOPES,
    envelope_of,
    envelope_rows,
    kind,
    records_in,
    split_rows,
)
from inference_server.web.errors import BodyTooLargeError, UnprocessableError

MAX_FLOWS: Final = 10_000
"""Flows of one request: a batch this large keeps the scoring thread from others for some 30 ms."""

CSV: Final = "text/csv"
PANDAS_SPLIT: Final = "application/json; format=pandas-split"
"""What cstub/ml-ids-api calls an object of columns and data that is in no envelope."""


@dataclass(frozen=True, slots=True)
class Body:
    """A request's body.

    Attributes:
        content: its bytes.
        media_type: in lower case, without parameters, or PANDAS_SPLIT; that and CSV decide how `content` is
            read, all else is JSON that says itself what it is.
    """

    content: bytes
    media_type: str = ""

    def __len__(self) -> int:
        return len(self.content)


async def read_body(request: Request, limit: int) -> Body:
    """Return the request's body.

    Raises:
        BodyTooLargeError: it has more than `limit` bytes; the rest of it is not read.
    """
    message = f"The body exceeds {limit} bytes: send fewer flows per request, or raise MAX_BODY_MB"
    headers = request.headers
    if int(headers.get("content-length", "0")) > limit:
        raise BodyTooLargeError(message)
    parts: list[bytes] = []
    size = 0
    async for part in request.stream():
        size += len(part)
        if size > limit:
            raise BodyTooLargeError(message)
        parts.append(part)
    content_type = headers.get("content-type", "")
    plain = content_type.partition(";")[0].strip().lower()
    return Body(b"".join(parts), PANDAS_SPLIT if is_pandas_split(content_type) else plain)


def is_pandas_split(content_type: str) -> bool:
    """Whether a content type is PANDAS_SPLIT, whatever its case, blanks and further parameters."""
    media_type, *parameters = (part.strip() for part in content_type.lower().split(";"))
    pairs = (parameter.partition("=") for parameter in parameters)
    formats = [value.strip().strip('"') for name, _, value in pairs if name.strip() == "format"]
    return media_type == "application/json" and formats == ["pandas-split"]


def parse_flows(body: Body, max_flows: int = MAX_FLOWS) -> list[Rows]:
    """Return the flows of a body: an object of features, a list of them, an envelope, CSV or PANDAS_SPLIT.

    Raises:
        UnprocessableError: the body is not that, or names no feature.
        BodyTooLargeError: it has more than `max_flows` flows.
    """
    if not body.content.strip():
        raise UnprocessableError("No body: send a JSON object of flow features, or a list of them")
    parts = _READERS.get(body.media_type, _json)(body.content)
    flows = sum(len(part.values) for part in parts)
    if flows > max_flows:
        raise BodyTooLargeError(
            f"The body holds {flows} flows, at most {max_flows} are judged at once: send several requests"
        )
    if not flows or not all(part.titles for part in parts):
        raise UnprocessableError(NO_FEATURES)
    return parts


def _json(content: bytes) -> list[Rows]:
    decoded = _decode(content)
    if isinstance(decoded, dict):
        envelope = envelope_of(decoded)
        return rows_of([decoded]) if envelope is None else envelope_rows(envelope, decoded[envelope])
    if not isinstance(decoded, list):
        raise UnprocessableError(
            f"Not an object of flow features: the body is {kind(decoded)}: send one, a list of them, "
            f"or one of {', '.join(ENVELOPES)}"
        )
    return rows_of(records_in(decoded, "the body"))


def _pandas_split(content: bytes) -> list[Rows]:
    return split_rows(_decode(content), "the body")


def _decode(content: bytes) -> Any:
    try:
        return orjson.loads(content)
    except orjson.JSONDecodeError:
        pass
    try:
        # Python clients write NaN and Infinity, which are flow features but no JSON.
        decoded = json.loads(content)
        # Half a surrogate pair is read here, but could not be written to any log or answer.
        json.dumps(decoded, ensure_ascii=False).encode()
        return decoded
    except (ValueError, RecursionError) as error:
        raise UnprocessableError(f"The body is not JSON: {error}") from None


def _csv(content: bytes) -> list[Rows]:
    """Return the rows of a CSV text: the first line holds the titles, an empty cell is NaN."""
    try:
        lines = csv.reader(io.StringIO(content.decode("utf-8-sig"), newline=""), strict=True)
        titles, *rows = [line for line in lines if line]
    except (ValueError, csv.Error) as error:
        raise UnprocessableError(f"The body is not CSV: {error}") from None
    for number, row in enumerate(rows):
        if len(row) != len(titles):
            raise UnprocessableError(f"CSV: row {number} has {len(row)} values for {len(titles)} columns")
    return [Rows(tuple(titles), [[_cell(text) for text in row] for row in rows], null_is_nan=True)]


def _cell(text: str) -> object:
    try:
        return float(text) if "_" not in text else text
    except ValueError:
        return text or None


_READERS: Final[dict[str, Callable[[bytes], list[Rows]]]] = {CSV: _csv, PANDAS_SPLIT: _pandas_split}
