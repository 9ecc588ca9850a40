"""Capture files, compressed ones too, to flows."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from os import PathLike
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from capture.blocks import BlockReader
from capture.decompress import MAX_RATIO, CaptureStream
from capture.meter import FlowMeter
from capture.rules import LiveRules
from capture.status import MeterCounters
from flows.dialects import IMPROVED
from flows.table import FlowTable

logger = logging.getLogger(__name__)

CLOCK_SLACK_US = 250_000
"""How far the clock stays behind the newest packet, for packets that come a little out of order."""


class CaptureFile:
    """One capture file and its meter.

    Attributes:
        path: the file.
        size: its bytes.
        problem: why reading stopped before the proper end, None when it did not.
        over_limit: it stopped because a compressed file gives too much.
    """

    def __init__(
        self,
        path: str | PathLike[str],
        *,
        dialect: str = IMPROVED,
        live_rules: LiveRules | None = None,
        sensor: str = "",
        name: str | None = None,
        max_flows: int | None = None,
        max_ratio: float = MAX_RATIO,
        starts: bool = False,
    ) -> None:
        """Name the file; nothing is read yet.

        Args:
            path: the file.
            dialect: whose rules measure.
            live_rules: expiry as on a live interface; None for the dialect's own rules.
            sensor: name that the tables carry.
            name: what messages and tables call the file; its path and its name when None.
            max_flows: as `FlowMeter` takes it.
            max_ratio: bytes that a byte of a compressed file may give.
            starts: as `FlowMeter` takes it.

        Raises:
            OSError: there is no such file.
        """
        self.path = Path(path)
        self.size = self.path.stat().st_size
        self.problem: str | None = None
        self.over_limit = False
        self._name = name or str(self.path)
        self._max_ratio = max_ratio
        self._live_rules = live_rules
        self._meter = FlowMeter(
            dialect,
            live_rules=live_rules,
            max_flows=max_flows,
            starts=starts,
            sensor=sensor,
            interface=name or self.path.name,
        )

    def counters(self) -> MeterCounters:
        """Return the meter's counters."""
        return self._meter.counters()

    def take_starts(self) -> NDArray[np.void]:
        """Return what the meter noted of starts, see `FlowMeter.take_starts`."""
        return self._meter.take_starts()

    @property
    def starts_hurried(self) -> int:
        """Starts that the meter looked at before their time."""
        return self._meter.starts_hurried

    def tables(self, progress: Callable[[int], None] | None = None) -> Iterator[FlowTable]:
        """Meter the file; yield flows in the order they end, the open ones last.

        Args:
            progress: called with the bytes of the file read so far, once a block.

        Raises:
            OSError: the file cannot be read.
            ValueError: it is not a pcap or pcapng capture, nor a compressed one.
        """
        with self.path.open("rb") as file:
            stream = CaptureStream(file, max_ratio=self._max_ratio)
            reader = self._reader(stream)
            for block, index, count in reader:
                yield from self._meter.feed(block, index, count)
                if self._live_rules is not None:
                    yield from self._meter.expire(int(index.ts[count - 1]) - CLOCK_SLACK_US)
                if progress is not None:
                    progress(stream.bytes_taken)
            self.problem = f"{self._name}: {stream.problem}" if stream.problem else reader.problem
            self.over_limit = stream.over_limit
        yield from self._meter.flush()

    def _reader(self, stream: CaptureStream) -> BlockReader:
        try:
            return BlockReader(stream, self._name)
        except ValueError as error:
            if stream.problem is None:
                raise
            raise ValueError(f"{self._name}: {stream.problem}") from error


def read_capture(
    path: str | PathLike[str],
    *,
    dialect: str = IMPROVED,
    live_rules: LiveRules | None = None,
    sensor: str = "",
    progress: Callable[[int], None] | None = None,
) -> Iterator[FlowTable]:
    """Meter a pcap or pcapng file, plain, gzip or Zstandard; yield tables of its flows.

    A file that is cut off or corrupt gives the flows up to there and a warning in the log.

    Args:
        path: the file.
        dialect: whose rules measure.
        live_rules: expiry as on a live interface; None for the dialect's own rules.
        sensor: name that the tables carry.
        progress: called with the bytes read so far.

    Raises:
        OSError: the file cannot be read.
        ValueError: it is not a pcap or pcapng capture.
    """
    capture = CaptureFile(path, dialect=dialect, live_rules=live_rules, sensor=sensor)
    yield from capture.tables(progress)
    if capture.problem is not None:
        logger.warning("%s; flows up to there were metered", capture.problem)
