"""The process in which PyPI cicflowmeter's own flow session measures packets.

    python -I worker.py live INTERFACE '{"instructions": [[6, 0, 0, 262144]], "promiscuous": true}'
    python -I worker.py file CAPTURE

The interpreter of the extractor's environment runs this file; nothing imports it. Each line of its output
is a JSON object of one `kind`: ready, flow, status or problem. When its input ends, it writes the flows that
are still open and ends.
"""

from __future__ import annotations

import ctypes
import json
import math
import os
import select
import signal
import socket
import struct
import sys
import time
from collections import Counter
from collections.abc import Callable
from importlib.metadata import version
from typing import Any, Final

from cicflowmeter import flow_session
from scapy.config import conf
from scapy.data import ETH_P_ALL
from scapy.interfaces import resolve_iface
from scapy.utils import PcapReader

STATUS_SECONDS: Final = 1.0
DRAIN_SECONDS: Final = 0.2
RECEIVE_BUFFER: Final = 1 << 23
KEPT_PACKETS: Final = 100_000
"""The session keeps every packet of its open flows, several kilobytes each; above this all are ended."""

LONG_SECONDS: Final = 90
"""The session ends flows of this duration, and those that were silent for 240 s."""

_SO_ATTACH_FILTER: Final = 26
_SOL_PACKET: Final = 263
_PACKET_STATISTICS: Final = 6
_PACKET_IGNORE_OUTGOING: Final = 23
_LOOPBACK: Final = "lo"
_TCP_UDP: Final = (6, 17)
_ETHERTYPES: Final = {0x0806: "arp", 0x86DD: "ipv6", 0x8100: "vlan", 0x88A8: "vlan"}


class Channel:
    """Lines to the parent; whatever else is printed goes to stderr."""

    def __init__(self) -> None:
        self._stream = os.fdopen(os.dup(1), "w", encoding="utf-8")
        os.dup2(2, 1)

    def send(self, kind: str, **fields: Any) -> None:
        """Write one line.

        Raises:
            BrokenPipeError: the parent is gone.
        """
        self._stream.write(json.dumps({"kind": kind, **fields}) + "\n")
        self._stream.flush()


class TimedFlow(flow_session.Flow):  # type: ignore[misc]  # the package has no types
    """The package's flow, with the times it keeps to itself."""

    def get_data(self, include_fields: Any = None) -> dict[str, Any] | None:
        """Return the features, five-tuple and times; None where the package fails."""
        try:
            data = super().get_data(include_fields)
        except Exception as error:
            # A flow without a forward packet, for one: the package takes the minimum of nothing.
            sys.stderr.write(f"a flow cannot be measured: {error!r}\n")
            return None
        data = {name: _plain(value) for name, value in data.items()}
        # The package writes the local time without its zone.
        del data["timestamp"]
        return data | {
            "start_us": int(self.start_timestamp * 1_000_000),
            "end_us": int(self.latest_timestamp * 1_000_000),
        }


class Session:
    """The package's flow session, fed and counted."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._packets = 0
        self._metered = 0
        self._ignored: Counter[str] = Counter()
        self._emitted = 0
        self._failed = 0
        self._reason: str | None = None
        flow_session.output_writer_factory = lambda mode, output: self
        flow_session.Flow = TimedFlow
        self._session = flow_session.FlowSession()
        # 0.2.0 is a session of scapy 2.5; 0.5.0 has a method of its own.
        self._process = getattr(self._session, "process", None) or self._session.on_packet_received

    def write(self, data: dict[str, Any] | None) -> None:
        """Take a finished flow: the package calls this."""
        if data is None:
            self._failed += 1
            return
        self._emitted += 1
        long = data["end_us"] - data["start_us"] >= LONG_SECONDS * 1_000_000
        reason = self._reason or ("timeout" if long else "idle")
        times = {name: data.pop(name) for name in ("start_us", "end_us")}
        self._channel.send("flow", reason=reason, **times, record=data)

    def take(self, packet: Any) -> None:
        """Give one packet to the session, or count why not: what the package's own filter drops."""
        self._packets += 1
        reason = _ignored(packet)
        if reason is not None:
            self._ignored[reason] += 1
            return
        before = self._session.packets_count
        try:
            self._process(packet)
        except BrokenPipeError:
            raise
        except Exception as error:
            sys.stderr.write(f"a packet cannot be measured: {error!r}\n")
        if self._session.packets_count == before:
            # A later fragment, or too short for a TCP or UDP header.
            self._ignored["no_ports"] += 1
        else:
            self._metered += 1

    def expire(self) -> None:
        """End the flows whose time has passed, and all when they hold too many packets."""
        self._session.garbage_collect(time.time())
        if sum(len(flow.packets) for flow in self._session.flows.values()) > KEPT_PACKETS:
            self.end_all("evicted")

    def end_all(self, reason: str) -> None:
        """End every open flow."""
        self._reason = reason
        self._session.garbage_collect(None)
        self._reason = None

    def send_status(self, kernel_drops: int = 0) -> None:
        """Write the counters."""
        self._channel.send(
            "status",
            packets=self._packets,
            metered=self._metered,
            ignored=self._ignored,
            emitted=self._emitted,
            dropped=self._failed,
            live=len(self._session.flows),
            kernel_drops=kernel_drops,
        )


def live(session: Session, channel: Channel, interface: str, opening: str) -> None:
    """Measure an interface until the input ends.

    Args:
        session: takes the packets.
        channel: tells the parent.
        interface: its name.
        opening: JSON, the filter's instructions and whether to be promiscuous.
    """
    conf.bufsize = RECEIVE_BUFFER
    wanted = json.loads(opening)
    socket_class = resolve_iface(interface).l2listen()
    sniffer = socket_class(type=ETH_P_ALL, iface=interface, promisc=wanted["promiscuous"])
    _attach(sniffer.ins, wanted["instructions"])
    if interface == _LOOPBACK:
        # Loopback shows every packet once leaving and once arriving.
        sniffer.ins.setsockopt(_SOL_PACKET, _PACKET_IGNORE_OUTGOING, 1)
    channel.send("ready", release=version("cicflowmeter"))
    drops = 0
    due = time.monotonic()
    while True:
        readable, _, _ = select.select([sys.stdin, sniffer], [], [], max(0.0, due - time.monotonic()))
        if sys.stdin in readable:
            break
        if sniffer in readable:
            packet = sniffer.recv()
            if packet is not None:
                session.take(packet)
        if time.monotonic() >= due:
            session.expire()
            drops += _kernel_drops(sniffer.ins)
            session.send_status(drops)
            due = time.monotonic() + STATUS_SECONDS
    _drain(sniffer, session)
    drops += _kernel_drops(sniffer.ins)
    sniffer.close()
    session.send_status(drops)
    session.end_all("flush")
    session.send_status(drops)


def file(session: Session, channel: Channel, path: str) -> None:
    """Measure a capture file."""
    channel.send("ready", release=version("cicflowmeter"))
    for packet in PcapReader(path):
        session.take(packet)
    session.end_all("flush")
    session.send_status()


def _attach(packet_socket: Any, instructions: list[list[int]]) -> None:
    code = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *step) for step in instructions))
    program = struct.pack("HxxxxxxP", len(instructions), ctypes.addressof(code))
    packet_socket.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, program)


def _drain(sniffer: Any, session: Session) -> None:
    """Take what had arrived before the stop; on a busy wire there is always more."""
    until = time.monotonic() + DRAIN_SECONDS
    while time.monotonic() < until and select.select([sniffer], [], [], 0)[0]:
        packet = sniffer.recv()
        if packet is not None:
            session.take(packet)


def _kernel_drops(packet_socket: Any) -> int:
    counted = packet_socket.getsockopt(_SOL_PACKET, _PACKET_STATISTICS, 8)
    return int(struct.unpack("2I", counted)[1])


def _ignored(packet: Any) -> str | None:
    """Return why the package's filter, `ip and (tcp or udp)`, drops a packet; None when it does not."""
    network = packet if packet.name == "IP" else packet.payload
    if network.name != "IP":
        return _ETHERTYPES.get(packet.fields.get("type", 0), "not_ip")
    return None if network.proto in _TCP_UDP else "not_tcp_or_udp"


def _plain(value: Any) -> Any:
    """Return what JSON can hold: the package mixes Python's, NumPy's and scapy's numbers."""
    if isinstance(value, str | int):
        return value
    number = float(value)
    if math.isfinite(number):
        return number
    return "NaN" if math.isnan(number) else ("Infinity" if number > 0 else "-Infinity")


def main(mode: str, *arguments: str) -> int:
    """Run until the end of the input or of the file; return the exit code."""
    # The end of the input ends this process, so that Ctrl-C in a terminal loses no flow.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    channel = Channel()
    try:
        measure: Callable[..., None] = live if mode == "live" else file
        measure(Session(channel), channel, *arguments)
    except BrokenPipeError:
        return 1
    except Exception as error:
        channel.send("problem", type=type(error).__name__, text=str(error))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
