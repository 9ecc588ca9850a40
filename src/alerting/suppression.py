"""Suppression rules: which attack verdicts nobody wants an alert of."""

from __future__ import annotations

import socket
from datetime import UTC, datetime
from typing import Annotated, Any, Final

import numpy as np
from numpy.typing import NDArray
from pydantic import AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from flows.addresses import MAPPED_PREFIX, Network, parse_network
from flows.labels import find_label
from flows.table import FlowTable

_MAPPED: Final = np.frombuffer(MAPPED_PREFIX, np.uint8)


def _listed(value: Any) -> Any:
    return value if isinstance(value, list) else [value]


def _protocol(value: Any) -> int:
    if isinstance(value, int) and 0 <= value <= 255:
        return value
    try:
        return socket.getprotobyname(str(value).lower())
    except OSError:
        raise ValueError("write a name such as tcp, or a number from 0 to 255") from None


def _class_code(value: Any) -> int:
    try:
        label = find_label(str(value))
    except ValueError as error:
        raise ValueError(f"{error}; write a class as the logs do, such as Portscan") from None
    if not label.code:
        raise ValueError("benign flows raise no alert; write a class of attack, such as Portscan")
    return label.code


Networks = Annotated[
    tuple[Annotated[Network, BeforeValidator(parse_network)], ...],
    Field(min_length=1),
    BeforeValidator(_listed),
]
Ports = Annotated[
    tuple[Annotated[int, Field(ge=0, le=65535)], ...], Field(min_length=1), BeforeValidator(_listed)
]
Protocols = Annotated[
    tuple[Annotated[int, BeforeValidator(_protocol)], ...], Field(min_length=1), BeforeValidator(_listed)
]
Classes = Annotated[
    tuple[Annotated[int, BeforeValidator(_class_code)], ...], Field(min_length=1), BeforeValidator(_listed)
]


class Rule(BaseModel):
    """One rule: a flow that fits all of its conditions raises no alert.

    Every condition takes one value or a list of them, of which one must fit.

    Attributes:
        name: what its suppressed flows are counted under.
        source, destination: networks of the address; an unknown address is in none.
        port: of the destination.
        protocol: IP protocol, by name or number.
        classes: `class` in the file; in any data set's spelling.
        until: from this time on the rule does nothing; None: for ever.
        comment: for the reader.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    name: str = Field(min_length=1, max_length=100)
    source: Networks | None = None
    destination: Networks | None = None
    port: Ports | None = None
    protocol: Protocols | None = None
    classes: Classes | None = Field(None, alias="class")
    until: AwareDatetime | None = None
    comment: str = ""

    @model_validator(mode="after")
    def _has_a_condition(self) -> Rule:
        if not any((self.source, self.destination, self.port, self.protocol, self.classes)):
            raise ValueError("it suppresses everything; give source, destination, port, protocol or class")
        return self

    def in_force(self, now_us: int) -> bool:
        """Return whether the rule still does something, at UTC microseconds `now_us`."""
        return self.until is None or datetime.fromtimestamp(now_us / 1e6, UTC) < self.until

    def matches(self, table: FlowTable, codes: NDArray[np.int32]) -> NDArray[np.bool_]:
        """Return which of n flows, whose class codes are given, fit all conditions."""
        fits = np.ones(len(table), np.bool_)
        for networks, addresses in ((self.source, table.src_addr), (self.destination, table.dst_addr)):
            if networks:
                fits &= np.logical_or.reduce([_inside(addresses, network) for network in networks])
        for wanted, values in (
            (self.port, table.dst_port),
            (self.protocol, table.protocol),
            (self.classes, codes),
        ):
            if wanted:
                fits &= np.isin(values, wanted)
        return fits


class RuleSet(BaseModel):
    """What a rules file holds."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    rules: tuple[Rule, ...] = ()

    @model_validator(mode="after")
    def _has_distinct_names(self) -> RuleSet:
        names = [rule.name for rule in self.rules]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"two rules are called {twice[0]!r}; give each a name of its own")
        return self


def _inside(addresses: NDArray[np.uint8], network: Network) -> NDArray[np.bool_]:
    """Return which of n x 16 bytes are addresses of a network; IPv4 is in no IPv6 network."""
    is_ipv4 = (addresses[:, :12] == _MAPPED).all(axis=1)
    size = network.max_prefixlen // 8
    mask = np.frombuffer(network.netmask.packed, np.uint8)
    wanted = np.frombuffer(network.network_address.packed, np.uint8)
    of_version = is_ipv4 if network.version == 4 else ~is_ipv4 & addresses.any(axis=1)
    inside: NDArray[np.bool_] = of_version & ((addresses[:, 16 - size :] & mask) == wanted).all(axis=1)
    return inside
