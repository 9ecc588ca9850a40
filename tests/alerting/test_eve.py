from __future__ import annotations

import logging
from dataclasses import replace

import numpy as np
import orjson
import pytest
from hypothesis import given, settings
from jsonschema import Draft202012Validator

from alerting.alert import Alert, Closing
from alerting.alert_flow import FlowRows
from alerting.eve import eve_record, eve_time
from flows.explanations import Contribution, Explanation
from flows.table import UNKNOWN_TIME
from helpers.alerts import SCHEMA, VALIDATOR, one_alert, packed
from helpers.flows import tables_with_verdicts


def record_of(alert):
    made = orjson.loads(orjson.dumps(eve_record(alert)))
    VALIDATOR.validate(made)
    return made


def test_the_schema_is_one_and_strict():
    Draft202012Validator.check_schema(SCHEMA)
    for part in (SCHEMA, *(SCHEMA["properties"][name] for name in ("alert", "flow", "ml_ids"))):
        assert part["additionalProperties"] is False


def test_every_field_of_a_message():
    explanation = Explanation(0.1, 0.9, (Contribution("tot_fwd_pkts", 6.0, 3.0, 0.5),), 0.3)
    alert = replace(one_alert(), made_us=1_767_355_200_000_005, explanation=explanation, evidence=None)
    assert record_of(alert) == {
        "timestamp": "2026-01-02T12:00:00.000005+0000",
        "event_type": "alert",
        "flow_id": 0,
        "in_iface": "veth0",
        "src_ip": "10.0.0.1",
        "src_port": 40000,
        "dest_ip": "10.0.0.2",
        "dest_port": 443,
        "proto": "TCP",
        "community_id": "1:" + record_of(alert)["community_id"][2:],
        "alert": {
            "action": "allowed",
            "gid": 1,
            "signature_id": 1_900_017,
            "rev": 1,
            "signature": "ML-IDS Portscan",
            "category": "Detection of a Network Scan",
            "severity": 3,
            "metadata": {"mitre_technique_id": ["T1046"]},
        },
        "flow": {
            "pkts_toserver": 6,
            "pkts_toclient": 3,
            "bytes_toserver": 33,
            "bytes_toclient": 0,
            "start": "2017-07-07T13:00:00.401000+0000",
        },
        "ml_ids": {
            "alert_id": alert.alert_id,
            "revision": 1,
            "state": "open",
            "count": 1,
            "first_seen": "2017-07-07T13:00:00.401000+0000",
            "last_seen": "2017-07-07T13:00:00.807000+0000",
            "prediction": 17,
            "label": "Portscan",
            "family": "scan",
            "p_attack": 0.9,
            "p_attack_max": 0.9,
            "threshold": 0.5,
            "model": {"name": "ml-ids", "version": "7"},
            "sensor": "test",
            "source": "sidecar",
            "flow_uid": "0000000000000000",
            "destinations": ["10.0.0.2"],
            "more_destinations": False,
            "ports": [443],
            "more_ports": False,
            "explanation": {
                "base": 0.1,
                "features": [{"feature": "tot_fwd_pkts", "value": 6.0, "median": 3.0, "contribution": 0.5}],
                "rest": 0.3,
            },
        },
    }


@pytest.mark.parametrize(
    ("protocol", "ports", "icmp", "expected"),
    [
        # The first three are of the specification's own baseline.
        (6, (34855, 80), None, "1:LQU9qZlK+B5F3KDmev6m5PMibrg="),
        (17, (54585, 53), None, "1:d/FP5EW3wiY1vCndhwleRRKHowQ="),
        (1, (0, 0), (8, 0), "1:X0snYXpgwiv9TZtqg64sgzUn6Dk="),
        (47, (0, 0), None, None),
        (1, (0, 0), (-1, -1), ""),
        (6, (-1, 80), None, ""),
        (-1, (0, 0), None, ""),
    ],
)
def test_community_id(protocol, ports, icmp, expected):
    sources = {6: "128.232.110.120", 17: "192.168.1.52", 1: "192.168.0.89"}
    destinations = {6: "66.35.250.204", 17: "8.8.8.8", 1: "192.168.0.1"}
    source = sources.get(protocol, "10.0.0.1")
    kind, code = icmp or (-1, -1)
    alert = one_alert(
        dst_addr=packed(destinations.get(protocol, "10.0.0.2")),
        src_port=np.array([ports[0]], np.int32),
        dst_port=np.array([ports[1]], np.int32),
        protocol=np.array([protocol], np.int16),
        features={"icmp_type": kind, "icmp_code": code},
    )
    alert = replace(alert, flow=replace(alert.flow, src_addr=packed(source).tobytes()))
    found = record_of(alert).get("community_id", "")
    assert found == expected if expected is not None else found.startswith("1:")


def test_icmp_has_a_type_and_no_ports():
    made = record_of(one_alert(protocol=np.array([1], np.int16), features={"icmp_type": 8, "icmp_code": 0}))
    assert (made["proto"], made["icmp_type"], made["icmp_code"]) == ("ICMP", 8, 0)
    assert "src_port" not in made
    assert "dest_port" not in made


def test_nothing_is_logged_of_an_alert(caplog):
    with caplog.at_level(logging.INFO):
        assert eve_record(one_alert())["community_id"]
    assert caplog.records == []


def test_a_closed_alert_says_why():
    made = record_of(replace(one_alert(), closing=Closing.WINDOW, evidence="0" * 36 + ".pcap"))
    assert (made["ml_ids"]["state"], made["ml_ids"]["closed_because"]) == ("closed", "window")
    assert made["ml_ids"]["evidence"] == "0" * 36 + ".pcap"


def test_a_time_that_cannot_be_written_is_none():
    assert eve_time(UNKNOWN_TIME) is None
    assert eve_time(2**62) is None
    assert eve_time(0) == "1970-01-01T00:00:00.000000+0000"


@settings(deadline=None)
@given(tables_with_verdicts())
def test_whatever_a_flow_is_its_alert_is_by_the_schema(pair):
    table, verdicts = pair
    attacks = verdicts.is_attack & np.isfinite(verdicts.p_attack)
    rows = FlowRows(table.take(attacks), verdicts.take(attacks), "api")
    for row in range(len(rows)):
        record_of(Alert(rows, row, 0.0).revise(0.0, 0, Closing.SINGLE))
