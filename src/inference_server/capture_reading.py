"""Reading one capture file: its flows, with host context if asked, and what is to be said about it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

from capture.files import CaptureFile
from capture.rules import LiveRules
from context.stage import ContextStage
from flows.dialects import IMPROVED
from flows.table import FlowTable


class CaptureReading:
    """One capture that is read once.

    Attributes:
        packets: packets so far.
        ignored: packets that joined no flow, by reason; once all is read.
        warnings: what a person should know of it; once all is read.
    """

    def __init__(
        self,
        path: Path,
        *,
        name: str | None = None,
        dialect: str = IMPROVED,
        live_rules: LiveRules | None = None,
        context: bool = False,
    ) -> None:
        """Name the file; nothing is read yet.

        Args:
            path: the file.
            name: what messages and tables call it; its path and its name when None.
            dialect: whose rules measure.
            live_rules: expiry as on a live interface; None for the dialect's own rules.
            context: what hosts did before each flow is measured too.

        Raises:
            OSError: there is no such file.
        """
        self.ignored: Counter[str] = Counter()
        self.warnings: list[str] = []
        self._name = name or str(path)
        self._capture = CaptureFile(path, name=name, dialect=dialect, live_rules=live_rules, starts=context)
        self._context = ContextStage() if context else None

    @property
    def packets(self) -> int:
        """Packets so far."""
        return self._capture.counters().packets

    def tables(self, progress: Callable[[int], None] | None = None) -> Iterator[FlowTable]:
        """Yield the flows; a capture that is cut off gives what it has and a warning.

        Args:
            progress: called with the bytes of the file read so far, once a block.

        Raises:
            OSError: it cannot be read.
            ValueError: it is no capture, or broken before its first packet.
        """
        capture, stage, flows = self._capture, self._context, 0
        tables = capture.tables(progress)
        for table in stage.complete(tables, capture.take_starts) if stage else tables:
            flows += len(table)
            yield table
        self.ignored.update(capture.counters().ignored)
        if stage is not None:
            self._tell_of_context(stage)
        if capture.problem is not None:
            if not self.packets:
                raise ValueError(f"{capture.problem}; no packet before that")
            self.warnings.append(f"{capture.problem}; {self.packets:,} packets, {flows:,} flows up to there")

    def _tell_of_context(self, stage: ContextStage) -> None:
        left_out = {
            "flows have no context: too many were open at once": stage.forgotten,
            "flows left the 60 s window before their time: too many began": stage.crowded_out,
            "flows were looked at before they were 2 s old: too many began": self._capture.starts_hurried,
        }
        self.warnings += [f"{self._name}: {count:,} {what}" for what, count in left_out.items() if count]
