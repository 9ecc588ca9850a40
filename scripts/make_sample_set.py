"""Write data/sample/Data.csv and Label.csv: flows in the shape of CIC-UNSW-NB15, of traffic made here.

python scripts/make_sample_set.py [OUTPUT]
"""

from __future__ import annotations

import random
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
from make_demo_capture import write_capture
from traffic import benign
from traffic.session import Conversation
from traffic.unsw import KINDS

from capture.files import read_capture
from flows.schema import COMMON
from flows.table import FlowTable, concat_tables

SEED = 20150122
START_US = 1_767_776_400_000_000  # 2026-01-07 09:00:00 UTC
DAY_US = 86_400_000_000
DIALECT = "cic-v4"
SAMPLE = Path(__file__).resolve().parent.parent / "data" / "sample"
BENIGN_DAYS = 30
COUNTS = {1: 40, 2: 40, 3: 120, 4: 150, 5: 140, 6: 60, 7: 130, 8: 40, 9: 24}
REPEATED = 60
"""So many rows are there twice, as there are such in the published set."""


def conversations(kind: int, rng: random.Random) -> Iterator[Conversation]:
    """The traffic of one kind, as the published set numbers them; 0 is benign."""
    if kind:
        yield from KINDS[kind](rng, START_US, COUNTS[kind])
        return
    for day in range(BENIGN_DAYS):
        yield from benign.everything(rng, START_US + day * DAY_US)


def flows_of(kind: int) -> FlowTable:
    """The flows of one kind, as the meter measures its packets with the rules of CICFlowMeter V4."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "kind.pcap"
        write_capture(path, conversations(kind, random.Random(SEED + kind)))
        return concat_tables(read_capture(path, dialect=DIALECT))


def frame_of(table: FlowTable) -> pd.DataFrame:
    """Flows with the 76 columns of the published set, numbers of at most eight digits."""
    columns = {}
    for feature in COMMON:
        values = table.column(feature.name)
        whole = np.isfinite(values).all() and (values == np.trunc(values)).all()
        columns[feature.cic_v4] = values.astype(np.int64) if whole else values
    return pd.DataFrame(columns)


def main() -> None:
    directory = Path(sys.argv[1]) if len(sys.argv) > 1 else SAMPLE
    directory.mkdir(exist_ok=True)
    tables = {kind: flows_of(kind) for kind in (0, *COUNTS)}
    labels = np.concatenate([np.full(len(table), kind) for kind, table in tables.items()])
    frame = frame_of(concat_tables(tables.values()))
    rng = np.random.default_rng(SEED)
    rows = np.concatenate([np.arange(len(frame)), rng.choice(len(frame), REPEATED, replace=False)])
    rng.shuffle(rows)
    frame.iloc[rows].to_csv(directory / "Data.csv", index=False, float_format="%.8g", lineterminator="\n")
    pd.DataFrame({"Label": labels[rows]}).to_csv(directory / "Label.csv", index=False, lineterminator="\n")
    print(f"{directory}: {len(rows)} flows, {(directory / 'Data.csv').stat().st_size} bytes")


if __name__ == "__main__":
    main()
