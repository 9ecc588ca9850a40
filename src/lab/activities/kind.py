"""What a host of the lab can do: the tool, its parameters, and the traffic that it is answerable for."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from pydantic import BaseModel, ConfigDict

from lab.programs import Program

BENIGN: Final = "Benign"


class Parameters(BaseModel):
    """Parameters of a kind, each with its bounds."""

    model_config = ConfigDict(extra="forbid", frozen=True)


@dataclass(frozen=True, slots=True)
class Task:
    """What a kind makes a command line of.

    Attributes:
        target: the name of the host that it is aimed at.
        address: its address.
        own_address: of the host that does it.
        others: of all other hosts that can be reached.
        parameters: of the kind's own class.
        seconds: how long it may take.
        seed: of what is drawn on the way.
        place: a folder for what the tool reads and writes.
        lab: the folder of all that runs; what host H's service S wrote is in H/S.
    """

    target: str
    address: str
    own_address: str
    others: tuple[str, ...]
    parameters: Any
    seconds: float
    seed: int
    place: Path
    lab: Path

    @property
    def in_url(self) -> str:
        """The address as URLs write it."""
        return f"[{self.address}]" if ":" in self.address else self.address


@dataclass(frozen=True, slots=True)
class Talk:
    """Flows that belong to an activity, beside the two hosts.

    Attributes:
        protocol: tcp, udp, icmp; None for any.
        ports: of the target; None for any.
    """

    protocol: str | None = None
    ports: tuple[int, ...] | None = None


ANY: Final = (Talk(),)


def _the_target(task: Task) -> tuple[str, ...]:
    return (task.address,)


def _nobody_else(task: Task) -> str | None:
    return None


def all_others(task: Task) -> tuple[str, ...]:
    """Aim at every other host of the lab."""
    return task.others


ANY_CODE: Final = frozenset(range(256))
"""Of tools whose exit code says what they found."""


@dataclass(frozen=True, slots=True)
class Kind:
    """One thing that hosts do.

    Attributes:
        name: as scenarios call it.
        label: of its flows, spelled as the label table spells it.
        program: what it runs; None for the lab's own users.
        parameters: their class.
        command: makes the command line.
        talks: which flows are its own.
        service: what the target must serve; None when it need not serve anything.
        ipv6: whether the tool can.
        targets: what it is aimed at, addresses or networks.
        spoofs: the address that it writes into its packets; None for its own.
        codes: exit codes that mean that all went well.
    """

    name: str
    label: str
    program: Program | None
    parameters: type[Parameters]
    command: Callable[[Task], list[str]]
    talks: tuple[Talk, ...] = ANY
    service: str | None = None
    ipv6: bool = True
    targets: Callable[[Task], tuple[str, ...]] = _the_target
    spoofs: Callable[[Task], str | None] = _nobody_else
    codes: frozenset[int] = frozenset({0})

    @property
    def benign(self) -> bool:
        """Whether there is nothing wrong with it."""
        return self.label == BENIGN

    @property
    def tool(self) -> str:
        """What it is done with."""
        return self.program.name if self.program else "python"


def user_command(module: str) -> Callable[[Task], list[str]]:
    """Return what makes the command line of one of `lab.users`."""

    def command(task: Task) -> list[str]:
        job = {
            "address": task.address,
            "others": task.others,
            "seconds": task.seconds,
            "seed": task.seed,
            "place": str(task.place),
            "parameters": task.parameters.model_dump(),
        }
        return [sys.executable, "-m", "lab.users", module, json.dumps(job)]

    return command
