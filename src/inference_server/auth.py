"""Who may ask for predictions: API keys, compared in constant time."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable

from starlette.requests import Request

from inference_server.errors import UnauthorizedError
from inference_server.settings import Settings, is_loopback


class KeyCheck:
    """Checks requests against API_KEYS.

    Without keys, requests that arrive at another address than loopback are refused too unless
    ALLOW_UNAUTHENTICATED is set: uvicorn may have been told a host the settings do not know.
    """

    def __init__(self, settings: Settings) -> None:
        self._keys = [_digest(key.get_secret_value()) for key in settings.api_keys]
        self._open = settings.allow_unauthenticated

    def check(self, request: Request) -> None:
        """Let the request pass.

        Raises:
            UnauthorizedError: it brings no key, a wrong one, or would need one that is not configured.
        """
        if self._keys:
            self._check_key(request)
        elif not (self._open or _arrived_locally(request)):
            raise UnauthorizedError(
                "Predictions for other machines need API_KEYS (or ALLOW_UNAUTHENTICATED=true) on the server"
            )

    def _check_key(self, request: Request) -> None:
        given = list(_keys_of(request))
        if not given:
            raise UnauthorizedError("API key missing: send X-API-Key or Authorization: Bearer")
        # Every key is compared, so that the time taken does not tell which one matched.
        matches = [hmac.compare_digest(_digest(text), key) for text in given for key in self._keys]
        if not any(matches):
            raise UnauthorizedError("API key not accepted")


def _keys_of(request: Request) -> Iterable[str]:
    if key := request.headers.get("x-api-key"):
        yield key
    scheme, _, credentials = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer" and credentials.strip():
        yield credentials.strip()


def _arrived_locally(request: Request) -> bool:
    server = request.scope.get("server")
    return server is None or server[1] is None or is_loopback(server[0])


def _digest(key: str) -> bytes:
    return hashlib.sha256(key.encode(errors="surrogateescape")).digest()
