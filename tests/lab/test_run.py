"""One short scenario with a real server and a real scanner."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from capture.files import CaptureFile
from context.features import CONTEXT_NAMES
from context.notes import with_context
from context.stage import ContextStage
from flows.labels import find_label
from flows.parquet_files import read_parquet
from flows.table import FlowTable, concat_tables
from helpers.namespace import require_tools
from lab import namespaces
from lab.guard import check_target
from lab.network import fabric
from lab.outcome import Outcome
from lab.output import Files, FlowCounts, write_flows
from lab.programs import Program
from lab.run import run_scenario
from lab.scenario import Scenario
from training.sources.captures import labelled_capture
from training.sources.read import read_training_data

pytestmark = pytest.mark.needs_netns
ATTACKER = "198.18.0.13"
SCENARIO = {
    "name": "short",
    "description": "two browse, one scans",
    "seconds": 9,
    "network": {"offloads": False, "mtu": 1400, "timestamps": False},
    "hosts": {"web": {"services": ["nginx"]}, "user": {"count": 2}, "mallory": {}},
    "activities": [
        {"do": "browse", "by": "user", "to": "web", "seconds": 8, "with": {"think": 0.3}},
        {"do": "nmap", "by": "mallory", "to": "web", "at": 1, "seconds": 7, "with": {"ports": 120}},
        {"do": "nmap", "by": "user-1", "to": "web", "at": 5, "seconds": 3, "with": {"ports": 20}},
    ],
}


@dataclass
class Made:
    """What the one run of this module made."""

    outcome: Outcome
    files: Files
    counts: FlowCounts
    flows: FlowTable


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    require_tools("nginx", "nmap", "tcpdump", "openssl", "ethtool", "ss")
    files = Files(tmp_path_factory.mktemp("lab"), "short-1")
    try:
        outcome = run_scenario(Scenario.model_validate(SCENARIO), 1, files.capture)
    except OSError as error:
        if "netns" in str(error):
            pytest.skip(f"network namespaces are not allowed here: {error}")
        raise
    counts = write_flows(files, outcome.rules)
    return Made(outcome, files, counts, read_parquet(files.flows))


def test_everything_was_done_and_recorded(made: Made) -> None:
    assert made.outcome.done == {"browse": 2, "nmap": 2}
    assert made.outcome.failed == {}
    assert made.outcome.left_out == {}
    assert made.outcome.missed == 0
    assert made.outcome.packets > 300


def test_flows_have_the_label_of_who_made_them(made: Made) -> None:
    assert made.counts.labels["Portscan"] >= 120
    assert made.counts.labels["Benign"] >= 5
    assert len(made.flows) == made.counts.flows
    labelled = made.flows.extras["label"] != None  # noqa: E711
    assert labelled.sum() == made.counts.labels.total() == made.counts.kinds.total()
    for row in np.flatnonzero(labelled):
        label = made.flows.extras["label"][row]
        hosts = {made.flows.source(row), made.flows.destination(row)}
        if ATTACKER in hosts:
            assert label == "Portscan"
        elif made.flows.dst_port[row] not in (80, 443):
            assert "198.18.0.11" in hosts
            assert label == "Portscan"
    assert {find_label(text).code for text in made.flows.extras["label"][labelled]} == {0, 17}
    assert any('"scan": "syn"' in text for text in made.flows.extras["about"][labelled])
    assert set(made.flows.extras["tool"][labelled]) == {"nmap", "python"}


def test_what_one_host_did_at_the_same_time_is_left_out(made: Made) -> None:
    assert made.counts.left_out["ambiguous"] > 0
    disputed = [rule for rule in made.outcome.rules.rules if rule.label == ""]
    assert disputed
    assert all(rule.destination_port == [80, 443] for rule in disputed)


def test_training_reads_the_capture_with_its_rules(made: Made) -> None:
    table = labelled_capture(made.files.capture)
    assert len(table) == made.counts.flows
    table = table.take(np.argsort(table.flow_uid))
    assert [label or None for label in table.extras["label"]] == made.flows.extras["label"].tolist()


def test_training_reads_the_labelled_flows(made: Made) -> None:
    found = read_training_data([made.files.flows])
    assert found.rows_read == made.counts.flows
    assert set(found.dropped) <= {"duplicate", "unlabelled"}
    assert set(found.codes.tolist()) == {0, 17}
    assert set(found.activities) == {"browse", "nmap"}
    assert set(found.codes[found.activity == found.activities.index("nmap")]) == {17}


def test_the_flows_tell_the_context_that_their_capture_does(made: Made) -> None:
    capture = CaptureFile(made.files.capture, starts=True)
    there = concat_tables(list(ContextStage().complete(capture.tables(), capture.take_starts)))
    there = there.take(np.argsort(there.flow_uid))
    np.testing.assert_array_equal(with_context(made.flows).select(CONTEXT_NAMES), there.select(CONTEXT_NAMES))


def test_the_conditions_are_seen_in_the_packets(made: Made) -> None:
    answer = subprocess.run(
        [
            "tcpdump",
            "-n",
            "-v",
            "-r",
            str(made.files.capture),
            "tcp[tcpflags] & tcp-syn != 0 and src port 80",
        ],
        capture_output=True,
        text=True,
        check=True,
    )
    assert "mss 1360" in answer.stdout
    assert "mtu 1400" in made.outcome.rules.description
    assert "TS val" not in answer.stdout


def test_nothing_is_left_of_it(made: Made) -> None:
    assert made.files.capture.exists()
    assert [path.name for path in namespaces.RUN.iterdir() if namespaces.own_name("") in path.name] == []


def test_no_host_of_the_lab_has_a_way_out() -> None:
    require_tools("ethtool")
    hosts = {"gate": {}, "inner": {"behind": "gate"}, "dual": {}}
    scenario = Scenario.model_validate(SCENARIO | {"hosts": hosts, "activities": []})
    if Program("iptables", "iptables").path() is None:
        pytest.skip("needs iptables")
    with fabric(scenario, 1) as built:
        everywhere = [built.switch, *(host.namespace for host in built.hosts.values())]
        for namespace in everywhere:
            routes = namespaces.ip("-n", namespace, "-4", "route", "show", "table", "all").splitlines()
            destinations = [line.split()[1 if line.split()[0].isalpha() else 0] for line in routes]
            assert "default" not in " ".join(routes)
            for destination in destinations:
                if not destination.startswith("127."):
                    check_target(destination)
            resolver = Path("/etc/netns", namespace, "resolv.conf")
            assert not resolver.exists() or "nameserver" not in resolver.read_text()
            reached = subprocess.run(
                namespaces.inside(namespace, ["ping", "-c", "1", "-W", "1", "192.0.2.1"]), capture_output=True
            )
            assert reached.returncode != 0
        links = namespaces.ip("-n", built.switch, "-o", "link", "show")
        ends = {line.split(": ")[1].partition("@")[0] for line in links.splitlines()}
        assert ends == {"lo", "br0", "in0", "p0", "p1", "p2", "p3", "p4"}
        inner = built.hosts["inner"]
        answer = subprocess.run(
            namespaces.inside(inner.namespace, ["ping", "-c", "1", "-W", "2", built.hosts["dual"].address]),
            capture_output=True,
        )
        assert answer.returncode == 0


def test_who_may_not_make_namespaces_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    with (
        pytest.raises(PermissionError, match="run it as root"),
        fabric(Scenario.model_validate(SCENARIO), 1),
    ):
        pytest.fail("it was let in")


def test_what_is_not_installed_is_left_out_and_too_many_packets_end_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    require_tools("tcpdump", "ping", "ss")
    path = Program.path
    monkeypatch.setattr(Program, "path", lambda self: None if self.name == "hping3" else path(self))
    activities = [
        {"do": "flood", "by": "one", "to": "two", "repeat": 2, "seconds": 1},
        {"do": "ping", "by": "one", "to": "two", "seconds": 30, "with": {"count": 100, "every": 0.2}},
    ]
    scenario = Scenario(
        name="bounded",
        description="",
        seconds=30,
        max_packets=8,
        hosts={"one": {}, "two": {}},
        activities=activities,
    )
    told: list[str] = []
    outcome = run_scenario(scenario, 1, tmp_path / "bounded.pcap", progress=told.append)
    assert told == ["left out, flood: hping3: apt-get install hping3"]
    assert outcome.left_out == {"flood: hping3: apt-get install hping3": 2}
    assert outcome.done == {"ping": 1}
    assert outcome.cut
    assert 8 <= outcome.packets < 100
