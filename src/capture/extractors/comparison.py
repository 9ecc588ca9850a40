"""One capture, measured by the own meter and by PyPI cicflowmeter, flow by flow and feature by feature."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from os import PathLike
from typing import Final

import numpy as np
from numpy.typing import NDArray

from capture.extractors.defects import reason
from capture.extractors.environment import Environment
from capture.extractors.process import ExtractorProcess
from capture.extractors.records import FlowReader
from capture.files import read_capture
from flows.schema import COMMON_NAMES
from flows.table import FlowTable, concat_tables

TOLERANCE: Final = 1e-6
"""Relative; the package's times went through floating-point seconds."""

ENDS_ELSEWHERE: Final = "only in flows that it ends elsewhere"
_BATCH_FLOWS: Final = 4096
_TCP_UDP: Final = (6, 17)


@dataclass(frozen=True, slots=True)
class FeatureDifference:
    """How one feature departs.

    Attributes:
        name: the feature's canonical name.
        departing: matched flows whose values differ.
        median_ratio: their median of theirs / ours, None where ours was always 0 or not finite.
        reason: the known cause, empty without one.
    """

    name: str
    departing: int
    median_ratio: float | None
    reason: str


@dataclass(frozen=True, slots=True)
class Comparison:
    """What was compared.

    Attributes:
        release: of cicflowmeter.
        ours, theirs: flows that either measured.
        unseen: of ours, those of protocols that it does not measure.
        matched: flows of both with the same five-tuple and start.
        same_end: of these, those that also end at the same time.
        features: the 76 common features, in the schema's order.
    """

    release: str
    ours: int
    theirs: int
    unseen: int
    matched: int
    same_end: int
    features: tuple[FeatureDifference, ...]


def measure_file(path: str | PathLike[str], environment: Environment) -> Iterator[FlowTable]:
    """Measure a capture with cicflowmeter, in a process of its own.

    Raises:
        ValueError: it cannot read the capture; the message says why.
    """
    reader = FlowReader(environment.release)
    process = ExtractorProcess(environment, "file", str(path))
    flows = []
    try:
        for line in process.lines():
            if line["kind"] == "flow":
                flows.append(line)
            if len(flows) == _BATCH_FLOWS:
                yield reader.table(flows)
                flows = []
    except BaseException:
        process.kill()
        process.close()
        raise
    problem = process.close()
    if problem is not None:
        raise ValueError(f"{path}: cicflowmeter {environment.release}: {problem}")
    if flows:
        yield reader.table(flows)


def compare_capture(path: str | PathLike[str], environment: Environment) -> Comparison:
    """Measure a capture with both, the own meter in its default dialect, and compare the flows.

    Raises:
        OSError: the capture cannot be read.
        ValueError: it is no capture, or one of the meters finds no flow in it.
    """
    ours, theirs = list(read_capture(path)), list(measure_file(path, environment))
    for meter, tables in (("the own meter", ours), (f"cicflowmeter {environment.release}", theirs)):
        if not tables:
            raise ValueError(f"{path}: {meter} finds no flow to compare")
    return compare_flows(concat_tables(ours), concat_tables(theirs), environment.release)


def compare_flows(ours: FlowTable, theirs: FlowTable, release: str) -> Comparison:
    """Compare the flows of one capture that two meters measured.

    Flows match by five-tuple and start, in microseconds; several of one key in the order of the tables.
    """
    our_rows, their_rows = _matched(ours, theirs)
    mine, other = (
        table.take(rows).select(COMMON_NAMES) for table, rows in ((ours, our_rows), (theirs, their_rows))
    )
    same_end = ours.end_us[our_rows] == theirs.end_us[their_rows]
    return Comparison(
        release=release,
        ours=len(ours),
        theirs=len(theirs),
        unseen=int((~np.isin(ours.protocol, _TCP_UDP) | _is_ipv6(ours)).sum()),
        matched=len(our_rows),
        same_end=int(same_end.sum()),
        features=tuple(
            _difference(name, mine[:, at], other[:, at], same_end, release)
            for at, name in enumerate(COMMON_NAMES)
        ),
    )


def _matched(ours: FlowTable, theirs: FlowTable) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    waiting: dict[tuple[object, ...], list[int]] = {}
    for row, key in enumerate(_keys(theirs)):
        waiting.setdefault(key, []).append(row)
    pairs = [(row, waiting[key].pop(0)) for row, key in enumerate(_keys(ours)) if waiting.get(key)]
    both = np.array(pairs, np.intp).reshape(-1, 2)
    return both[:, 0], both[:, 1]


def _keys(table: FlowTable) -> Iterator[tuple[object, ...]]:
    for row in range(len(table)):
        yield (
            *(table.src_addr[row].tobytes(), table.dst_addr[row].tobytes()),
            *(int(table.src_port[row]), int(table.dst_port[row]), int(table.protocol[row])),
            int(table.start_us[row]),
        )


def _is_ipv6(table: FlowTable) -> NDArray[np.bool_]:
    # IPv4 addresses are mapped: ten zero bytes and two of ones.
    is_ipv6: NDArray[np.bool_] = table.src_addr[:, :12].astype(np.int64).sum(axis=1) != 2 * 255
    return is_ipv6


def _difference(
    name: str,
    ours: NDArray[np.float64],
    theirs: NDArray[np.float64],
    same_end: NDArray[np.bool_],
    release: str,
) -> FeatureDifference:
    departs = ~np.isclose(theirs, ours, rtol=TOLERANCE, atol=0, equal_nan=True)
    comparable = departs & np.isfinite(ours) & np.isfinite(theirs) & (ours != 0)
    ratio = float(np.median(theirs[comparable] / ours[comparable])) if comparable.any() else None
    known = ""
    if departs.any():
        known = reason(name, release) if (departs & same_end).any() else ENDS_ELSEWHERE
    return FeatureDifference(name, int(departs.sum()), ratio, known)
