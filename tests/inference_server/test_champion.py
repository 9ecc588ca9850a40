from __future__ import annotations

from pathlib import Path

import pytest

from detection.scorer import ModelUnavailableError
from inference_server.champion import configured_champion
from inference_server.settings import load_settings


def test_the_settings_name_registry_and_model(champion_state: Path, tmp_path: Path) -> None:
    settings = load_settings(state_dir=champion_state)
    scorer = configured_champion(settings)
    assert (scorer.model_name, scorer.model_version) == ("ml-ids", "1")
    by_uri = load_settings(mlflow_tracking_uri=settings.tracking_uri, state_dir=tmp_path)
    assert configured_champion(by_uri).record == scorer.record
    with pytest.raises(ModelUnavailableError, match="ml-ids@challenger"):
        configured_champion(
            load_settings(state_dir=champion_state, mlflow_model_name="models:/ml-ids@challenger")
        )
