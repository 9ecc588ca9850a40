"""How notifications are shown: as text, as lines of JSON, or as a table that lives on a terminal."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any, Final, Protocol

import pandas as pd
import typer
from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from clients.attack_consumer.notification import Notification
from clients.frames import Overflow, frame_text, printable

TABLE_ROWS: Final = 20
_ADDRESSES: Final = {"source": ("src_ip", "src_port"), "destination": ("dst_ip", "dst_port")}


class Display(Protocol):
    """Shows notifications; once `show` returns, one counts as seen."""

    def show(self, notification: Notification) -> None:
        """Show one."""


class TextDisplay:
    """Every column of every flow."""

    def __init__(self, overflow: Overflow) -> None:
        self._overflow = overflow

    def show(self, notification: Notification) -> None:
        """Print one."""
        identity = notification.message_id
        if notification.event:
            typer.echo(f"Event [{identity}]\n{json.dumps(notification.event)}\n\n")
            return
        # As objects: no type of column holds all that JSON does, and no index half a character.
        titles = [printable(name) for name in notification.columns]
        frame = pd.DataFrame(list(notification.rows), columns=titles, dtype=object)
        title = "Benign flow" if notification.is_benign else "Attack detected"
        typer.echo(f"{title} [{identity}]\nNetwork Flow:\n\n{frame_text(frame, self._overflow)}\n\n")


class JsonDisplay:
    """One object a line: message_id, attributes, and the columns of `flow`, or the record of `event`."""

    def show(self, notification: Notification) -> None:
        """Print one."""
        content = {"event": notification.event} if notification.event else {"flow": notification.flow}
        about = {"message_id": notification.message_id, "attributes": notification.attributes}
        typer.echo(json.dumps(about | content))


class LiveDisplay:
    """The latest notifications, a row each."""

    def __init__(self, live: Live) -> None:
        self._live = live
        self._latest: deque[list[str]] = deque(maxlen=TABLE_ROWS)
        self._shown = 0
        self._live.update(self._table())

    def show(self, notification: Notification) -> None:
        """Add a row."""
        self._shown += 1
        self._latest.append(_cells(notification))
        self._live.update(self._table(), refresh=True)

    def _table(self) -> Table:
        table = Table(caption=f"{self._shown} received; Ctrl-C ends", expand=True)
        for title in ("received", "what", "source", "destination", "count", "severity", "sensor"):
            table.add_column(title, overflow="ellipsis", no_wrap=True)
        for cells in self._latest:
            # What others sent is no markup of ours.
            table.add_row(*(Text(printable(cell)) for cell in cells))
        return table


@contextmanager
def live_display(console: Console) -> Iterator[LiveDisplay]:
    """Show a table on a terminal until the block ends; it then stays there."""
    with Live(console=console, auto_refresh=False) as live:
        yield LiveDisplay(live)


def _cells(notification: Notification) -> list[str]:
    flow, attributes = notification.flow, notification.attributes
    kind = attributes.get("label") or ("benign" if notification.is_benign else "attack")
    return [
        f"{datetime.now():%H:%M:%S}",
        str(notification.event.get("event_type", "event")) if notification.event else kind,
        *(_address(flow, *names) for names in _ADDRESSES.values()),
        _known(flow, "count"),
        attributes.get("severity", ""),
        attributes.get("sensor") or _known(flow, "sensor"),
    ]


def _address(flow: dict[str, Any], address: str, port: str) -> str:
    host, number = _known(flow, address), _known(flow, port)
    if ":" in host and number:
        host = f"[{host}]"
    return f"{host}:{number}" if number else host


def _known(flow: dict[str, Any], name: str) -> str:
    value = flow.get(name)
    return "" if value is None else str(value)
