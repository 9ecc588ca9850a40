"""Label rules: which flows of a capture are which attack, by time, hosts, ports and protocol.

A YAML file; the first rule that matches a flow gives its label, `default` is that of all others:

```yaml
timezone: "-03:00"                  # of the times below; UTC when left out
default: Benign                     # "" leaves other flows without a label
rules:
  - label: Web Attack - SQL Injection
    from: 2017-07-06 10:40          # flows that began in this time, both ends included
    until: 2017-07-06 10:43
    source: [172.16.0.1]            # addresses or networks
    destination: [192.168.10.50]
    destination_port: [80]
    protocol: tcp
    needs_payload: true             # without any from the source it was only attempted
    about: {tool: sqlmap}           # whatever else is known
```
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any, Final, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import numpy as np
import yaml
from numpy.typing import NDArray
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from flows.addresses import Network, address_range, parse_network
from flows.labels import ATTEMPTED_SUFFIX, find_label
from flows.table import UNKNOWN_TIME, FlowTable
from flows.yaml_files import read_yaml

PROTOCOLS: Final = {"icmp": 1, "tcp": 6, "udp": 17, "icmpv6": 58, "sctp": 132}


def _known_label(value: object) -> str:
    text = str(value).strip()
    if text:
        find_label(text.removesuffix(ATTEMPTED_SUFFIX))
    return text


def _listed(value: object) -> object:
    return value if isinstance(value, list) else [value]


def _protocol(value: object) -> object:
    return PROTOCOLS.get(value.lower(), value) if isinstance(value, str) else value


LabelName = Annotated[str, BeforeValidator(_known_label)]
Networks = Annotated[list[Annotated[Network, BeforeValidator(parse_network)]], BeforeValidator(_listed)]
Ports = Annotated[list[Annotated[int, Field(ge=0, le=65535)]], BeforeValidator(_listed)]


class LabelRule(BaseModel):
    """One rule; what it does not say matches every flow.

    Attributes:
        label: of the flows that match; "" where nobody can tell.
        begin, end: `from` and `until`: flows that began in this time, both ends included.
        source, destination: addresses or networks.
        source_port, destination_port: ports.
        protocol: an IP protocol.
        either_way: flows of the other direction match too, as far as hosts and ports go.
        needs_payload: a flow in which the source sent no payload was only attempted.
        about: what else is known of these flows, such as the tool.
    """

    model_config = ConfigDict(extra="forbid")

    label: LabelName
    begin: datetime | None = Field(None, alias="from")
    end: datetime | None = Field(None, alias="until")
    source: Networks | None = None
    destination: Networks | None = None
    source_port: Ports | None = None
    destination_port: Ports | None = None
    protocol: Annotated[int, Field(ge=0, le=255), BeforeValidator(_protocol)] | None = None
    either_way: bool = False
    needs_payload: bool = False
    about: dict[str, bool | str | int | float] = {}

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.begin and self.end and self.begin.replace(tzinfo=None) > self.end.replace(tzinfo=None):
            raise ValueError("until is before from")
        return self


class LabelRules(BaseModel):
    """A file of rules.

    Attributes:
        description: what the capture is.
        beyond_flows: why flows cannot show this attack, "" where they can.
        source: where the rules are from.
        checked: how they were checked.
        timezone: of times that do not say it themselves: UTC, an offset such as -03:00, or a name.
        default: the label of flows that no rule matches; "" for none.
        rules: the first that matches counts.
    """

    model_config = ConfigDict(extra="forbid")

    description: str = ""
    beyond_flows: str = ""
    source: str = ""
    checked: str = ""
    timezone: str = "UTC"
    default: LabelName = "Benign"
    rules: list[LabelRule]

    @model_validator(mode="after")
    def _known_zone(self) -> Self:
        _zone(self.timezone)
        return self

    def labels(self, table: FlowTable) -> NDArray[np.object_]:
        """Return the labels of n flows, object; those of attempted attacks end in " - Attempted".

        Raises:
            ValueError: rules ask for times, but not all flows have theirs.
        """
        numbers, attempted = self._decided(table)
        labels = np.array([*(rule.label for rule in self.rules), self.default], object)[numbers]
        labels[attempted] = [
            label.removesuffix(ATTEMPTED_SUFFIX) + ATTEMPTED_SUFFIX for label in labels[attempted]
        ]
        return labels

    def matched(self, table: FlowTable) -> NDArray[np.int32]:
        """Return the number of each flow's rule, -1 where none matches.

        Raises:
            ValueError: as in `labels`.
        """
        return self._decided(table)[0]

    def _decided(self, table: FlowTable) -> tuple[NDArray[np.int32], NDArray[np.bool_]]:
        timed = any(rule.begin or rule.end for rule in self.rules)
        if timed and (table.start_us == UNKNOWN_TIME).any():
            raise ValueError("label rules by time, but flows without times")
        numbers = np.full(len(table), -1, np.int32)
        attempted = np.zeros(len(table), np.bool_)
        for number, rule in enumerate(self.rules):
            for matches, payload in self._matches(rule, table):
                found = (numbers == -1) & matches
                numbers[found] = number
                if rule.needs_payload:
                    attempted |= found & (table.column(payload) == 0)
        return numbers, attempted

    def _matches(self, rule: LabelRule, table: FlowTable) -> list[tuple[NDArray[np.bool_], str]]:
        """Return which flows match, and which feature is the payload of the rule's source in them."""
        zone = _zone(self.timezone)
        always = np.ones(len(table), np.bool_)
        if rule.begin is not None:
            always &= table.start_us >= _us(rule.begin, zone)
        if rule.end is not None:
            always &= table.start_us <= _us(rule.end, zone)
        if rule.protocol is not None:
            always &= table.protocol == rule.protocol
        one = (table.src_addr, table.src_port)
        other = (table.dst_addr, table.dst_port)
        forward = _ends(one, rule.source, rule.source_port)
        forward &= _ends(other, rule.destination, rule.destination_port)
        found = [(always & forward, "totlen_fwd_pkts")]
        if rule.either_way:
            backward = _ends(other, rule.source, rule.source_port)
            backward &= _ends(one, rule.destination, rule.destination_port)
            found.append((always & backward, "totlen_bwd_pkts"))
        return found


def read_label_rules(path: Path) -> LabelRules:
    """Read a file of rules.

    Raises:
        OSError: the file cannot be read.
        ValueError: it holds no rules; the message names it, the rule and what is wrong.
    """
    return read_yaml(path, LabelRules)


def write_label_rules(rules: LabelRules, path: Path) -> None:
    """Write a file that `read_label_rules` reads; what rules do not say is left out.

    Raises:
        OSError: it cannot be written.
    """
    said = rules.model_dump(mode="json", by_alias=True, exclude_defaults=True)
    path.write_text(yaml.safe_dump(said, sort_keys=False, allow_unicode=True, width=110), encoding="utf-8")


def _ends(
    end: tuple[NDArray[np.uint8], NDArray[np.int32]],
    networks: Sequence[Network] | None,
    ports: Sequence[int] | None,
) -> NDArray[np.bool_]:
    """Return which flows have an end with one of the addresses and ports; None is any."""
    addresses, numbers = end
    found = np.ones(len(numbers), np.bool_)
    if networks is not None:
        inside = np.zeros(len(numbers), np.bool_)
        for network in networks:
            first, last = (np.frombuffer(each, np.uint8) for each in address_range(network))
            if (first == last).all():
                inside |= (addresses == first).all(axis=1)
            else:
                inside |= _at_least(addresses, first) & _at_least(255 - addresses, 255 - last)
        found &= inside
    if ports is not None:
        found &= np.isin(numbers, ports)
    return found


def _at_least(addresses: NDArray[np.uint8], lowest: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Return which of n x 16 addresses are not below another one."""
    differs = addresses != lowest
    place = differs.argmax(axis=1)
    at_least: NDArray[np.bool_] = ~differs.any(axis=1) | (
        addresses[np.arange(len(addresses)), place] > lowest[place]
    )
    return at_least


def _us(moment: datetime, zone: Any) -> int:
    aware = moment if moment.tzinfo else moment.replace(tzinfo=zone)
    return (aware - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)


def _zone(name: str) -> Any:
    try:
        if name[:1] in ("+", "-"):
            return datetime.fromisoformat(f"2000-01-01T00:00:00{name}").tzinfo or UTC
        return UTC if name == "UTC" else ZoneInfo(name)
    except (ValueError, ZoneInfoNotFoundError):
        raise ValueError(
            f"timezone {name!r}: write UTC, an offset such as -03:00, or America/Halifax"
        ) from None
