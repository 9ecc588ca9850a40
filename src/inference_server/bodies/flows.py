"""Bodies of flows, in rows or in Arrow columns, to tables of the features that somebody reads."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

import pyarrow as pa

from flows.arrow_columns import table_from_arrow
from flows.records import FeatureError, ParsedRecords, Rows, table_from_rows
from inference_server.bodies.arrow import ARROW, read_arrow
from inference_server.web.errors import UnprocessableError
from inference_server.web.request_body import MAX_FLOWS, Body, parse_flows

Flows: TypeAlias = pa.Table | list[Rows]


def read_flows(body: Body) -> Flows:
    """Return the flows of a body as they were sent.

    Raises:
        UnprocessableError: it holds none that can be read; says what to change.
        BodyTooLargeError: it holds too many.
    """
    return read_arrow(body.content, MAX_FLOWS) if body.media_type == ARROW else parse_flows(body)


def titles_of(flows: Flows) -> list[tuple[str, ...]]:
    """Return the titles of each part of flows as they were sent."""
    return [part.titles for part in flows] if isinstance(flows, list) else [tuple(flows.column_names)]


def table_of(flows: Flows, dialect: str, required: Sequence[str], optional: frozenset[str]) -> ParsedRecords:
    """Return the required features of flows; those of `optional` are NaN where absent.

    Raises:
        UnprocessableError: they lack one, or a value is none; names them.
    """
    try:
        if isinstance(flows, list):
            return table_from_rows(flows, dialect=dialect, required=required, optional=optional)
        return table_from_arrow(flows, dialect=dialect, required=required, optional=optional)
    except FeatureError as error:
        raise UnprocessableError(
            str(error),
            missing=error.missing,
            not_numeric=error.not_numeric,
            conflicting=error.conflicting,
        ) from None
    except ValueError as error:
        raise UnprocessableError(str(error)) from None
