from __future__ import annotations

from pathlib import Path

from detection.mlflow_client import embedded_uri, open_client
from detection.model_list import list_models
from detection.registry import Registry
from helpers.models import FIGURES
from helpers.registry import make_registry


def test_versions_with_their_aliases_and_figures(tmp_path: Path) -> None:
    state = make_registry(tmp_path / "state", tmp_path / "scratch")
    client = open_client(embedded_uri(state))
    client.create_registered_model("another")
    client.create_model_version("another", (tmp_path / "nothing").as_uri())
    client.set_registered_model_alias("ml-ids", "blue", "1")
    registry = Registry(tracking_uri=None, state_dir=state, register_starter=False)
    other, ours = list_models(registry)
    assert (ours.name, ours.number, ours.aliases) == ("ml-ids", "1", ("blue", "champion"))
    assert (ours.dialect, ours.threshold, ours.features) == ("improved", "0.5", "76")
    assert ours.figures == FIGURES
    assert ours.created.year >= 2026
    assert (other.name, other.aliases, other.dialect, other.features) == ("another", (), "", "")
