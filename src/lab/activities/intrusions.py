"""What comes after the door: injections, a taken host that reports home, and data that leave."""

from __future__ import annotations

import random
from typing import Final

from pydantic import Field

from lab.activities.kind import ANY, ANY_CODE, Kind, Parameters, Talk, Task, user_command
from lab.programs import Program
from lab.services.dnsmasq import ANY_ZONE

SQLMAP: Final = Program("sqlmap", "sqlmap")
DIG: Final = Program("dig", "bind9-dnsutils")


class Injection(Parameters):
    """sqlmap's thoroughness.

    Attributes:
        level: 1 to 3: how many tests.
        at_once: connections.
        dump: takes what it finds.
    """

    level: int = Field(1, ge=1, le=3)
    at_once: int = Field(1, ge=1, le=4)
    dump: bool = False


class Scripts(Parameters):
    """Scripts put into every field of the site.

    Attributes:
        pause: mean seconds between two.
        keep_alive: over kept connections.
    """

    pause: float = Field(0.1, ge=0.005, le=10)
    keep_alive: bool = True


class Beacon(Parameters):
    """A taken host that asks for orders.

    Attributes:
        every: seconds from time to time.
        jitter: the share of it that is chance.
        tls: over HTTPS.
        answers: bytes at most of what it reports.
    """

    every: float = Field(3.0, ge=0.2, le=120)
    jitter: float = Field(0.1, ge=0, le=1)
    tls: bool = False
    answers: int = Field(400, ge=0, le=20_000)


class Theft(Parameters):
    """Data that leave in pieces.

    Attributes:
        kilobytes: how many.
        piece: kilobytes of one request.
        pause: mean seconds between two.
        tls: over HTTPS.
    """

    kilobytes: int = Field(2000, ge=1, le=20_000)
    piece: int = Field(200, ge=1, le=4000)
    pause: float = Field(0.3, ge=0.01, le=30)
    tls: bool = False


class Tunnel(Parameters):
    """Data that leave as names that are looked up.

    Attributes:
        names: how many.
        length: characters of a part of a name.
    """

    names: int = Field(150, ge=1, le=3000)
    length: int = Field(40, ge=8, le=60)


def sqlmap(task: Task) -> list[str]:
    """Try to inject SQL into the shop's search and product pages."""
    wanted: Injection = task.parameters
    page = random.Random(task.seed).choice(("search?q=lamp", "product?id=3"))
    options = ["--batch", "--flush-session", "--disable-coloring", "--output-dir", str(task.place / "out")]
    options += [
        "--level",
        str(wanted.level),
        "--threads",
        str(wanted.at_once),
        "--timeout",
        "5",
        "--retries",
        "0",
    ]
    options += ["--dump"] if wanted.dump else []
    return ["sqlmap", "-u", f"http://{task.in_url}/app/{page}", *options]


def tunnel(task: Task) -> list[str]:
    """Look up names that are made of data."""
    wanted: Tunnel = task.parameters
    rng = random.Random(task.seed)
    letters = "abcdefghijklmnopqrstuvwxyz234567"
    names = [
        ".".join(
            ["".join(rng.choices(letters, k=wanted.length)) for _ in range(rng.randint(1, 3))] + [ANY_ZONE]
        )
        for _ in range(wanted.names)
    ]
    file = task.place / "names.txt"
    file.write_text("\n".join(names) + "\n")
    return [
        "dig",
        f"@{task.address}",
        "+tries=1",
        "+time=2",
        "+short",
        "-t",
        rng.choice(("A", "TXT")),
        "-f",
        str(file),
    ]


KINDS: Final = (
    Kind("sqlmap", "Web Attack - SQL Injection", SQLMAP, Injection, sqlmap, ANY, "nginx", codes=ANY_CODE),
    Kind("scripts", "Web Attack - XSS", None, Scripts, user_command("scripts"), ANY, "nginx"),
    Kind("beacon", "Bot", None, Beacon, user_command("beacon"), (Talk("tcp", (80, 443)),), "nginx"),
    Kind("theft", "Exfiltration", None, Theft, user_command("theft"), (Talk("tcp", (80, 443)),), "nginx"),
    Kind("tunnel", "Exfiltration", DIG, Tunnel, tunnel, (Talk("udp", (53,)),), "dnsmasq"),
)
