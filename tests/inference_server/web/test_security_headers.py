from __future__ import annotations

import pytest

from inference_server.web.security_headers import security_headers


def policy(path: str) -> str:
    return dict(security_headers(path, "http"))[b"content-security-policy"].decode()


def test_data_may_load_nothing() -> None:
    assert "default-src 'none'" in policy("/api/alerts")
    assert "script-src" not in policy("/api/alerts")


def test_scripts_in_pages_are_for_documentation_and_dashboard_alone() -> None:
    assert "'unsafe-inline'" in policy("/docs")
    assert "'unsafe-eval'" not in policy("/docs")
    assert "'unsafe-eval'" in policy("/dashboard")
    assert policy("/dashboard/_nicegui/x.js") == policy("/dashboard")


@pytest.mark.parametrize("path", ["/", "/docs", "/dashboard"])
def test_nothing_is_loaded_from_elsewhere_and_nobody_frames_us(path: str) -> None:
    assert "frame-ancestors 'none'" in policy(path)
    assert "http" not in policy(path)
    assert "*" not in policy(path)


def test_https_is_kept_to_where_it_is_used() -> None:
    assert b"strict-transport-security" in dict(security_headers("/", "https"))
    assert b"strict-transport-security" not in dict(security_headers("/", "http"))
