"""Captures as training data: the meter's flows, labelled by rules that lie beside the capture."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Final

from capture.files import CaptureFile, read_capture
from context.stage import ContextStage
from flows.dialects import IMPROVED
from flows.label_rules import LabelRules, read_label_rules
from flows.table import FlowTable, concat_tables

SUFFIXES: Final = (".pcap", ".pcapng", ".cap")
COMPRESSED: Final = ("", ".gz", ".zst")
OWN_RULES: Final = ".labels.yaml"
FOLDER_RULES: Final = "labels.yaml"


def is_capture(path: Path) -> bool:
    """Whether a file is called like a capture."""
    name = path.name.lower()
    return any(name.endswith(suffix + ending) for suffix in SUFFIXES for ending in COMPRESSED)


def rules_beside(path: Path) -> Path | None:
    """Return the rules of `NAME.pcap`: `NAME.labels.yaml` beside it, else the folder's `labels.yaml`."""
    beside = (path.with_name(_stem(path) + OWN_RULES), path.with_name(FOLDER_RULES))
    return next((rules for rules in beside if rules.is_file()), None)


def rules_for(path: Path, rules: Path | None) -> Path | None:
    """Return the rules of `NAME.pcap`, None where there are none.

    Args:
        path: the capture.
        rules: a file; or a folder, in which it is `NAME.labels.yaml`; None for those beside the capture.
    """
    if rules is None:
        return rules_beside(path)
    if not rules.is_dir():
        return rules
    found = rules / (_stem(path) + OWN_RULES)
    return found if found.is_file() else None


def _stem(path: Path) -> str:
    return next(
        path.name[: -len(suffix + ending)]
        for suffix in SUFFIXES
        for ending in COMPRESSED
        if path.name.lower().endswith(suffix + ending)
    )


def labelled_capture(
    path: Path, rules: Path | None = None, dialect: str | None = None, *, context: bool = False
) -> FlowTable:
    """Return the flows of a capture with labels.

    Args:
        path: the capture.
        rules: as `rules_for` takes them.
        dialect: whose rules measure; `improved` when None.
        context: with what their hosts did before.

    Raises:
        OSError: a file cannot be read.
        ValueError: there are no rules, or the capture holds no flow, or a file is not what its name says.
    """
    found = rules_for(path, rules)
    if found is None:
        raise ValueError(
            f"{path}: a capture needs label rules: {path.with_name(FOLDER_RULES)}, or a file of its own "
            f"beside it whose name ends in {OWN_RULES}"
        )
    return labelled_tables(metered(path, dialect or IMPROVED, context=context), read_label_rules(found), path)


def metered(path: Path, dialect: str, *, context: bool = False) -> Iterator[FlowTable]:
    """Yield the flows of a capture, with what their hosts did before if asked.

    Raises:
        OSError: it cannot be read.
        ValueError: it is no capture.
    """
    if not context:
        yield from read_capture(path, dialect=dialect)
        return
    file = CaptureFile(path, dialect=dialect, starts=True)
    yield from ContextStage().complete(file.tables(), file.take_starts)


def labelled_tables(tables: Iterable[FlowTable], rules: LabelRules, where: Path) -> FlowTable:
    """Return all flows as one table, with labels.

    Raises:
        ValueError: there is no flow.
    """
    parts = [replace(table, extras={"label": rules.labels(table)}) for table in tables]
    if not parts:
        raise ValueError(f"{where}: holds no flow")
    return concat_tables(parts)
