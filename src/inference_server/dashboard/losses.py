"""What the sensor lost on its way from the wire to the alert, by the place where it was lost."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from inference_server.central.status import CentralStatus
from inference_server.telemetry.status import ServiceStatus, log_files

PACKETS: Final = "packets the kernel dropped"
SHED: Final = "flows shed before scoring"
FAILED: Final = "flows whose scoring failed"
REFUSED: Final = "flows the model cannot judge"
UNWRITTEN: Final = "verdicts not written to a log"
UNALERTED: Final = "attacks no alert heard of"
LINES: Final = "lines lost by a log"
MESSAGES: Final = "messages lost before the outbox"
BOOK: Final = "alerts lost before the alert book"
UNSENT: Final = "flows lost before they were taken elsewhere"
ARCHIVE: Final = "flows lost before the archive"


def losses(status: ServiceStatus) -> dict[str, int]:
    """Return the totals since the start, zeros included, in the order of the path."""
    return {
        PACKETS: sum(interface.kernel_drops for interface in status.capture.interfaces),
        SHED: status.scoring.shed,
        UNSENT: _unsent(status.central),
        REFUSED: sum(status.scoring.refused.values()),
        FAILED: status.scoring.failed,
        UNWRITTEN: status.sink.dropped,
        UNALERTED: status.sink.unalerted,
        LINES: sum(file.lost for file in log_files(status)),
        MESSAGES: sum(status.alerts.outbox.lost.values()),
        BOOK: sum(status.alerts.book.lost.values()),
        ARCHIVE: sum(status.archive.dropped.values()),
    }


def _unsent(central: CentralStatus | None) -> int:
    return sum(central.lost.values()) + sum(central.dropped.values()) if central else 0


def growth(before: Mapping[str, int], now: Mapping[str, int]) -> dict[str, int]:
    """Return what was lost between two looks, without what was not."""
    grown = {name: total - before.get(name, 0) for name, total in now.items()}
    return {name: count for name, count in grown.items() if count > 0}
