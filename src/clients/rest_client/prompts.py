"""What the interactive client asks, in the words of cstub/ml-ids-api-client."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

import typer

from clients.rest_client.selection import RANDOM, Selection

QUIT: Final = "q"


def ask(categories: Sequence[str]) -> Selection | None:
    """Return what the user selects, None for the end.

    Raises:
        typer.Abort: of input.
    """
    last = len(categories) - 1
    typer.echo("Network Traffic Categories:")
    for number, label in enumerate(categories):
        typer.echo(f"{number} - {label}")
    chosen = _prompt(
        f"Select a category [0 - {last}], press[{RANDOM}] to use a random selection or press [{QUIT}] to "
        "quit the program: ",
        f"Invalid input. Must either be [{QUIT}], [{RANDOM}] or a value between [0 - {last}].",
        "Category",
        lambda text: text in (QUIT, RANDOM) or (text.isdecimal() and int(text) <= last),
    )
    if chosen == QUIT:
        return None
    samples = _prompt(
        "Select the number of samples: ",
        "Invalid input. Must be a positive integer.",
        "Number samples",
        lambda text: text.isdecimal() and int(text) > 0,
    )
    delay = _prompt(
        "Select an optional delay in ms or press any key: ", "", "Delay", lambda _: True, default=""
    )
    return Selection(
        None if chosen == RANDOM else categories[int(chosen)],
        int(samples),
        int(delay) if delay.isdecimal() else None,
    )


def _prompt(
    message: str, refusal: str, field: str, accepts: Callable[[str], bool], default: str | None = None
) -> str:
    while True:
        typer.echo(message)
        given = str(typer.prompt(field, default=default)).strip()
        if accepts(given):
            return given
        typer.echo(refusal)
