from __future__ import annotations

from typing import Any

import pytest

from capture.extractors.records import FlowReader
from flows.schema import COMMON, COMMON_NAMES
from flows.table import EndReason
from helpers.cicflowmeter import posted_record
from helpers.flows import EXAMPLE

START_US = 1_767_603_600_123_456


def line(**changes: Any) -> dict[str, Any]:
    record = posted_record()
    del record["timestamp"]
    times = {"start_us": START_US, "end_us": START_US + 5}
    return {"kind": "flow", "reason": "flush", **times, "record": record} | changes


def microseconds() -> dict[str, Any]:
    """The example flow as 0.2.0 gives it."""
    scaled = {feature.python_key: EXAMPLE[feature.name] for feature in COMMON}
    return line(record=line()["record"] | scaled)


@pytest.mark.parametrize(("release", "flow"), [("0.5.0", line()), ("0.2.0", microseconds())])
def test_the_times_of_both_releases_become_microseconds(release: str, flow: dict[str, Any]) -> None:
    table = FlowReader(release, "s", "eth0").table([flow])
    assert dict(zip(table.feature_names, table.features[0], strict=True)) == pytest.approx(
        {name: EXAMPLE[name] for name in COMMON_NAMES}, rel=1e-12
    )
    assert (table.dialect, table.sensor, table.interface) == ("python-cicflowmeter", "s", "eth0")


def test_five_tuple_times_and_reason_are_kept() -> None:
    table = FlowReader("0.2.0").table([microseconds()])
    assert (table.source(0), table.src_port[0]) == ("192.168.1.10", 51234)
    assert (table.destination(0), table.dst_port[0], table.protocol[0]) == ("192.168.1.20", 443, 6)
    assert (table.start_us[0], table.end_us[0]) == (START_US, START_US + 5)
    assert table.end_reason[0] == EndReason.FLUSH


def test_uids_go_on_and_differ_between_runs() -> None:
    reader = FlowReader("0.2.0")
    flows = [microseconds()] * 3
    uids = [int(uid) for _ in range(2) for uid in reader.table(flows).flow_uid]
    assert uids == list(range(uids[0], uids[0] + 6))
    assert int(FlowReader("0.2.0").table(flows).flow_uid[0]) not in uids


def test_numbers_that_json_does_not_have_are_read() -> None:
    flow = microseconds()
    flow["record"]["flow_byts_s"] = "Infinity"
    assert FlowReader("0.2.0").table([flow]).column("flow_byts_s")[0] == float("inf")
