from __future__ import annotations

from dataclasses import replace

import numpy as np

from alerting import summary
from alerting.alert import Summary
from alerting.message import alert_message
from flows.addresses import pack_address
from flows.explanations import Contribution, Explanation
from helpers.alerts import one_alert


def test_an_alert_in_words() -> None:
    alert = one_alert(dst_port=np.array([443]), dst_addr=_column("10.9.9.9"), src_port=np.array([4000]))
    explanation = Explanation(0.1, 0.8, (Contribution("tot_fwd_pkts", 3.0, 1.0, 0.5),), 0.2)
    message = alert_message(replace(alert, explanation=explanation, evidence="packets.pcap"))
    assert summary.title(message) == "Portscan from 10.0.0.1 to 10.9.9.9 port 443, 1 flow"
    said = dict(summary.details(message))
    assert said["severity"] == "low"
    assert said["because of"] == "tot_fwd_pkts = 3.0 (median 1.0)"
    assert said["packets"] == "packets.pcap"
    assert said["technique"] == "T1046"
    assert said["alert"] == alert.alert_id


def test_many_destinations_and_ports_are_counted() -> None:
    hosts = Summary(tuple(pack_address(f"10.9.9.{n}") for n in range(20)), more=True)
    alert = replace(one_alert(), destinations=hosts, count=400)
    title = summary.title(alert_message(alert))
    assert title == "Portscan from 10.0.0.1 to more than 20 addresses, 400 flows"
    one_host = replace(alert, destinations=Summary((pack_address("10.9.9.1"),)), ports=Summary((1, 2, 3)))
    assert summary.title(alert_message(one_host)).endswith(", 3 ports, 400 flows")


def test_what_is_unknown_is_left_out() -> None:
    alert = one_alert(dst_addr=_column(None), dst_port=np.array([-1]))
    message = alert_message(alert)
    assert summary.title(message) == "Portscan from 10.0.0.1 to an unknown address, 1 flow"
    assert not {"destinations", "ports", "because of", "packets"} & dict(summary.details(message)).keys()


def _column(address: str | None) -> object:
    packed = bytes(16) if address is None else pack_address(address)
    return np.frombuffer(packed, np.uint8).reshape(1, 16)
