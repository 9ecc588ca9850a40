"""Models as others train and log them: named columns, labels as texts, no package of ours."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.ensemble import RandomForestClassifier

from flows.parquet_files import write_parquet
from flows.schema import BY_NAME, COMMON_NAMES
from flows.table import FlowTable
from helpers.models import made_up_flows

LABELS = {0: "BENIGN", 5: "DoS Hulk", 17: "PortScan"}


def titles_2018(names: tuple[str, ...] = COMMON_NAMES) -> list[str]:
    """How CSE-CIC-IDS2018 spells features."""
    return [BY_NAME[name].cic_2018 if name in BY_NAME else name for name in names]


def training_frame(
    titles: list[str], *, classes: tuple[int, ...] = (0, 5, 17), rows: int = 300
) -> tuple[pd.DataFrame, NDArray[Any]]:
    """Flows around each class's level below these titles, and their labels as texts."""
    flows, codes = made_up_flows(rows, features=len(titles), classes=classes)
    return pd.DataFrame(flows, columns=titles), np.array([LABELS[code] for code in codes.tolist()])


def fitted_forest(titles: list[str], *, classes: tuple[int, ...] = (0, 5, 17)) -> RandomForestClassifier:
    """A forest that was fitted on a data frame."""
    frame, labels = training_frame(titles, classes=classes)
    return RandomForestClassifier(8, random_state=0).fit(frame, labels)


def golden_flows(path: Path, *, dialect: str = "improved", rows: int = 60) -> Path:
    """Write labelled flows of our own format, some with NaN and infinity."""
    features, codes = made_up_flows(rows, features=len(COMMON_NAMES), seed=4)
    features[3, :4] = np.nan, np.inf, -np.inf, -1.0
    labels = np.array([LABELS[code] for code in codes.tolist()], object)
    table = FlowTable.from_features(features, COMMON_NAMES, dialect, extras={"label": labels})
    write_parquet(table, path)
    return path
