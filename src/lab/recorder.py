"""The sensor's place: everything that crosses the bridge, as a capture."""

from __future__ import annotations

import re
import signal
import time
from pathlib import Path
from typing import Final

from lab.network import BRIDGE
from lab.processes import Running
from lab.programs import Program

TCPDUMP: Final = Program("tcpdump", "tcpdump")
SNAP_LENGTH: Final = 262_144
"""Bytes kept of a packet: all, as what is cut off would be missing in the flows."""
START_SECONDS: Final = 20.0
SETTLE_SECONDS: Final = 1.0


class Recorder:
    """tcpdump on the bridge.

    Attributes:
        missed: packets that the kernel did not hand over; known after `stop`.
    """

    def __init__(self, switch: str, capture: Path, place: Path) -> None:
        """Begin to record.

        Raises:
            FileNotFoundError: tcpdump is not installed.
            TimeoutError: it does not begin.
        """
        self.missed = 0
        command = [
            *(TCPDUMP.required(), "-i", BRIDGE, "-n", "-w", str(capture.absolute()), "-s", str(SNAP_LENGTH)),
            *("-B", "65536", "-Z", "root"),
        ]
        self._running = Running(switch, command, place, "tcpdump")
        deadline = time.monotonic() + START_SECONDS
        while "listening on" not in self._running.log.read_text():
            if self._running.code is not None or time.monotonic() > deadline:
                self._running.stop()
                raise TimeoutError(f"tcpdump does not record: {self._running.said()}")
            time.sleep(0.02)

    def stop(self) -> None:
        """Finish the capture."""
        time.sleep(SETTLE_SECONDS)
        self._running.stop(signal.SIGINT)
        found = re.search(r"(\d+) packets? dropped by kernel", self._running.log.read_text())
        self.missed = int(found[1]) if found else 0
