from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import Any

import httpx
import pytest

from inference_server.main import create_app

PATHS: dict[str, dict[str, Any]] = create_app().openapi()["paths"]
OPERATIONS = [(method.upper(), path) for path, operations in PATHS.items() for method in operations]
PUBLIC = {"/", "/health", "/ready", "/ping"}


@pytest.fixture(scope="module")
def service(serve: Callable[..., AbstractContextManager[httpx.Client]]) -> Iterator[httpx.Client]:
    with serve(api_keys="reader:read:hush", metrics_public=False) as client:
        yield client


@pytest.mark.parametrize(("method", "path"), OPERATIONS)
def test_every_route_but_the_public_ones_asks_for_a_key(
    service: httpx.Client, method: str, path: str
) -> None:
    answer = service.request(method, re.sub(r"\{.*?\}", "1", path))
    if path in PUBLIC:
        assert answer.status_code == 200
    else:
        assert answer.status_code == 401
        assert PATHS[path][method.lower()]["security"]
        assert {"401", "403", "429"} <= set(PATHS[path][method.lower()]["responses"])


@pytest.mark.parametrize("path", ["/docs", "/openapi.json", "/"])
def test_people_reach_the_documentation_without_a_key(service: httpx.Client, path: str) -> None:
    assert service.get(path).status_code == 200


def test_what_is_wrong_with_a_parameter_is_documented_as_it_is_answered() -> None:
    answers = [answers for path in PATHS.values() for answers in path.values()]
    text = str(answers)
    assert "HTTPValidationError" not in text
    assert "HTTPValidationError" not in create_app().openapi()["components"]["schemas"]


def test_the_documentation_loads_nothing_from_elsewhere(service: httpx.Client) -> None:
    page = service.get("/docs")
    assets = re.findall(r"""(?:src|href|url)\s*[=:]\s*["']([^"']+)["']""", page.text)
    assert {"/openapi.json", "/docs/assets/swagger-ui-bundle.js"} <= set(assets)
    assert re.findall(r"https?:|[\"']//", page.text) == []
    for asset in assets:
        assert service.get(asset).status_code == 200
    assert "default-src 'none'" in page.headers["content-security-policy"]
    assert service.get("/redoc").status_code == 404
