"""HTTPS: the certificate and key of TLS_CERT_FILE and TLS_KEY_FILE."""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import Final

from inference_server.configuration.serving_settings import ServingSettings

_CERTIFICATE: Final = b"-----BEGIN CERTIFICATE-----"
_KEY: Final = b"PRIVATE KEY-----"


def server_context(settings: ServingSettings) -> ssl.SSLContext | None:
    """Return what serves HTTPS, TLS 1.2 or newer; None where no certificate is set.

    Raises:
        ValueError: certificate and key cannot be used; names the setting to change.
    """
    certificate = settings.tls_cert_file
    if certificate is None:
        return None
    key = settings.tls_key_file or certificate
    key_name = "TLS_KEY_FILE" if settings.tls_key_file else "TLS_CERT_FILE without TLS_KEY_FILE"
    _check_pem("TLS_CERT_FILE", certificate, _CERTIFICATE, "certificate")
    _check_pem(key_name, key, _KEY, "private key")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    asked = False

    def password() -> str:
        nonlocal asked
        asked = True
        # OpenSSL would ask the terminal if there were no function; an empty password fails.
        return settings.tls_key_password.get_secret_value() if settings.tls_key_password else ""

    try:
        context.load_cert_chain(certificate, key, password)
    except ssl.SSLError as error:
        if error.reason == "KEY_VALUES_MISMATCH":
            cause = f"is not the key of TLS_CERT_FILE={certificate}: name a pair"
        elif asked:
            cause = "is encrypted, and TLS_KEY_PASSWORD does not open it"
        else:
            cause = f"and TLS_CERT_FILE={certificate} cannot be used: {error.reason or 'broken PEM'}"
        raise ValueError(f"{key_name}={key} {cause}") from None
    return context


def _check_pem(name: str, path: Path, mark: bytes, kind: str) -> None:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ValueError(f"{name}={path}: {error.strerror}; name a file that can be read") from None
    if mark not in content:
        raise ValueError(f"{name}={path} holds no {kind} in PEM format")
