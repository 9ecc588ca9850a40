from __future__ import annotations

import gzip
import lzma
import re

import pytest

from flows.csv_files import read_csv
from flows.labels import ATTACK, BY_CODE, LABELS, UNLABELLED, find_label
from flows.parquet_files import read_parquet
from helpers.flows import SHARED, needs_shared


def test_codes_and_names_are_unique():
    assert len({label.code for label in LABELS}) == len(LABELS) == len(BY_CODE)
    assert len({label.name for label in LABELS}) == len(LABELS)


def test_no_spelling_means_two_classes():
    owners: dict[str, set[int]] = {}
    for label in LABELS:
        for spelling in (label.name, *label.aliases):
            owners.setdefault(re.sub(r"[^a-z0-9]+", " ", spelling.lower()).strip(), set()).add(label.code)
            assert find_label(spelling) is label
    assert all(len(codes) == 1 for codes in owners.values())


def test_benign_is_0_and_the_codes_of_cstub_are_kept():
    assert find_label("BENIGN").code == find_label("Benign").code == find_label("normal.").code == 0
    numbers = {"Bot": 1, "DoS attacks-Hulk": 5, "Infilteration": 12, "DDOS LOIT": 15, "PortScan": 17}
    assert {text: find_label(text).code for text in numbers} == numbers


def test_techniques_are_attack_ids():
    assert all(re.fullmatch(r"(T\d{4})?", label.technique) for label in LABELS)
    assert [label.code for label in LABELS if label.family == "benign"] == [0]


@pytest.mark.parametrize("dash", ["-", "\u2013", "\x96", "Â\x96", "ï¿½", "\ufffd"])
def test_broken_dashes_do_not_matter(dash):
    assert find_label(f"Web Attack {dash} XSS").code == 3


@pytest.mark.parametrize("text", [*UNLABELLED, " NeedManualLabel "])
def test_what_nobody_labelled_is_not_benign(text):
    with pytest.raises(ValueError, match="never labelled"):
        find_label(text)


def test_an_attack_of_no_kind_has_a_code():
    assert find_label("Attack").code == find_label("malicious").code == ATTACK


def test_an_unknown_label_is_refused():
    with pytest.raises(ValueError, match="unknown label 'Cryptojacking'"):
        find_label("Cryptojacking")


def column(path, position):
    with (gzip.open if path.suffix == ".gz" else lzma.open)(path, "rt") as file:
        return {line.rstrip("\n").split(",")[position] for line in file}


@needs_shared
def test_every_label_of_every_set_is_in_the_table():
    data = SHARED / "data"
    found = set(read_parquet(data / "cic-ids2017-improved" / "flows.parquet").extras["label"])
    for path in [*(data / "cic-ids2017-original").glob("*.xz"), *(data / "golden").glob("*.csv")]:
        found |= set(read_csv(path).extras["label"])
    for path in (data / "kdd99").glob("*.gz"):
        found |= column(path, -1)
    for path in (data / "nsl-kdd").glob("*.xz"):
        found |= column(path, -2)
    assert len(found) > 60
    unknown = [text for text in found if not _known(text)]
    assert unknown == []


def _known(text):
    try:
        return find_label(text)
    except ValueError:
        return None
