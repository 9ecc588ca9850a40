from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import httpx

from helpers.models import typical_flow
from helpers.server import wait_until
from inference_server.settings import load_settings
from inference_server.web.public_text import PublicText

Serve = Callable[..., AbstractContextManager[httpx.Client]]


def test_directories_are_called_by_their_settings() -> None:
    text = PublicText(load_settings(state_dir="/srv/ids", log_dir="/srv/ids/logs"))
    assert (
        text("sqlite:////srv/ids/mlflow.db, /srv/ids/logs/a.log")
        == "sqlite:///STATE_DIR/mlflow.db, LOG_DIR/a.log"
    )
    assert text("nothing of /srv") == "nothing of /srv"


def test_no_answer_shows_where_the_service_lives(serve: Serve, tmp_path: Path) -> None:
    state, logs = tmp_path / "state", tmp_path / "logs"
    state.mkdir()
    (state / "mlflow.db").write_text("no database, but text")
    logs.write_text("no directory, but a file")
    with serve(ready=False, state_dir=state, log_dir=logs) as client:
        wait_until(lambda: "cannot be used" in client.get("/health").text)
        wait_until(lambda: "lines lost" in client.get("/health").text)
        answers = [client.get(path) for path in ("/health", "/ready", "/api/model", "/metrics", "/nowhere")]
        answers.append(client.post("/predict", json=typical_flow(5)))
    assert [answer.request.url.path for answer in answers if str(tmp_path) in answer.text] == []
    assert "sqlite:///STATE_DIR/mlflow.db" in answers[-1].json()["detail"]
    assert "LOG_DIR" in answers[0].text
