from __future__ import annotations

import os
from pathlib import Path

import pytest

from detection.mlflow_client import DEFAULTS, default_registry, open_client, registry_errors


def test_mlflow_is_kept_quiet_unless_the_environment_says_otherwise(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in DEFAULTS:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "7")
    client = open_client(f"sqlite:///{tmp_path}/mlflow.db")
    assert client.search_registered_models() == []
    assert {name: os.environ[name] for name in DEFAULTS} == DEFAULTS | {"MLFLOW_HTTP_REQUEST_TIMEOUT": "7"}
    assert client.tracking_uri == f"sqlite:///{tmp_path}/mlflow.db"


def test_errors_name_the_registry_in_one_line() -> None:
    with (
        pytest.raises(
            ConnectionError, match=r"registry http://r cannot be used \(refused\): mend it"
        ) as raised,
        registry_errors("http://r", remedy="mend it"),
    ):
        raise OSError("refused\nand more")
    assert "\n" not in str(raised.value)


def test_mistakes_of_our_own_pass() -> None:
    with pytest.raises(ZeroDivisionError), registry_errors("http://r", remedy="mend it"):
        raise ZeroDivisionError


def test_another_registry_is_the_default_for_a_while(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import mlflow

    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    monkeypatch.delenv("MLFLOW_REGISTRY_URI", raising=False)
    with default_registry(f"sqlite:///{tmp_path}/one.db"):
        assert mlflow.get_registry_uri() == mlflow.get_tracking_uri() == f"sqlite:///{tmp_path}/one.db"
    assert mlflow.get_registry_uri() == mlflow.get_tracking_uri() == "http://127.0.0.1:9"
    assert "MLFLOW_REGISTRY_URI" not in os.environ
