"""The bodies of `POST /api/predictions`, as the clients of cstub/ml-ids-api send and read them."""

from __future__ import annotations

from typing import ClassVar, Final

from starlette.requests import Request

from inference_server.web.errors import RemoteModelError, RequestError, UnprocessableError, public_detail
from inference_server.web.request_body import PANDAS_SPLIT, Body, is_pandas_split, read_body
from inference_server.web.responses import OrjsonResponse

_FIX: Final = "Please provide a valid json request body in Pandas 'split' format."


class UnsupportedMediaTypeError(RequestError):
    """A content type that the route does not read."""

    status: ClassVar[int] = 415


class NoBodyError(RequestError):
    """A request without a body."""

    status: ClassVar[int] = 400


async def read_split_body(request: Request, limit: int) -> Body:
    """Return a request's body of columns and data, of at most `limit` bytes.

    Raises:
        UnsupportedMediaTypeError: the content type is another.
        NoBodyError: there is none.
        BodyTooLargeError: it is too long.
    """
    content_type = request.headers.get("content-type")
    if not is_pandas_split(content_type or ""):
        raise UnsupportedMediaTypeError(
            f"Content-Type: '{content_type}' is not supported. "
            f"Supported content-types are ['{PANDAS_SPLIT}']."
        )
    body = await read_body(request, limit)
    if not body.content.strip():
        raise NoBodyError(f"No request body supplied. {_FIX}")
    return body


def answer_error(request: Request, error: RequestError) -> OrjsonResponse:
    """Return the answer that a RequestError is on this route: its text is under `error`."""
    if isinstance(error, UnprocessableError):
        status, text = 400, f"Invalid request body supplied. {_FIX} Cause: {error}"
    else:
        # What a client of cstub/ml-ids-api knows as a failure of SageMaker.
        status = 500 if isinstance(error, RemoteModelError) else error.status
        text = public_detail(request, str(error))
    more = {key: value for key, value in error.body.items() if key != "detail"}
    return OrjsonResponse({"error": text, **more}, status_code=status, headers=error.headers)
