from __future__ import annotations

import os
from pathlib import Path

import pytest

from inference_server.settings import Settings, export_library_variables, load_settings


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.chdir(tmp_path)


def test_defaults(tmp_path: Path) -> None:
    settings = load_settings()
    assert (settings.host, settings.port) == ("127.0.0.1", 8000)
    assert settings.log_dir == tmp_path / "var" / "logs"
    assert settings.tracking_uri == f"sqlite:///{tmp_path}/var/mlflow.db"
    assert settings.mlflow_model_name == "models:/ml-ids@champion"
    assert settings.start_cicflowmeter
    assert settings.demo is None
    assert settings.sensor_id


def test_env_file_is_read_and_the_environment_wins(monkeypatch: pytest.MonkeyPatch) -> None:
    Path(".env").write_text("PORT=9000\nLOG_NEGATIVE_PREDICTIONS=true\nUNRELATED=1\n")
    monkeypatch.setenv("PORT", "9001")
    settings = load_settings()
    assert (settings.port, settings.log_negative_predictions) == (9001, True)


def test_an_empty_value_means_unset(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in Settings.model_fields:
        monkeypatch.setenv(name.upper(), "")
    monkeypatch.delenv("SENSOR_ID")
    assert load_settings() == Settings()


@pytest.mark.parametrize(
    ("text", "on"),
    [("false", False), ("False", False), ("true", True), ("0", True), ("no", True), ("yes", True)],
)
def test_only_false_disables_capture(monkeypatch: pytest.MonkeyPatch, text: str, on: bool) -> None:
    monkeypatch.setenv("START_CICFLOWMETER", text)
    assert load_settings().start_cicflowmeter is on


def test_lists(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CIC_INTERFACE", "eth0, eth1,")
    monkeypatch.setenv("API_KEYS", "one,two")
    settings = load_settings()
    assert settings.cic_interface == ("eth0", "eth1")
    assert [key.get_secret_value() for key in settings.api_keys] == ["one", "two"]


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("PORT", "http"),
        ("PORT", "70000"),
        ("LOG_NEGATIVE_PREDICTIONS", "maybe"),
        ("CAPTURE_SILENCE_SECONDS", "-1"),
        ("CLOSE_LINGER", "nan"),
        ("DEMO", "2"),
        ("SENSOR_ID", "demo"),
        ("MLFLOW_MODEL_NAME", "ml-ids"),
    ],
)
def test_a_wrong_value_names_variable_value_and_expectation(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str
) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises(ValueError, match=f"^{variable}={value}: .*{variable} is: ") as caught:
        load_settings()
    assert len(str(caught.value).splitlines()) == 1
    assert "Value error" not in str(caught.value)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.0.0.5", "sensor.example"])
def test_an_open_address_needs_a_key_or_consent(host: str) -> None:
    with pytest.raises(ValueError, match=f"HOST={host} .* set API_KEYS"):
        load_settings(host=host)
    assert load_settings(host=host, api_keys="secret").host == host
    assert load_settings(host=host, allow_unauthenticated=True).host == host


def test_keys_are_also_read_under_their_earlier_name(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("ML_IDS_API_KEYS", "one,two")
    assert len(load_settings(host="0.0.0.0").api_keys) == 2
    monkeypatch.setenv("API_KEYS", "three")
    assert [key.get_secret_value() for key in load_settings().api_keys] == ["three"]
    monkeypatch.delenv("API_KEYS")
    monkeypatch.setenv("ML_IDS_API_KEYS", "ops:amdin:hush")
    with pytest.raises(ValueError, match=r"^API_KEYS: entry 1: the role.*is: comma list") as error:
        load_settings()
    assert "hush" not in str(error.value)
    monkeypatch.delenv("ML_IDS_API_KEYS")
    (tmp_path / "keys").write_text("ops:admin:hush\n")
    monkeypatch.setenv("ML_IDS_API_KEYS_FILE", str(tmp_path / "keys"))
    assert [key.get_secret_value() for key in load_settings().api_keys] == ["ops:admin:hush"]


def test_secrets_stay_out_of_representations() -> None:
    assert "hush" not in repr(load_settings(api_keys="hush"))


def test_env_file_reaches_the_libraries(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("MLFLOW_S3_ENDPOINT_URL", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "to be undone after the test")
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "environment")
    Path(".env").write_text("MLFLOW_S3_ENDPOINT_URL=http://s3\nAWS_ACCESS_KEY_ID=file\nPATH=/nowhere\n")
    path = os.environ["PATH"]
    export_library_variables()
    assert os.environ["MLFLOW_S3_ENDPOINT_URL"] == "http://s3"
    assert os.environ["AWS_ACCESS_KEY_ID"] == "environment"
    assert os.environ["PATH"] == path
