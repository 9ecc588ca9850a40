"""Write data/demo/test.h5: labelled flows of traffic made here, the same bytes every time.

python scripts/make_demo_h5.py [OUTPUT]
"""

from __future__ import annotations

import random
import sys
import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
from make_demo_capture import DEMO, write_capture
from traffic import attacks, benign
from traffic.session import Conversation

from capture.files import read_capture
from flows.schema import BY_NAME, COMMON_NAMES
from flows.table import FlowTable, concat_tables
from flows.times import written

SEED = 20180220
START_US = 1_767_693_600_000_000  # 2026-01-06 10:00:00 UTC
KEY = "ids_data"
Scenario = Callable[[random.Random, int], Iterator[Conversation]]
SCENARIOS: dict[str, Scenario] = {
    "Benign": benign.everything,
    "Portscan": partial(attacks.port_scan, count=60),
    "FTP-Patator": attacks.ftp_guessing,
    "SSH-Patator": attacks.ssh_guessing,
    "DoS Hulk": attacks.hulk,
    "DoS GoldenEye": partial(attacks.golden_eye, count=10),
    "DoS Slowloris": attacks.slowloris,
}


def frame_of(table: FlowTable, label: str) -> pd.DataFrame:
    """Return flows with the 79 columns of CSE-CIC-IDS2018, in its order, and their label."""
    columns: dict[str, object] = {
        "dst_port": table.dst_port.astype(np.int64),
        "protocol": table.protocol.astype(np.int64),
        "timestamp": np.array(written(table.start_us, "cic-2018").to_pylist(), dtype=object),
    }
    for name in COMMON_NAMES:
        values = table.column(name)
        counts = BY_NAME[name].kind == "int" and np.isfinite(values).all()
        columns[name] = values.astype(np.int64) if counts else values
    columns["label"] = np.full(len(table), label, dtype=object)
    return pd.DataFrame(columns)


def flows_of(scenario: Scenario, seed: int) -> FlowTable:
    """Return the flows of one scenario, as the meter measures its packets."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "scenario.pcap"
        write_capture(path, scenario(random.Random(seed), START_US))
        return concat_tables(read_capture(path))


def main() -> None:
    directory = Path(sys.argv[1]) if len(sys.argv) > 1 else DEMO
    parts = [
        frame_of(flows_of(scenario, SEED + number), label)
        for number, (label, scenario) in enumerate(SCENARIOS.items())
    ]
    frame = pd.concat(parts, ignore_index=True)
    path = directory / "test.h5"
    path.unlink(missing_ok=True)
    with pd.HDFStore(path, "w", complevel=5, complib="zlib") as store:
        # An index of its rows would have the time of its making.
        store.put(KEY, frame, format="table", index=False, track_times=False)
    print(f"{path}: {len(frame)} flows, {path.stat().st_size} bytes")


if __name__ == "__main__":
    main()
