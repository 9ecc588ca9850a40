from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from capture.extractors.comparison import ENDS_ELSEWHERE, compare_capture, compare_flows, measure_file
from capture.extractors.environment import RELEASES
from flows.schema import COMMON_NAMES
from flows.table import concat_tables
from helpers.extractor import extractor_environment
from helpers.packets import START_US, connection, icmp, metered, pcap, tcp, udp, write_capture

REFERENCE = Path(__file__).parents[2] / "reference"


def by_name(found: object) -> dict[str, tuple[int, float | None, str]]:
    return {
        feature.name: (feature.departing, feature.median_ratio, feature.reason)
        for feature in found.features  # type: ignore[attr-defined]
    }


def test_equal_flows_depart_in_nothing() -> None:
    flows = metered([*connection(), *connection(port=40001), icmp(5), tcp(9, src=("2001:db8::1", 1))])
    found = compare_flows(flows, flows, "0.2.0")
    assert (found.ours, found.theirs, found.matched, found.same_end) == (4, 4, 4, 4)
    assert found.unseen == 2
    assert [feature.name for feature in found.features] == list(COMMON_NAMES)
    assert {feature.departing for feature in found.features} == {0}


def test_departures_are_counted_with_their_ratio_and_known_reason() -> None:
    ours = metered([*connection(), *connection(port=40001), *connection(port=40002)])
    theirs = ours.take(np.array([0, 1]))
    theirs.features[:, COMMON_NAMES.index("totlen_fwd_pkts")] *= 3
    theirs.features[:, COMMON_NAMES.index("flow_duration")] *= 1 + 1e-9
    found = compare_flows(ours, theirs, "0.2.0")
    assert (found.ours, found.theirs, found.matched) == (3, 2, 2)
    assert by_name(found)["totlen_fwd_pkts"] == (2, 3.0, "frame lengths, headers and padding included")
    assert by_name(found)["flow_duration"] == (0, None, "")


def test_a_flow_that_ends_elsewhere_is_the_reason_of_what_differs_only_there() -> None:
    ours = metered(connection())
    theirs = metered([*connection(), udp(1)])
    theirs = theirs.take(theirs.protocol == 6)
    theirs.end_us[:] += 1
    theirs.features[:, COMMON_NAMES.index("totlen_fwd_pkts")] += 1
    assert by_name(compare_flows(ours, theirs, "0.2.0"))["totlen_fwd_pkts"][2] == ENDS_ELSEWHERE


@pytest.mark.parametrize("release", ["0.2.0", pytest.param("0.5.0", marks=pytest.mark.slow)])
def test_what_the_package_measures_in_a_reference_capture(
    request: pytest.FixtureRequest, release: str
) -> None:
    assert release in RELEASES
    environment = extractor_environment(request.config, release)
    found = compare_capture(REFERENCE / "01_tcp_fin.pcap", environment)
    assert (found.ours, found.theirs, found.matched, found.same_end) == (7, 6, 6, 5)
    features = by_name(found)
    assert features["totlen_fwd_pkts"][0] == 6
    assert features["fwd_header_len"][2] == "IP header instead of TCP's"
    assert features["tot_fwd_pkts"][0] == (6 if release == "0.5.0" else 1)
    assert features["flow_duration"] == (1, pytest.approx(3.857, rel=1e-3), ENDS_ELSEWHERE)


def test_what_the_package_does_not_see_is_not_there(request: pytest.FixtureRequest, tmp_path: Path) -> None:
    environment = extractor_environment(request.config)
    packets = [
        *connection(),
        udp(20),
        udp(25, src=("10.0.0.3", 53)),
        icmp(30),
        tcp(40, src=("2001:db8::1", 1)),
    ]
    capture = write_capture(tmp_path / "few.pcap", pcap(packets))
    table = concat_tables(measure_file(capture, environment))
    # The datagram between the ports of the TCP connection joined it.
    assert sorted(table.protocol.tolist()) == [6, 17]
    assert sorted(table.start_us.tolist()) == [START_US, START_US + 25]


def test_what_is_no_capture_is_told(request: pytest.FixtureRequest, tmp_path: Path) -> None:
    environment = extractor_environment(request.config)
    capture = write_capture(tmp_path / "none.pcap", b"no capture at all, but some text\n")
    with pytest.raises(ValueError, match=r"none\.pcap: cicflowmeter .*Not a supported capture file"):
        list(measure_file(capture, environment))
    with pytest.raises(ValueError, match="finds no flow to compare"):
        compare_capture(write_capture(tmp_path / "empty.pcap", pcap([])), environment)
