"""Training the default model: how long it takes, and the memory it needs as rows grow.

python benchmarks/fitting.py [--data LOCATION] [--rows 0 2800000] [--estimator stacked]

0 rows are the data as they are; more are repetitions of these, each value changed by a thousandth, so that no
two rows are alike. Exit status 1 when a bar is missed: 180 s for the data as they are, 16 GB for any.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
from memory import peak_mb
from meter import machine
from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).resolve().parent.parent
SHARED = ROOT.parent / "shared" / "data" / "cic-ids2017-improved" / "flows.parquet"
SAMPLE = ROOT / "data" / "sample"
MOST_SECONDS = 180.0
MOST_GB = 16.0


def fit(location: str, rows: int, estimator: str) -> None:
    """Fit in this process; print what it took."""
    # Beside this file others have names of the project's packages.
    sys.path[:] = [path for path in sys.path if Path(path).resolve() != Path(__file__).resolve().parent]
    from detection.preprocess import clean
    from training.estimators import SEED, kind_named
    from training.estimators import fit as fit_kind
    from training.recipe import PREPROCESSING
    from training.sources.read import ReadOptions, read_training_data

    flows = read_training_data([location], options=ReadOptions(keep_duplicates=True))
    features, codes = clean(flows.features, PREPROCESSING), flows.codes
    if rows:
        random = np.random.default_rng(SEED)
        places = np.resize(np.arange(len(codes)), rows)
        features, codes = features[places], codes[places]
        for column in features.T:
            column *= 1.0 + 1e-3 * random.standard_normal(rows)
        np.maximum(features, 0.0, out=features)
    began = time.perf_counter()
    fit_kind(kind_named(estimator), features, codes, flows.names)
    seconds, cpu = time.perf_counter() - began, time.process_time()
    found = {"rows": len(codes), "seconds": seconds, "cpu": cpu, "gb": peak_mb() / 1000}
    print(json.dumps(found))


def measure(location: str, rows: int, estimator: str) -> dict[str, float]:
    command = [sys.executable, __file__, "--fit", str(rows), "--data", location, "--estimator", estimator]
    found: dict[str, float] = json.loads(subprocess.check_output(command).splitlines()[-1])
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--data", default=str(SHARED if SHARED.exists() else SAMPLE))
    parser.add_argument("--rows", type=int, nargs="+", default=[0, 2_800_000])
    parser.add_argument("--estimator", default="stacked")
    parser.add_argument("--fit", type=int, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.fit is not None:
        fit(chosen.data, chosen.fit, chosen.estimator)
        return
    table = Table(title=f"{chosen.estimator}, {Path(chosen.data).name}; {machine()}")
    for title in ("rows", "seconds", "CPU seconds", "peak GB", "load before"):
        table.add_column(title, justify="right")
    missed = False
    for rows in chosen.rows:
        load = os.getloadavg()[0]
        found = measure(chosen.data, rows, chosen.estimator)
        missed |= found["gb"] > MOST_GB or (not rows and found["seconds"] > MOST_SECONDS)
        cells = (f"{found[name]:,.1f}" for name in ("seconds", "cpu", "gb"))
        table.add_row(f"{found['rows']:,}", *cells, f"{load:.1f}")
    Console().print(table)
    sys.exit(missed)


if __name__ == "__main__":
    main()
