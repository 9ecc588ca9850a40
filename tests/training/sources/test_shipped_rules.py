"""The label rules that ship, against labels that their authors did not write."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from flows.csv_files import read_csv
from flows.label_rules import read_label_rules
from flows.labels import ATTEMPTED_SUFFIX, find_label
from flows.parquet_files import read_parquet
from helpers.flows import SHARED, needs_shared
from training.capture_set import read_manifest
from training.cleaning import UNKNOWN
from training.sources.captures import labelled_capture, rules_for

RULES = Path(__file__).resolve().parents[3] / "data" / "label-rules"
DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday")


def codes(labels: np.ndarray) -> np.ndarray:
    return np.array(
        [UNKNOWN if text.endswith(ATTEMPTED_SUFFIX) else find_label(text).code for text in labels]
    )


def test_all_days_have_rules_that_can_be_read() -> None:
    assert sorted(path.stem for path in (RULES / "cic-ids2017").iterdir()) == sorted(DAYS)
    assert len([*(RULES / "cse-cic-ids2018").iterdir()]) == 10
    for path in RULES.rglob("*.yaml"):
        rules = read_label_rules(path)
        assert rules.source, path
        assert rules.checked, path
        assert path.parent.name == "captures" or bool(rules.rules) == (path.stem != "monday")


@pytest.mark.parametrize("path", sorted((RULES / "cse-cic-ids2018").iterdir()), ids=lambda path: path.stem)
def test_the_times_of_2018_are_of_the_file_s_day(path: Path) -> None:
    for rule in read_label_rules(path).rules:
        for moment in (rule.begin, rule.end):
            assert moment is None or moment.date().isoformat() == path.stem


@needs_shared
def test_the_rules_of_2017_agree_with_the_corrected_set() -> None:
    table = read_parquet(SHARED / "data" / "cic-ids2017-improved" / "flows.parquet")
    found = np.full(len(table), UNKNOWN)
    for number, day in enumerate(DAYS):
        midnight = np.datetime64(f"2017-07-0{3 + number}", "us").astype(np.int64)
        rows = np.flatnonzero((table.start_us >= midnight) & (table.start_us < midnight + 86_400_000_000))
        found[rows] = codes(read_label_rules(RULES / "cic-ids2017" / f"{day}.yaml").labels(table.take(rows)))
    differs = np.flatnonzero(found != codes(table.extras["label"]))
    assert len(table) == 56_277
    # 14:51:14: the published time of the second round of scans, which the corrected set has begin at 14:58.
    assert [(table.extras["label"][row], int(found[row]), table.source(row)) for row in differs] == [
        ("BENIGN", find_label("PortScan").code, "172.16.0.1")
    ]


@needs_shared
@pytest.mark.parametrize(("dialect", "published"), [("improved", "improved"), ("cic-2017", "original")])
def test_the_golden_capture_gets_the_published_labels(dialect: str, published: str) -> None:
    golden = SHARED / "data" / "golden"
    rules = RULES / "cic-ids2017" / "thursday.yaml"
    table = labelled_capture(golden / "WebattackSQLinj.pcap", rules, dialect)
    rows = read_csv(golden / f"expected_{published}_cicflowmeter.csv")
    # The first publication leaves out two flows that the victim's last packet began.
    table = table.take(np.array([table.source(row) == "172.16.0.1" for row in range(len(table))]))
    assert sorted(table.src_port.tolist()) == sorted(rows.src_port.tolist())
    assert set(codes(rows.extras["label"]).tolist()) == {13}
    # It did not tell attacks from what was only attempted, either.
    labels = [
        text.removesuffix(ATTEMPTED_SUFFIX if published == "original" else "")
        for text in table.extras["label"]
    ]
    assert set(codes(np.array(labels)).tolist()) == {13}


@needs_shared
def test_the_rules_of_captures_are_of_the_captures_there_are_and_find_their_attacks() -> None:
    captures = SHARED / "pcaps"
    attacks = [entry for entry in read_manifest(captures) if entry.kind == "attack"]
    found = {}
    for entry in attacks:
        rules = rules_for(captures / entry.file, RULES / "captures")
        assert rules is not None, entry.file
        labels = labelled_capture(captures / entry.file, rules).extras["label"]
        found[rules.stem] = sum(label not in ("", "Benign") for label in labels) / len(labels)
        assert bool(read_label_rules(rules).rules) == (found[rules.stem] > 0), entry.file
    assert len(found) == len([*(RULES / "captures").iterdir()])
    assert sum(share == 0 for share in found.values()) == 6
    assert sum(share == 1 for share in found.values()) >= 27
