"""data/lab: the campaign's flows as they lie in the repository."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from context.features import CONTEXT_NAMES
from context.notes import with_context
from flows.parquet_files import read_parquet
from lab.activities.catalogue import KINDS
from lab.campaign import RECORD, Record, find_campaign, read_record
from lab.datasheet import DATASHEET, datasheet
from training.sources.read import read_training_data

LAB = Path(__file__).resolve().parents[1] / "data" / "lab"


@pytest.fixture(scope="module")
def record() -> Record:
    return read_record(LAB / RECORD)


def test_it_is_the_full_campaign(record: Record) -> None:
    assert {(run.scenario, run.seed) for run in record.runs} == set(find_campaign("full").seeds(record.seed))
    assert {run.file for run in record.runs} == {path.name for path in LAB.glob("*.parquet")}
    assert sum(run.missed for run in record.runs) == 0
    assert not any(run.cut for run in record.runs)


def test_it_is_large_varied_balanced_and_small(record: Record) -> None:
    benign = record.labels["Benign"]
    attacks = record.labels.total() - benign
    assert record.labels.total() >= 300_000
    assert benign >= attacks >= 100_000
    made = Counter(name for run in record.runs for name in run.activities)
    assert sum(not KINDS[name].benign for name in made) >= 20
    assert sum(path.stat().st_size for path in LAB.glob("*.parquet")) <= 20_000_000


def test_the_record_counts_what_the_files_hold(record: Record) -> None:
    for run in record.runs:
        rows = pq.read_table(LAB / run.file, columns=["label", "activity", "provisional"]).to_pydict()
        whole = [not early for early in rows["provisional"]]
        labels = Counter(
            label for label, counts in zip(rows["label"], whole, strict=True) if counts and label
        )
        made = Counter(name for name, counts in zip(rows["activity"], whole, strict=True) if counts and name)
        assert (dict(labels), dict(made)) == (run.labels, run.activities), run.file
        assert sum(not counts for counts in whole) == run.early
        assert sum(whole) == labels.total() + sum(run.left_out.values())


def test_the_datasheet_is_of_the_record(record: Record) -> None:
    assert (LAB / DATASHEET).read_text(encoding="utf-8") == datasheet(record)


def test_every_flow_has_context_and_flows_of_one_packet_are_there() -> None:
    table = read_parquet(LAB / "scans-101.parquet")
    found = with_context(table)
    assert not np.isnan(found.select(CONTEXT_NAMES)).any()
    assert (table.column("tot_fwd_pkts") + table.column("tot_bwd_pkts") == 1).sum() > 100
    scans = table.extras["activity"] == "port-sweep"
    assert np.median(found.column("src_peers_10s")[scans]) > 10


def test_training_reads_it() -> None:
    flows = read_training_data([LAB / "office-101.parquet", LAB / "web-attacks-101.parquet"])
    assert set(flows.codes.tolist()) > {0}
    assert {"browse", "sqlmap", "scripts"} <= set(flows.activities)
    assert flows.dialect == "improved"
