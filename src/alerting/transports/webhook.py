"""A webhook: every message is an HTTP POST, signed when there is a secret."""

from __future__ import annotations

import hashlib
import hmac
import logging
import time
from collections.abc import Sequence
from typing import Final, Literal

import httpx
import orjson

from alerting import summary
from alerting.message import Message
from alerting.transports.transport import Rejected

Format = Literal["json", "slack"]

TIMEOUT_SECONDS: Final = 10.0
BATCH: Final = 20
SIGNATURE: Final = "X-ML-IDS-Signature"
TIMESTAMP: Final = "X-ML-IDS-Timestamp"
MESSAGE_ID: Final = "X-ML-IDS-Message-Id"

_ANSWER_BYTES: Final = 4096
_SHOWN: Final = 200
_ESCAPED: Final = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})


# Its line a request names the URL.
logging.getLogger("httpx").setLevel(logging.WARNING)


class WebhookTransport:
    """Posts to a URL; see `Transport`."""

    name = "webhook"
    batch = BATCH

    def __init__(
        self,
        url: str,
        *,
        secret: str | None = None,
        body: Format = "json",
        timeout: float = TIMEOUT_SECONDS,
    ) -> None:
        """Take the URL, the secret that signs, what is posted, and how many seconds one post may take."""
        self._url = url
        self._secret = secret.encode() if secret else None
        self._body = _slack if body == "slack" else _json
        self._timeout = timeout
        self._client = httpx.Client(timeout=timeout, follow_redirects=False)

    def send(self, messages: Sequence[Message]) -> Sequence[str | None]:
        """Post one message after the other; when the server does not answer one, the others wait."""
        errors: list[str | None] = []
        for message in messages:
            try:
                errors.append(self._post(message))
            except (httpx.HTTPError, TimeoutError) as error:
                # Its words may name the URL, which is a secret with some services.
                problem = f"no answer: {type(error).__name__}"
                return [*errors, *[problem] * (len(messages) - len(errors))]
        return errors

    def close(self) -> None:
        """Close connections."""
        self._client.close()

    def _post(self, message: Message) -> str | None:
        body = self._body(message)
        now = str(int(time.time()))
        headers = {
            "Content-Type": "application/json",
            "User-Agent": "ml-ids",
            MESSAGE_ID: message.message_id,
            TIMESTAMP: now,
        }
        if self._secret:
            headers[SIGNATURE] = f"sha256={signature(self._secret, now, body)}"
        deadline = time.monotonic() + self._timeout
        with self._client.stream("POST", self._url, content=body, headers=headers) as response:
            said = _beginning(response, deadline)
        if response.is_success:
            return None
        problem = f"HTTP {response.status_code}: {summary.printable(said)}"
        return Rejected(problem) if response.status_code == httpx.codes.REQUEST_ENTITY_TOO_LARGE else problem


def signature(secret: bytes, timestamp: str, body: bytes) -> str:
    """Return what signs a post: HMAC-SHA256 of timestamp, a full stop and body, in hexadecimal."""
    return hmac.new(secret, timestamp.encode() + b"." + body, hashlib.sha256).hexdigest()


def _beginning(response: httpx.Response, deadline: float) -> str:
    """Read an answer, so that the connection can be used again; return how it begins.

    Raises:
        TimeoutError: the deadline has passed.
    """
    read = b""
    for chunk in response.iter_bytes():
        read += chunk
        if len(read) > _ANSWER_BYTES:
            break
        if time.monotonic() > deadline:
            raise TimeoutError
    return read[:_SHOWN].decode(errors="replace")


def _json(message: Message) -> bytes:
    return orjson.dumps(message.eve)


def _slack(message: Message) -> bytes:
    level = summary.SEVERITIES[summary.severity(message)]
    lines = [f"*[{level}] {_slack_text(summary.title(message))}*"]
    lines += [f"{name}: {_slack_text(value)}" for name, value in summary.details(message)]
    return orjson.dumps({"text": "\n".join(lines)})


def _slack_text(text: str) -> str:
    return text.translate(_ESCAPED)
