"""Which alerts are wanted: what a request or a subscriber says, as conditions on the tables."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Final, Literal

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    WithJsonSchema,
)
from sqlalchemy import ColumnElement, Select, and_, exists, func, not_, or_

from alerting.book.tables import ALERTS, DESTINATIONS
from flows.addresses import MAPPED_PREFIX, UNKNOWN, Network, address_range, parse_network
from flows.labels import BY_CODE, find_label

PAGE: Final = 100
LARGEST_PAGE: Final = 1000
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_LAST_MAPPED: Final = MAPPED_PREFIX + b"\xff" * 4


def _class_code(value: Any) -> int:
    text = str(value).strip()
    label = BY_CODE.get(int(text)) if text.isdecimal() and len(text) < 5 else None
    return label.code if label else find_label(text).code


def _cursor(value: Any) -> Any:
    return value if isinstance(value, int) else read_cursor(str(value))


def _in_our_time(moment: datetime) -> datetime:
    if not 1970 < moment.year < 9999:
        raise ValueError("write a year after 1970, before 9999")
    return moment


_TEXT: Final = WithJsonSchema({"type": "string"})
Moment = Annotated[AwareDatetime, AfterValidator(_in_our_time)]
"""A time with its zone."""


def _listed(value: Any) -> Any:
    return value if isinstance(value, (list, tuple)) else [value]


ClassCode = Annotated[int, BeforeValidator(_class_code), _TEXT]
Severity = Annotated[int, Field(ge=1, le=3)]
AddressNetwork = Annotated[Network, BeforeValidator(parse_network), _TEXT]


class AlertFilter(BaseModel):
    """Alerts that fit every condition given; a list is fit by any of its values."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    since: Moment | None = Field(None, description="changed at or after this time")
    until: Moment | None = Field(None, description="opened before this time")
    label: Annotated[tuple[ClassCode, ...], BeforeValidator(_listed)] = Field(
        (), description="classes, by name or code", max_length=50
    )
    severity: Annotated[tuple[Severity, ...], BeforeValidator(_listed)] = Field(
        (), description="1 high, 2 medium, 3 low", max_length=3
    )
    address: AddressNetwork | None = Field(
        None, description="an address or network that source or a destination is in"
    )
    state: Literal["open", "closed"] | None = None
    acknowledged: bool | None = None
    text: str = Field(
        "",
        max_length=200,
        description="words that all occur in the alert's class, addresses, ports, protocol, sensor, source, "
        "id, or in the note of its label; upper or lower case",
    )

    def conditions(self) -> Iterator[ColumnElement[bool]]:
        """Yield what must hold of a row of `ALERTS`."""
        if self.since:
            yield ALERTS.c.changed_us >= micros(self.since)
        if self.until:
            yield ALERTS.c.opened_us < micros(self.until)
        if self.label:
            yield ALERTS.c.code.in_(self.label)
        if self.severity:
            yield ALERTS.c.severity.in_(self.severity)
        if self.address:
            yield _about(self.address)
        if self.state:
            yield ALERTS.c.state == self.state
        if self.acknowledged is not None:
            is_null = ALERTS.c.acknowledged_us.is_(None)
            yield not_(is_null) if self.acknowledged else is_null
        for word in self.text.lower().split():
            yield or_(func.instr(ALERTS.c.words, word) > 0, func.instr(func.lower(ALERTS.c.note), word) > 0)


class AlertQuery(AlertFilter):
    """One page of the alerts that fit."""

    limit: int = Field(PAGE, ge=1, le=LARGEST_PAGE, description="how many at most")
    cursor: Annotated[int, BeforeValidator(_cursor), _TEXT] | None = Field(
        None, description="the `cursor` of the page before; nothing for the newest"
    )

    def page(self, columns: Select[Any]) -> Select[Any]:
        """Return `columns` of the page's alerts, the newest first, and of one more if there is one."""
        found = columns.where(*self.conditions()).order_by(ALERTS.c.number.desc()).limit(self.limit + 1)
        return found if self.cursor is None else found.where(ALERTS.c.number < self.cursor)


def write_cursor(number: int) -> str:
    """Return the text for a page that goes on below an alert's number."""
    return base64.urlsafe_b64encode(number.to_bytes(8, "big")).decode().rstrip("=")


def read_cursor(text: str) -> int:
    """Return the number that `write_cursor` wrote.

    Raises:
        ValueError: it wrote no such text.
    """
    try:
        octets = base64.b64decode(f"{text}=", altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        octets = b""
    number = int.from_bytes(octets, "big")
    if len(octets) != 8 or number >= 2**63 or write_cursor(number) != text:
        raise ValueError("send the cursor of an earlier page as it came, or none")
    return number


def _about(network: Network) -> ColumnElement[bool]:
    named = exists().where(DESTINATIONS.c.number == ALERTS.c.number, inside(DESTINATIONS.c.addr, network))
    return or_(inside(ALERTS.c.src_addr, network), inside(ALERTS.c.dst_addr, network), named)


def inside(addresses: ColumnElement[Any], network: Network) -> ColumnElement[bool]:
    """Return the condition that an address is one of a network; IPv4 is in no IPv6 network."""
    low, high = address_range(network)
    within = addresses.between(low, high)
    if network.version == 4:
        return within
    return and_(within, not_(addresses.between(MAPPED_PREFIX + bytes(4), _LAST_MAPPED)), addresses != UNKNOWN)


def micros(moment: datetime) -> int:
    """Return a time as UTC microseconds."""
    return (moment - _EPOCH) // timedelta(microseconds=1)
