"""Models of KDD99 connections, and the connection that the clients' example sends."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import RandomForestClassifier

from detection.compile_sklearn import compile_pipeline
from detection.importing import AS_IT_IS
from detection.mlflow_client import embedded_uri, open_client
from detection.package import write_package
from detection.record import BenignQuantiles, ModelRecord
from detection.registration import register_package
from flows.kdd99 import FEATURES, features_of
from flows.labels import BY_CODE
from flows.schema import schema_id

EXAMPLE: dict[str, Any] = dict.fromkeys(FEATURES, 0) | {
    **{"protocol_type": "tcp", "flag": "SF", "src_bytes": 181, "dst_bytes": 5450, "logged_in": 1},
    **{"count": 8, "srv_count": 8, "serror_rate": 0.0, "rerror_rate": 0.0, "same_srv_rate": 1.0},
    **{"diff_srv_rate": 0.0, "srv_diff_host_rate": 0.0, "dst_host_count": 9, "dst_host_srv_count": 9},
    **{"dst_host_same_srv_rate": 1.0, "dst_host_diff_srv_rate": 0.0, "dst_host_same_src_port_rate": 0.11},
    **{"dst_host_srv_diff_host_rate": 0.0, "time": 1617656527},
}
SMURF: dict[str, Any] = dict.fromkeys(FEATURES, 0) | {
    **{"protocol_type": "icmp", "flag": "SF", "src_bytes": 1032, "count": 511, "srv_count": 511},
    **{"same_srv_rate": 1.0, "dst_host_count": 255, "dst_host_srv_count": 255},
    **{"dst_host_same_srv_rate": 1.0, "dst_host_same_src_port_rate": 1.0},
}
NMAP: dict[str, Any] = dict.fromkeys(FEATURES, 0) | {
    **{"protocol_type": "tcp", "flag": "SH", "serror_rate": 1.0, "diff_srv_rate": 1.0, "dst_host_count": 255},
}


def made_up_connections(rows: int = 300) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Connections near those above, and the codes of their classes."""
    random = np.random.default_rng(0)
    kinds = np.array([features_of(EXAMPLE), features_of(SMURF), features_of(NMAP)])
    which = np.arange(rows) % 3
    noise = random.normal(1.0, 0.05, (rows, len(FEATURES)))
    return kinds[which] * noise, np.array([0, 22, 30])[which]


def register_kdd99(
    state: Path, scratch: Path, rows: NDArray[np.float64], codes: NDArray[np.int64], *, trees: int = 10
) -> RandomForestClassifier:
    """Fit a forest, and register it as kdd99 version 1, @champion, of the registry in `state`."""
    forest = RandomForestClassifier(trees, random_state=0, n_jobs=1).fit(rows, codes)
    classes = tuple(int(code) for code in forest.classes_)
    record = ModelRecord(
        record_format=1,
        description="A model of KDD99 connections",
        features=FEATURES,
        schema_id=schema_id(FEATURES),
        dialect="improved",
        classes=classes,
        class_names=tuple(BY_CODE[code].name for code in classes),
        preprocessing=AS_IT_IS,
        threshold=0.5,
        insufficient=None,
        benign_quantiles=BenignQuantiles.of(rows[codes == 0]),
    )
    write_package(
        scratch / "kdd99",
        compile_pipeline(forest),
        record,
        golden_rows=rows[:32],
        golden_probabilities=forest.predict_proba(rows[:32]),
        card="# A model of KDD99 connections\n",
    )
    client = open_client(embedded_uri(state))
    artifacts = (state / "mlartifacts").as_uri()
    register_package(client, scratch / "kdd99", "kdd99", alias="champion", artifacts=artifacts)
    return forest
