"""The oracle's memory: which packet belongs to which flow, and when a flow ends, dialect by dialect.

Written from the specification, plainly and slowly: a flow is the list of its packets.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from helpers.oracle_packets import (
    ACK,
    FIN,
    ICMP,
    ICMPV6,
    IGMP,
    RST,
    SCTP,
    SYN,
    TCP,
    UDP,
    Packet,
    Sight,
)

TIMEOUT = 120_000_000
Endpoint = tuple[bytes, int]


@dataclass(frozen=True)
class Member:
    """A packet in its flow. A silent one ends no idle time."""

    packet: Packet
    forward: bool
    silent: bool = False
    repeated: bool = False


@dataclass
class Flow:
    """A flow that grows.

    Attributes:
        source, destination: its labels.
        members: its packets in the order of arrival.
        earlier: how long its connection lasted before the time-out cut it, microseconds.
        seen: what the connection's TCP packets were like, to tell repeated ones.
        closing: how far its TCP connection is closed, in the dialect's own words.
    """

    source: Endpoint
    destination: Endpoint
    protocol: int
    members: list[Member] = field(default_factory=list)
    earlier: int = 0
    seen: set[tuple[object, ...]] = field(default_factory=set)
    closing: str = ""

    @property
    def first(self) -> Packet:
        return self.members[0].packet

    @property
    def last(self) -> Packet:
        return self.members[-1].packet

    def sends(self, packet: Packet) -> bool:
        """Whether the flow's source sent a packet; only its address tells."""
        return packet.src == self.source[0]

    def add(self, packet: Packet, *, forward: bool | None = None, silent: bool = False) -> None:
        forward = self.sends(packet) if forward is None else forward
        look = (forward, packet.sequence, packet.acknowledged, packet.payload, packet.window)
        repeated = packet.protocol == TCP and look in self.seen
        self.seen.add(look)
        self.members.append(Member(packet, forward, silent, repeated))


def flow_from(packet: Packet) -> Flow:
    """A flow whose source is the sender of its first packet."""
    flow = Flow((packet.src, packet.sport), (packet.dst, packet.dport), packet.protocol)
    flow.add(packet)
    return flow


class Dialect:
    """What all dialects share: one table of open flows, the time-out, the end of the capture."""

    name = ""
    sight = Sight()
    drops_single_packets = False

    def __init__(self) -> None:
        self.open: dict[tuple[object, ...], Flow] = {}
        self.finished: list[Flow] = []

    def flows(self, packets: Iterable[Packet]) -> list[Flow]:
        """Return the flows of packets in the order of their arrival."""
        for packet in packets:
            seen = self.seen(packet)
            ends = sorted([(seen.src, seen.sport), (seen.dst, seen.dport)])
            self.packet((seen.protocol, *ends), seen)
        for key in list(self.open):
            self.finish(key)
        return self.finished

    def seen(self, packet: Packet) -> Packet:
        return packet

    def packet(self, key: tuple[object, ...], packet: Packet) -> None:
        flow = self.open.get(key)
        if flow is None:
            self.open[key] = self.begin(packet)
        elif packet.time - flow.first.time > TIMEOUT:
            self.finish(key)
            self.open[key] = self.restart(flow, packet)
        else:
            self.join(key, flow, packet)

    def finish(self, key: tuple[object, ...]) -> None:
        flow = self.open.pop(key)
        if len(flow.members) > 1 or not self.drops_single_packets:
            self.finished.append(flow)

    def begin(self, packet: Packet) -> Flow:
        return flow_from(packet)

    def restart(self, flow: Flow, packet: Packet) -> Flow:
        raise NotImplementedError

    def join(self, key: tuple[object, ...], flow: Flow, packet: Packet) -> None:
        raise NotImplementedError


class Original(Dialect):
    """What the tools of CIC have in common.

    Only TCP and UDP are told apart; an ICMP error passes for the packet it quotes. A flow that the
    time-out cut keeps its labels, but its next packet counts as forward, whoever sent it: the
    constructor looks at the packet before it knows the labels.
    """

    drops_single_packets = True

    def restart(self, flow: Flow, packet: Packet) -> Flow:
        after = Flow(flow.source, flow.destination, flow.protocol)
        after.add(packet, forward=True)
        return after


class Cic2018(Original):
    """The first FIN that is not the flow's first packet ends it, without ending an idle time."""

    name = "cic-2018"
    sight = Sight(knows=(), reads_quotes=True, needs_length=True, no_window=-1)

    def join(self, key: tuple[object, ...], flow: Flow, packet: Packet) -> None:
        flow.add(packet, silent=packet.has(FIN))
        if packet.has(FIN):
            self.finish(key)


class Cic2017(Cic2018):
    """As 2018, but padding is payload and a UDP header is as long as the last TCP header of all."""

    name = "cic-2017"
    sight = replace(Cic2018.sight, padding_counts=True)

    def __init__(self) -> None:
        super().__init__()
        self.last_tcp_header = 0

    def seen(self, packet: Packet) -> Packet:
        if packet.protocol == TCP:
            self.last_tcp_header = packet.header
        if packet.protocol == UDP:
            return replace(packet, header=self.last_tcp_header)
        return packet


class CicV4(Original):
    """Meant to end at both FINs, it ends at the first backward one, or at a RST.

    A forward FIN only leaves a mark, unless the flow began with it; the next forward FIN is thrown
    away. FIN is looked at before RST.
    """

    name = "cic-v4"
    sight = Sight(knows=(), reads_quotes=True, needs_length=True)

    def join(self, key: tuple[object, ...], flow: Flow, packet: Packet) -> None:
        if packet.has(FIN) and flow.sends(packet):
            if not flow.closing:
                flow.closing = "forward FIN"
                flow.add(packet)
            return
        flow.add(packet)
        if packet.has(FIN) or packet.has(RST):
            self.finish(key)


class Improved(Dialect):
    """A closed connection absorbs packets until a SYN comes.

    Closed is what had a RST, or a FIN of each side and then an ACK without FIN; the flow's first packet
    moves nothing, though its FIN counts for its side. ICMP starts anew when type and code both differ. A
    TCP connection that the time-out cut goes on with its labels; anything else starts anew.
    """

    name = "improved"

    def packet(self, key: tuple[object, ...], packet: Packet) -> None:
        flow = self.open.get(key)
        if flow is not None and (self.reopens(flow, packet) or self.other_icmp(flow, packet)):
            self.finish(key)
            self.open[key] = self.begin(packet)
        else:
            super().packet(key, packet)

    def reopens(self, flow: Flow, packet: Packet) -> bool:
        return flow.closing == "closed" and packet.has(SYN)

    def other_icmp(self, flow: Flow, packet: Packet) -> bool:
        first = flow.first
        return (
            flow.protocol == ICMP
            and packet.icmp_type != first.icmp_type
            and packet.icmp_code != first.icmp_code
        )

    def restart(self, flow: Flow, packet: Packet) -> Flow:
        if not self.goes_on(flow, packet):
            return self.begin(packet)
        after = Flow(flow.source, flow.destination, flow.protocol, seen=flow.seen)
        after.earlier = flow.earlier + packet.time - flow.first.time
        after.add(packet)
        return after

    def goes_on(self, flow: Flow, packet: Packet) -> bool:
        return flow.protocol == TCP

    def join(self, key: tuple[object, ...], flow: Flow, packet: Packet) -> None:
        flow.add(packet)
        if packet.has(FIN):
            fins = {member.forward for member in flow.members if member.packet.has(FIN)}
            if not flow.closing:
                flow.closing = "a FIN"
            elif flow.closing == "a FIN" and fins == {True, False}:
                flow.closing = "both FINs"
        elif packet.has(RST) or (packet.has(ACK) and flow.closing == "both FINs"):
            flow.closing = "closed"


class Improved2024(Improved):
    """IGMP and SCTP are told apart; SYN and ACK in a connection's first packet turn its labels round.

    A UDP dialogue goes on after the time-out with its labels too, unless it was silent as long.
    """

    name = "improved-2024"
    sight = Sight(knows=(ICMP, ICMPV6, IGMP, SCTP))

    def begin(self, packet: Packet) -> Flow:
        if not (packet.has(SYN) and packet.has(ACK)):
            return flow_from(packet)
        flow = Flow((packet.dst, packet.dport), (packet.src, packet.sport), packet.protocol)
        flow.add(packet)
        return flow

    def goes_on(self, flow: Flow, packet: Packet) -> bool:
        if flow.protocol == UDP:
            return packet.time - flow.last.time <= TIMEOUT
        return flow.protocol == TCP


DIALECTS: dict[str, type[Dialect]] = {
    dialect.name: dialect for dialect in (Improved, Improved2024, Cic2018, Cic2017, CicV4)
}
