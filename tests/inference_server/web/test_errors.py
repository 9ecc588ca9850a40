from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

import httpx
import pytest
from fastapi import FastAPI, Query

from helpers.server import serving
from inference_server.web.errors import (
    BodyTooLargeError,
    BusyError,
    ForbiddenError,
    ModelNotAvailableError,
    RequestError,
    TooManyRequestsError,
    UnauthorizedError,
    UnprocessableError,
    install_errors,
)

KINDS = {
    "401": UnauthorizedError,
    "403": ForbiddenError,
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

    @app.get("/numbers/{number}")
    async def numbers(number: int, limit: Annotated[int, Query(le=10)]) -> int:
        return number + limit

    @app.post("/body")
    async def body(value: dict[str, int]) -> None:
        pass

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


def test_a_caller_that_sends_too_much_is_told_when_to_come_back() -> None:
    error = TooManyRequestsError("too many", 7)
    assert (error.status, error.headers["Retry-After"]) == (429, "7")


def test_a_path_that_is_not_served_says_where_to_look(client: httpx.Client) -> None:
    answer = client.get("/nowhere")
    assert answer.status_code == 404
    assert answer.json() == {"detail": "Nothing is at /nowhere: GET /docs shows what there is"}


def test_a_method_that_is_not_served_says_which_is(client: httpx.Client) -> None:
    answer = client.delete("/raise/401")
    assert (answer.status_code, answer.headers["allow"]) == (405, "GET")
    assert answer.json() == {"detail": "DELETE is not allowed at /raise/401: GET is"}


@pytest.mark.parametrize(
    ("body", "detail"),
    [(b"\xff", "The body is not JSON"), (b"{", "1: JSON decode error"), (b"1", "the body: Input should be")],
)
def test_a_wrong_body_is_said(client: httpx.Client, body: bytes, detail: str) -> None:
    answer = client.post("/body", content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code == 422
    assert answer.json()["detail"].startswith(detail)


def test_a_wrong_parameter_is_named(client: httpx.Client) -> None:
    answer = client.get("/numbers/one?limit=11")
    assert answer.status_code == 422
    assert answer.json()["detail"] == (
        "number: Input should be a valid integer, unable to parse string as an integer; "
        "limit: Input should be less than or equal to 10"
    )
