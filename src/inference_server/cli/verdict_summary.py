"""Verdicts by label, as commands print them."""

from __future__ import annotations

from collections import Counter

from rich.table import Table


def verdict_summary(labels: Counter[str]) -> Table:
    """Return a table of flows by label."""
    flows = sum(labels.values())
    table = Table("label")
    table.add_column("flows", justify="right")
    table.add_column("share", justify="right")
    for label, count in labels.most_common():
        table.add_row(label, f"{count:,}", f"{count / flows:.2%}")
    table.add_section()
    table.add_row("all", f"{flows:,}", "")
    return table
