"""`ml-ids reproduce`: published figures, and ours by their protocol."""

from __future__ import annotations

import json
from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

from inference_server.cli.evaluate_all import progress_line
from inference_server.cli.reading import one_line_errors, output_format, whole_file

if TYPE_CHECKING:
    from training.published.protocol import Reproduction


class Publication(StrEnum):
    """What can be reproduced."""

    CSTUB_2018 = "cstub-2018"
    CIC_UNSW_NB15 = "cic-unsw-nb15"
    KDD99 = "kdd99"


def reproduce(
    what: Annotated[Publication, typer.Argument(help="the publication")],
    data: Annotated[
        list[str], typer.Option(metavar="DATA", help="its data set: a file, folder or URL; may be repeated")
    ],
    estimator: Annotated[
        str, typer.Option(metavar="NAME", help="ours; the default estimator when not given")
    ] = "",
    rows: Annotated[int | None, typer.Option(min=1, help="only so many rows of each file")] = None,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="the figures, .json")] = None,
) -> None:
    """Run a published protocol (split, seed, features) and show ours beside the published figure."""
    with one_line_errors():
        if output:
            output_format(output, [], (".json",))
        found = _run(what, tuple(data), estimator, rows)
        _show(found)
        if output:
            with whole_file(output) as unfinished:
                unfinished.write_text(json.dumps(asdict(found), indent=1) + "\n", encoding="utf-8")


def _run(what: Publication, data: tuple[str, ...], estimator: str, rows: int | None) -> Reproduction:
    try:
        from training.estimators import DEFAULT, kind_named
        from training.published import cic_unsw_nb15, cstub_2018, kdd99
    except ModuleNotFoundError as error:
        raise ValueError(f"training needs {error.name}: pip install 'ml-ids[sensor,training]'") from None
    kind = kind_named(estimator or DEFAULT)
    runs = {
        Publication.CSTUB_2018: cstub_2018.reproduce,
        Publication.CIC_UNSW_NB15: cic_unsw_nb15.reproduce,
        Publication.KDD99: kdd99.reproduce,
    }
    with progress_line() as told:
        return runs[what](data, kind, nrows=rows, told=told)


def _show(found: Reproduction) -> None:
    table = Table(title=f"{found.title}, {found.rows:,} rows")
    for title in ("on", "model", "figure"):
        table.add_column(title)
    for title in ("published", "here", "95 %"):
        table.add_column(title, justify="right")
    for each in found.results:
        table.add_row(
            each.on,
            each.model,
            each.metric,
            "" if each.published is None else f"{each.published:.4f}",
            f"{each.ours:.4f}",
            "" if each.interval is None else f"{each.interval.low:.4f}-{each.interval.high:.4f}",
        )
    console = Console(highlight=False)
    console.print(table)
    for note in found.notes:
        console.print(f"- {note}", markup=False)
