"""Training on more flows than memory holds: `ml-ids train --sample` on a made-up set, and what it takes.

.venv/bin/python benchmarks/large_training.py [--rows N] [--sample N] [--engine ray] [--estimator NAME]
    [--trees N]
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from flows.schema import COMMON_NAMES

ROOT = Path(__file__).resolve().parents[1]
BENCH = ROOT / "var" / "bench"
ML_IDS = Path(sys.executable).parent / "ml-ids"
GROUP, FILE = 1 << 17, 1 << 20
CLASSES = {
    "BENIGN": 0.8,
    "DoS Hulk": 0.1,
    "PortScan": 0.07,
    "DDoS": 0.02,
    "FTP-Patator": 0.0099,
    "Bot": 0.0001,
}


def make_set(folder: Path, rows: int) -> None:
    """Write flows of six classes, told apart by half of the features, with the labels of CIC-IDS2017."""
    folder.mkdir(parents=True, exist_ok=True)
    names, shares = list(CLASSES), np.array(list(CLASSES.values()))
    levels = np.random.default_rng(0).uniform(2, 9, (len(names), len(COMMON_NAMES)))
    levels[:, ::2] = levels[0, ::2]
    labels = np.array(names, object)
    for start in range(0, rows, FILE):
        path = folder / f"{start // FILE:03d}.parquet"
        if path.exists():
            continue
        unfinished, writer = path.with_suffix(".unfinished"), None
        for at in range(start, min(start + FILE, rows), GROUP):
            random = np.random.default_rng(at + 1)
            count = min(GROUP, rows - at)
            codes = random.choice(len(names), count, p=shares / shares.sum())
            values = np.rint(np.exp(levels[codes] + random.normal(0, 1.0, (count, len(COMMON_NAMES)))))
            columns = {name: values[:, column] for column, name in enumerate(COMMON_NAMES)}
            table = pa.table(columns | {"Label": labels[codes]})
            writer = writer or pq.ParquetWriter(
                unfinished, table.schema, compression="zstd", use_dictionary=["Label"]
            )
            writer.write_table(table)
        assert writer is not None
        writer.close()
        unfinished.rename(path)


def memory(pid: int) -> int:
    """Return the bytes that a process and those it started take, shared ones counted once."""
    children: dict[int, list[int]] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            parent = int(stat.read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue
        children.setdefault(parent, []).append(int(stat.parent.name))
    total, waiting = 0, [pid]
    while waiting:
        each = waiting.pop()
        waiting += children.get(each, [])
        try:
            lines = Path(f"/proc/{each}/smaps_rollup").read_text().splitlines()
        except OSError:
            continue
        total += sum(int(line.split()[1]) for line in lines if line.startswith("Pss:")) * 1024
    return total


def train(folder: Path, options: list[str]) -> tuple[float, int]:
    """Run the command; return its seconds and the most bytes that it took."""
    environment = os.environ | {"STATE_DIR": str(BENCH / "large-state")}
    began, most = time.perf_counter(), 0
    command = [ML_IDS, "train", "--data", str(folder), *options]
    with subprocess.Popen(command, env=environment) as process:
        while process.poll() is None:
            most = max(most, memory(process.pid))
            time.sleep(0.5)
    assert process.returncode == 0, command
    return time.perf_counter() - began, most


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=16_000_000)
    parser.add_argument("--sample", type=int, default=500_000)
    parser.add_argument("--engine", default="local")
    parser.add_argument("--estimator", default="stacked")
    parser.add_argument("--trees", type=int, default=100)
    chosen = parser.parse_args()
    folder = BENCH / f"large-{chosen.rows}"
    make_set(folder, chosen.rows)
    size = sum(path.stat().st_size for path in folder.glob("*.parquet"))
    options = ["--sample", str(chosen.sample), "--engine", chosen.engine, "--estimator", chosen.estimator]
    options += ["--param", f"trees={chosen.trees}"]
    seconds, most = train(folder, options)
    features = chosen.rows * len(COMMON_NAMES) * 8 / 1e9
    print(f"{chosen.rows:,} rows, {size / 1e9:.1f} GB of Parquet, {features:.1f} GB of features")
    print(f"{' '.join(options)}: {seconds:.0f} s, {most / 1e6:,.0f} MB at the most")


if __name__ == "__main__":
    main()
