"""`ml-ids outbox`: what became of messages, and another try for those given up."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated

import orjson
import typer
from rich.console import Console
from rich.table import Table

from alerting.outbox.browsing import Browser, Delivery, browsing
from inference_server.cli.reading import one_line_errors
from inference_server.settings import load_settings


class State(StrEnum):
    """What a message may be on a transport."""

    PENDING = "pending"
    DELIVERED = "delivered"
    DEAD = "dead"
    KEPT = "kept"


AsJson = Annotated[bool, typer.Option("--json", help="print JSON")]
OfTransport = Annotated[str | None, typer.Option("--transport", help="of this transport only")]

outbox = typer.Typer(help="The outbox: messages committed, delivered, pending and dead.")


@outbox.callback(invoke_without_command=True)
def _counts_by_default(context: typer.Context) -> None:
    if context.invoked_subcommand is None:
        counts()


@outbox.command()
def counts(as_json: AsJson = False) -> None:
    """Show how many messages each transport delivered, and is still to."""
    with _configured() as browser:
        found, kept = browser.counts(), browser.messages()
    if as_json:
        _print({"messages": kept, "transports": {name: asdict(each) for name, each in found.items()}})
        return
    table = Table("transport", title=f"{kept} messages kept", title_justify="left")
    for title in ("committed", "delivered", "pending", "dead", "of them deleted", "oldest pending"):
        table.add_column(title, justify="right")
    for name, each in found.items():
        numbers = (each.committed, each.delivered, each.pending, each.dead, each.discarded)
        table.add_row(name, *(f"{number:,}" for number in numbers), _span(each.oldest_us / 1e6))
    Console().print(table, markup=False)


@outbox.command("list")
def list_messages(
    state: Annotated[State | None, typer.Option(help="in this state only")] = None,
    transport: OfTransport = None,
    limit: Annotated[int, typer.Option(min=1, help="the latest so many")] = 50,
    as_json: AsJson = False,
) -> None:
    """List messages, the latest first, with what became of each on each transport."""
    with _configured() as browser:
        found = browser.deliveries(state=state and state.value, transport=transport, limit=limit)
    if as_json:
        _print([asdict(each) for each in found])
    else:
        Console().print(_table(found), markup=False)


@outbox.command()
def show(
    message_id: Annotated[str, typer.Argument(metavar="MESSAGE", help="a message's id")],
    as_json: AsJson = False,
) -> None:
    """Show one message, and what became of it."""
    with _configured() as browser:
        message, found = browser.message(message_id), browser.deliveries(message_id=message_id)
    if as_json:
        _print({"message": asdict(message), "deliveries": [asdict(each) for each in found]})
        return
    console = Console()
    console.print_json(orjson.dumps(message.eve).decode())
    console.print(_table(found), markup=False)


@outbox.command()
def retry(
    message_ids: Annotated[
        list[str] | None, typer.Argument(metavar="[MESSAGE]...", help="ids of dead messages")
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="all dead messages")] = False,
    transport: OfTransport = None,
) -> None:
    """Deliver dead messages after all; a running service takes them up within a minute."""
    if bool(message_ids) == everything:
        raise typer.BadParameter("name messages, or give --all")
    with _configured() as browser:
        changed = browser.retry(message_ids=message_ids or (), transport=transport)
    typer.echo(f"{changed} dead deliveries are pending again")
    if message_ids and not changed:
        raise typer.Exit(1)


@contextmanager
def _configured() -> Iterator[Browser]:
    with one_line_errors():
        try:
            with browsing(load_settings().outbox_file) as browser:
                yield browser
        except LookupError as error:
            raise ValueError(str(error)) from None


def _table(deliveries: list[Delivery]) -> Table:
    table = Table("message", "kind", "made, UTC", "transport", "state")
    table.add_column("attempts", justify="right")
    table.add_column("next", justify="right")
    table.add_column("error")
    for each in deliveries:
        made = datetime.fromtimestamp(each.made_us / 1e6, UTC)
        table.add_row(
            each.message_id,
            each.kind,
            f"{made:%Y-%m-%d %H:%M:%S}",
            each.transport,
            each.state,
            str(each.attempts),
            "" if each.due_seconds is None else _span(each.due_seconds),
            each.error or "",
        )
    return table


def _span(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.0f} h"


def _print(found: object) -> None:
    typer.echo(orjson.dumps(found, option=orjson.OPT_INDENT_2).decode())
