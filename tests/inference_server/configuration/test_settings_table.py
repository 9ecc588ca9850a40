from __future__ import annotations

from pathlib import Path

from inference_server.configuration.settings_table import effective_settings, settings_markdown
from inference_server.settings import Settings

DOCUMENT = Path(__file__).parents[3] / "docs" / "settings.md"


def test_the_document_is_the_generated_table() -> None:
    assert DOCUMENT.read_text() == settings_markdown(), "run scripts/write_docs.py"


def test_every_setting_is_described() -> None:
    assert all(field.description for field in Settings.model_fields.values())


def test_effective_settings_mask_secrets() -> None:
    settings = Settings(
        api_keys="hush,hash", mlflow_tracking_uri="https://me:hush@registry:5000/p", cic_interface="a,b"
    )
    shown = dict(effective_settings(settings))
    assert shown["API_KEYS"] == "********,********"
    assert shown["MLFLOW_TRACKING_URI"] == "https://me:********@registry:5000/p"
    assert shown["CIC_INTERFACE"] == "a,b"
    assert shown["START_CICFLOWMETER"] == "true"
    assert set(Settings.model_fields) <= {name.lower() for name in shown}
