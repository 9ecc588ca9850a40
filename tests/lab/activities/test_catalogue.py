from __future__ import annotations

import json
import sys
from ipaddress import ip_address
from pathlib import Path

import pytest

from flows.labels import find_label
from lab.activities.catalogue import KINDS, PARTS
from lab.activities.kind import Kind, Task
from lab.guard import LAB_V4, LAB_V6, SILENT_V4, check_command, check_target
from lab.services.catalogue import SERVICES
from lab.users.job import Job

ROOT = Path(__file__).resolve().parents[3]
V4, V6 = [str(LAB_V4[number]) for number in range(10, 14)], [str(LAB_V6[number]) for number in range(10, 14)]
every_kind = pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)


def task(kind: Kind, place: Path, addresses: list[str], **parameters: object) -> Task:
    return Task(
        target="web",
        address=addresses[0],
        own_address=addresses[1],
        others=(addresses[0], *addresses[2:]),
        parameters=kind.parameters.model_validate(parameters),
        seconds=10,
        seed=4711,
        place=place,
        lab=place,
    )


def test_no_name_is_given_twice() -> None:
    assert len(KINDS) == sum(len(part.KINDS) for part in PARTS)


@every_kind
def test_its_command_names_addresses_of_the_lab_alone(kind: Kind, tmp_path: Path) -> None:
    for addresses in [V4, V6] if kind.ipv6 else [V4]:
        given = task(kind, tmp_path, addresses)
        command = kind.command(given)
        assert all(isinstance(word, str) for word in command)
        check_command(command, kind.targets(given))
        assert kind.targets(given)
        spoofed = kind.spoofs(given)
        assert spoofed is None or check_target(spoofed)
        assert any(address in " ".join(command) for address in (addresses[0], addresses[2]))


@every_kind
def test_its_flows_have_a_label_and_its_target_serves_what_it_needs(kind: Kind) -> None:
    assert (find_label(kind.label).code == 0) == kind.benign
    assert kind.service is None or kind.service in SERVICES
    assert kind.talks
    assert kind.tool


@every_kind
def test_everything_that_it_does_has_an_end(kind: Kind) -> None:
    for name, field in kind.parameters.model_fields.items():
        if field.annotation in (int, float):
            assert any(getattr(bound, "le", None) is not None for bound in field.metadata), (kind.name, name)


@every_kind
def test_the_document_names_it(kind: Kind) -> None:
    assert f"`{kind.name}`" in (ROOT / "docs" / "lab.md").read_text()


@pytest.mark.parametrize("name", SERVICES)
def test_the_document_names_what_hosts_serve(name: str) -> None:
    assert f"`{name}`" in (ROOT / "docs" / "lab.md").read_text()


def test_a_user_is_told_what_to_do(tmp_path: Path) -> None:
    command = KINDS["browse"].command(task(KINDS["browse"], tmp_path, V6, think=0.5))
    assert command[:4] == [sys.executable, "-m", "lab.users", "browse"]
    job = Job.parse(command[4])
    assert job.host == f"[{V6[0]}]"
    assert job.parameters["think"] == 0.5
    assert job.rng.random() == Job.parse(json.dumps(json.loads(command[4]))).rng.random()
    assert 0 < job.left <= 10


@pytest.mark.parametrize(
    ("scan", "wanted"),
    [
        *(("syn", "-sS"), ("connect", "-sT"), ("fin", "-sF"), ("null-scan", "-sN"), ("xmas", "-sX")),
        *(("maimon", "-sM"), ("ack", "-sA"), ("window", "-sW"), ("udp", "-sU"), ("protocols", "-sO")),
    ],
)
def test_every_kind_of_scan_is_one_of_nmap_s(tmp_path: Path, scan: str, wanted: str) -> None:
    command = KINDS["nmap"].command(task(KINDS["nmap"], tmp_path, V4, scan=scan, fragments=True))
    assert wanted in command
    assert ("-f" in command) == (scan not in ("connect", "udp", "protocols"))
    assert command[-1] == V4[0]


def test_a_spoofed_flood_is_of_somebody_who_is_not_there(tmp_path: Path) -> None:
    kind = KINDS["flood"]
    given = task(kind, tmp_path, V4, spoofed=True)
    spoofed = kind.spoofs(given)
    assert spoofed is not None
    assert ip_address(spoofed) in SILENT_V4
    assert spoofed in kind.command(given)
    assert kind.spoofs(task(kind, tmp_path, V4)) is None


def test_a_reflected_question_is_one_that_a_name_server_understands(tmp_path: Path) -> None:
    from scapy.layers.dns import DNS

    kind = KINDS["reflection"]
    given = task(kind, tmp_path, V4)
    command = kind.command(given)
    question = DNS((tmp_path / "question.bin").read_bytes())
    assert question.qd[0].qname == b"big.lab.test."
    assert question.qd[0].qtype == 16
    assert int(command[command.index("-d") + 1]) == len((tmp_path / "question.bin").read_bytes())
    assert kind.spoofs(given) in {*given.others} - {given.address}


def test_names_of_a_tunnel_are_names(tmp_path: Path) -> None:
    kind = KINDS["tunnel"]
    kind.command(task(kind, tmp_path, V4, names=50, length=60))
    names = (tmp_path / "names.txt").read_text().split()
    assert len(names) == 50
    assert all(len(name) < 254 and all(len(part) < 64 for part in name.split(".")) for name in names)
