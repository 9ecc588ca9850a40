"""The verdict record: one flow and its verdict as the JSON object that docs/verdict.schema.json describes.

Every output that shows a verdict is or embeds this object.
"""

from __future__ import annotations

import math
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from flows.addresses import address_text
from flows.explanations import Explanation
from flows.labels import BY_CODE
from flows.schema import BY_NAME
from flows.table import EndReason, FlowTable
from flows.times import rfc3339
from flows.verdicts import INSUFFICIENT, Verdicts, verdict_name

_END_REASONS: Final = {reason.value: reason.name.lower() for reason in EndReason}
LARGEST_COUNT: Final = 2.0**63
"""Counts from here on stay floats: JSON readers know no such integers."""

# Ten thousand addresses repeat within most batches and between them.
_address_text: Final = lru_cache(maxsize=10_000)(address_text)


def verdict_records(
    table: FlowTable, verdicts: Verdicts, *, source: str, made_at: datetime | None = None
) -> list[dict[str, Any]]:
    """Return one JSON-ready object a flow, in the table's order.

    `source` says who asked (sidecar, api, demo, file); `made_at` is when the verdicts were made, now by
    default. What is unknown is None; features that are not finite are the texts NaN, Infinity and
    -Infinity. `schema_id` is that of the model, whose features may be fewer than the flow's.

    Raises:
        ValueError: table and verdicts differ in length.
    """
    if len(table) != len(verdicts):
        raise ValueError(f"{len(verdicts)} verdicts for {len(table)} flows: score the table itself")
    shared = {
        "timestamp": f"{(made_at or datetime.now(UTC)).astimezone(UTC):%Y-%m-%dT%H:%M:%S.%fZ}",
        "sensor": table.sensor,
        "source": source,
        "interface": table.interface,
    }
    model = {"name": verdicts.model_name, "version": verdicts.model_version}
    columns = zip(
        _identities(table),
        _answers(verdicts),
        _features(table),
        _metadata(table),
        _explanations(verdicts),
        strict=True,
    )
    return [
        {
            **shared,
            **identity,
            "dialect": table.dialect,
            "schema_id": verdicts.schema_id,
            **answer,
            "model": dict(model),
            "features": features,
            **metadata,
            **explanation,
        }
        for identity, answer, features, metadata, explanation in columns
    ]


def explanation_record(explanation: Explanation) -> dict[str, Any]:
    """Return an explanation as the JSON object that the schema describes."""
    return {
        "base": explanation.base,
        "features": [
            {
                "feature": each.feature,
                "value": _plain(each.value),
                "median": _plain(each.median),
                "contribution": each.contribution,
            }
            for each in explanation.contributions
        ],
        "rest": explanation.rest,
    }


def _identities(table: FlowTable) -> list[dict[str, Any]]:
    columns = {
        "flow_uid": [f"{uid:016x}" for uid in table.flow_uid.tolist()],
        "revision": table.revision.tolist(),
        "provisional": table.provisional.tolist(),
        "src_ip": _addresses(table.src_addr),
        "src_port": _known(table.src_port),
        "dst_ip": _addresses(table.dst_addr),
        "dst_port": _known(table.dst_port),
        "protocol": _known(table.protocol),
        "start": rfc3339(table.start_us),
        "end": rfc3339(table.end_us),
        "end_reason": [_END_REASONS[reason] for reason in table.end_reason.tolist()],
    }
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def _addresses(packed: NDArray[np.uint8]) -> list[str | None]:
    octets = packed.tobytes()
    return [_address_text(octets[at : at + 16]) for at in range(0, len(octets), 16)]


def _known(values: NDArray[Any]) -> list[int | None]:
    return [None if value < 0 else value for value in values.tolist()]


def _answers(verdicts: Verdicts) -> list[dict[str, Any]]:
    rows = zip(
        verdicts.code.tolist(),
        verdicts.p_attack.tolist(),
        verdicts.p_label.tolist(),
        verdicts.insufficient.tolist(),
        strict=True,
    )
    return [
        {
            **_class_of(code, insufficient),
            "p_attack": p_attack if math.isfinite(p_attack) else None,
            "p_label": p_label if math.isfinite(p_label) else None,
            "threshold": verdicts.threshold,
            "insufficient": insufficient,
        }
        for code, p_attack, p_label, insufficient in rows
    ]


def _class_of(code: int, insufficient: bool) -> dict[str, Any]:
    if insufficient:
        return {"prediction": code, "label": INSUFFICIENT, "family": None, "technique": None}
    label = BY_CODE[code]
    return {
        "prediction": code,
        "label": verdict_name(code),
        "family": label.family,
        "technique": label.technique or None,
    }


def _features(table: FlowTable) -> list[dict[str, Any]]:
    """Return each row's features; those that count something are integers."""
    counting = _counting(table.feature_names)
    rows: list[list[Any]] = table.features.tolist()
    for cells in rows:
        for column in counting:
            count = cells[column]
            if count.is_integer() and abs(count) < LARGEST_COUNT:
                cells[column] = int(count)
    for row, column in np.argwhere(~np.isfinite(table.features)).tolist():
        rows[row][column] = _plain(rows[row][column])
    return [dict(zip(table.feature_names, cells, strict=True)) for cells in rows]


@lru_cache(maxsize=64)
def _counting(names: tuple[str, ...]) -> tuple[int, ...]:
    """Return the positions of the features that count something."""
    return tuple(at for at, name in enumerate(names) if name in BY_NAME and BY_NAME[name].kind == "int")


def _metadata(table: FlowTable) -> list[dict[str, Any]]:
    """Return each row's extras below `metadata`, nothing for a row without any."""
    columns = {name: values.tolist() for name, values in table.extras.items()}
    found: list[dict[str, Any]] = [{} for _ in range(len(table))]
    for name, values in columns.items():
        for record, value in zip(found, values, strict=True):
            if value is not None:
                record.setdefault("metadata", {})[name] = _plain(value)
    return found


def _explanations(verdicts: Verdicts) -> list[dict[str, Any]]:
    """Return each row's explanation below `explanation`, nothing for a row without one."""
    given = verdicts.explanations or (None,) * len(verdicts)
    return [{} if each is None else {"explanation": explanation_record(each)} for each in given]


def _plain(value: object) -> str | int | float:
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else ("Infinity" if value > 0 else "-Infinity")
    if isinstance(value, int) and not -(2**63) <= value < 2**64:
        return str(value)
    return value if isinstance(value, (str, int, float)) else str(value)
