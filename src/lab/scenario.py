"""Scenarios: hosts, the network between them, and who does what when; one YAML file each."""

from __future__ import annotations

import random
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Final, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from flows.yaml_files import read_yaml
from lab.activities.catalogue import KINDS
from lab.draws import Draw, corners, drawn
from lab.services.catalogue import SERVICES

MAX_SECONDS: Final = 1800
MAX_HOSTS: Final = 40
MAX_PACKETS: Final = 5_000_000
NOBODY: Final = "nobody"
OWN: Final = Path(str(files("lab"))) / "scenarios"

Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{0,11}$")]


def _listed(value: object) -> object:
    return value if isinstance(value, list) else [value]


Names = Annotated[list[Name], BeforeValidator(_listed), Field(min_length=1)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Network(_Strict):
    """What the network does to packets.

    Attributes:
        offloads: segments are merged and checksums left to the card, as virtual machines see them.
        mtu: bytes.
        ipv6: activities use IPv6 where their tools can.
        rate_mbit: what a host may send, megabits a second; None for no limit.
        timestamps, sack, window_scaling: TCP options that hosts offer.
    """

    offloads: bool = True
    mtu: Annotated[int, Field(ge=576, le=9000)] = 1500
    ipv6: bool = False
    rate_mbit: Annotated[float, Field(ge=0.1, le=10_000)] | None = None
    timestamps: bool = True
    sack: bool = True
    window_scaling: bool = True

    @model_validator(mode="after")
    def _large_enough(self) -> Self:
        if self.ipv6 and self.mtu < 1280:
            raise ValueError("IPv6 needs an mtu of at least 1280")
        return self


class HostSpec(_Strict):
    """A host, or `count` hosts NAME-1, NAME-2, … of the same kind.

    Attributes:
        services: what it serves.
        count: how many there are.
        behind: the host that is its gateway and whose address the others see.
    """

    services: list[str] = []
    count: Annotated[int, Field(ge=1, le=MAX_HOSTS)] = 1
    behind: Name | None = None

    @model_validator(mode="after")
    def _known(self) -> Self:
        for name in self.services:
            if name not in SERVICES:
                raise ValueError(f"no service {name!r}: there are {', '.join(SERVICES)}")
        return self


class Activity(_Strict):
    """Somebody does something.

    Attributes:
        do: what; a kind of the catalogue.
        by: each of these hosts, or groups of hosts, does it.
        to: to one of these each time; "nobody" is an address at which nobody answers.
        at: seconds after the beginning; of the first time when it is repeated.
        seconds: how long at most.
        parameters: (`with`) of the kind.
        repeat: how many times each host does it.
        pause: seconds from an end to the next beginning.
    """

    model_config = ConfigDict(extra="forbid", populate_by_name=True)

    do: str
    by: Names
    to: Names
    at: Draw = 0
    seconds: Draw = 10
    parameters: dict[str, Draw] = Field({}, alias="with")
    repeat: int = Field(1, ge=1, le=1000)
    pause: Draw = 0

    @model_validator(mode="after")
    def _known(self) -> Self:
        if self.do not in KINDS:
            raise ValueError(f"nobody can {self.do!r}: there are {', '.join(sorted(KINDS))}")
        for values in corners(self.parameters):
            KINDS[self.do].parameters.model_validate(values)
        for name in ("at", "seconds", "pause"):
            for corner in corners({name: getattr(self, name)}):
                value = corner[name]
                if isinstance(value, str | bool) or value < 0:
                    raise ValueError(f"{name}: not a number of seconds: {value}")
        return self


class Scenario(_Strict):
    """One scenario.

    Attributes:
        name: what it is called in labels and files.
        description: what happens.
        seconds: how long it lasts; everything that is still going on is then stopped.
        max_packets: at so many packets it is stopped.
        network: conditions between the hosts, each a value or drawn; see `Network`.
        hosts: by name.
        activities: in any order.
    """

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,39}$")]
    description: str
    seconds: float = Field(gt=0, le=MAX_SECONDS)
    max_packets: int = Field(1_000_000, ge=1, le=MAX_PACKETS)
    network: dict[str, Draw] = {}
    hosts: dict[Name, HostSpec]
    activities: list[Activity]

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if sum(spec.count for spec in self.hosts.values()) > MAX_HOSTS:
            raise ValueError(f"more than {MAX_HOSTS} hosts")
        conditions = [Network.model_validate(values) for values in corners(self.network)]
        if NOBODY in self.hosts:
            raise ValueError(f"hosts.{NOBODY}: nobody can be called so")
        for name, spec in self.hosts.items():
            self._check_gateway(name, spec, ipv6=any(each.ipv6 for each in conditions))
        for at, activity in enumerate(self.activities):
            for name in activity.by:
                if not self.members(name):
                    raise ValueError(f"activities.{at}.by: no host {name}")
            for name in activity.to:
                self._check_target(at, activity, name)
        return self

    def _check_gateway(self, name: str, spec: HostSpec, *, ipv6: bool) -> None:
        gateway = self.hosts.get(spec.behind or name)
        if gateway is None or (spec.behind and (gateway.count > 1 or gateway.behind)):
            raise ValueError(f"hosts.{name}.behind: no single host {spec.behind}")
        if spec.behind and ipv6:
            raise ValueError(f"hosts.{name}.behind: gateways translate IPv4 alone")

    def _check_target(self, at: int, activity: Activity, name: str) -> None:
        wanted = KINDS[activity.do].service
        if name == NOBODY:
            return
        if not self.members(name):
            raise ValueError(f"activities.{at}.to: no host {name}")
        spec = self.hosts[self.group(name)]
        if spec.behind is not None:
            raise ValueError(f"activities.{at}.to: {name} is behind {spec.behind} and cannot be reached")
        if wanted is not None and wanted not in spec.services:
            raise ValueError(f"activities.{at}.to: {activity.do} needs the service {wanted} on {name}")

    def conditions(self, seed: int) -> Network:
        """Return what the network does to packets with a seed."""
        rng = random.Random(f"{self.name}/network/{seed}")
        return Network.model_validate({name: drawn(draw, rng) for name, draw in self.network.items()})

    def host_names(self) -> Iterator[tuple[str, HostSpec]]:
        """Yield every single host's name and what it is."""
        for name, spec in self.hosts.items():
            for member in self.members(name):
                yield member, spec

    def members(self, name: str) -> list[str]:
        """Return the hosts of a group, or the one host; none where there is no such name."""
        spec = self.hosts.get(name)
        if spec is not None:
            return [name] if spec.count == 1 else [f"{name}-{at}" for at in range(1, spec.count + 1)]
        group = self.group(name)
        return [name] if group in self.hosts and name in self.members(group) else []

    def group(self, name: str) -> str:
        """Return the name under `hosts` that a host stands under."""
        return name if name in self.hosts else name.rpartition("-")[0]


def read_scenario(path: Path) -> Scenario:
    """Read a scenario.

    Raises:
        OSError: the file cannot be read.
        ValueError: it is none; the message names the file and the field.
    """
    return read_yaml(path, Scenario)


def own_scenarios() -> dict[str, Path]:
    """Return the scenarios that come with the lab, by name."""
    return {path.stem: path for path in sorted(OWN.glob("*.yaml"))}


def find_scenario(name: str) -> Scenario:
    """Read one of the lab's own scenarios, or a file.

    Raises:
        OSError, ValueError: see `read_scenario`; there is no such scenario.
    """
    own = own_scenarios()
    if name in own:
        return read_scenario(own[name])
    if name.endswith((".yaml", ".yml")):
        return read_scenario(Path(name))
    raise ValueError(f"no scenario {name}: name a .yaml file or one of {', '.join(own)}")
