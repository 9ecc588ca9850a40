"""Who looks at the page: a session that an API key was exchanged for, or anyone where no keys are set."""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from itsdangerous import BadData, URLSafeTimedSerializer
from starlette.requests import HTTPConnection
from starlette.responses import Response

from inference_server.settings import Settings
from inference_server.web.api_keys import ApiKey, Role, parse_api_keys
from inference_server.web.auth import KeyCheck
from inference_server.web.errors import RequestError

COOKIE: Final = "mlids_session"
SESSION_SECONDS: Final = 12 * 3600


@dataclass(frozen=True, slots=True)
class Caller:
    """Who looks.

    Attributes:
        name: of the key, None where no keys are set.
        role: what they may do.
    """

    name: str | None
    role: Role


class Access:
    """Exchanges keys for signed cookies, and cookies for callers.

    A cookie names its key by a keyed digest: with a key that is taken out of API_KEYS its sessions end, and
    what a key may do is what API_KEYS says now.
    """

    def __init__(self, settings: Settings, keys: KeyCheck, secret: str) -> None:
        self._keys = keys
        self._secret = secret.encode()
        self._sessions = URLSafeTimedSerializer(secret, salt="dashboard-session")
        self._known = {self._mark(key): key for key in parse_api_keys(settings.api_keys)}

    @property
    def needed(self) -> bool:
        """Whether a key is needed to look."""
        return bool(self._known)

    def log_in(self, key: str, response: Response, *, secure: bool) -> bool:
        """Put a session into the answer if the key is accepted; return whether it is."""
        found = self._keys.find(key.strip())
        if found is None:
            return False
        token = self._sessions.dumps(self._mark(found))
        response.set_cookie(
            COOKIE,
            token if isinstance(token, str) else token.decode(),
            max_age=SESSION_SECONDS,
            path="/dashboard",
            secure=secure,
            httponly=True,
            samesite="strict",
        )
        return True

    def log_out(self, response: Response) -> None:
        """Take the session away."""
        response.delete_cookie(COOKIE, path="/dashboard", httponly=True, samesite="strict")

    def caller(self, connection: HTTPConnection) -> Caller | None:
        """Return who sent a request or opened a WebSocket, None when they must log in first."""
        if not self.needed:
            return self._anyone(connection)
        try:
            mark = self._sessions.loads(connection.cookies.get(COOKIE, ""), max_age=SESSION_SECONDS)
        except BadData:
            return None
        key = self._known.get(mark)
        return Caller(key.name, key.role) if key else None

    def _anyone(self, connection: HTTPConnection) -> Caller | None:
        try:
            self._keys.require(connection, Role.READ)
        except RequestError:
            return None
        return Caller(None, Role.ADMIN)

    def _mark(self, key: ApiKey) -> str:
        return hmac.new(self._secret, key.digest, hashlib.sha256).hexdigest()


def from_this_site(connection: HTTPConnection) -> bool:
    """Return whether no page of another site made a browser send this."""
    origin = connection.headers.get("origin")
    return origin is None or urlsplit(origin).netloc == connection.headers.get("host")
