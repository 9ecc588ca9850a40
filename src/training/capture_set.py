"""Captures of known kind, from a folder with a MANIFEST.csv.

The file has a header and a line a capture, with at least these columns; others are not looked at:

    file,kind,label,source
    attack/scan.pcap,attack,nmap SYN scan,lab-a
    benign/office.pcap,benign,normal,office-b

`file` is below the folder, `kind` is attack or benign, `label` is for people to read, and `source` says where
the capture is from (`source_repo` is read as well): captures of one source stand or fall together.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from context.features import CONTEXT_NAMES
from flows.dialects import IMPROVED
from flows.label_rules import LabelRules, read_label_rules
from flows.labels import ATTACK, find_label
from flows.schema import COMMON_NAMES
from flows.table import FlowTable, concat_tables
from training.dataset import LabelledFlows
from training.sources.captures import metered, rules_for

MANIFEST: Final = "MANIFEST.csv"


class Entry(BaseModel):
    """A line of the manifest."""

    model_config = ConfigDict(frozen=True, populate_by_name=True)

    file: str = Field(min_length=1)
    kind: Literal["attack", "benign"]
    label: str
    source: str = Field(min_length=1)


@dataclass(frozen=True, slots=True)
class Capture:
    """A capture's flows.

    Attributes:
        entry: its line of the manifest.
        features: n x F raw, as metered.
        dst_port: int32, n.
        about: what its label rules say that it is, "" without them.
        beyond_flows: why they say that flows cannot show this attack, "" where flows can.
    """

    entry: Entry
    features: NDArray[np.float64]
    dst_port: NDArray[np.int32]
    about: str = ""
    beyond_flows: str = ""

    @property
    def is_attack(self) -> bool:
        """Whether all its flows count as attacks; without label rules some of them may be benign."""
        return self.entry.kind == "attack"


def read_manifest(folder: Path) -> tuple[Entry, ...]:
    """Return the captures of a folder.

    Raises:
        OSError: there is no MANIFEST.csv.
        ValueError: a line of it lacks something, or a file is not there.
    """
    path = folder / MANIFEST
    with path.open(newline="", encoding="utf-8-sig") as lines:
        entries = tuple(_entry(path, number, row) for number, row in enumerate(csv.DictReader(lines), 2))
    if not entries:
        raise ValueError(f"{path}: lists no capture")
    for number, entry in enumerate(entries, 2):
        if not (folder / entry.file).is_file():
            raise ValueError(f"{path}: line {number}: there is no file {entry.file}")
    return entries


def _entry(path: Path, number: int, row: dict[str, str]) -> Entry:
    try:
        return Entry.model_validate({"source": row.get("source_repo"), **row})
    except ValidationError as error:
        first = error.errors()[0]
        raise ValueError(f"{path}: line {number}: {first['loc'][0]}: {first['msg']}") from None


def read_captures(
    folder: Path,
    names: Sequence[str] = COMMON_NAMES,
    *,
    dialect: str = IMPROVED,
    rules: Path | None = None,
    read: Callable[[str], None] = lambda _: None,
) -> tuple[Capture, ...]:
    """Meter the captures of a folder; those without a flow are left out.

    Where there are label rules for a capture of an attack, its flows are those that the rules call an attack.
    Else all are.

    Args:
        folder: with a MANIFEST.csv.
        names: the features to take.
        dialect: by whose rules.
        rules: a folder of label rules, see `training.sources.captures.rules_for`.
        read: told the file of each capture before it is read.

    Raises:
        OSError: a file cannot be read.
        ValueError: the manifest is wrong, or a file is no capture.
    """
    return tuple(_metered(folder, tuple(names), dialect, rules, read))


def _metered(
    folder: Path, names: tuple[str, ...], dialect: str, rules: Path | None, read: Callable[[str], None]
) -> Iterator[Capture]:
    for entry in read_manifest(folder):
        read(entry.file)
        path = folder / entry.file
        context = bool(set(CONTEXT_NAMES) & set(names))
        tables = list(metered(path, dialect, context=context))
        if not tables:
            continue
        table, about = concat_tables(tables), ("", "")
        if entry.kind == "attack" and (found := rules_for(path, rules)):
            known = read_label_rules(found)
            table, about = table.take(_attacks(table, known)), (known.description, known.beyond_flows)
        if len(table):
            yield Capture(entry, table.select(names), table.dst_port.astype(np.int32), *about)


def _attacks(table: FlowTable, rules: LabelRules) -> NDArray[np.bool_]:
    labels = rules.labels(table)
    return np.array([bool(label) and find_label(label).code != 0 for label in labels.tolist()], np.bool_)


def as_labelled(captures: Sequence[Capture], names: Sequence[str], dialect: str) -> LabelledFlows:
    """Return all flows of captures as one set: benign, or attacks of no known kind."""
    sizes = [len(capture.features) for capture in captures]
    return LabelledFlows.of(
        np.vstack([capture.features for capture in captures]),
        names,
        np.repeat([ATTACK if capture.is_attack else 0 for capture in captures], sizes).astype(np.int32),
        dialect,
        dst_port=np.concatenate([capture.dst_port for capture in captures]),
        source=np.repeat(np.arange(len(captures)), sizes).astype(np.int32),
        sources=tuple(capture.entry.file for capture in captures),
    )
