from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from helpers.certificates import make_pair
from inference_server.settings import load_settings


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"remote_scoring_url": "central"}, "REMOTE_SCORING_URL: no URL such as https://central"),
        ({"remote_scoring_url": "ftp://central"}, "REMOTE_SCORING_URL: no URL such as https://central"),
        ({"remote_scoring_url": "https://me:hush@central"}, "REMOTE_SCORING_URL: no URL .*SCORING_KEY"),
        ({"remote_scoring_url": "https://central:99999"}, "REMOTE_SCORING_URL: no URL such as"),
        ({"remote_scoring_url": "http://central"}, "REMOTE_SCORING_URL=http://central would send .*_HTTP"),
        ({"remote_scoring_ca_file": "no.pem"}, "REMOTE_SCORING_CA_FILE=no.pem: no PEM file .*No such"),
        ({"remote_spool_mb": 1}, "REMOTE_SPOOL_MB=1: .*at least 10"),
    ],
)
def test_a_wrong_value_is_one_line_that_names_setting_and_fix(given: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=f"^{words}") as caught:
        load_settings(**given)
    assert len(str(caught.value).splitlines()) == 1
    assert "hush" not in str(caught.value)


@pytest.mark.parametrize(
    "given",
    [
        {"remote_scoring_url": "https://central.example.org"},
        {"remote_scoring_url": "http://127.0.0.1:8000"},
        {"remote_scoring_url": "http://[::1]:8000"},
        {"remote_scoring_url": "http://10.0.0.5:8000", "remote_scoring_plain_http": True},
    ],
)
def test_flows_go_over_https_or_stay_on_this_machine_unless_told_otherwise(given: dict[str, Any]) -> None:
    assert load_settings(**given).remote_scoring_url == given["remote_scoring_url"]


def test_an_authority_is_a_file_of_certificates_and_the_key_a_secret(tmp_path: Path) -> None:
    pair = make_pair(tmp_path)
    settings = load_settings(remote_scoring_ca_file=pair.certificate, remote_scoring_key="hush")
    assert settings.remote_scoring_ca_file == pair.certificate
    assert "hush" not in repr(settings)
    with pytest.raises(ValueError, match="no PEM file of certificates"):
        load_settings(remote_scoring_ca_file=pair.key)
