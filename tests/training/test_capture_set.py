from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from context.features import CONTEXT_NAMES
from flows.labels import ATTACK
from flows.schema import COMMON_NAMES
from helpers.labelled import capture_folder
from training.capture_set import as_labelled, read_captures, read_manifest


def test_captures_are_metered_with_their_kind_and_source(tmp_path: Path) -> None:
    told: list[str] = []
    captures = read_captures(capture_folder(tmp_path), read=told.append)
    assert [capture.entry.source for capture in captures] == ["lab-0", "lab-1", "lab-2", "lab-3"]
    assert [capture.is_attack for capture in captures] == [False, False, True, True]
    assert len(told) == 4
    flows = as_labelled(captures, COMMON_NAMES, "improved")
    assert len(flows) == sum(len(capture.features) for capture in captures)
    assert set(flows.codes.tolist()) == {0, ATTACK}
    assert (flows.dst_port >= 0).all()


def test_of_an_attack_s_capture_the_flows_are_those_that_its_rules_call_one(tmp_path: Path) -> None:
    folder = capture_folder(tmp_path / "captures")
    whole = read_captures(folder)
    rules = tmp_path / "rules"
    rules.mkdir()
    port = int(whole[3].dst_port[0])
    text = f"rules: [{{label: DoS, destination_port: [{port}]}}]\n"
    for name in ("01_tcp_fin", "04_idle_timeout"):
        (rules / f"{name}.labels.yaml").write_text("rules: []\n")
    (rules / "05_bulk.labels.yaml").write_text(text)
    found = read_captures(folder, rules=rules)
    assert [capture.entry.source for capture in found] == ["lab-0", "lab-1", "lab-3"]
    assert len(found[0].features) == len(whole[0].features)
    assert set(found[2].dst_port.tolist()) == {port}
    assert len(found[2].features) == (whole[3].dst_port == port).sum()


def test_captures_have_context_where_it_is_asked_for(tmp_path: Path) -> None:
    names = (*COMMON_NAMES, *CONTEXT_NAMES)
    captures = read_captures(capture_folder(tmp_path), names)
    assert all(capture.features.shape[1] == len(names) for capture in captures)
    assert all(np.isfinite(capture.features[:, len(COMMON_NAMES) :]).all() for capture in captures)


def test_the_source_is_read_under_its_older_name(tmp_path: Path) -> None:
    folder = capture_folder(tmp_path)
    manifest = folder / "MANIFEST.csv"
    manifest.write_text(manifest.read_text().replace("kind,label,source", "kind,label,source_repo"))
    assert read_manifest(folder)[0].source == "lab-0"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "file,kind,label,source\nx.pcap,evil,scan,lab\n",
            "line 2: kind: Input should be",
        ),
        ("file,kind,label,source\nx.pcap,attack,scan,\n", "line 2: source: "),
        ("file,kind,label,source\nx.pcap,attack,scan,lab\n", "line 2: there is no file x.pcap"),
        ("file,kind,label,source\n", "lists no capture"),
    ],
)
def test_what_is_wrong_with_a_manifest_is_said_by_line(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "MANIFEST.csv").write_text(text)
    with pytest.raises(ValueError, match=r"MANIFEST.csv: ") as wrong:
        read_manifest(tmp_path)
    assert message in str(wrong.value)
