from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from lab.scenario import Scenario, find_scenario, own_scenarios, read_scenario
from lab.schedule import schedule

SCAN = {
    "name": "scan",
    "description": "a scan",
    "seconds": 20,
    "hosts": {"web": {"services": ["nginx"]}, "user": {"count": 2}, "mallory": {}},
    "activities": [
        {"do": "browse", "by": "user", "to": "web", "seconds": 15},
        {"do": "nmap", "by": "mallory", "to": ["web", "user"], "with": {"ports": {"low": 10, "high": 20}}},
    ],
}


def scenario(**changes: object) -> Scenario:
    return Scenario.model_validate(SCAN | changes)


@pytest.mark.parametrize("name", own_scenarios())
def test_the_lab_s_own_scenarios_can_be_read_and_scheduled(name: str) -> None:
    found = find_scenario(name)
    assert found.name == name
    assert found.description
    steps = schedule(found, 1)
    assert steps
    assert max(step.start + step.seconds for step in steps) <= found.seconds


def test_the_document_s_scenario_can_be_read(tmp_path: Path) -> None:
    text = (Path(__file__).resolve().parents[2] / "docs" / "lab.md").read_text()
    path = tmp_path / "documented.yaml"
    path.write_text(text.split("```yaml\n")[1].split("```")[0])
    assert schedule(read_scenario(path), 1)


def test_a_group_is_all_its_hosts() -> None:
    found = scenario()
    assert found.members("user") == ["user-1", "user-2"]
    assert found.members("user-2") == ["user-2"]
    assert found.members("web") == ["web"]
    assert found.members("user-3") == found.members("dora") == []
    assert [name for name, _ in found.host_names()] == ["web", "user-1", "user-2", "mallory"]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"hosts": {"web": {"services": ["gopher"]}}}, r"hosts\.web: .*no service 'gopher': there are nginx"),
        ({"hosts": {"Web!": {}}}, r"hosts\.Web!"),
        ({"hosts": SCAN["hosts"] | {"nobody": {}}}, r"nobody can be called so"),
        ({"hosts": SCAN["hosts"] | {"many": {"count": 40}}}, r"more than 40 hosts"),
        ({"hosts": SCAN["hosts"] | {"web": {}}}, r"browse needs the service nginx on web"),
        ({"hosts": SCAN["hosts"] | {"inner": {"behind": "user"}}}, r"no single host user"),
        ({"activities": [{"do": "fly", "by": "user", "to": "web"}]}, r"activities\.0: .*nobody can 'fly'"),
        ({"activities": [{"do": "nmap", "by": "dora", "to": "web"}]}, r"activities\.0\.by: no host dora"),
        ({"activities": [{"do": "nmap", "by": "user", "to": "dora"}]}, r"activities\.0\.to: no host dora"),
        (
            {
                "activities": [
                    {"do": "nmap", "by": "user", "to": "web", "with": {"ports": {"low": 1, "high": 9999}}}
                ]
            },
            r"activities\.0\.ports: .*5000",
        ),
        (
            {
                "activities": [
                    {"do": "nmap", "by": "user", "to": "web", "with": {"scan": {"choice": ["syn", "x"]}}}
                ]
            },
            r"activities\.0\.scan: .*'syn', 'connect'",
        ),
        (
            {"activities": [{"do": "nmap", "by": "user", "to": "web", "at": -1}]},
            r"at: not a number of seconds: -1",
        ),
        ({"seconds": 1e6}, r"seconds: .*1800"),
        ({"max_packets": 10**9}, r"max_packets: .*5000000"),
        ({"network": {"ipv6": True, "mtu": 600}}, r"at least 1280"),
        ({"network": {"mtu": {"low": 1500, "high": 9999}}}, r"mtu: .*9000"),
        ({"network": {"colour": "red"}}, r"colour: Extra inputs"),
        ({"colour": "red"}, r"colour: Extra inputs"),
    ],
)
def test_what_is_wrong_in_a_scenario_is_named(tmp_path: Path, change: dict[str, object], said: str) -> None:
    path = tmp_path / "own.yaml"
    path.write_text(yaml.safe_dump(SCAN | change))
    with pytest.raises(ValueError, match=rf"(?s)own\.yaml: .*(?:{said})"):
        read_scenario(path)


def test_a_scenario_that_is_not_there_is_named() -> None:
    with pytest.raises(ValueError, match=r"no scenario tea-party: .*web-scan"):
        find_scenario("tea-party")


def test_a_seed_draws_the_network_s_conditions() -> None:
    found = scenario(
        network={"offloads": False, "mtu": {"low": 1300, "high": 1500}, "sack": {"choice": [True, False]}}
    )
    drawn = [found.conditions(seed) for seed in range(20)]
    assert drawn == [found.conditions(seed) for seed in range(20)]
    assert {each.sack for each in drawn} == {True, False}
    assert len({each.mtu for each in drawn}) > 5
    assert not any(each.offloads for each in drawn)


def test_nothing_behind_a_gateway_can_be_a_target() -> None:
    hosts = SCAN["hosts"] | {"gate": {}, "inner": {"behind": "gate"}}
    activities = [{"do": "nmap", "by": "mallory", "to": "inner"}]
    with pytest.raises(ValueError, match="inner is behind gate"):
        scenario(hosts=hosts, activities=activities)
    assert scenario(hosts=hosts)
