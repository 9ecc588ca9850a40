from __future__ import annotations

import pytest
from typer.testing import CliRunner

from inference_server.cli import app


def _run(**environment: str) -> tuple[int, str, str]:
    result = CliRunner().invoke(app, ["check-config"], env={"COLUMNS": "200", **environment})
    return result.exit_code, result.stdout, result.stderr


def test_shows_what_is_in_effect_without_secrets() -> None:
    code, out, _ = _run(PORT="9000", API_KEYS="hush", STATE_DIR="/srv/state")
    assert code == 0
    assert "PORT" in out
    assert "9000" in out
    assert "sqlite:////srv/state/mlflow.db" in out
    assert "hush" not in out


def test_says_what_is_wrong_and_exits_with_1() -> None:
    code, out, err = _run(PORT="http", LOG_NEGATIVE_PREDICTIONS="maybe")
    assert (code, out) == (1, "")
    assert "PORT=http: " in err
    assert "LOG_NEGATIVE_PREDICTIONS=maybe: " in err
    assert "Traceback" not in err


def test_a_model_name_that_is_none() -> None:
    code, _, err = _run(MLFLOW_MODEL_NAME="ml-ids")
    assert code == 1
    assert "models:/name@alias" in err


def test_an_open_address_without_keys() -> None:
    code, _, err = _run(HOST="0.0.0.0")
    assert code == 1
    assert "HOST=0.0.0.0 serves other machines without a key: set API_KEYS" in err


def test_says_who_each_part_is_without_secrets() -> None:
    code, out, _ = _run(
        AWS_SNS_PREDICTIONS_TOPIC="arn:aws:sns:eu-west-1:123456789012:predictions",
        AWS_ACCESS_KEY="AKIAQUEUE00000002222",
        AWS_SECRET_KEY="hush",
        AWS_ACCESS_KEY_ID="AKIASTORE00000001111",
        AWS_SECRET_ACCESS_KEY="hush",
        WEBHOOK_URL="https://hooks.example/hush",
        WEBHOOK_SECRET="hush",
    )
    assert code == 0
    rows = {
        cells[1].strip(): cells[2].strip() for line in out.splitlines() if len(cells := line.split("│")) > 2
    }
    assert rows["MLflow's S3"] == "AWS_ACCESS_KEY_ID ****1111"
    assert rows["SNS"] == "AWS_ACCESS_KEY ****2222"
    assert rows["webhook"] == "signed with WEBHOOK_SECRET, at https://hooks.example"
    assert "hush" not in out


def test_a_transport_that_lacks_a_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_DEFAULT_REGION", raising=False)
    code, _, err = _run(SQS_QUEUE_URL="http://127.0.0.1:9/queue", AWS_CONFIG_FILE="/dev/null")
    assert code == 1
    # MLflow may be telling of its tables in the service of another test.
    assert "error: AWS_REGION is not set" in err
