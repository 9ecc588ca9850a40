from __future__ import annotations

import logging
import smtplib
import ssl
import time
from pathlib import Path

import pytest

from alerting.transports.email import EmailTransport, MailServer
from helpers.messages import alert_messages
from helpers.receivers import certificate, smtp_receiver


def _plainly(port: int) -> MailServer:
    return MailServer("127.0.0.1", port, "none")


def test_the_messages_of_a_batch_are_one_mail() -> None:
    sent = alert_messages(3)
    with smtp_receiver() as receiver:
        transport = EmailTransport(_plainly(receiver.port), "ml-ids@here", ["soc@there", "me@there"])
        assert list(transport.send(sent)) == [None] * 3
        transport.close()
    (mail,) = receiver.mails
    assert receiver.recipients == [["soc@there", "me@there"]]
    assert mail["Subject"].startswith("[ML-IDS low] Portscan from 10.0.0.1 to ")
    assert mail["Subject"].endswith(" and 2 more")
    assert (mail["From"], mail["To"], mail["Auto-Submitted"]) == (
        "ml-ids@here",
        "soc@there, me@there",
        "auto-generated",
    )
    text = mail.get_content()
    for message in sent:
        assert f"alert:         {message.alert_id}" in text
    assert "technique:     T1046" in text


def test_a_mail_sent_twice_has_one_id() -> None:
    sent = alert_messages(2)
    with smtp_receiver() as receiver:
        transport = EmailTransport(_plainly(receiver.port), "a@b", ["c@d"], pace=0)
        for batch in (sent, sent, sent[:1]):
            transport.send(batch)
    first, second, third = (mail["Message-ID"] for mail in receiver.mails)
    assert first == second != third


def test_a_flood_is_one_mail_that_tells_the_worst() -> None:
    sent = alert_messages(120)
    sent[100].eve["alert"]["severity"] = 1
    with smtp_receiver() as receiver:
        EmailTransport(_plainly(receiver.port), "a@b", ["c@d"]).send(sent)
    (mail,) = receiver.mails
    assert mail["Subject"].startswith("[ML-IDS high] ")
    text = mail.get_content()
    assert text.count("severity: ") == 50
    assert sent[100].alert_id in text
    assert "and 70 more, none more severe" in text


def test_the_next_mail_waits_for_the_pace() -> None:
    with smtp_receiver() as receiver:
        transport = EmailTransport(_plainly(receiver.port), "a@b", ["c@d"], pace=0.5)
        began = time.monotonic()
        transport.send(alert_messages(1))
        transport.send(alert_messages(1))
        assert time.monotonic() - began >= 0.5
    assert len(receiver.mails) == 2


def test_a_subject_stays_one_line() -> None:
    (message,) = alert_messages(1)
    message.eve["ml_ids"]["label"] = "Worms\r\nBcc: everybody@there"
    with smtp_receiver() as receiver:
        EmailTransport(_plainly(receiver.port), "a@b", ["c@d"]).send([message])
    assert receiver.mails[0]["Bcc"] is None
    assert "Worms  Bcc: everybody@there" in receiver.mails[0]["Subject"]


def test_the_password_goes_through_tls_to_whom_the_certificate_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    both = certificate(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(both)
    with smtp_receiver(context) as receiver:
        server = MailServer("127.0.0.1", receiver.port, "starttls", user="me", password="right")
        transport = EmailTransport(server, "a@b", ["c@d"])
        with pytest.raises(ssl.SSLCertVerificationError):
            transport.send(alert_messages(1))
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "public.pem"))
        assert list(transport.send(alert_messages(1))) == [None]
        wrong = MailServer("127.0.0.1", receiver.port, "starttls", user="me", password="wrong")
        with pytest.raises(smtplib.SMTPAuthenticationError):
            EmailTransport(wrong, "a@b", ["c@d"]).send(alert_messages(1))
    assert receiver.logins == [("me", "right"), ("me", "wrong")]
    assert receiver.encrypted == [True]


def test_a_server_without_tls_gets_nothing() -> None:
    with smtp_receiver() as receiver:
        transport = EmailTransport(MailServer("127.0.0.1", receiver.port), "a@b", ["c@d"])
        with pytest.raises(smtplib.SMTPNotSupportedError):
            transport.send(alert_messages(1))
    assert receiver.mails == []


def test_refused_recipients_are_said(caplog: pytest.LogCaptureFixture) -> None:
    with smtp_receiver(refuses=frozenset({"gone@there"})) as receiver:
        server = _plainly(receiver.port)
        with caplog.at_level(logging.WARNING):
            EmailTransport(server, "a@b", ["c@d", "gone@there"]).send(alert_messages(1))
        with pytest.raises(smtplib.SMTPRecipientsRefused):
            EmailTransport(server, "a@b", ["gone@there"]).send(alert_messages(1))
    assert "refuses recipients: gone@there" in caplog.text
    assert len(receiver.mails) == 1


def test_nobody_answers() -> None:
    with pytest.raises(ConnectionRefusedError):
        EmailTransport(_plainly(9), "a@b", ["c@d"]).send(alert_messages(1))
