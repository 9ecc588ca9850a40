"""People and machines on the web."""

from __future__ import annotations

import random
from typing import Final, Literal

from pydantic import Field

from lab.activities.kind import BENIGN, Kind, Parameters, Talk, Task, user_command
from lab.programs import Program
from lab.services.others import CHAT_PORT

CURL: Final = Program("curl", "curl")
WEB: Final = (Talk("tcp", (80, 443)),)


class Browsing(Parameters):
    """How somebody browses.

    Attributes:
        think: mean seconds between two pages.
        tls: over HTTPS.
        keep_alive: a page's parts come over kept connections.
    """

    think: float = Field(1.0, ge=0.05, le=60)
    tls: bool = False
    keep_alive: bool = True


class Transfer(Parameters):
    """Bytes one way.

    Attributes:
        kilobytes: how many.
        rate: kilobytes a second at most.
        tls: over HTTPS.
    """

    kilobytes: int = Field(500, ge=1, le=20_000)
    rate: int = Field(2000, ge=1, le=100_000)
    tls: bool = False


class Update(Parameters):
    """A machine fetches packages.

    Attributes:
        files: how many.
        tls: over HTTPS.
    """

    files: int = Field(6, ge=1, le=40)
    tls: bool = False


class Stream(Parameters):
    """Somebody watches a film, piece by piece.

    Attributes:
        piece: kilobytes.
        every: seconds from piece to piece.
        tls: over HTTPS.
    """

    piece: int = Field(400, ge=10, le=4000)
    every: float = Field(2.0, ge=0.2, le=20)
    tls: bool = False


class Chat(Parameters):
    """Somebody writes and reads over a websocket.

    Attributes:
        think: mean seconds between two messages.
    """

    think: float = Field(1.5, ge=0.05, le=60)


class Work(Parameters):
    """A program asks an interface again and again, as sites under load and tests do.

    Attributes:
        requests: how many.
        at_once: connections.
        keep_alive: they are kept.
    """

    requests: int = Field(100, ge=1, le=3000)
    at_once: int = Field(2, ge=1, le=8)
    keep_alive: bool = True


class Poll(Parameters):
    """A program asks an interface every so often, over a connection of its own each time.

    Attributes:
        requests: how many.
        rate: a second.
        tls: over HTTPS.
    """

    requests: int = Field(60, ge=1, le=2000)
    rate: float = Field(2.0, ge=0.1, le=50)
    tls: bool = False


def _base(task: Task) -> str:
    return f"{'https' if task.parameters.tls else 'http'}://{task.in_url}"


def _curl(task: Task, *options: str) -> list[str]:
    return ["curl", "--silent", "--insecure", "--globoff", "--max-time", f"{task.seconds:.0f}", *options]


def download(task: Task) -> list[str]:
    """Fetch one large file."""
    wanted: Transfer = task.parameters
    url = f"{_base(task)}/app/download?size={wanted.kilobytes * 1000}"
    return _curl(task, "--limit-rate", f"{wanted.rate}k", "--output", "/dev/null", url)


def upload(task: Task) -> list[str]:
    """Send one large file."""
    wanted: Transfer = task.parameters
    file = task.place / "upload.bin"
    file.write_bytes(random.Random(task.seed).randbytes(wanted.kilobytes * 1000))
    form = ("--limit-rate", f"{wanted.rate}k", "--output", "/dev/null", "--data-binary", f"@{file}")
    return _curl(task, *form, f"{_base(task)}/app/upload")


def update(task: Task) -> list[str]:
    """Look whether there is anything, and fetch it over one connection."""
    wanted: Update = task.parameters
    names = random.Random(task.seed).choices(
        ("update.deb", "script.js", "photo.jpg", "large.jpg"), k=wanted.files
    )
    pairs = [
        word for name in ("news.html", *names) for word in ("--output", "/dev/null", f"{_base(task)}/{name}")
    ]
    return _curl(task, *pairs)


def work(task: Task) -> list[str]:
    """Ask with Apache's tool, moderately."""
    wanted: Work = task.parameters
    kept = ("-k",) if wanted.keep_alive else ()
    url = f"http://{task.in_url}/app/search?q=lamp"
    return ["ab", "-q", "-n", str(wanted.requests), "-c", str(wanted.at_once), *kept, url]


def poll(task: Task) -> list[str]:
    """Ask for one small page after the other."""
    wanted: Poll = task.parameters
    rng = random.Random(task.seed)
    pages = rng.choices(
        ("style.css", "news.html", "app/search?q=lamp", "app/product?id=7"), k=wanted.requests
    )
    often = ("--rate", f"{max(1, round(wanted.rate * 60))}/m", "--header", "Connection: close")
    pairs = [word for page in pages for word in ("--output", "/dev/null", f"{_base(task)}/{page}")]
    return _curl(task, *often, *pairs)


class Mail(Parameters):
    """Somebody sends mail.

    Attributes:
        think: mean seconds between two.
        attachments: kilobytes at most.
    """

    think: float = Field(3.0, ge=0.1, le=60)
    attachments: int = Field(200, ge=1, le=3000)


class Bulk(Parameters):
    """A measurement of the network.

    Attributes:
        mbit: a second.
        protocol: which.
        streams: at once.
        reverse: the server sends.
    """

    mbit: float = Field(5, ge=0.1, le=50)
    protocol: Literal["tcp", "udp"] = "tcp"
    streams: int = Field(1, ge=1, le=4)
    reverse: bool = False


def bulk(task: Task) -> list[str]:
    """Measure with iperf3."""
    wanted: Bulk = task.parameters
    options = ["-t", f"{max(1, int(task.seconds) - 1)}", "-b", f"{wanted.mbit}M", "-P", str(wanted.streams)]
    options += ["-u"] if wanted.protocol == "udp" else []
    options += ["-R"] if wanted.reverse else []
    return ["iperf3", "-c", task.address, *options]


KINDS: Final = (
    Kind("browse", BENIGN, None, Browsing, user_command("browse"), WEB, "nginx"),
    Kind("download", BENIGN, CURL, Transfer, download, WEB, "nginx", codes=frozenset({0, 28})),
    Kind("upload", BENIGN, CURL, Transfer, upload, WEB, "nginx", codes=frozenset({0, 28})),
    Kind("update", BENIGN, CURL, Update, update, WEB, "nginx", codes=frozenset({0, 28})),
    Kind("poll", BENIGN, CURL, Poll, poll, WEB, "nginx", codes=frozenset({0, 28})),
    Kind("stream", BENIGN, None, Stream, user_command("stream"), WEB, "nginx"),
    Kind("work", BENIGN, Program("ab", "apache2-utils"), Work, work, WEB, "nginx"),
    Kind("chat", BENIGN, None, Chat, user_command("chat"), (Talk("tcp", (CHAT_PORT,)),), "chat", ipv6=False),
    Kind("mail", BENIGN, None, Mail, user_command("mail"), (Talk("tcp", (25,)),), "mail", ipv6=False),
    Kind(
        "bulk",
        BENIGN,
        Program("iperf3", "iperf3"),
        Bulk,
        bulk,
        (Talk("tcp", (5201,)), Talk("udp", (5201,))),
        "iperf3",
    ),
)
