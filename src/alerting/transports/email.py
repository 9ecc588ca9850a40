"""E-mail: the messages of a batch are one mail, for people to read."""

from __future__ import annotations

import hashlib
import logging
import smtplib
import socket
import ssl
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from email import policy
from email.message import EmailMessage
from email.utils import format_datetime
from typing import Final, Literal

from alerting import summary
from alerting.message import Message

Security = Literal["starttls", "tls", "none"]

TIMEOUT_SECONDS: Final = 15.0
BATCH: Final = 500
SHOWN: Final = 50
"""How many messages of a batch are told in full, the most severe ones."""

PACE_SECONDS: Final = 60.0

_WHOLE_LINES: Final = policy.SMTP.clone(max_line_length=998)

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class MailServer:
    """Who takes mails.

    Attributes:
        security: `starttls` and `tls` check the server's certificate; `none` sends in the clear.
        user, password: to log in with; None: not at all.
    """

    host: str
    port: int
    security: Security = "starttls"
    user: str | None = None
    password: str | None = None


class EmailTransport:
    """Sends mails through a server, one connection a mail; see `Transport`."""

    name = "email"
    batch = BATCH

    def __init__(
        self,
        server: MailServer,
        sender: str,
        recipients: Sequence[str],
        *,
        timeout: float = TIMEOUT_SECONDS,
        pace: float = PACE_SECONDS,
    ) -> None:
        """Take the server, the addresses, and how many seconds each step may take.

        `pace` is the time between two mails: a flood of alerts must not be a flood of mails.
        """
        self._server = server
        self._sender = sender
        self._recipients = tuple(recipients)
        self._timeout = timeout
        self._pace = pace
        self._sent_at = float("-inf")

    def send(self, messages: Sequence[Message]) -> Sequence[str | None]:
        """Send all messages in one mail, and wait before it until the pace allows one.

        Raises:
            OSError: it was not sent, smtplib's errors included.
        """
        time.sleep(max(0.0, self._sent_at + self._pace - time.monotonic()))
        mail = self._mail(messages)
        client = self._connected()
        try:
            refused = client.send_message(mail, self._sender, self._recipients)
        finally:
            # What was taken stays so, however the server says goodbye.
            with suppress(OSError):
                client.quit()
            client.close()
        self._sent_at = time.monotonic()
        if refused:
            logger.warning("the mail server refuses recipients: %s", ", ".join(sorted(refused)))
        return [None] * len(messages)

    def close(self) -> None:
        """Nothing is kept open."""

    def _connected(self) -> smtplib.SMTP:
        server, timeout = self._server, self._timeout
        # Looking the own full name up can take longer than the mail.
        name = socket.gethostname()
        context = ssl.create_default_context()
        client = (
            smtplib.SMTP_SSL(server.host, server.port, name, timeout=timeout, context=context)
            if server.security == "tls"
            else smtplib.SMTP(server.host, server.port, name, timeout=timeout)
        )
        try:
            if server.security == "starttls":
                client.starttls(context=context)
            if server.user is not None:
                client.login(server.user, server.password or "")
        except BaseException:
            client.close()
            raise
        return client

    def _mail(self, messages: Sequence[Message]) -> EmailMessage:
        mail = EmailMessage(_WHOLE_LINES)
        mail["Subject"] = _subject(messages)
        mail["From"] = self._sender
        mail["To"] = ", ".join(self._recipients)
        mail["Date"] = format_datetime(datetime.now(UTC))
        # Of the same messages it is the same, so that a mail that comes twice is known by it.
        ids = hashlib.sha256(" ".join(message.message_id for message in messages).encode()).hexdigest()
        mail["Message-ID"] = f"<{ids[:32]}@ml-ids>"
        mail["Auto-Submitted"] = "auto-generated"
        mail.set_content(_content(messages))
        return mail


def _subject(messages: Sequence[Message]) -> str:
    worst = min(messages, key=summary.severity)
    others = f" and {len(messages) - 1} more" if len(messages) > 1 else ""
    return f"[ML-IDS {summary.SEVERITIES[summary.severity(worst)]}] {summary.title(worst)}{others}"


def _content(messages: Sequence[Message]) -> str:
    told = sorted(messages, key=summary.severity)[:SHOWN]
    texts = [_text(message) for message in told]
    if len(messages) > len(told):
        texts.append(f"and {len(messages) - len(told)} more, none more severe: see alerts.json")
    return "\n\n".join(texts) + "\n"


def _text(message: Message) -> str:
    lines = [summary.title(message)]
    lines += [f"  {name + ':':<14} {value}" for name, value in summary.details(message)]
    return "\n".join(lines)
