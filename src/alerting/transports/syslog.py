"""Syslog as RFC 5424 has it, over UDP (RFC 5426) or TCP with octet counting (RFC 6587)."""

from __future__ import annotations

import re
import socket
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final, Literal

from alerting import summary
from alerting.message import Message

Protocol = Literal["udp", "tcp"]

TIMEOUT_SECONDS: Final = 5.0
BATCH: Final = 100
LOCAL5: Final = 21
"""The facility, Suricata's."""

DATA_ID: Final = "ml_ids@32473"
_LEVELS: Final = {1: 2, 2: 4, 3: 5}
"""Severity as Suricata counts, to critical, warning and notice."""

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"


class SyslogTransport:
    """Sends lines to a syslog server; see `Transport`.

    Syslog has no receipts: what was handed to the network counts as delivered.
    """

    name = "syslog"
    batch = BATCH

    def __init__(self, protocol: Protocol, host: str, port: int, *, timeout: float = TIMEOUT_SECONDS) -> None:
        """Take the server's address and how many seconds connecting, and sending, may take."""
        self._address = (host, port)
        self._timeout = timeout
        self._connect: Callable[[], socket.socket] = self._tcp if protocol == "tcp" else self._udp
        self._framed = protocol == "tcp"
        self._socket: socket.socket | None = None

    def send(self, messages: Sequence[Message]) -> Sequence[str | None]:
        """Send one line a message.

        Raises:
            OSError: the server cannot be reached, or took only some of the lines.
        """
        lines = [syslog_line(message) for message in messages]
        if self._socket is not None and _closed(self._socket):
            self.close()
        if self._socket is None:
            self._socket = self._connect()
        try:
            if self._framed:
                self._socket.sendall(b"".join(b"%d %s" % (len(line), line) for line in lines))
            else:
                for line in lines:
                    self._socket.send(line)
        except OSError:
            self.close()
            raise
        return [None] * len(messages)

    def close(self) -> None:
        """Close the connection."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _tcp(self) -> socket.socket:
        return socket.create_connection(self._address, self._timeout)

    def _udp(self) -> socket.socket:
        family, kind, number, _, address = socket.getaddrinfo(*self._address, type=socket.SOCK_DGRAM)[0]
        made = socket.socket(family, kind, number)
        made.settimeout(self._timeout)
        made.connect(address)
        return made


def syslog_line(message: Message) -> bytes:
    """Return a message as RFC 5424 has it."""
    about = message.eve.get("ml_ids", {})
    made = _EPOCH + timedelta(microseconds=message.made_us)
    time = f"{made.isoformat(timespec='microseconds').removesuffix('+00:00')}Z"
    host = _name(str(about.get("sensor", "")), 255)
    priority = LOCAL5 * 8 + _LEVELS[summary.severity(message)]
    header = f"<{priority}>1 {time} {host} ml-ids - {_name(message.kind, 32)} {_data(message)} "
    text = summary.title(message).encode()
    return header.encode() + (text if text.isascii() else _BYTE_ORDER_MARK + text)


def _data(message: Message) -> str:
    record = message.eve
    about, alert = record.get("ml_ids", {}), record.get("alert", {})
    fields = {
        "message_id": message.message_id,
        "alert_id": message.alert_id,
        "revision": message.revision if message.alert_id else None,
        "state": about.get("state"),
        "event": about.get("event"),
        "class": about.get("label"),
        "severity": alert.get("severity"),
        "count": about.get("count"),
        "p_attack_max": about.get("p_attack_max"),
        "src_ip": record.get("src_ip"),
        "src_port": record.get("src_port"),
        "dest_ip": record.get("dest_ip"),
        "dest_port": record.get("dest_port"),
        "proto": record.get("proto"),
        "community_id": record.get("community_id"),
    }
    known = (f'{name}="{_value(str(value))}"' for name, value in fields.items() if value is not None)
    return f"[{DATA_ID} {' '.join(known)}]"


def _value(text: str) -> str:
    return re.sub(r'(["\\\]])', r"\\\1", summary.printable(text))


def _name(text: str, longest: int) -> str:
    """Return a text as a header's field: printable ASCII without blanks, `-` when nothing is left."""
    return re.sub(r"[^!-~]", "_", text)[:longest] or "-"


def _closed(connection: socket.socket) -> bool:
    """Whether the other end has closed, which sending alone would notice a message too late."""
    timeout = connection.gettimeout()
    connection.setblocking(False)
    try:
        return connection.recv(1, socket.MSG_PEEK) == b""
    except BlockingIOError:
        return False
    except OSError:
        return True
    finally:
        connection.settimeout(timeout)
