"""Compares our flows with the rows that an original CICFlowMeter wrote.

Rows match as multisets: by five-tuple and start, at the precision and in the zone that the file has; rows of
one key pair by duration and packet counts.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from capture.dialects import feature_names
from flows.schema import BY_NAME
from flows.table import FlowTable

FLOAT_TOLERANCE = 1e-9
SECOND_US = 1_000_000
HOUR_US = 3600 * SECOND_US
Key = tuple[str, int, str, int, int, int]
Rows = dict[Key, list[np.ndarray]]


@dataclass(frozen=True)
class Layout:
    """How the reference rows of a dialect are written.

    Attributes:
        dialect: whose features they hold.
        spelling: the attribute of `Feature` that spells their titles.
        time_format: of their timestamps, as pandas parses it.
        precision_us: of their timestamps.
        behind_utc_us: how far their clock is behind UTC.
        twelve_hours: their clock goes round twice a day and does not say which half it is.
        digits: significant digits of their floats, None when they have all.
        identity: titles of addresses, ports and protocol.
    """

    dialect: str
    spelling: str = "cic_v4"
    time_format: str = "ISO8601"
    precision_us: int = 1
    behind_utc_us: int = 0
    twelve_hours: bool = False
    digits: int | None = None
    identity: tuple[str, ...] = ("Src IP", "Src Port", "Dst IP", "Dst Port", "Protocol")

    @property
    def names(self) -> tuple[str, ...]:
        """The features compared, in our order."""
        return feature_names(self.dialect)

    def key_times(self, utc_us: np.ndarray) -> np.ndarray:
        """Return what of n UTC times the file can tell, in microseconds of its own clock."""
        local = utc_us - self.behind_utc_us
        local -= local % self.precision_us
        if self.twelve_hours:
            local -= local % (24 * HOUR_US) // (12 * HOUR_US) * (12 * HOUR_US)
        return local


LAYOUTS = {
    layout.dialect: layout
    for layout in (
        Layout("improved"),
        Layout("improved-2024"),
        Layout(
            "cic-2018",
            spelling="cic_2018",
            time_format="%d/%m/%Y %H:%M:%S",
            precision_us=SECOND_US,
            twelve_hours=True,
        ),
        Layout(
            "cic-2017",
            spelling="cic_2017",
            time_format="%d/%m/%Y %H:%M",
            precision_us=60 * SECOND_US,
            behind_utc_us=3 * HOUR_US,
            digits=9,
            identity=("Source IP", "Source Port", "Destination IP", "Destination Port", "Protocol"),
        ),
        Layout("cic-v4", time_format="%d/%m/%Y %I:%M:%S %p", precision_us=SECOND_US),
    )
}


@dataclass
class ParityReport:
    """How rows compare.

    Attributes:
        rows: reference rows.
        equal: reference rows with an equal flow.
        missing: reference rows without a flow of their key.
        extra: flows without a reference row.
        differing: reference rows whose flow has other values.
        compared: rows compared, by feature.
        alike: rows with an equal value, by feature.
        examples: a few differences in words.
    """

    rows: int = 0
    equal: int = 0
    missing: list[Key] = field(default_factory=list)
    extra: list[Key] = field(default_factory=list)
    differing: list[Key] = field(default_factory=list)
    compared: Counter[str] = field(default_factory=Counter)
    alike: Counter[str] = field(default_factory=Counter)
    examples: list[str] = field(default_factory=list)

    def add(self, other: ParityReport) -> None:
        """Add another comparison to this one."""
        self.rows += other.rows
        self.equal += other.equal
        self.missing += other.missing
        self.extra += other.extra
        self.differing += other.differing
        self.compared += other.compared
        self.alike += other.alike
        self.examples += other.examples

    @property
    def unmatched(self) -> Counter[Key]:
        """Reference rows that no flow of ours equals."""
        return Counter(self.missing) + Counter(self.differing)


def reference_rows(frame: pd.DataFrame, layout: Layout = LAYOUTS["improved"]) -> Rows:
    """Return the rows of an original tool by five-tuple and start, features in our order."""
    spelled = [getattr(BY_NAME[name], layout.spelling) for name in layout.names]
    values = frame[spelled].to_numpy(np.float64)
    times = pd.to_datetime(frame["Timestamp"], format=layout.time_format) - pd.Timestamp(0)
    written_us = times.to_numpy().astype("timedelta64[us]").astype(np.int64)
    starts = layout.key_times(written_us + layout.behind_utc_us)
    rows: Rows = defaultdict(list)
    columns = (frame[name] for name in layout.identity)
    for at, (src, sport, dst, dport, protocol) in enumerate(zip(*columns, strict=True)):
        rows[(src, int(sport), dst, int(dport), int(protocol), int(starts[at]))].append(values[at])
    return rows


def flow_rows(tables: Iterable[FlowTable], layout: Layout = LAYOUTS["improved"]) -> Rows:
    """Return our flows in the same form."""
    rows: Rows = defaultdict(list)
    for table in tables:
        starts = layout.key_times(table.start_us.astype(np.int64))
        for at in range(len(table)):
            key = (
                str(table.source(at)),
                int(table.src_port[at]),
                str(table.destination(at)),
                int(table.dst_port[at]),
                int(table.protocol[at]),
                int(starts[at]),
            )
            rows[key].append(table.features[at])
    return rows


def same_number(one: float, other: float, *, exact: bool, digits: int | None = None) -> bool:
    """Whether two values agree: exactly, to 1e-9 relative, or to the digits that were written."""
    if one == other or (np.isnan(one) and np.isnan(other)):
        return True
    if exact or not np.isfinite([one, other]).all():
        return False
    if digits is not None:
        return abs(one - other) <= 0.5001 * 10.0 ** (
            np.floor(np.log10(max(abs(one), abs(other)))) - digits + 1
        )
    return abs(one - other) <= FLOAT_TOLERANCE * max(abs(one), abs(other))


def differing_features(
    expected: np.ndarray, actual: np.ndarray, names: Sequence[str], digits: int | None = None
) -> list[str]:
    """Return the features that differ."""
    return [
        name
        for name, one, other in zip(names, expected.tolist(), actual.tolist(), strict=True)
        if not same_number(one, other, exact=BY_NAME[name].kind == "int", digits=digits)
    ]


def _in_order(rows: Iterable[np.ndarray]) -> list[np.ndarray]:
    # Duration and packet counts are the first three; the rest only settles ties.
    return sorted(rows, key=lambda row: tuple(np.nan_to_num(row, nan=-1.0)))


def compare(
    reference: Rows, ours: Rows, where: str = "", *, layout: Layout = LAYOUTS["improved"]
) -> ParityReport:
    """Match both as multisets; inside a key, rows pair by duration and packet counts."""
    report = ParityReport()
    for key in reference.keys() | ours.keys():
        theirs, mine = _in_order(reference.get(key, [])), _in_order(ours.get(key, []))
        report.rows += len(theirs)
        report.missing += [key] * (len(theirs) - len(mine))
        report.extra += [key] * (len(mine) - len(theirs))
        for one, other in zip(theirs, mine, strict=False):
            names = differing_features(one, other, layout.names, layout.digits)
            report.equal += not names
            report.compared.update(layout.names)
            report.alike.update(name for name in layout.names if name not in names)
            if names:
                at = layout.names.index(names[0])
                report.differing.append(key)
                report.examples.append(f"{where} {key}: {names} first {one[at]} ours {other[at]}")
    return report
