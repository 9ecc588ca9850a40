"""One look at the service, made once a second for all pages that are open."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from inference_server.telemetry.status import ServiceStatus
from inference_server.uploads.upload import Upload


@dataclass(frozen=True, slots=True)
class Totals:
    """Counters since the start, whose growth is shown.

    Attributes:
        packets: packets seen on the wire.
        drops: packets the kernel dropped.
        flows: flows judged, of captures and of requests.
        attacks: those judged to be attacks.
        captured: flows judged of captures.
        requested: flows judged for requests.
    """

    packets: int = 0
    drops: int = 0
    flows: int = 0
    attacks: int = 0
    captured: int = 0
    requested: int = 0


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What pages are drawn from.

    Attributes:
        time: when, seconds since the epoch.
        status: the state of every part.
        health: the body of /health.
        totals: counters since the start.
        rates: their growth a second since the look before, by name.
        lost: what was lost since the start, by place, zeros included.
        lost_lately: what of it was lost in the last minutes, without zeros.
        max_flows: flows an interface may have open.
        uploads: captures that were sent, the latest first.
        panels: parts of pages made from this look, by template.
    """

    time: float
    status: ServiceStatus
    health: dict[str, Any]
    totals: Totals = Totals()
    rates: dict[str, float] = field(default_factory=dict)
    lost: dict[str, int] = field(default_factory=dict)
    lost_lately: dict[str, int] = field(default_factory=dict)
    max_flows: int = 0
    uploads: Sequence[Upload] = ()
    panels: dict[str, str] = field(default_factory=dict)

    @property
    def shed(self) -> int:
        """Flows that were not scored because too many waited."""
        return self.status.scoring.shed

    @property
    def pending(self) -> int:
        """Messages that wait to be delivered."""
        return sum(each.pending for each in self.status.alerts.outbox.transports)

    @property
    def dead(self) -> int:
        """Messages given up that can be retried."""
        return sum(each.dead - each.discarded for each in self.status.alerts.outbox.transports)


def totals_of(status: ServiceStatus) -> Totals:
    """Return the counters of a status."""
    interfaces = status.capture.interfaces
    scoring = status.scoring
    return Totals(
        packets=sum(interface.counters.packets for interface in interfaces),
        drops=sum(interface.kernel_drops for interface in interfaces),
        flows=scoring.captured + scoring.requested,
        attacks=scoring.attacks,
        captured=scoring.captured,
        requested=scoring.requested,
    )


def rates_between(before: Totals, now: Totals, seconds: float) -> dict[str, float]:
    """Return the growth a second of each counter; a restart of a capture is no negative one."""
    names = Totals.__dataclass_fields__
    return {name: max(getattr(now, name) - getattr(before, name), 0) / seconds for name in names}
