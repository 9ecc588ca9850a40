from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import skops.io

from flows.schema import COMMON_NAMES
from helpers.models import made_up_flows
from training.estimators import ESTIMATORS, fit, predict_proba
from training.flavour import TRUSTED_TYPES, save_flavour


def test_mlflow_loads_it_from_both_entries(tmp_path: Path) -> None:
    import mlflow.pyfunc

    rows, codes = made_up_flows(150)
    pipeline = fit(ESTIMATORS["stacked"], rows, codes, COMMON_NAMES, params={"trees": 5})
    save_flavour(pipeline, tmp_path, COMMON_NAMES)
    frame = pd.DataFrame(rows, columns=list(COMMON_NAMES))
    for folder in (tmp_path, tmp_path / "model"):
        loaded = mlflow.pyfunc.load_model(str(folder))
        assert loaded.metadata.get_input_schema().input_names() == list(COMMON_NAMES)
        assert (loaded.predict(frame) == pipeline.predict(frame)).all()


def test_the_estimator_is_compressed_and_names_no_type_to_trust_but_two(tmp_path: Path) -> None:
    rows, codes = made_up_flows(150)
    pipeline = fit(ESTIMATORS["stacked"], rows, codes, COMMON_NAMES, params={"trees": 5})
    save_flavour(pipeline, tmp_path, COMMON_NAMES)
    estimator = tmp_path / "model" / "model.skops"
    with zipfile.ZipFile(estimator) as archive:
        assert {item.compress_type for item in archive.infolist()} == {zipfile.ZIP_DEFLATED}
    assert set(skops.io.get_untrusted_types(file=estimator)) <= set(TRUSTED_TYPES)
    loaded = skops.io.load(estimator, trusted=list(TRUSTED_TYPES))
    assert np.array_equal(
        predict_proba(loaded, rows, COMMON_NAMES), predict_proba(pipeline, rows, COMMON_NAMES)
    )
