"""What a run leaves: the capture, its label rules, and its flows with labels."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from capture.files import read_capture
from flows.dialects import IMPROVED
from flows.label_rules import LabelRules, write_label_rules
from flows.parquet_files import ParquetFlowWriter
from flows.table import FlowTable

AMBIGUOUS: Final = "ambiguous"
UNCLAIMED: Final = "unclaimed"


@dataclass(frozen=True, slots=True)
class Files:
    """Where a run's files are."""

    folder: Path
    name: str

    @property
    def capture(self) -> Path:
        """The packets."""
        return self.folder / f"{self.name}.pcap"

    @property
    def rules(self) -> Path:
        """The label rules, where readers of labelled captures look for them."""
        return self.folder / f"{self.name}.labels.yaml"

    @property
    def flows(self) -> Path:
        """The labelled flows."""
        return self.folder / f"{self.name}.parquet"


@dataclass
class FlowCounts:
    """How many flows a capture gave.

    Attributes:
        labels: flows by label.
        left_out: flows without a label, by reason.
        unseen: activities of which there is no flow, by kind.
    """

    labels: Counter[str] = field(default_factory=Counter)
    left_out: Counter[str] = field(default_factory=Counter)
    unseen: Counter[str] = field(default_factory=Counter)

    @property
    def flows(self) -> int:
        """All flows."""
        return self.labels.total() + self.left_out.total()


def write_flows(files: Files, rules: LabelRules, dialect: str = IMPROVED) -> FlowCounts:
    """Write label rules and labelled flows of a capture; return the counts.

    Flows of which several activities may be the cause, and those of none, are left out and counted.

    Raises:
        OSError: a file cannot be read or written.
        ValueError: the capture is none.
    """
    write_label_rules(rules, files.rules)
    counts = FlowCounts()
    with ParquetFlowWriter(files.flows) as writer:
        for table in _labelled(read_capture(files.capture, dialect=dialect), rules, counts):
            writer.write(table)
    return counts


def _labelled(tables: Iterable[FlowTable], rules: LabelRules, counts: FlowCounts) -> Iterator[FlowTable]:
    seen = np.zeros(len(rules.rules), np.bool_)
    about = [json.dumps(rule.about, sort_keys=True) for rule in rules.rules]
    for table in tables:
        numbers, labels = rules.matched(table), rules.labels(table)
        claimed = labels != ""
        seen[numbers[numbers != -1]] = True
        # What another activity had the first word about is there all the same.
        for number in np.flatnonzero(~seen):
            alone = LabelRules(default="", rules=[rules.rules[number]])
            seen[number] = bool((alone.matched(table) == 0).any())
        counts.left_out[UNCLAIMED] += int((numbers == -1).sum())
        counts.left_out[AMBIGUOUS] += int((~claimed & (numbers != -1)).sum())
        counts.labels.update(labels[claimed].tolist())
        if claimed.any():
            extras = {"label": labels[claimed], "about": _texts(about, numbers[claimed])}
            yield replace(table.take(claimed), extras=extras)
    counts.unseen.update(_unseen(rules, seen))


def _unseen(rules: LabelRules, seen: NDArray[np.bool_]) -> Iterator[str]:
    """Yield the kind of each activity none of whose rules has a flow."""
    found: dict[tuple[str, object], bool] = {}
    for rule, has_flows in zip(rules.rules, seen.tolist(), strict=True):
        if rule.label:
            key = str(rule.about.get("activity", rule.label)), rule.begin
            found[key] = found.get(key, False) or has_flows
    yield from (name for (name, _), has_flows in found.items() if not has_flows)


def _texts(texts: list[str], numbers: NDArray[np.int32]) -> NDArray[np.object_]:
    return np.array([*texts, ""], object)[numbers]
