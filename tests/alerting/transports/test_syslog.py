from __future__ import annotations

import re

import pytest

from alerting.transports.syslog import SyslogTransport, syslog_line
from helpers.messages import alert_messages
from helpers.receivers import tcp_receiver, udp_receiver
from helpers.server import wait_until

# RFC 5424, section 6.
LINE = re.compile(
    rb"<(?P<priority>\d{1,3})>1 "
    rb"(?P<time>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z) "
    rb"(?P<host>[!-~]{1,255}) ml-ids - (?P<id>[!-~]{1,32}) "
    rb'\[(?P<sd>[!-<>-\\^-~]{1,32})(?P<parameters>( [a-z0-9_]{1,32}="([^"\\\]]|\\["\\\]])*")*)\] '
    rb"(?P<text>.*)",
    re.DOTALL,
)


def read(line: bytes) -> dict[str, bytes]:
    found = LINE.fullmatch(line)
    assert found, line
    return found.groupdict()


def parameters(line: bytes) -> dict[str, str]:
    pairs = re.findall(r' (\w+)="((?:[^"\\\]]|\\.)*)"', read(line)["parameters"].decode())
    return {name: re.sub(r"\\(.)", r"\1", value) for name, value in pairs}


def test_a_line_is_what_the_rfc_says() -> None:
    (message,) = alert_messages(1)
    line = syslog_line(message)
    found = read(line)
    assert found["priority"] == b"%d" % (21 * 8 + 5)
    assert (found["id"], found["sd"]) == (b"alert", b"ml_ids@32473")
    assert found["text"].startswith(b"Portscan from 10.0.0.1 to ")
    said = parameters(line)
    assert (said["message_id"], said["alert_id"]) == (message.message_id, message.alert_id)
    assert (said["class"], said["src_ip"], said["count"]) == ("Portscan", "10.0.0.1", "1")
    assert len(line) < 2048


def test_odd_characters_stay_where_they_are() -> None:
    (message,) = alert_messages(1, sensor='Zürich "3"\n]')
    message.eve["ml_ids"]["label"] = 'a"]\\ b\n<13>1 ä'
    line = syslog_line(message)
    found = read(line)
    assert found["host"] == b'Z_rich_"3"_]'
    assert parameters(line)["class"] == 'a"]\\ b <13>1 ä'
    assert found["text"].startswith(b'\xef\xbb\xbfa"]\\ b <13>1 ')
    assert b"\n" not in line


def test_udp_gets_one_datagram_a_message() -> None:
    sent = alert_messages(3)
    with udp_receiver() as receiver:
        transport = SyslogTransport("udp", "127.0.0.1", receiver.getsockname()[1])
        assert list(transport.send(sent)) == [None] * 3
        lines = [receiver.recv(65_536) for _ in sent]
        transport.close()
    assert [parameters(line)["alert_id"] for line in lines] == [message.alert_id for message in sent]


def _frames(received: bytes) -> list[bytes]:
    frames = []
    while received:
        length, _, rest = received.partition(b" ")
        frames.append(rest[: int(length)])
        received = rest[int(length) :]
    return frames


def test_tcp_counts_octets_and_connects_again() -> None:
    sent = alert_messages(5)
    with tcp_receiver() as receiver:
        transport = SyslogTransport("tcp", "127.0.0.1", receiver.port)
        transport.send(sent[:2])
        transport.send(sent[2:3])
        wait_until(lambda: len(_frames(bytes(receiver.received))) == 3)
        assert len(receiver.connections) == 1
        receiver.hang_up()
        transport.send(sent[3:])
        wait_until(lambda: len(_frames(bytes(receiver.received))) == 5)
        transport.close()
    lines = _frames(bytes(receiver.received))
    assert [parameters(line)["message_id"] for line in lines] == [message.message_id for message in sent]


def test_nobody_answers() -> None:
    with pytest.raises(ConnectionRefusedError):
        SyslogTransport("tcp", "127.0.0.1", 9).send(alert_messages(1))


def test_an_unknown_host() -> None:
    with pytest.raises(OSError, match=r"known|resolution|No address"):
        SyslogTransport("udp", "host.invalid", 514).send(alert_messages(1))
