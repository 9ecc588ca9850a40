from __future__ import annotations

from pathlib import Path

import httpx
import pytest

from detection.remote.signing import AwsSigning
from helpers.remote_model import signature_problem

KEY = ("AKIAREMOTE1234567890", "secret-key-of-the-tests")
URL = "https://runtime.sagemaker.eu-west-1.amazonaws.com/endpoints/ml-ids/invocations"


def signed(auth: AwsSigning, body: bytes = b"[]", url: str = URL) -> httpx.Request:
    kind = {"Content-Type": "application/json; format=pandas-split"}
    request = httpx.Request("POST", url, headers=kind, content=body)
    return next(auth.sync_auth_flow(request))


@pytest.mark.parametrize("url", [URL, "https://localhost:8443/endpoints/ml-ids/invocations"])
def test_the_signature_is_the_one_that_amazon_reckons(url: str) -> None:
    request = signed(AwsSigning("eu-west-1", *KEY), url=url)
    assert signature_problem(request, KEY, "eu-west-1") == ""


def test_the_checker_finds_what_is_wrong() -> None:
    request = signed(AwsSigning("eu-west-1", *KEY))
    assert signature_problem(request, (KEY[0], "another"), "eu-west-1") == "another signature"
    assert "in eu-west-1" in signature_problem(request, KEY, "us-east-1")
    altered = httpx.Request("POST", URL, headers=request.headers, content=b"[1]")
    assert signature_problem(altered, KEY, "eu-west-1") == "another signature"
    unsigned = httpx.Request("POST", URL, content=b"[]")
    assert signature_problem(unsigned, KEY, "eu-west-1") == "not signed"


def test_without_keys_the_identity_of_the_environment_signs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", KEY[0])
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", KEY[1])
    monkeypatch.setenv("AWS_SESSION_TOKEN", "of-a-role")
    request = signed(AwsSigning("eu-west-1"))
    assert request.headers["x-amz-security-token"] == "of-a-role"
    assert signature_problem(request, KEY, "eu-west-1") == ""


def test_nobody_signs_nothing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    with pytest.raises(ValueError, match="no AWS identity: set AWS_ACCESS_KEY and AWS_SECRET_KEY"):
        signed(AwsSigning("eu-west-1"))
