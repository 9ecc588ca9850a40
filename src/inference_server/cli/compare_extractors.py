"""`ml-ids compare-extractors`: where PyPI cicflowmeter departs from the own meter."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from capture.extractors.comparison import Comparison, compare_capture
from capture.extractors.environment import find_environment
from inference_server.cli.reading import errors, one_line_errors
from inference_server.settings import load_settings


def compare_extractors(
    capture: Annotated[Path, typer.Argument(metavar="CAPTURE", help="a pcap or pcapng file")],
) -> None:
    """Measure a capture with the own meter and with PyPI cicflowmeter; print where they differ."""
    with one_line_errors():
        environment = find_environment(load_settings().tools_dir)
        with errors.status(f"measuring {capture.name} with both"):
            comparison = compare_capture(capture, environment)
    console = Console(soft_wrap=True)
    console.print(_summary(comparison), markup=False)
    console.print(_table(comparison))
    same = sum(not feature.departing for feature in comparison.features)
    console.print(f"{same} of {len(comparison.features)} features are the same in every matched flow.")


def _summary(found: Comparison) -> str:
    return (
        f"Own meter (dialect improved): {found.ours:,} flows, {found.unseen:,} of them neither TCP nor UDP "
        f"over IPv4.\nPyPI cicflowmeter {found.release}: {found.theirs:,} flows.\n"
        f"Same five-tuple and start: {found.matched:,}, of which {found.same_end:,} also end "
        "at the same time."
    )


def _table(found: Comparison) -> Table:
    table = Table("feature")
    table.add_column("flows that depart", justify="right")
    table.add_column("theirs / ours, median", justify="right")
    table.add_column("known reason")
    for feature in found.features:
        if feature.departing:
            ratio = "" if feature.median_ratio is None else f"{feature.median_ratio:.4g}"
            share = f"{feature.departing:,} ({feature.departing / found.matched:.0%})"
            table.add_row(feature.name, share, ratio, feature.reason)
    return table
