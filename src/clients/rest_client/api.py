"""The prediction API: flows in, 1.0 for each attack and 0.0 for every other flow out."""

from __future__ import annotations

import json
import math
from typing import Any, Final

import httpx
import pandas as pd

from clients.frames import printable

ENDPOINT: Final = "/api/predictions"
CONTENT_TYPE: Final = "application/json; format=pandas-split"
FLOWS_AT_ONCE: Final = 5_000
"""Half of what the server takes in flows, and less than it takes in bytes."""

SHOWN_CHARACTERS: Final = 2_000


class PredictionApi:
    """A server, over one connection."""

    def __init__(self, url: str, key: str | None, timeout: float) -> None:
        """Take the server's URL, with or without ENDPOINT, its API key, and the seconds it may take."""
        self._url = url.rstrip("/").removesuffix(ENDPOINT) + ENDPOINT
        self._timeout = timeout
        headers = {"Content-Type": CONTENT_TYPE} | ({"X-API-Key": key} if key else {})
        self._client = httpx.Client(headers=headers, timeout=timeout)

    def close(self) -> None:
        """Close the connection."""
        self._client.close()

    def predict(self, flows: pd.DataFrame) -> list[float]:
        """Return a number a flow, in order.

        Raises:
            OSError: the server cannot be reached, refuses, or answers something else; says what to do.
        """
        found: list[float] = []
        for first in range(0, len(flows), FLOWS_AT_ONCE):
            found += self._request(flows.iloc[first : first + FLOWS_AT_ONCE])
        return found

    def _request(self, flows: pd.DataFrame) -> list[float]:
        try:
            answer = self._client.post(self._url, content=split_json(flows))
        except httpx.TimeoutException:
            raise OSError(f"{self._url} did not answer within {self._timeout:g} s") from None
        except (httpx.TransportError, httpx.InvalidURL) as error:
            raise OSError(
                f"Cannot reach {self._url}: {error}: is the server running, and --api-url right?"
            ) from None
        text = printable(answer.text[:SHOWN_CHARACTERS])
        if answer.status_code != httpx.codes.OK:
            raise OSError(f"{answer.status_code} - {text}")
        numbers = _numbers(answer)
        if numbers is None or len(numbers) != len(flows):
            raise OSError(f"{self._url} answered no array of {len(flows)} numbers, but: {text}")
        return numbers


def split_json(flows: pd.DataFrame) -> bytes:
    """Return flows as pandas' split format; null is NaN, infinities are text, since JSON knows neither."""
    rows = flows.astype(object).to_numpy().tolist()
    content = {
        "columns": [str(title) for title in flows.columns],
        "data": [[*map(_cell, row)] for row in rows],
    }
    return json.dumps(content).encode()


def _cell(value: Any) -> Any:
    if isinstance(value, float):
        if math.isfinite(value):
            return value
        return None if math.isnan(value) else ("Infinity" if value > 0 else "-Infinity")
    if isinstance(value, str | int):
        return value
    return None if pd.isna(value) else str(value)


def _numbers(answer: httpx.Response) -> list[float] | None:
    try:
        found = answer.json()
    except ValueError:
        return None
    if isinstance(found, list) and all(isinstance(each, int | float) for each in found):
        return found
    return None
