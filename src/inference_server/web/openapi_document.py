"""What the OpenAPI document says of every route, so that no route has to."""

from __future__ import annotations

from copy import deepcopy
from typing import Any, Final

from fastapi import FastAPI

from inference_server.web.http_traffic import ALWAYS_ANSWERED

PROBLEM: Final = "#/components/schemas/Problem"
VALIDATION: Final = "#/components/schemas/HTTPValidationError"
RETRY_AFTER: Final = {"Retry-After": {"description": "seconds", "schema": {"type": "integer"}}}
SECURED: Final = {
    "401": "No accepted API key",
    "403": "The key's role does not allow this",
    "429": "More than REQUESTS_PER_MINUTE (Retry-After)",
}
BUSY: Final = {"503": "More than MAX_CONCURRENT_REQUESTS at once (Retry-After)"}


def describe(app: FastAPI) -> None:
    """Make `app.openapi()` tell what `auth`, `edge` and `errors` answer for each route."""
    written = app.openapi

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            _complete(written())
        assert app.openapi_schema is not None
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]


def _complete(document: dict[str, Any]) -> None:
    for path, operations in document["paths"].items():
        for operation in operations.values():
            answers = operation["responses"]
            told = (SECURED if operation.get("security") else {}) | ({} if path in ALWAYS_ANSWERED else BUSY)
            for status, description in told.items():
                answers.setdefault(status, {"description": description} | _content(PROBLEM))
            for status in ("429", "503"):
                if status in answers:
                    answers[status].setdefault("headers", deepcopy(RETRY_AFTER))
            _say_problem(answers)
            operation["responses"] = dict(sorted(answers.items()))
    for name in ("HTTPValidationError", "ValidationError"):
        document["components"]["schemas"].pop(name, None)


def _say_problem(answers: dict[str, Any]) -> None:
    """Replace FastAPI's own answer to wrong parameters, which `errors` does not give."""
    wrong = answers.get("422", {})
    if _content(VALIDATION).items() <= wrong.items():
        answers["422"] = {"description": "A parameter is wrong; says which"} | _content(PROBLEM)


def _content(schema: str) -> dict[str, Any]:
    return {"content": {"application/json": {"schema": {"$ref": schema}}}}
