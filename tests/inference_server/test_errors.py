from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Iterator

import httpx
import pytest
from fastapi import FastAPI
from starlette.responses import StreamingResponse

from helpers.server import serving
from inference_server.errors import (
    BodyTooLargeError,
    BusyError,
    ModelNotAvailableError,
    RequestError,
    UnauthorizedError,
    UnprocessableError,
    install_errors,
)

KINDS = {
    "401": UnauthorizedError,
    "413": BodyTooLargeError,
    "422": UnprocessableError,
    "503": ModelNotAvailableError,
    "busy": BusyError,
}


@pytest.fixture(scope="module")
def client() -> Iterator[httpx.Client]:
    app = FastAPI()
    install_errors(app)

    @app.get("/raise/{kind}")
    async def raise_(kind: str) -> None:
        raise KINDS[kind](f"this is {kind}")

    @app.get("/late")
    async def late() -> StreamingResponse:
        async def parts() -> AsyncIterator[bytes]:
            yield b"begun"
            raise ValueError("the secret cause")

        return StreamingResponse(parts())

    with serving(app) as client:
        yield client


@pytest.mark.parametrize(("kind", "error"), KINDS.items())
def test_a_request_error_has_one_answer(client: httpx.Client, kind: str, error: type[RequestError]) -> None:
    answer = client.get(f"/raise/{kind}")
    assert answer.status_code == error.status
    assert answer.json() == {"detail": f"this is {kind}"}


def test_busy_says_when_to_come_back(client: httpx.Client) -> None:
    assert client.get("/raise/busy").headers["retry-after"] == "1"


def test_unauthorized_says_how(client: httpx.Client) -> None:
    assert client.get("/raise/401").headers["www-authenticate"] == "Bearer"


def test_an_unexpected_error_tells_the_log_not_the_client(
    client: httpx.Client, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.ERROR):
        answer = client.get("/raise/unknown-kind")
    assert answer.status_code == 500
    assert answer.json() == {"detail": "Internal error"}
    (record,) = [record for record in caplog.records if record.name == "inference_server.errors"]
    assert answer.headers["x-request-id"] in record.getMessage()
    assert record.exc_info


def test_an_error_after_the_start_of_an_answer_breaks_it_off(client: httpx.Client) -> None:
    with pytest.raises(httpx.RemoteProtocolError):
        client.get("/late")
