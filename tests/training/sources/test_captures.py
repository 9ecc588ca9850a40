from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from context.features import CONTEXT_NAMES
from flows.schema import IMPROVED_NAMES
from helpers.packets import connection, pcap, write_capture
from training.sources.captures import is_capture, labelled_capture, rules_beside, rules_for

RULES = "rules: [{label: Portscan, source: 10.0.0.1, source_port: 40001}]\n"
PACKETS = [*connection(), *connection(1_000_000, port=40001)]


def test_flows_of_a_capture_have_the_labels_of_the_rules_beside_it(tmp_path: Path) -> None:
    path = write_capture(tmp_path / "scan.pcap", pcap(PACKETS))
    (tmp_path / "scan.labels.yaml").write_text(RULES)
    table = labelled_capture(path)
    assert sorted(table.extras["label"].tolist()) == ["Benign", "Portscan"]
    assert (table.feature_names, table.dialect) == (IMPROVED_NAMES, "improved")
    assert labelled_capture(path, dialect="cic-2017").dialect == "cic-2017"


def test_own_rules_go_before_the_folder_s_and_named_ones_before_both(tmp_path: Path) -> None:
    path = write_capture(tmp_path / "Day.PCAP", pcap(PACKETS))
    with pytest.raises(ValueError, match=r"Day.PCAP: a capture needs label rules: .*labels.yaml"):
        labelled_capture(path)
    (tmp_path / "labels.yaml").write_text("rules: [{label: Bot}]\n")
    assert set(labelled_capture(path).extras["label"]) == {"Bot"}
    (tmp_path / "Day.labels.yaml").write_text(RULES)
    assert rules_beside(path) == tmp_path / "Day.labels.yaml"
    (tmp_path / "other.yaml").write_text("rules: [{label: Worms}]\n")
    assert set(labelled_capture(path, tmp_path / "other.yaml").extras["label"]) == {"Worms"}


def test_rules_may_lie_in_a_folder_of_their_own(tmp_path: Path) -> None:
    path = write_capture(tmp_path / "scan.pcap.gz", gzip.compress(pcap(PACKETS)))
    (tmp_path / "labels.yaml").write_text("rules: [{label: Bot}]\n")
    folder = tmp_path / "rules"
    folder.mkdir()
    assert rules_for(path, folder) is None
    assert rules_for(path, None) == tmp_path / "labels.yaml"
    (folder / "scan.labels.yaml").write_text(RULES)
    assert rules_for(path, folder) == folder / "scan.labels.yaml"
    assert sorted(labelled_capture(path, folder).extras["label"].tolist()) == ["Benign", "Portscan"]


def test_a_capture_tells_what_hosts_did_before(tmp_path: Path) -> None:
    path = write_capture(tmp_path / "scan.pcap", pcap(PACKETS))
    (tmp_path / "labels.yaml").write_text(RULES)
    table = labelled_capture(path, context=True)
    assert table.feature_names == (*IMPROVED_NAMES, *CONTEXT_NAMES)
    assert table.column("src_flows_2s").tolist() == [1.0, 2.0]


def test_a_capture_without_a_flow_is_told(tmp_path: Path) -> None:
    path = write_capture(tmp_path / "empty.pcap", pcap([]))
    (tmp_path / "labels.yaml").write_text(RULES)
    with pytest.raises(ValueError, match=r"empty.pcap: holds no flow"):
        labelled_capture(path)


def test_captures_are_told_by_their_names() -> None:
    names = ["a.pcap", "a.pcapng.gz", "A.CAP", "a.pcap.zst", "a.csv", "a.pcap.xz", "pcap"]
    assert [is_capture(Path(name)) for name in names] == [True] * 4 + [False] * 3
