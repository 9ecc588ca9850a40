"""Verdicts as lines of JSON, for answers that are read as they grow."""

from __future__ import annotations

from dataclasses import replace

import orjson

from flows.table import FlowTable
from flows.verdict_record import verdict_records
from flows.verdicts import Verdicts


def verdict_lines(table: FlowTable, verdicts: Verdicts, *, after: int, source: str) -> list[bytes]:
    """Return one line a flow: the object of docs/verdict.schema.json without `features`, and its number `n`.

    Features are most of a verdict's bytes. The first flow has the number `after` + 1.
    """
    bare = replace(table, features=table.features[:, :0], feature_names=())
    lines = []
    for number, record in enumerate(verdict_records(bare, verdicts, source=source), after + 1):
        del record["features"]
        lines.append(orjson.dumps({"n": number, **record}, option=orjson.OPT_APPEND_NEWLINE))
    return lines
