"""Compares our flows with the rows an original CICFlowMeter wrote."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from flows.schema import BY_NAME, IMPROVED_NAMES
from flows.table import FlowTable

FLOAT_TOLERANCE = 1e-9
Key = tuple[str, int, str, int, int, int]


@dataclass
class ParityReport:
    """How rows compare.

    Attributes:
        rows: reference rows.
        equal: reference rows with an equal flow.
        missing: reference rows without a flow of their key.
        extra: flows without a reference row.
        differing: features that differ, with how often.
        examples: a few differences in words.
    """

    rows: int = 0
    equal: int = 0
    missing: list[Key] = field(default_factory=list)
    extra: list[Key] = field(default_factory=list)
    differing: Counter[str] = field(default_factory=Counter)
    examples: list[str] = field(default_factory=list)


def timestamps_us(texts: pd.Series) -> np.ndarray:
    """Return `2017-07-07 13:00:00.801` and the like as UTC microseconds."""
    times = pd.to_datetime(texts, format="ISO8601")
    return (times - pd.Timestamp(0)).to_numpy().astype("timedelta64[us]").astype(np.int64)


def reference_rows(frame: pd.DataFrame) -> dict[Key, list[np.ndarray]]:
    """Return the rows of the original tool by five-tuple and start, features in our order."""
    spelled = [BY_NAME[name].cic_v4 for name in IMPROVED_NAMES]
    values = frame[spelled].to_numpy(np.float64)
    starts = timestamps_us(frame["Timestamp"])
    rows: dict[Key, list[np.ndarray]] = defaultdict(list)
    columns = (frame[name] for name in ("Src IP", "Src Port", "Dst IP", "Dst Port", "Protocol"))
    for at, (src, sport, dst, dport, protocol) in enumerate(zip(*columns, strict=True)):
        rows[(src, int(sport), dst, int(dport), int(protocol), int(starts[at]))].append(values[at])
    return rows


def flow_rows(tables: Iterable[FlowTable]) -> dict[Key, list[np.ndarray]]:
    """Return our flows in the same form."""
    rows: dict[Key, list[np.ndarray]] = defaultdict(list)
    for table in tables:
        for at in range(len(table)):
            key = (
                str(table.source(at)),
                int(table.src_port[at]),
                str(table.destination(at)),
                int(table.dst_port[at]),
                int(table.protocol[at]),
                int(table.start_us[at]),
            )
            rows[key].append(table.features[at])
    return rows


def differing_features(expected: np.ndarray, actual: np.ndarray) -> list[str]:
    """Return the features that differ: integers exactly, floats by more than 1e-9 relative."""
    names = []
    for at, name in enumerate(IMPROVED_NAMES):
        one, other = float(expected[at]), float(actual[at])
        if one == other or (np.isnan(one) and np.isnan(other)):
            continue
        exact = BY_NAME[name].kind == "int" or not np.isfinite([one, other]).all()
        if exact or abs(one - other) > FLOAT_TOLERANCE * max(abs(one), abs(other)):
            names.append(name)
    return names


def _duration_and_counts(row: np.ndarray) -> tuple[float, ...]:
    return tuple(row[:3]) + tuple(row[3:5])


def compare(
    reference: dict[Key, list[np.ndarray]], ours: dict[Key, list[np.ndarray]], where: str = ""
) -> ParityReport:
    """Match both as multisets; inside a key, rows pair by duration and packet counts."""
    report = ParityReport()
    for key in reference.keys() | ours.keys():
        theirs = sorted(reference.get(key, []), key=_duration_and_counts)
        mine = sorted(ours.get(key, []), key=_duration_and_counts)
        report.rows += len(theirs)
        report.missing += [key] * (len(theirs) - len(mine))
        report.extra += [key] * (len(mine) - len(theirs))
        for one, other in zip(theirs, mine, strict=False):
            names = differing_features(one, other)
            report.equal += not names
            report.differing.update(names)
            if names and len(report.examples) < 20:
                first = IMPROVED_NAMES.index(names[0])
                report.examples.append(f"{where} {key}: {names} first {one[first]} ours {other[first]}")
    return report
