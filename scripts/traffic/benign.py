"""What people and machines do all day: names, web pages, shells, time."""

from __future__ import annotations

import random
from collections.abc import Iterator

from traffic.session import LINUX_SERVER, WINDOWS, Conversation, Host

CLIENTS = (Host("192.0.2.11", WINDOWS, 128), Host("192.0.2.12", WINDOWS, 128), Host("192.0.2.21"))
RESOLVER = Host("192.0.2.1")
WEB = Host("198.51.100.20", LINUX_SERVER)
TLS = Host("198.51.100.30", LINUX_SERVER)
SHELL = Host("198.51.100.40", LINUX_SERVER)
CLOCK = Host("198.51.100.50")
COLLECTOR = Host("192.0.2.60")

KEY_EXCHANGE = ((1_208, 1_080), (48, 452), (16, 44), (60, 52), (600, 28), (112, 500))
NAMES = ("www.example.com", "static.example.net", "mail.example.org", "time.example.net", "api.example.com")


def dns(rng: random.Random, start_us: int, count: int = 25) -> Iterator[Conversation]:
    """A stub resolver asks A and AAAA from one port; the recursive server takes its time."""
    for _ in range(count):
        at = start_us + rng.randrange(100_000_000)
        talk = Conversation(rng, rng.choice(CLIENTS), RESOLVER, rng.randrange(49152, 65535), 53, at)
        name = rng.choice(NAMES)
        answer = rng.randrange(16, 120)
        talk.udp(True, _question(rng, name, 1), 0)
        talk.udp(True, _question(rng, name, 28), rng.randrange(8, 200))
        talk.udp(False, _question(rng, name, 1) + rng.randbytes(answer), rng.randrange(900, 60_000))
        talk.udp(False, _question(rng, name, 28) + rng.randbytes(answer + 12), rng.randrange(20, 9_000))
        yield talk


def _question(rng: random.Random, name: str, kind: int) -> bytes:
    labels = b"".join(bytes([len(part)]) + part.encode() for part in name.split("."))
    header = rng.randbytes(2) + b"\x01\x00\x00\x01" + bytes(6)
    return header + labels + b"\0" + kind.to_bytes(2, "big") + b"\x00\x01"


def web(rng: random.Random, start_us: int, count: int = 8) -> Iterator[Conversation]:
    """Browsers fetch a page and its parts over one kept-alive connection, read, and close."""
    for _ in range(count):
        at = start_us + rng.randrange(70_000_000)
        talk = Conversation(rng, rng.choice(CLIENTS), WEB, rng.randrange(49152, 65535), 80, at)
        round_trip = rng.randrange(9_000, 45_000)
        talk.open(round_trip)
        for part in range(rng.randrange(3, 7)):
            gap = rng.randrange(300, 2_000) if part == 0 else rng.randrange(30_000, 2_400_000)
            talk.say(True, _get(rng, f"/assets/{part}"), gap)
            talk.tcp(False, "A", round_trip)
            talk.say(
                False, _response(rng, rng.randrange(700, 9_000)), rng.randrange(400, 30_000), ack_gap=900
            )
        talk.close(True, round_trip, gap=rng.randrange(1_000_000, 4_000_000))
        yield talk


def _get(rng: random.Random, path: str) -> bytes:
    cookie = "".join(rng.choices("0123456789abcdef", k=rng.randrange(40, 160)))
    return (
        f"GET {path} HTTP/1.1\r\nHost: www.example.com\r\nUser-Agent: Mozilla/5.0\r\nAccept: */*\r\n"
        f"Accept-Language: en\r\nConnection: keep-alive\r\nCookie: session={cookie}\r\n\r\n"
    ).encode()


def _response(rng: random.Random, size: int) -> bytes:
    head = f"HTTP/1.1 200 OK\r\nServer: example\r\nContent-Length: {size}\r\nConnection: keep-alive\r\n\r\n"
    return head.encode() + rng.randbytes(size)


def tls(rng: random.Random, start_us: int, count: int = 10) -> Iterator[Conversation]:
    """TLS-like sessions: hello, certificate chain, key exchange, then records both ways."""
    for _ in range(count):
        at = start_us + rng.randrange(60_000_000)
        talk = Conversation(rng, rng.choice(CLIENTS), TLS, rng.randrange(49152, 65535), 443, at)
        round_trip = rng.randrange(11_000, 70_000)
        talk.open(round_trip)
        talk.say(True, _record(rng, 22, 512), rng.randrange(200, 900))
        talk.tcp(False, "A", round_trip)
        talk.say(False, _record(rng, 22, rng.randrange(2_600, 4_100)), rng.randrange(300, 4_000), ack_gap=60)
        talk.say(True, _record(rng, 20, rng.randrange(80, 126)), rng.randrange(900, 4_000))
        talk.say(False, _record(rng, 20, rng.randrange(46, 226)), round_trip)
        for _ in range(rng.randrange(2, 8)):
            talk.say(True, _record(rng, 23, rng.randrange(90, 900)), rng.randrange(2_000, 3_900_000))
            answer = _record(rng, 23, rng.randrange(200, 12_000))
            talk.say(False, answer, round_trip + rng.randrange(900, 40_000), ack_gap=200)
        talk.say(True, _record(rng, 21, 26), rng.randrange(200_000, 3_000_000))
        talk.close(True, round_trip, gap=80)
        yield talk


def _record(rng: random.Random, kind: int, size: int) -> bytes:
    return bytes([kind, 3, 3]) + size.to_bytes(2, "big") + rng.randbytes(size)


def shell(rng: random.Random, start_us: int, count: int = 2) -> Iterator[Conversation]:
    """Someone types in an SSH-like session: a small record a key, its echo, sometimes a screen or a pause."""
    for number in range(count):
        talk = Conversation(
            rng, CLIENTS[2], SHELL, rng.randrange(40000, 60000), 22, start_us + number * 9_000_000
        )
        round_trip = rng.randrange(12_000, 25_000)
        talk.open(round_trip)
        talk.say(False, b"SSH-2.0-OpenSSH_9.6\r\n", 8_000, ack_gap=60)
        talk.say(True, b"SSH-2.0-OpenSSH_9.7\r\n", 900, ack_gap=round_trip)
        for client_size, server_size in (
            (1_208, 1_080),
            (48, 452),
            (16, 44),
            (60, 52),
            (600, 28),
            (112, 500),
        ):
            talk.say(True, rng.randbytes(client_size), rng.randrange(900, 9_000))
            talk.say(False, rng.randbytes(server_size), round_trip + rng.randrange(900, 30_000), ack_gap=60)
        for _ in range(rng.randrange(90, 140)):
            thinks = rng.random() < 0.06
            talk.say(
                True,
                rng.randbytes(36),
                rng.randrange(5_200_000, 9_000_000) if thinks else rng.randrange(70_000, 600_000),
            )
            echo = 36 if rng.random() < 0.9 else rng.randrange(200, 1_400)
            talk.say(False, rng.randbytes(echo), round_trip, ack_gap=rng.randrange(40, 300))
        talk.close(True, round_trip)
        yield talk


def clock(rng: random.Random, start_us: int, count: int = 6) -> Iterator[Conversation]:
    """One question and one answer of 48 bytes each."""
    for _ in range(count):
        at = start_us + rng.randrange(100_000_000)
        talk = Conversation(rng, rng.choice(CLIENTS), CLOCK, rng.randrange(49152, 65535), 123, at)
        talk.udp(True, b"\x23" + rng.randbytes(47), 0)
        talk.udp(False, b"\x24" + rng.randbytes(47), rng.randrange(9_000, 40_000))
        yield talk


def ping(rng: random.Random, start_us: int) -> Iterator[Conversation]:
    """Five echo requests, one a second, all answered."""
    talk = Conversation(rng, CLIENTS[2], WEB, rng.getrandbits(16), 0, start_us)
    for sequence in range(1, 6):
        talk.ping(True, sequence, 1_000_000)
        talk.ping(False, sequence, rng.randrange(9_000, 12_000))
    yield talk


def syslog(rng: random.Random, start_us: int, count: int = 4) -> Iterator[Conversation]:
    """Log lines that nobody answers: flows of one packet."""
    for _ in range(count):
        at = start_us + rng.randrange(100_000_000)
        talk = Conversation(rng, rng.choice(CLIENTS), COLLECTOR, rng.randrange(49152, 65535), 514, at)
        talk.udp(True, b"<134>1 - host app - - - tick " + str(rng.randrange(10**6)).encode(), 0)
        yield talk


def everything(rng: random.Random, start_us: int) -> Iterator[Conversation]:
    """All of the above."""
    for scenario in (dns, web, tls, shell, clock, ping, syslog):
        yield from scenario(rng, start_us)
