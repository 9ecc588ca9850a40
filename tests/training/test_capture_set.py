from __future__ import annotations

from pathlib import Path

import pytest

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
