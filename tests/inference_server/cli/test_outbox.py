from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import Result
from typer.testing import CliRunner

from alerting.outbox.outbox import Outbox
from alerting.transports.transport import Rejected
from helpers.outbox import ToldTransport, messages, settled
from inference_server.cli import app


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("STATE_DIR", str(tmp_path))
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["outbox", *arguments])


def with_dead(state: Path) -> None:
    """Four messages, of which message-1 and message-2 are dead."""
    dead = {"message-1", "message-2"}
    transport = ToldTransport(
        "webhook", does=lambda some: [Rejected("gone") if each.message_id in dead else None for each in some]
    )
    outbox = Outbox(state / "outbox.db", [transport])
    outbox.start()
    outbox.put(messages(4))
    settled(outbox, lambda status: status.transports[0].dead == 2)
    outbox.stop(10)


def test_counts_are_shown_by_transport(state: Path) -> None:
    with_dead(state)
    assert "4 messages kept" in run().stdout
    counts = json.loads(run("counts", "--json").stdout)
    assert counts["messages"] == 4
    assert counts["transports"]["webhook"] == {
        "committed": 4,
        "delivered": 2,
        "pending": 0,
        "dead": 2,
        "discarded": 0,
        "oldest_us": 0,
    }


def test_messages_are_listed_the_latest_first(state: Path) -> None:
    with_dead(state)
    listed = json.loads(run("list", "--json").stdout)
    assert [(each["message_id"], each["state"]) for each in listed] == [
        ("message-3", "delivered"),
        ("message-2", "dead"),
        ("message-1", "dead"),
        ("message-0", "delivered"),
    ]
    assert [each["message_id"] for each in json.loads(run("list", "--state", "dead", "--json").stdout)] == [
        "message-2",
        "message-1",
    ]
    assert json.loads(run("list", "--transport", "sns", "--json").stdout) == []
    text = run("list", "--limit", "1", "--state", "dead").stdout
    assert "message-2" in text
    assert "gone" in text
    assert "message-1" not in text


def test_without_a_transport_messages_are_listed_as_kept(state: Path) -> None:
    outbox = Outbox(state / "outbox.db")
    outbox.start()
    outbox.put(messages(1))
    settled(outbox, lambda status: status.messages == 1)
    outbox.stop(10)
    (listed,) = json.loads(run("list", "--json").stdout)
    assert (listed["transport"], listed["state"]) == ("", "kept")


def test_a_message_is_shown_whole(state: Path) -> None:
    with_dead(state)
    shown = json.loads(run("show", "message-1", "--json").stdout)
    assert shown["message"]["eve"] == {"pad": ""}
    assert shown["deliveries"][0]["error"] == "gone"
    assert '"pad"' in run("show", "message-1").stdout
    missing = run("show", "message-9")
    assert (missing.exit_code, missing.stderr) == (
        1,
        "error: no message message-9 in the outbox: ml-ids outbox list shows what there is\n",
    )


def test_dead_messages_are_retried_and_delivered(state: Path) -> None:
    with_dead(state)
    assert run("retry", "message-1").stdout == "1 dead deliveries are pending again\n"
    assert run("retry", "message-1").exit_code == 1
    assert run("retry", "--all").stdout == "1 dead deliveries are pending again\n"
    transport = ToldTransport("webhook")
    outbox = Outbox(state / "outbox.db", [transport])
    outbox.start()
    status = settled(outbox, lambda status: status.transports and status.transports[0].delivered == 4)
    outbox.stop(10)
    assert (status.transports[0].dead, status.transports[0].pending) == (0, 0)
    assert sorted(transport.delivered) == ["message-1", "message-2"]


def test_retry_wants_to_know_what(state: Path) -> None:
    assert run("retry").exit_code == 2
    assert run("retry", "message-1", "--all").exit_code == 2


def test_where_there_is_no_outbox_a_line_says_so(state: Path) -> None:
    result = run("list")
    assert result.exit_code == 1
    assert f"{state}/outbox.db does not exist" in result.stderr
    (state / "outbox.db").write_bytes(b"nonsense" * 1000)
    assert "cannot be used (file is not a database)" in run("list").stderr
