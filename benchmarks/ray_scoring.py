"""Scoring an archive of captures on two Ray nodes of a core each, beside one process without Ray.

.venv/bin/python benchmarks/ray_scoring.py [--captures N] [--packets N] [--runs N]
"""

from __future__ import annotations

import argparse
import hashlib
import os
import re
import shutil
import statistics
import subprocess
import sys
from pathlib import Path

from generated_capture import generated_capture

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests"))

from helpers.ray_cluster import ray_cluster  # noqa: E402

BENCH = ROOT / "var" / "bench"
ML_IDS = Path(sys.executable).parent / "ml-ids"
PACKETS_A_FLOW = 14


def make_archive(captures: int, packets: int) -> Path:
    """Return a folder of captures, each a link to the same file."""
    one = generated_capture(BENCH, packets, packets // PACKETS_A_FLOW)
    folder = BENCH / f"archive-{captures}-{packets}"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for number in range(captures):
        os.link(one, folder / f"{number:04d}.pcap")
    return folder


def score(archive: Path, engine: str, environment: dict[str, str]) -> tuple[float, dict[str, str]]:
    """Score all captures anew; return the seconds that the command says, and the results' sums."""
    results = BENCH / f"scored-{engine}"
    shutil.rmtree(results, ignore_errors=True)
    command = [ML_IDS, "score", f"{archive}/*.pcap", "-o", f"{results}/", "--engine", engine]
    state = {"STATE_DIR": str(BENCH / "ray-state")}
    done = subprocess.run(
        command, env=os.environ | environment | state, check=True, stdout=subprocess.PIPE, text=True
    )
    found = re.search(r"packets in ([\d.]+) s", done.stdout)
    assert found, done.stdout
    sums = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in results.iterdir()}
    return float(found[1]), sums


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--captures", type=int, default=60)
    parser.add_argument("--packets", type=int, default=300_000)
    parser.add_argument("--runs", type=int, default=3)
    chosen = parser.parse_args()
    archive, total = make_archive(chosen.captures, chosen.packets), chosen.captures * chosen.packets
    print(f"{chosen.captures} captures of {chosen.packets:,} packets; load {os.getloadavg()[0]:.1f}")
    here, on_ray = [], []
    with ray_cluster(2) as cluster:
        score(archive, "ray", cluster.environment)  # Ray starts its workers, and the kernels are compiled
        for _ in range(chosen.runs):
            seconds, wanted = score(archive, "local", {})
            here.append(seconds)
            seconds, found = score(archive, "ray", cluster.environment)
            on_ray.append(seconds)
            assert found == wanted, "the results differ"
            print(f"one process {here[-1]:.1f} s, two nodes {on_ray[-1]:.1f} s, the same bytes")
    for name, seconds in (("one process", here), ("two nodes of Ray", on_ray)):
        middle = statistics.median(seconds)
        spread = f"{min(seconds):.1f}-{max(seconds):.1f}"
        print(f"{name}: {middle:.1f} s ({spread}), {total / middle:,.0f} packets/s")
    ratios = [one / two for one, two in zip(here, on_ray, strict=True)]
    print(f"two nodes are {statistics.median(ratios):.2f} x one process; load {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main()
