"""A flow as the row that other programs read: the 79 columns of CSE-CIC-IDS2018, and ours."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from alerting.alert_flow import AlertFlow
from flows.addresses import address_text
from flows.schema import BY_NAME, COMMON_NAMES
from flows.table import UNKNOWN_TIME

Cell = str | int | float | None
"""What a cell holds; None where a number is not finite, as pandas writes it, and where nothing is known."""

TIME: Final = "%d/%m/%Y %H:%M:%S"
_COUNTING: Final = {name: BY_NAME[name].kind == "int" for name in COMMON_NAMES}
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def flow_row(flow: AlertFlow, prediction: float) -> dict[str, Cell]:
    """Return a flow's cells by column, in order: what the set has, then `prediction`.

    A sender's timestamp stays as it came; that of a captured flow is its start, in UTC, as the set writes it.
    """
    values = dict(zip(flow.shared.feature_names, flow.features.tolist(), strict=True))
    return {
        "dst_port": flow.dst_port if flow.dst_port >= 0 else None,
        "protocol": flow.protocol if flow.protocol >= 0 else None,
        "timestamp": _timestamp(flow),
        **{name: _number(values[name], counts) for name, counts in _COUNTING.items() if name in values},
        "prediction": prediction,
    }


def seen_where(flow: AlertFlow) -> dict[str, Cell]:
    """Return the cells that say between which hosts, and by which sensor, a flow was seen."""
    return {
        "src_ip": address_text(flow.src_addr),
        "src_port": flow.src_port if flow.src_port >= 0 else None,
        "dst_ip": address_text(flow.dst_addr),
        "sensor": flow.shared.sensor,
    }


def _timestamp(flow: AlertFlow) -> Cell:
    given: Any = flow.extras.get("timestamp")
    if given is not None:
        return given if isinstance(given, str) else str(given)
    if flow.start_us == UNKNOWN_TIME:
        return None
    try:
        return (_EPOCH + timedelta(microseconds=flow.start_us)).strftime(TIME)
    except OverflowError:
        return None


def _number(value: float, counts: bool) -> Cell:
    if not math.isfinite(value):
        return None
    return int(value) if counts and value.is_integer() and abs(value) < 2**63 else value
