from __future__ import annotations

import os
from pathlib import Path

import pytest

from inference_server.settings import export_library_variables, load_settings, secret_fields


def test_every_secret_can_stand_in_a_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    names = secret_fields()
    assert {"api_keys", "aws_access_key", "aws_secret_key", "webhook_secret", "smtp_password"} <= set(names)
    for name in names:
        (tmp_path / name).write_text(f"http://{name}\n")
        monkeypatch.setenv(f"{name.upper()}_FILE", str(tmp_path / name))
    monkeypatch.setenv("SMTP_USER", "me")
    settings = load_settings()
    assert settings.webhook_url is not None
    assert settings.webhook_url.get_secret_value() == "http://webhook_url"
    assert [key.get_secret_value() for key in settings.api_keys] == ["http://api_keys"]
    assert settings.mlflow_tracking_uri == "http://mlflow_tracking_uri"
    for name in names:
        assert getattr(settings, name), name


def test_env_files_may_name_files(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("one,two")
    Path(".env").write_text(f"API_KEYS_FILE={tmp_path}/key\n")
    assert len(load_settings().api_keys) == 2


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "WEBHOOK_SECRET_FILE=.*/secret: No such file or directory; name a file that can be read"),
        (b"", "WEBHOOK_SECRET_FILE=.*/secret: the file is empty"),
        (b"\xff\xfe", "WEBHOOK_SECRET_FILE=.*/secret: not UTF-8"),
    ],
)
def test_a_file_that_is_of_no_use(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, content: bytes | None, words: str
) -> None:
    if content is not None:
        (tmp_path / "secret").write_bytes(content)
    monkeypatch.setenv("WEBHOOK_SECRET_FILE", str(tmp_path / "secret"))
    with pytest.raises(ValueError, match=f"^{words}"):
        load_settings()


def test_a_secret_given_in_two_ways(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("one")
    monkeypatch.setenv("WEBHOOK_SECRET_FILE", str(tmp_path / "secret"))
    monkeypatch.setenv("WEBHOOK_SECRET", "hush")
    with pytest.raises(ValueError, match=r"^WEBHOOK_SECRET and WEBHOOK_SECRET_FILE .* unset one") as caught:
        load_settings()
    assert "hush" not in str(caught.value)
    monkeypatch.setenv("WEBHOOK_SECRET", "one")
    assert load_settings().webhook_secret


def test_the_libraries_secrets_are_put_where_they_read_them(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "to be undone after the test")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    (tmp_path / "secret").write_text("of S3\n")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY_FILE", str(tmp_path / "secret"))
    export_library_variables()
    export_library_variables()
    assert os.environ["AWS_SECRET_ACCESS_KEY"] == "of S3"
