"""One conversation at a time: hosts, TCP stacks, and packets with sequence numbers that add up."""

from __future__ import annotations

import random
from collections.abc import Iterable
from dataclasses import dataclass, field

from scapy.layers.inet import ICMP, IP, TCP, UDP
from scapy.layers.l2 import Ether
from scapy.packet import Packet, Raw

MSS = 1460


@dataclass(frozen=True)
class Stack:
    """What a host's TCP puts into its headers.

    `syn_window` and `window` are the raw fields of the SYN and of later packets.
    """

    syn_window: int
    window: int
    timestamps: bool = True
    scale: int = 7
    bare_syn: bool = False


LINUX = Stack(64240, 502)
OLDER_LINUX = Stack(29200, 229)
LINUX_SERVER = Stack(28960, 235)
WINDOWS = Stack(8192, 256, timestamps=False, scale=8)
SCANNER = Stack(1024, 1024, timestamps=False, bare_syn=True)


@dataclass(frozen=True)
class Host:
    address: str
    stack: Stack = LINUX
    ttl: int = 64

    @property
    def mac(self) -> str:
        return "02:00:" + ":".join(f"{int(part):02x}" for part in self.address.split("."))


@dataclass(frozen=True)
class Timed:
    """A packet and its time in microseconds since the epoch."""

    time_us: int
    packet: Packet


@dataclass
class Side:
    """One end of a TCP connection."""

    host: Host
    port: int
    seq: int
    stamp: int = 0


@dataclass
class Conversation:
    """A client and a server that take turns; every step moves the clock first.

    `gap` arguments are the microseconds since the step before.
    """

    rng: random.Random
    client: Host
    server: Host
    client_port: int
    server_port: int
    clock_us: int
    packets: list[Timed] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._ends = {
            True: Side(self.client, self.client_port, self.rng.getrandbits(32)),
            False: Side(self.server, self.server_port, self.rng.getrandbits(32)),
        }
        self._ts_base = self.rng.getrandbits(30)

    def udp(self, from_client: bool, payload: bytes, gap: int) -> None:
        sender, receiver = self._ends[from_client], self._ends[not from_client]
        self._emit(sender, receiver, UDP(sport=sender.port, dport=receiver.port), payload, gap)

    def ping(self, from_client: bool, sequence: int, gap: int) -> None:
        sender, receiver = self._ends[from_client], self._ends[not from_client]
        echo = ICMP(type=8 if from_client else 0, code=0, id=self.client_port, seq=sequence)
        self._emit(sender, receiver, echo, bytes(range(56)), gap)

    def tcp(
        self, from_client: bool, flags: str, gap: int, payload: bytes = b"", window: int | None = None
    ) -> None:
        sender, receiver = self._ends[from_client], self._ends[not from_client]
        stack = sender.host.stack
        if window is None:
            window = 0 if "R" in flags else stack.syn_window if "S" in flags else stack.window
        acknowledges = "A" in flags
        self.clock_us += gap
        segment = TCP(
            sport=sender.port,
            dport=receiver.port,
            seq=sender.seq,
            ack=receiver.seq if acknowledges else 0,
            flags=flags,
            window=window,
            options=self._options(sender, receiver, flags),
        )
        self._emit(sender, receiver, segment, payload, 0)
        sender.seq = (sender.seq + len(payload) + ("S" in flags) + ("F" in flags)) % 2**32

    def open(self, round_trip: int, gap: int = 0) -> None:
        """Shake hands; `round_trip` is what the client waits for the answer."""
        self.tcp(True, "S", gap)
        self.tcp(False, "SA", round_trip)
        self.tcp(True, "A", max(20, round_trip // 20))

    def say(self, from_client: bool, payload: bytes, gap: int, ack_gap: int | None = None) -> None:
        """Send a message in segments of at most one MSS; the last is pushed, and acknowledged if asked."""
        pieces = [payload[at : at + MSS] for at in range(0, len(payload), MSS)]
        for index, piece in enumerate(pieces):
            last = index == len(pieces) - 1
            self.tcp(from_client, "PA" if last else "A", gap if index == 0 else 30, piece)
            if index % 2 == 1 and not last:
                self.tcp(not from_client, "A", 15)
        if ack_gap is not None:
            self.tcp(not from_client, "A", ack_gap)

    def close(self, from_client: bool, round_trip: int, gap: int = 500) -> None:
        """Close in order: FIN, FIN, ACK."""
        self.tcp(from_client, "FA", gap)
        self.tcp(not from_client, "FA", round_trip)
        self.tcp(from_client, "A", 40)

    def _options(self, sender: Side, receiver: Side, flags: str) -> list[tuple[str, object]]:
        stack = sender.host.stack
        if "R" in flags:
            return []
        if not stack.timestamps:
            return _windows_syn(stack) if "S" in flags else []
        sender.stamp = (self._ts_base + self.clock_us // 1000) % 2**32
        stamp = ("Timestamp", (sender.stamp, receiver.stamp))
        if "S" in flags:
            return [("MSS", MSS), ("SAckOK", b""), stamp, ("NOP", None), ("WScale", stack.scale)]
        return [("NOP", None), ("NOP", None), stamp]

    def _emit(self, sender: Side, receiver: Side, layer4: Packet, payload: bytes, gap: int) -> None:
        self.clock_us += gap
        frame = (
            Ether(src=sender.host.mac, dst=receiver.host.mac)
            / IP(
                src=sender.host.address,
                dst=receiver.host.address,
                ttl=sender.host.ttl,
                id=self.rng.getrandbits(16),
                flags="DF",
            )
            / layer4
        )
        self.packets.append(Timed(self.clock_us, frame / Raw(payload) if payload else frame))


def _windows_syn(stack: Stack) -> list[tuple[str, object]]:
    if stack.bare_syn:
        return [("MSS", MSS)]
    padding: list[tuple[str, object]] = [("NOP", None)]
    return [("MSS", MSS), *padding, ("WScale", stack.scale), *padding, *padding, ("SAckOK", b"")]


def in_order(conversations: Iterable[Conversation]) -> list[Timed]:
    """Return the packets of all conversations by time."""
    packets = [packet for conversation in conversations for packet in conversation.packets]
    return sorted(packets, key=lambda timed: timed.time_us)
