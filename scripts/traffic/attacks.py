"""What the attack tools of CIC-IDS2017 put on the wire, packet by packet, against a host of our own.

Counts, sizes and pauses follow the flows that the data set labels with each tool: the response of
11,595 bytes, three guesses a connection, a partial request fed every few seconds.
"""

from __future__ import annotations

import random
from collections.abc import Iterator

from traffic.session import LINUX_SERVER, OLDER_LINUX, SCANNER, Conversation, Host, Stack

ATTACKER = Host("203.0.113.66", OLDER_LINUX)
SCAN_HOST = Host("203.0.113.67", SCANNER)
VICTIM = Host("198.51.100.10", LINUX_SERVER)
SHELL_VICTIM = Host(VICTIM.address, Stack(28960, 247))
PAGE = 11_595
SERVED_PORTS = {21, 22, 80}
SSH_SETUP = ((24, 152), (144, 720), (16, 0), (52, 52), (36, 84))
SSH_FAREWELL = ((144, 84), (32, 84), (32, 48))


def _attack(rng: random.Random, start_us: int, port: int, victim: Host = VICTIM) -> Conversation:
    return Conversation(rng, ATTACKER, victim, rng.randrange(32768, 61000), port, start_us)


def port_scan(rng: random.Random, start_us: int, count: int = 120) -> Iterator[Conversation]:
    """SYN to closed ports, each answered by RST within microseconds."""
    source = rng.randrange(40000, 60000)
    closed = [port for port in range(1, 10_000) if port not in SERVED_PORTS]
    for number, port in enumerate(rng.sample(closed, count)):
        talk = Conversation(
            rng, SCAN_HOST, VICTIM, source, port, start_us + number * 2_500 + rng.randrange(900)
        )
        talk.tcp(True, "S", 0)
        talk.tcp(False, "RA", rng.randrange(25, 62))
        yield talk


def ftp_guessing(rng: random.Random, start_us: int, count: int = 12) -> Iterator[Conversation]:
    """Three passwords a connection, each refused after the server's three seconds; RST to the late QUIT."""
    for number in range(count):
        talk = _attack(rng, start_us + number * 350_000 + rng.randrange(90_000), 21)
        talk.open(rng.randrange(90, 160))
        talk.say(False, b"220 (vsFTPd 3.0.3)\r\n", rng.randrange(900, 3_000), ack_gap=rng.randrange(11, 40))
        for _ in range(3):
            talk.say(True, b"USER ftpuser\r\n", rng.randrange(300, 900), ack_gap=rng.randrange(20, 60))
            talk.say(False, b"331 Please specify the password.\r\n", rng.randrange(20, 90))
            guess = "".join(rng.choices("abcdefghijklmnopqrstuvwxyz0123456789", k=rng.randrange(14, 18)))
            talk.say(True, f"PASS {guess}\r\n".encode(), rng.randrange(300, 900), ack_gap=39_000)
            talk.say(False, b"530 Login incorrect.\r\n", rng.randrange(2_600_000, 3_100_000))
        talk.say(True, b"QUIT\r\n", rng.randrange(300, 900))
        talk.tcp(True, "FA", rng.randrange(11, 40))
        talk.tcp(False, "FA", rng.randrange(40, 80))
        talk.tcp(False, "R", 1)
        talk.tcp(False, "R", rng.randrange(1, 20))
        yield talk


def ssh_guessing(rng: random.Random, start_us: int, count: int = 8) -> Iterator[Conversation]:
    """Key exchange, then six passwords, each refused after about two seconds."""
    for number in range(count):
        at = start_us + number * 500_000 + rng.randrange(90_000)
        talk = _attack(rng, at, 22, SHELL_VICTIM)
        talk.open(rng.randrange(90, 160))
        talk.say(True, b"SSH-2.0-paramiko_2.0.0\r\n", rng.randrange(300, 900), ack_gap=rng.randrange(20, 60))
        talk.say(False, b"SSH-2.0-OpenSSH_7.2p2 Ubuntu-4ubuntu2.1\r\n", 9_000, ack_gap=30)
        talk.say(True, rng.randbytes(640), rng.randrange(900, 2_000), ack_gap=39_000)
        talk.say(False, rng.randbytes(976), 3, ack_gap=330)
        for sizes in SSH_SETUP:
            _exchange(talk, sizes, rng.randrange(300, 4_000))
        for _ in range(6):
            _exchange(talk, (144, 84), rng.randrange(1_700_000, 2_300_000))
        for sizes in SSH_FAREWELL:
            _exchange(talk, sizes, rng.randrange(300, 900))
        talk.close(True, rng.randrange(300, 900))
        yield talk


def _exchange(talk: Conversation, sizes: tuple[int, int], thinking: int) -> None:
    """Send one record of each size, the client's acknowledged at once, the server's with the next."""
    asked, answered = sizes
    gap = talk.rng.randrange(500, 9_000)
    talk.say(True, talk.rng.randbytes(asked), gap, ack_gap=talk.rng.randrange(20, 400))
    if answered:
        talk.say(False, talk.rng.randbytes(answered), thinking)


def hulk(rng: random.Random, start_us: int, count: int = 30) -> Iterator[Conversation]:
    """One GET with a made-up query, the page, FIN, and RST to what still arrives."""
    for number in range(count):
        talk = _asked(rng, start_us + number * 4_000 + rng.randrange(3_000), range(324, 374))
        _page(talk, (2_896, 4_344, 2_896, PAGE - 10_136), rng.randrange(110_000, 170_000))
        talk.tcp(True, "A", rng.randrange(20, 90))
        talk.tcp(True, "FA", rng.randrange(9_000, 14_000))
        talk.tcp(False, "FA", rng.randrange(9_000, 14_000))
        for _ in range(3):
            talk.tcp(True, "R", rng.randrange(1, 9))
        yield talk


def golden_eye(rng: random.Random, start_us: int, count: int = 6) -> Iterator[Conversation]:
    """One GET, and a kept-alive connection that the server gives up after its time-out."""
    for number in range(count):
        talk = _asked(rng, start_us + number * 60_000 + rng.randrange(20_000), range(354, 476))
        _page(talk, (2_896, 5_792, 11_632 - 8_688), 700, acknowledged=True)
        talk.tcp(False, "FA", rng.randrange(5_010_000, 5_400_000))
        talk.tcp(True, "A", 39_000)
        for _ in range(3):
            talk.tcp(True, "A", rng.randrange(900_000, 2_900_000))
        yield talk


def slowloris(rng: random.Random, start_us: int, count: int = 20) -> Iterator[Conversation]:
    """A request head that never ends: eight more bytes whenever the server might lose patience."""
    for number in range(count):
        talk = _attack(rng, start_us + number * 9_000 + rng.randrange(5_000), 80)
        talk.open(rng.randrange(90, 400))
        head = f"GET /?{rng.randrange(10**4, 10**5)} HTTP/1.1\r\nHost: 198.51.100.10\r\nUser-Agent: "
        talk.tcp(True, "PA", rng.randrange(400, 900), head.encode().ljust(229, b"m") + b"\r\n")
        talk.tcp(False, "A", rng.randrange(40, 90))
        for pause in (19_238_000, 51_263_000, 30_100_000):
            talk.tcp(True, "PA", pause + rng.randrange(-200_000, 200_000), b"X-a: b\r\n")
        talk.tcp(False, "R", rng.randrange(30, 60))
        yield talk


def _asked(rng: random.Random, start_us: int, sizes: range) -> Conversation:
    """Open a connection and send one GET, which the server acknowledges."""
    talk = _attack(rng, start_us, 80)
    talk.open(rng.randrange(90, 400))
    talk.tcp(True, "PA", rng.randrange(10, 80), _made_up_get(rng, rng.randrange(sizes.start, sizes.stop)))
    talk.tcp(False, "A", rng.randrange(50, 200))
    return talk


def _made_up_get(rng: random.Random, size: int) -> bytes:
    query = "".join(rng.choices("ABCDEFGHIJKLMNOPQRSTUVWXYZ", k=8))
    head = f"GET /?{query}={query[::-1]} HTTP/1.1\r\nHost: 198.51.100.10\r\nUser-Agent: ".encode()
    return head.ljust(size - 4, b"m") + b"\r\n\r\n"


def _page(talk: Conversation, sizes: tuple[int, ...], thinking: int, *, acknowledged: bool = False) -> None:
    """Answer in segments longer than the MSS, as the sending host's own capture shows them."""
    for index, size in enumerate(sizes):
        gap = thinking if index == 0 else talk.rng.randrange(50, 120)
        talk.tcp(False, "PA" if index == len(sizes) - 1 else "A", gap, talk.rng.randbytes(size))
        if acknowledged:
            talk.tcp(True, "A", talk.rng.randrange(5, 40))


def everything(rng: random.Random, start_us: int) -> Iterator[Conversation]:
    """All of the above, one after the other where the tools would be run so."""
    yield from slowloris(rng, start_us + 2_000_000)
    yield from port_scan(rng, start_us + 10_000_000)
    yield from ftp_guessing(rng, start_us + 20_000_000)
    yield from ssh_guessing(rng, start_us + 40_000_000)
    yield from golden_eye(rng, start_us + 60_000_000)
    yield from hulk(rng, start_us + 80_000_000)
