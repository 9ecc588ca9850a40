"""What a service of the lab is: how it is set up and started, and where it listens."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from lab.programs import Program


@dataclass(frozen=True, slots=True)
class Setting:
    """Where a service is to run.

    Attributes:
        address, address6: of the host; the latter "" without IPv6.
        names: addresses of all hosts, by name.
        etc: a folder whose files the host's processes see in /etc.
        place: the service's own folder.
        rng: of what its content is made.
    """

    address: str
    address6: str
    names: Mapping[str, str]
    etc: Path
    place: Path
    rng: random.Random


@dataclass(frozen=True, slots=True)
class Service:
    """A server.

    Attributes:
        name: as scenarios call it.
        program: what it runs; None for the lab's own.
        set_up: writes its configuration and content; returns the command lines to start.
        listens: protocol and port of each socket that says that it is ready.
    """

    name: str
    program: Program | None
    set_up: Callable[[Setting], list[list[str]]]
    listens: tuple[tuple[str, int], ...]
