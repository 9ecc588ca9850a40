"""Attacks of the nine kinds that UNSW-NB15 tells apart, made up here: none of its data.

Sizes, pauses and stacks vary widely and overlap with benign traffic, so that no single feature gives a
kind away.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator

from traffic.session import LINUX, LINUX_SERVER, OLDER_LINUX, WINDOWS, Conversation, Host

ATTACKERS = (
    Host("203.0.113.71", LINUX),
    Host("203.0.113.72", OLDER_LINUX),
    Host("203.0.113.73", WINDOWS, 128),
)
VICTIMS = tuple(Host(f"198.51.100.{number}", LINUX_SERVER) for number in range(80, 90))
SPREAD_US = 600_000_000
"""The attacks of one kind begin within so long."""

Kind = Callable[[random.Random, int, int], Iterator[Conversation]]


def _talk(rng: random.Random, start_us: int, port: int) -> Conversation:
    at = start_us + rng.randrange(SPREAD_US)
    return Conversation(rng, rng.choice(ATTACKERS), rng.choice(VICTIMS), rng.randrange(1024, 65535), port, at)


def _round_trip(rng: random.Random) -> int:
    return int(min(rng.lognormvariate(9.2, 0.9), 200_000))


def _ended(talk: Conversation, round_trip: int) -> Conversation:
    """End as such connections do: in order, by the attacker's RST, or never."""
    end = talk.rng.random()
    if end < 0.5:
        talk.close(talk.rng.random() < 0.5, round_trip, gap=talk.rng.randrange(400, 2_000_000))
    elif end < 0.85:
        talk.tcp(True, "RA", talk.rng.randrange(40, 90_000))
    return talk


def _answer(talk: Conversation, size: int, round_trip: int) -> None:
    talk.say(False, talk.rng.randbytes(size), round_trip, ack_gap=talk.rng.randrange(20, 900))


def _request(rng: random.Random, path: str, body: int = 0) -> bytes:
    agent = rng.choice(("Mozilla/5.0", "curl/8.5.0", "python-httpx"))
    head = f"{'POST' if body else 'GET'} {path} HTTP/1.1\r\nHost: www.example.com\r\nUser-Agent: {agent}\r\n"
    return f"{head}Content-Length: {body}\r\n\r\n".encode() + rng.randbytes(body)


def analysis(rng: random.Random, start_us: int, count: int) -> Iterator[Conversation]:
    """Pages asked for one after the other by a crawler that looks for weaknesses; short answers."""
    for _ in range(count):
        talk, round_trip = _talk(rng, start_us, 80), _round_trip(rng)
        talk.open(round_trip)
        for page in range(rng.randrange(1, 6)):
            talk.say(True, _request(rng, f"/admin/{page}.php?id={'9' * rng.randrange(1, 300)}"), round_trip)
            _answer(talk, rng.randrange(160, 900), round_trip)
        yield _ended(talk, round_trip)


def backdoor(rng: random.Random, start_us: int, count: int) -> Iterator[Conversation]:
    """Commands typed into a port that somebody left open, and what they print."""
    for _ in range(count):
        talk, round_trip = _talk(rng, start_us, rng.choice((4444, 1337, 31337, 8080))), _round_trip(rng)
        talk.open(round_trip)
        for _ in range(rng.randrange(2, 12)):
            talk.say(True, rng.randbytes(rng.randrange(4, 60)), rng.randrange(400_000, 7_000_000))
            _answer(talk, rng.randrange(20, 2_500), round_trip)
        yield _ended(talk, round_trip)


def dos(rng: random.Random, start_us: int, count: int) -> Iterator[Conversation]:
    """Requests that keep a server busy: many at once, or one that is fed slowly."""
    for _ in range(count):
        talk, round_trip = _talk(rng, start_us, 80), _round_trip(rng)
        talk.open(round_trip)
        if rng.random() < 0.6:
            for _ in range(rng.randrange(1, 9)):
                talk.say(True, _request(rng, f"/?{rng.getrandbits(64):x}"), rng.randrange(20, 4_000))
            talk.tcp(False, "A", round_trip)
        else:
            talk.say(True, b"GET / HTTP/1.1\r\nHost: www.example.com\r\n", rng.randrange(300, 900))
            for _ in range(rng.randrange(2, 9)):
                talk.say(True, b"X-a: b\r\n", rng.randrange(4_000_000, 20_000_000), ack_gap=round_trip)
        yield _ended(talk, round_trip)


def exploits(rng: random.Random, start_us: int, count: int) -> Iterator[Conversation]:
    """One long request that a service must not survive, and what it still says."""
    for _ in range(count):
        talk, round_trip = _talk(rng, start_us, rng.choice((80, 80, 443, 445, 21, 25))), _round_trip(rng)
        talk.open(round_trip)
        if rng.random() < 0.4:
            talk.say(False, rng.randbytes(rng.randrange(20, 120)), round_trip, ack_gap=60)
        talk.say(True, _request(rng, "/cgi-bin/../../etc/passwd", rng.randrange(1, 9_000)), round_trip)
        talk.tcp(False, "A", round_trip)
        if rng.random() < 0.7:
            talk.say(False, rng.randbytes(rng.randrange(90, 4_000)), rng.randrange(900, 400_000), ack_gap=70)
        yield _ended(talk, round_trip)


def fuzzers(rng: random.Random, start_us: int, count: int) -> Iterator[Conversation]:
    """Bytes that mean nothing, of any length, to services that complain or hang up."""
    for _ in range(count):
        if rng.random() < 0.3:
            talk = _talk(rng, start_us, rng.randrange(1, 1024))
            for _ in range(rng.randrange(2, 6)):
                talk.udp(True, rng.randbytes(rng.randrange(1, 1_400)), rng.randrange(900, 900_000))
            yield talk
            continue
        talk, round_trip = _talk(rng, start_us, rng.choice((80, 443, 21, 25, 110))), _round_trip(rng)
        talk.open(round_trip)
        for _ in range(rng.randrange(1, 5)):
            talk.say(True, rng.randbytes(rng.randrange(1, 6_000)), rng.randrange(300, 300_000))
            _answer(talk, rng.randrange(30, 500), round_trip)
        yield _ended(talk, round_trip)


def generic(rng: random.Random, start_us: int, count: int) -> Iterator[Conversation]:
    """The same question to a name server again and again, each answered or not."""
    for _ in range(count):
        talk = _talk(rng, start_us, 53)
        question = rng.randbytes(rng.randrange(28, 60))
        for _ in range(rng.randrange(2, 4)):
            talk.udp(True, question, rng.randrange(8, 2_000))
            if rng.random() < 0.7:
                talk.udp(False, question + rng.randbytes(rng.randrange(16, 130)), _round_trip(rng))
        yield talk


def reconnaissance(rng: random.Random, start_us: int, count: int) -> Iterator[Conversation]:
    """Ports tried, closed ones and open ones, and what an open one says of itself."""
    for _ in range(count):
        talk, round_trip = _talk(rng, start_us, rng.randrange(1, 10_000)), _round_trip(rng)
        if rng.random() < 0.65:
            for _ in range(rng.randrange(1, 3)):
                talk.tcp(True, "S", rng.randrange(20, 900_000))
                talk.tcp(False, "RA", round_trip)
        else:
            talk.open(round_trip)
            if rng.random() < 0.7:
                talk.say(False, rng.randbytes(rng.randrange(20, 300)), round_trip, ack_gap=40)
            talk.tcp(True, "RA", rng.randrange(40, 200_000))
        yield talk


def shellcode(rng: random.Random, start_us: int, count: int) -> Iterator[Conversation]:
    """A padded piece of machine code to a service, and silence."""
    for _ in range(count):
        talk, round_trip = _talk(rng, start_us, rng.choice((80, 111, 445, 143))), _round_trip(rng)
        talk.open(round_trip)
        talk.say(True, b"\x90" * rng.randrange(60, 900) + rng.randbytes(rng.randrange(40, 400)), round_trip)
        talk.tcp(False, "A", round_trip)
        yield _ended(talk, round_trip)


def worms(rng: random.Random, start_us: int, count: int) -> Iterator[Conversation]:
    """A request that carries the worm, to one host after the other."""
    for number in range(count):
        talk, round_trip = _talk(rng, start_us, 80), _round_trip(rng)
        talk.server = VICTIMS[number % len(VICTIMS)]
        talk.open(round_trip)
        talk.say(True, _request(rng, "/default.ida?" + "N" * 220, rng.randrange(3_400, 4_600)), round_trip)
        talk.say(False, rng.randbytes(rng.randrange(100, 600)), round_trip, ack_gap=50)
        yield _ended(talk, round_trip)


KINDS: dict[int, Kind] = {
    1: analysis,
    2: backdoor,
    3: dos,
    4: exploits,
    5: fuzzers,
    6: generic,
    7: reconnaissance,
    8: shellcode,
    9: worms,
}
"""By the number that CIC-UNSW-NB15 gives a kind."""
