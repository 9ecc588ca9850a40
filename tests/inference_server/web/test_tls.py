from __future__ import annotations

from pathlib import Path

import pytest

from helpers.certificates import make_pair
from inference_server.settings import load_settings
from inference_server.web.tls import server_context


def test_without_a_certificate_there_is_none() -> None:
    assert server_context(load_settings()) is None


def test_a_pair_a_file_of_both_and_an_encrypted_key(tmp_path: Path) -> None:
    pair = make_pair(tmp_path)
    assert server_context(load_settings(tls_cert_file=pair.certificate, tls_key_file=pair.key))
    both = tmp_path / "both.pem"
    both.write_bytes(pair.certificate.read_bytes() + pair.key.read_bytes())
    assert server_context(load_settings(tls_cert_file=both))
    secret = make_pair(tmp_path, "secret", password="hush")
    settings = load_settings(
        tls_cert_file=secret.certificate, tls_key_file=secret.key, tls_key_password="hush"
    )
    assert server_context(settings)
    assert "hush" not in repr(settings)


def test_what_cannot_be_used_is_named(tmp_path: Path) -> None:
    pair, other = make_pair(tmp_path), make_pair(tmp_path, "other")
    secret = make_pair(tmp_path, "secret", password="hush")
    (tmp_path / "text.pem").write_text("no PEM")
    (tmp_path / "torn.pem").write_bytes(pair.key.read_bytes()[:-60])
    for certificate, key, password, message in [
        (tmp_path / "none.pem", pair.key, None, "TLS_CERT_FILE=.*none.pem: No such file.*; name a file"),
        (pair.certificate, tmp_path / "none.key", None, "TLS_KEY_FILE=.*none.key: No such file"),
        (
            tmp_path / "text.pem",
            pair.key,
            None,
            "TLS_CERT_FILE=.*text.pem holds no certificate in PEM format",
        ),
        (pair.certificate, None, None, "TLS_CERT_FILE without TLS_KEY_FILE=.* holds no private key"),
        (pair.certificate, other.key, None, "TLS_KEY_FILE=.*other.key is not the key of TLS_CERT_FILE="),
        (
            secret.certificate,
            secret.key,
            None,
            "secret.key is encrypted, and TLS_KEY_PASSWORD does not open it",
        ),
        (secret.certificate, secret.key, "hash", "secret.key is encrypted, and TLS_KEY_PASSWORD does not"),
        (pair.certificate, tmp_path / "torn.pem", None, "torn.pem and TLS_CERT_FILE=.* cannot be used"),
    ]:
        settings = load_settings(tls_cert_file=certificate, tls_key_file=key, tls_key_password=password)
        with pytest.raises(ValueError, match=message):
            server_context(settings)
