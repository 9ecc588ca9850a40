"""What live capture takes from the wire, beside the rules that end flows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

WHOLE_PACKETS: Final = 262_144
LIVE_FLOWS: Final = 262_144


@dataclass(frozen=True, slots=True)
class CaptureOptions:
    """How interfaces are opened.

    Attributes:
        packet_filter: expression of pcap-filter(7); only what it matches is captured. Empty: all.
        own_traffic: services whose connections with this host are left out.
        promiscuous: also take frames that are addressed to other machines.
        snaplen: bytes of each frame kept as evidence. The meter always sees whole frames: lengths are
            features.
        max_flows: flows kept at once, of each interface; when full, long silent ones end early.
        evidence_bytes: memory for the most recent packets, of all interfaces together; 0: none.
    """

    packet_filter: str = ""
    own_traffic: tuple[OwnService, ...] = ()
    promiscuous: bool = True
    snaplen: int = WHOLE_PACKETS
    max_flows: int = LIVE_FLOWS
    evidence_bytes: int = 0


@dataclass(frozen=True, slots=True)
class OwnService:
    """A TCP service that this process offers or uses.

    Attributes:
        name: what it is called in messages, such as the setting that names it.
        port: its TCP port.
        host: its name or address; None for the API of this process, whose traffic is left out on the
            loopback interface only: requests from other machines may be attacks.
    """

    name: str
    port: int
    host: str | None = None
