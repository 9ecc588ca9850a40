from __future__ import annotations

from flows.identity import identity_columns, shortened


def test_columns_of_a_flow_table() -> None:
    warnings: list[str] = []
    columns = identity_columns(
        {"src_ip": ["10.0.0.1", None], "dst_port": ["80", 443.0], "protocol": [6, ""], "label": [None, "x"]},
        warnings,
    )
    assert warnings == []
    assert columns["src_addr"].shape == (2, 16)
    assert columns["dst_port"].tolist() == [80, 443]
    assert columns["protocol"].tolist() == [6, -1]
    assert columns["extras"]["label"].tolist() == [None, "x"]


def test_what_cannot_be_used_is_unknown_and_said_once() -> None:
    warnings: list[str] = []
    columns = identity_columns({"src_port": [70_000, "http", 1]}, warnings)
    assert columns["src_port"].tolist() == [-1, -1, 1]
    assert warnings == ["src_port unknown in 2 of 3 flows: cannot use 70000"]


def test_nothing_sent_is_nothing_known() -> None:
    assert identity_columns({}, []) == {"extras": {}}


def test_long_values_are_cut_short() -> None:
    assert shortened("x" * 64) == "x" * 64
    assert shortened("x" * 65) == "x" * 64 + "..."
