"""Who may ask for what: API keys, compared in constant time."""

from __future__ import annotations

import base64
import binascii
import hmac
from collections.abc import Iterable
from typing import Any, Final
from urllib.parse import urlsplit

from fastapi import Security
from fastapi.security import APIKeyHeader, HTTPBearer
from starlette.requests import HTTPConnection

from inference_server.configuration.serving_settings import ServingSettings, is_loopback
from inference_server.web.api_keys import ApiKey, Role, digest, parse_api_keys
from inference_server.web.errors import ForbiddenError, UnauthorizedError
from inference_server.web.rate_limit import RateLimit

SUBPROTOCOL: Final = "ml-ids"
"""What a WebSocket accepts when a browser, which cannot set headers, sends its key as a second one."""
KEY_SUBPROTOCOL: Final = "key."
"""What stands before that key, in URL-safe Base64 without padding."""
SECURITY: Final[list[Any]] = [
    Security(APIKeyHeader(name="X-API-Key", auto_error=False)),
    Security(HTTPBearer(auto_error=False)),
]
"""The `dependencies` of a route that asks for a key: for the document and its "Authorize" button only."""
READING: Final = frozenset({"GET", "HEAD", "OPTIONS"})


class KeyCheck:
    """Checks requests and WebSockets against API_KEYS.

    Without keys, requests that arrive at another address than loopback are refused too unless
    ALLOW_UNAUTHENTICATED is set: uvicorn may have been told a host the settings do not know.
    """

    def __init__(self, settings: ServingSettings) -> None:
        self._keys = parse_api_keys(settings.api_keys)
        self._open = settings.allow_unauthenticated
        self._rate = RateLimit(settings.requests_per_minute)

    def require(self, connection: HTTPConnection, role: Role) -> str | None:
        """Let a request or a WebSocket pass, and return its caller's name, None where no keys are set.

        Raises:
            UnauthorizedError: it brings no key, a wrong one, or would need one that is not configured.
            ForbiddenError: its key does not allow this, or a page of another site sent it.
            TooManyRequestsError: its caller has sent too many of late.
        """
        if self._keys:
            try:
                key = self._key_of(connection)
            except UnauthorizedError:
                # Whoever tries keys is told nothing more after REQUESTS_PER_MINUTE of them.
                self._rate.take(_address(connection))
                raise
            self._rate.take(key.name)
            connection.scope.setdefault("state", {})["caller"] = key.name
            if key.role < role:
                raise ForbiddenError(
                    f"This needs a key of role {role.title}: {key.name} has role {key.role.title}"
                )
            return key.name
        if not (self._open or _arrived_locally(connection)):
            raise UnauthorizedError(
                "Requests of other machines need API_KEYS (or ALLOW_UNAUTHENTICATED=true) on the server"
            )
        _refuse_other_sites(connection)
        self._rate.take(_address(connection))
        return None

    def find(self, text: str) -> ApiKey | None:
        """Return the entry that has a key."""
        given = digest(text)
        # Every key is compared, so that the time taken does not tell which one matched.
        matches = [key for key in self._keys if hmac.compare_digest(given, key.digest)]
        return matches[0] if matches else None

    @property
    def needed(self) -> bool:
        """Whether there are keys, so that every caller must bring one."""
        return bool(self._keys)

    def _key_of(self, connection: HTTPConnection) -> ApiKey:
        given = list(_keys_of(connection))
        if not given:
            raise UnauthorizedError("API key missing: send X-API-Key or Authorization: Bearer")
        found = [key for key in map(self.find, given) if key]
        if not found:
            raise UnauthorizedError("API key not accepted")
        return max(found, key=lambda key: key.role)


def require(connection: HTTPConnection, role: Role) -> str | None:
    """Let a request or a WebSocket of the running service pass; see `KeyCheck.require`.

    Raises:
        UnauthorizedError: no accepted key.
        ForbiddenError: the key does not allow this.
        TooManyRequestsError: more requests than a caller may send.
    """
    keys: KeyCheck = connection.app.state.service.keys
    return keys.require(connection, role)


def _keys_of(connection: HTTPConnection) -> Iterable[str]:
    headers = connection.headers
    if key := headers.get("x-api-key"):
        yield key
    scheme, _, credentials = headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer" and credentials.strip():
        yield credentials.strip()
    if connection.scope["type"] == "websocket":
        for protocol in connection.scope.get("subprotocols", ()):
            if protocol.startswith(KEY_SUBPROTOCOL):
                yield _decoded(protocol.removeprefix(KEY_SUBPROTOCOL))


def _decoded(text: str) -> str:
    try:
        return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)).decode()
    except (binascii.Error, ValueError):
        return text


def _refuse_other_sites(connection: HTTPConnection) -> None:
    """Refuse what a page of another site makes a browser of this machine send: no key stands against it."""
    origin = connection.headers.get("origin")
    if origin is None or connection.scope.get("method") in READING:
        return
    if urlsplit(origin).netloc != connection.headers.get("host"):
        raise ForbiddenError(f"Pages of {origin} may not ask for this: set API_KEYS to tell callers apart")


def _address(connection: HTTPConnection) -> str:
    # A colon keeps it apart from every key's name.
    return f"address:{connection.client.host if connection.client else 'unknown'}"


def _arrived_locally(connection: HTTPConnection) -> bool:
    server = connection.scope.get("server")
    return server is None or server[1] is None or is_loopback(server[0])
