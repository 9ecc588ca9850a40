"""A model behind a URL: one request in MLflow's scoring protocol, with its deadline and its tries."""

from __future__ import annotations

import random
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

import httpx
import numpy as np
import orjson
from numpy.typing import NDArray

from detection.remote.answer import Answer, AnswerError, Numbers, read_answer

Format = Literal["dataframe_split", "pandas-split"]
"""Columns and data in MLflow's envelope, or bare as MLflow 1 read them."""

CONTENT_TYPES: Final[dict[Format, str]] = {
    "dataframe_split": "application/json",
    "pandas-split": "application/json; format=pandas-split",
}
VERSION_HEADER: Final = "x-model-version"
"""How this project's `/invocations` names the model that answered."""

VERSION_HEADERS: Final = (VERSION_HEADER, "x-amzn-invoked-production-variant")
"""The same, and SageMaker's."""

UNKNOWN_VERSION: Final = "unknown"
TRY_AGAIN: Final = frozenset({429, 500, 502, 503, 504})
REFUSALS: Final = frozenset({400, 413, 422})
"""Statuses that say something of the flows, not of the model."""

PAUSE_SECONDS: Final = 0.05
ANSWER_BYTES: Final = 65_536
ROW_BYTES: Final = 1_000
"""The longest answer that is read, besides so much a flow."""

SHOWN: Final = 200


class RemoteError(OSError):
    """A remote model gave no verdicts; says why."""


class RefusedError(RemoteError):
    """It cannot judge these flows, but perhaps others."""


@dataclass(frozen=True)
class Endpoint:
    """Where a model is, and how it is asked.

    Attributes:
        name: what its verdicts call it.
        url: what flows are posted to.
        format: how they are written.
        numbers: what numbers of its answers are.
        seconds: how long it may take for a request, all tries together.
        tries: how often a request is sent at most.
        headers: sent with each request.
        auth: signs each request.
    """

    name: str
    url: str
    format: Format = "dataframe_split"
    numbers: Numbers = "attack"
    seconds: float = 2.0
    tries: int = 2
    headers: Mapping[str, str] = field(default_factory=dict)
    auth: httpx.Auth | None = None


class Connection:
    """An endpoint's connections, and what became of them; any thread may ask.

    Attributes:
        retries: requests that were sent once more.
    """

    def __init__(self, endpoint: Endpoint) -> None:
        self.endpoint = endpoint
        self.retries = 0
        self._client = httpx.Client(headers=dict(endpoint.headers), auth=endpoint.auth)

    def close(self) -> None:
        """Let go of the connections."""
        self._client.close()

    def ask(self, features: NDArray[np.float64], names: tuple[str, ...]) -> tuple[Answer, str]:
        """Return what the model says of n x F features, and its version.

        Raises:
            RefusedError: it answered that it cannot judge these.
            RemoteError: it did not answer in time, or not what can be used.
        """
        body = self._body(features, names)
        deadline = time.monotonic() + self.endpoint.seconds
        for left in reversed(range(self.endpoint.tries)):
            try:
                content, version = self._post(body, deadline, len(features))
            except _AgainError as failure:
                pause = random.uniform(0.5, 1.5) * PAUSE_SECONDS * 2 ** (self.endpoint.tries - 1 - left)
                if not left or time.monotonic() + pause >= deadline:
                    raise RemoteError(str(failure)) from None
                self.retries += 1
                time.sleep(pause)
                continue
            try:
                return read_answer(content, len(features), self.endpoint.numbers), version
            except AnswerError as error:
                raise RemoteError(str(error)) from None
        raise AssertionError("tries is at least 1")

    def _body(self, features: NDArray[np.float64], names: tuple[str, ...]) -> bytes:
        # JSON has no NaN and no infinity: orjson writes null, which pandas reads as NaN.
        split = {"columns": names, "data": np.ascontiguousarray(features)}
        content = split if self.endpoint.format == "pandas-split" else {"dataframe_split": split}
        return orjson.dumps(content, option=orjson.OPT_SERIALIZE_NUMPY)

    def _post(self, body: bytes, deadline: float, rows: int) -> tuple[bytes, str]:
        seconds = max(deadline - time.monotonic(), 0.001)
        kind = {"Content-Type": CONTENT_TYPES[self.endpoint.format], "Accept": "application/json"}
        request = self._client.build_request(
            "POST", self.endpoint.url, content=body, headers=kind, timeout=seconds
        )
        try:
            response = self._client.send(request, stream=True)
            try:
                content = _read(response, deadline, ANSWER_BYTES + ROW_BYTES * rows)
            finally:
                response.close()
        except httpx.TimeoutException:
            raise RemoteError(f"no answer within {self.endpoint.seconds:g} s") from None
        except httpx.TransportError as error:
            raise _AgainError(_told(error)) from None
        except (httpx.HTTPError, ValueError) as error:
            raise RemoteError(_told(error)) from None
        if response.status_code == httpx.codes.OK:
            named = (response.headers.get(name) for name in VERSION_HEADERS)
            return content, next(filter(None, named), UNKNOWN_VERSION)
        told = f"status {response.status_code}: {' '.join(content.decode(errors='replace').split())[:SHOWN]}"
        if response.status_code in TRY_AGAIN:
            raise _AgainError(told)
        raise (RefusedError if response.status_code in REFUSALS else RemoteError)(told)


class _AgainError(Exception):
    """What another try may mend."""


def _read(response: httpx.Response, deadline: float, limit: int) -> bytes:
    parts, size = [], 0
    for part in response.iter_bytes():
        parts.append(part)
        size += len(part)
        if size > limit:
            raise ValueError(f"the answer has more than {limit} bytes")
        if time.monotonic() > deadline:
            raise httpx.ReadTimeout("the answer does not come to its end")
    return b"".join(parts)


def _told(error: Exception) -> str:
    return " ".join(str(error).split())[:SHOWN] or type(error).__name__
