"""Identity: the five-tuple, flow id, timestamp and label of flows that somebody sent."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from flows.addresses import UNKNOWN, pack_address
from flows.numbers import number
from flows.table import UNKNOWN_PORT, UNKNOWN_PROTOCOL

SHOWN_AT_MOST: Final = 64


def identity_columns(metadata: Mapping[str, Sequence[object]], warnings: list[str]) -> dict[str, Any]:
    """Return the columns of a FlowTable for n values of each metadata column.

    What cannot be used is unknown, and `warnings` gets a line that says so.
    """
    columns: dict[str, Any] = {}
    extras: dict[str, NDArray[Any]] = {}
    for name, values in metadata.items():
        parse, unknown = _PARSERS[name]
        parsed = _parsed(name, values, parse, unknown, warnings)
        if name in ("src_ip", "dst_ip"):
            columns[name.replace("ip", "addr")] = np.frombuffer(b"".join(parsed), np.uint8).reshape(-1, 16)
        elif name == "protocol":
            columns[name] = np.array(parsed, np.int16)
        elif name in ("src_port", "dst_port"):
            columns[name] = np.array(parsed, np.int32)
        elif any(value is not None for value in parsed):
            extras[name] = np.array([*parsed, None], dtype=object)[:-1]
    return columns | {"extras": extras}


def _parsed(
    name: str,
    values: Sequence[object],
    parse: Callable[[object], Any],
    unknown: object,
    warnings: list[str],
) -> list[Any]:
    parsed: list[Any] = []
    refused: list[object] = []
    for value in values:
        try:
            parsed.append(unknown if value is None or value == "" else parse(value))
        except ValueError:
            parsed.append(unknown)
            refused.append(value)
    if refused:
        first = shortened(repr(refused[0]))
        warnings.append(f"{name} unknown in {len(refused)} of {len(values)} flows: cannot use {first}")
    return parsed


def _address(value: object) -> bytes:
    if not isinstance(value, str):
        raise ValueError("no text")
    return pack_address(value)


def _port(value: object) -> int:
    return _integer(value, 65535)


def _protocol(value: object) -> int:
    return _integer(value, 255)


def _integer(value: object, highest: int) -> int:
    found = number(value)
    if found is None and isinstance(value, str):
        found = float(value)
    if found is None or not found.is_integer() or not 0 <= found <= highest:
        raise ValueError(f"not an integer from 0 to {highest}")
    return int(found)


def _scalar(value: object) -> object:
    if not isinstance(value, (str, int, float)):
        raise ValueError("neither text nor number")
    return value


_PARSERS: Final[dict[str, tuple[Callable[[object], Any], object]]] = {
    "src_ip": (_address, UNKNOWN),
    "dst_ip": (_address, UNKNOWN),
    "src_port": (_port, UNKNOWN_PORT),
    "dst_port": (_port, UNKNOWN_PORT),
    "protocol": (_protocol, UNKNOWN_PROTOCOL),
    "flow_id": (_scalar, None),
    "timestamp": (_scalar, None),
    "label": (_scalar, None),
}


def shortened(text: str) -> str:
    """Return a text that is short enough for a message."""
    return text if len(text) <= SHOWN_AT_MOST else f"{text[:SHOWN_AT_MOST]}..."
