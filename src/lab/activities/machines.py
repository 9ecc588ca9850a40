"""What machines do without anybody asking, and mistakes: much of it looks like an attack and is none."""

from __future__ import annotations

from typing import Final

from pydantic import Field

from lab.activities.kind import ANY, BENIGN, Kind, Parameters, Talk, Task, all_others, user_command
from lab.programs import Program

REDIS_TOOLS: Final = "redis-tools"


class Lookups(Parameters):
    """Names are looked up.

    Attributes:
        think: mean seconds between two.
        unknown: the share of names that do not exist.
    """

    think: float = Field(0.5, ge=0.01, le=60)
    unknown: float = Field(0.1, ge=0, le=1)


class Probes(Parameters):
    """A monitoring system looks at every host.

    Attributes:
        every: seconds from round to round.
        ports: how many ports of each host it tries, open or not.
    """

    every: float = Field(3.0, ge=0.2, le=60)
    ports: int = Field(4, ge=1, le=12)


class Knocks(Parameters):
    """A program talks to a port at which nobody listens, and tries again.

    Attributes:
        tries: how often.
        pause: mean seconds between two.
        time_out: seconds that it waits.
        datagrams: over UDP.
    """

    tries: int = Field(4, ge=1, le=60)
    pause: float = Field(0.7, ge=0.01, le=30)
    time_out: float = Field(1.5, ge=0.1, le=10)
    datagrams: bool = False


class Values(Parameters):
    """A program uses a database.

    Attributes:
        requests: how many.
        pause: seconds between two.
    """

    requests: int = Field(40, ge=1, le=5000)
    pause: float = Field(0.1, ge=0, le=10)


class Burst(Parameters):
    """A busy program uses a database.

    Attributes:
        requests: how many.
        at_once: connections.
        size: bytes of a value.
    """

    requests: int = Field(500, ge=1, le=20_000)
    at_once: int = Field(5, ge=1, le=50)
    size: int = Field(100, ge=1, le=50_000)


class Pings(Parameters):
    """Somebody sees whether a host is there.

    Attributes:
        count: packets.
        every: seconds between them.
        size: bytes.
    """

    count: int = Field(4, ge=1, le=200)
    every: float = Field(1.0, ge=0.2, le=10)
    size: int = Field(56, ge=8, le=1400)


def values(task: Task) -> list[str]:
    """Count something up, again and again, over one connection."""
    wanted: Values = task.parameters
    often = ("-r", str(wanted.requests), "-i", str(wanted.pause))
    return ["redis-cli", "-h", task.address, *often, "incr", "visits"]


def burst(task: Task) -> list[str]:
    """Use many connections for a short time."""
    wanted: Burst = task.parameters
    much = ("-n", str(wanted.requests), "-c", str(wanted.at_once), "-d", str(wanted.size))
    return ["redis-benchmark", "-q", "-h", task.address, *much, "-t", "set,get"]


def ping(task: Task) -> list[str]:
    """Ask a host for an echo."""
    wanted: Pings = task.parameters
    return [
        "ping",
        "-n",
        "-c",
        str(wanted.count),
        "-i",
        str(wanted.every),
        "-s",
        str(wanted.size),
        task.address,
    ]


DATABASE: Final = (Talk("tcp", (6379,)),)
ECHOES: Final = (Talk("icmp"), Talk("icmpv6"))
KINDS: Final = (
    Kind(
        "lookups",
        BENIGN,
        None,
        Lookups,
        user_command("lookups"),
        (Talk("udp", (53,)), Talk("tcp", (53,))),
        "dnsmasq",
        ipv6=False,
    ),
    Kind("monitor", BENIGN, None, Probes, user_command("monitor"), ANY, targets=all_others),
    Kind("knock", BENIGN, None, Knocks, user_command("knock"), ANY),
    Kind("values", BENIGN, Program("redis-cli", REDIS_TOOLS), Values, values, DATABASE, "redis"),
    Kind("burst", BENIGN, Program("redis-benchmark", REDIS_TOOLS), Burst, burst, DATABASE, "redis"),
    Kind("ping", BENIGN, Program("ping", "iputils-ping"), Pings, ping, ECHOES, codes=frozenset({0, 1})),
)
