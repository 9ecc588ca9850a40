from __future__ import annotations

from pathlib import Path

import pytest

from inference_server.configuration.serving_settings import is_loopback
from inference_server.settings import load_settings


def test_loopback() -> None:
    assert all(map(is_loopback, ["127.0.0.1", "127.9.9.9", "::1", "localhost"]))


def test_a_key_without_a_certificate_is_refused() -> None:
    with pytest.raises(ValueError, match="TLS_KEY_FILE is set without TLS_CERT_FILE"):
        load_settings(tls_key_file="key.pem")
    assert load_settings(tls_cert_file="both.pem").tls_cert_file == Path("both.pem").resolve()


def test_the_body_s_limit_is_in_megabytes() -> None:
    assert load_settings().max_body_bytes == 10_000_000
    assert load_settings(max_body_mb=0.5).max_body_bytes == 500_000


def test_limits_are_checked() -> None:
    for name in ("max_concurrent_requests", "max_body_mb"):
        with pytest.raises(ValueError, match=f"{name.upper()}=0: "):
            load_settings(**{name: 0})
