"""What a run leaves: the capture, its label rules, and its flows with labels."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from capture.files import CaptureFile, read_capture
from capture.rules import EARLY_SECONDS, UNANSWERED_SECONDS, LiveRules
from context.notes import with_notes
from flows.compact_files import write_compact
from flows.dialects import IMPROVED
from flows.label_rules import LabelRule, LabelRules, write_label_rules
from flows.table import FlowTable, concat_tables

AMBIGUOUS: Final = "ambiguous"
UNCLAIMED: Final = "unclaimed"
TOLD: Final = ("scenario", "activity", "tool")
"""What of `about` has a column of its own."""


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
        kinds: labelled flows by activity.
        left_out: flows without a label, by reason.
        unseen: activities of which there is no flow, by kind.
        early: rows of flows as they were at the ages at which a sensor scores them provisionally, besides.
    """

    labels: Counter[str] = field(default_factory=Counter)
    kinds: Counter[str] = field(default_factory=Counter)
    left_out: Counter[str] = field(default_factory=Counter)
    unseen: Counter[str] = field(default_factory=Counter)
    early: int = 0

    @property
    def flows(self) -> int:
        """All flows."""
        return self.labels.total() + self.left_out.total()


def write_flows(files: Files, rules: LabelRules, dialect: str = IMPROVED) -> FlowCounts:
    """Write label rules and flows of a capture; return the counts.

    Flows of which several activities may be the cause, and those of none, are there without a label, and
    counted: what hosts did before a flow is counted from all flows.

    Raises:
        OSError: a file cannot be read or written.
        ValueError: the capture is none, or holds no flow.
    """
    write_label_rules(rules, files.rules)
    table = _metered(files.capture, dialect)
    table = concat_tables([table, _early(files.capture, table)])
    whole = ~table.provisional
    numbers = rules.matched(table)
    labels = _chosen([rule.label for rule in rules.rules], numbers)
    labels[numbers == -1] = ""
    about = [rule.about for rule in rules.rules]
    texts = [json.dumps(each, sort_keys=True) if each else None for each in about]
    extras: dict[str, NDArray[Any]] = {
        "label": _chosen([rule.label or None for rule in rules.rules], numbers)
    }
    for name in TOLD:
        extras[name] = _chosen([each.get(name) for each in about], numbers)
    extras["about"] = _chosen(texts, numbers)
    write_compact(
        replace(table, extras={**extras, **table.extras}, sensor="", interface=files.name), files.flows
    )
    return FlowCounts(
        labels=Counter(labels[whole & (labels != "")].tolist()),
        kinds=Counter(name for name in extras["activity"][whole].tolist() if name is not None),
        left_out=Counter(
            {
                UNCLAIMED: int((whole & (numbers == -1)).sum()),
                AMBIGUOUS: int((whole & (labels == "") & (numbers != -1)).sum()),
            }
        ),
        early=int((~whole).sum()),
        unseen=Counter(_unseen(rules, table, numbers)),
    )


def _metered(capture: Path, dialect: str) -> FlowTable:
    """Return all flows of a capture by their starts, with the notes that context needs."""
    file = CaptureFile(capture, dialect=dialect, starts=True)
    tables, starts = [], []
    for table in file.tables():
        tables.append(table)
        starts.append(file.take_starts())
    starts.append(file.take_starts())
    if not tables:
        raise ValueError(f"{capture}: holds no flow")
    return with_notes(concat_tables(tables), np.concatenate(starts))


def _early(capture: Path, whole: FlowTable) -> FlowTable:
    """Return flows as a sensor emits them provisionally, with uid and notes of the flows that they became."""
    rules = LiveRules(early_seconds=EARLY_SECONDS, unanswered_seconds=UNANSWERED_SECONDS)
    tables = [
        each.take(each.provisional) for each in read_capture(capture, dialect=whole.dialect, live_rules=rules)
    ]
    early = concat_tables(tables)
    rows = {key: row for row, key in enumerate(_keys(whole))}
    became = np.array([rows.get(key, -1) for key in _keys(early)], np.intp)
    # A flow that only had not ended yet, as most over UDP, was then what it is.
    went_on = (became != -1) & (_packets(early) != _packets(whole)[became])
    early, became = early.take(went_on), became[went_on]
    extras = {name: values[became] for name, values in whole.extras.items()}
    return replace(early, flow_uid=whole.flow_uid[became], extras=extras)


def _packets(table: FlowTable) -> NDArray[np.float64]:
    return table.column("tot_fwd_pkts") + table.column("tot_bwd_pkts")


def _keys(table: FlowTable) -> list[tuple[object, ...]]:
    ends = zip(table.src_addr, table.dst_addr, strict=True)
    numbers = zip(table.src_port, table.dst_port, table.protocol, table.start_us, strict=True)
    return [
        (source.tobytes(), destination.tobytes(), *each)
        for (source, destination), each in zip(ends, numbers, strict=True)
    ]


def _unseen(rules: LabelRules, table: FlowTable, numbers: NDArray[np.int32]) -> Iterator[str]:
    """Yield the kind of each activity none of whose rules has a flow."""
    first = set(np.unique(numbers).tolist())
    found: dict[tuple[str, object], bool] = {}
    for number, rule in enumerate(rules.rules):
        if rule.label:
            key = str(rule.about.get("activity", rule.label)), rule.begin
            # What another activity had the first word about is there all the same.
            found[key] = found.get(key, False) or number in first or _matches(rule, table)
    yield from (name for (name, _), has_flows in found.items() if not has_flows)


def _matches(rule: LabelRule, table: FlowTable) -> bool:
    return bool((LabelRules(default="", rules=[rule]).matched(table) == 0).any())


def _chosen(values: list[Any], numbers: NDArray[np.int32]) -> NDArray[np.object_]:
    """Return each flow's value of its rule, None without a rule."""
    return np.array([*values, None], object)[numbers]
