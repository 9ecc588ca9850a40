"""Small sets of labelled flows for training and evaluation, made by rule."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
from sklearn.tree import DecisionTreeClassifier

from flows.schema import COMMON_NAMES
from helpers.models import CLASSES, made_up_flows
from training.dataset import LabelledFlows
from training.estimators import Kind

REFERENCE = Path(__file__).resolve().parents[1] / "reference"
CAPTURES = ("01_tcp_fin.pcap", "02_tcp_rst.pcap", "04_idle_timeout.pcap", "05_bulk.pcap")
MINUTE_US = 60_000_000
TREE = Kind("tree", "a small tree", lambda seed: DecisionTreeClassifier(max_depth=4, random_state=seed))


def labelled_flows(rows: int = 300, *, seed: int = 0, classes: tuple[int, ...] = CLASSES) -> LabelledFlows:
    """Made-up flows, one a minute, of three host pairs; each class has its own port."""
    features, codes = made_up_flows(rows, seed=seed, classes=classes)
    return LabelledFlows.of(
        features,
        COMMON_NAMES,
        codes,
        "improved",
        start_us=np.arange(rows, dtype=np.int64) * MINUTE_US,
        pair=(np.arange(rows) // 7 % 3).astype(np.int64),
        dst_port=(codes + 80).astype(np.int32),
    )


def capture_folder(folder: Path) -> Path:
    """Write four reference captures with a manifest: two benign of two sources, two attacks of one."""
    lines = ["file,kind,label,source"]
    for number, name in enumerate(
        ("01_tcp_fin.pcap", "02_tcp_rst.pcap", "04_idle_timeout.pcap", "05_bulk.pcap")
    ):
        kind = "benign" if number < 2 else "attack"
        (folder / kind).mkdir(parents=True, exist_ok=True)
        shutil.copy(REFERENCE / name, folder / kind)
        lines.append(f"{kind}/{name},{kind},made by rule,lab-{number}")
    (folder / "MANIFEST.csv").write_text("\n".join(lines) + "\n")
    return folder
