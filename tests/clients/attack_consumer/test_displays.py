from __future__ import annotations

import io
import json
from contextlib import redirect_stdout

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from rich.console import Console

from clients.attack_consumer.displays import JsonDisplay, TextDisplay, live_display
from clients.attack_consumer.notification import Notification
from clients.frames import Overflow

COLUMNS = ("timestamp", "src_ip", "src_port", "dst_ip", "dst_port", "prediction", "count")
ROW = ("21/02/2018 10:15:06", "192.0.2.7", 4711, "2001:db8::1", 80, 1.0, 3)
ATTACK = Notification("m-1", COLUMNS, (ROW,), attributes={"label": "DoS Hulk", "severity": "2"})
EVENT = Notification("m-2", event={"event_type": "ml_ids", "note": "disk\x1b full"})


def test_text_is_the_predecessors(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    TextDisplay(Overflow.WRAP).show(ATTACK)
    shown = capsys.readouterr().out
    assert shown.startswith("Attack detected [m-1]\nNetwork Flow:\n\n")
    title, values = shown.rstrip().splitlines()[-2:]
    assert title.split() == [*COLUMNS]
    assert values.split() == ["0", "21/02/2018", "10:15:06", *map(str, ROW[1:])]


def test_wide_flows_wrap_or_not(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    widths = []
    for overflow in Overflow:
        TextDisplay(overflow).show(ATTACK)
        widths.append(max(map(len, capsys.readouterr().out.splitlines())))
    assert widths[0] <= 40 < widths[1]


def test_benign_flows_and_events_are_not_called_attacks(capsys: pytest.CaptureFixture[str]) -> None:
    display = TextDisplay(Overflow.WRAP)
    display.show(Notification("m-3", ("prediction",), ((0.0,),)))
    display.show(EVENT)
    shown = capsys.readouterr().out
    assert "Benign flow [m-3]" in shown
    assert "Event [m-2]" in shown
    assert "Attack" not in shown


def test_no_text_of_others_steers_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    TextDisplay(Overflow.WRAP).show(Notification("m", ("time\x1b[2Jstamp",), (("a\x1b[31m\nb",),)))
    TextDisplay(Overflow.WRAP).show(EVENT)
    assert "\x1b" not in capsys.readouterr().out


CELLS = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(), max_size=5),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=4,
)
FLOWS = st.lists(st.text(st.characters(), max_size=5), max_size=4).flatmap(
    lambda columns: st.lists(st.tuples(*[CELLS] * len(columns)), min_size=1, max_size=3).map(
        lambda rows: Notification("m", tuple(columns), tuple(rows))
    )
)


@settings(deadline=None)
@example(Notification("m", ("\ud800",), ((None,),)))
@given(FLOWS)
def test_whatever_was_sent_is_shown(notification: Notification) -> None:
    encoded = io.TextIOWrapper(io.BytesIO(), encoding="utf-8")
    with redirect_stdout(encoded), live_display(Console(file=encoded, force_terminal=True)) as live:
        for display in (TextDisplay(Overflow.WRAP), TextDisplay(Overflow.NOWRAP), JsonDisplay(), live):
            display.show(notification)
    assert encoded.tell()


def test_json_is_an_object_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    JsonDisplay().show(ATTACK)
    JsonDisplay().show(EVENT)
    flow, event = map(json.loads, capsys.readouterr().out.splitlines())
    assert flow == {
        "message_id": "m-1",
        "attributes": ATTACK.attributes,
        "flow": dict(zip(COLUMNS, ROW, strict=True)),
    }
    assert event == {"message_id": "m-2", "attributes": {}, "event": EVENT.event}


def test_the_table_lists_the_latest() -> None:
    terminal = io.StringIO()
    console = Console(file=terminal, force_terminal=True, width=160)
    with live_display(console) as display:
        for number in range(30):
            row = (*ROW[:-1], 100 + number)
            display.show(Notification(f"m-{number}", COLUMNS, (row,), attributes=ATTACK.attributes))
        display.show(Notification("m", COLUMNS, (ROW,), attributes={"label": "[red]m\x1b[2J"}))
    final = terminal.getvalue().rpartition("┏")[2]
    assert "DoS Hulk" in final
    assert "192.0.2.7:4711" in final
    assert "[2001:db8::1]:80" in final
    assert " 129 " in final
    assert " 109 " not in final
    assert "[red]m\\x1b[2J" in final
    assert "31 received" in final
