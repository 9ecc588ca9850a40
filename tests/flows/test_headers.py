from __future__ import annotations

import csv
import lzma
from pathlib import Path

import pytest

from flows.headers import HEADERS, Recognised, find_header, own_header, recognise
from flows.schema import COMMON_NAMES, IMPROVED_2024_NAMES, IMPROVED_NAMES
from helpers.flows import SHARED, needs_shared

REFERENCE = Path(__file__).parent.parent / "reference"


def titles(name):
    return [title for title, _ in find_header(name).columns]


def test_cic_2017_is_the_78_features_with_the_original_s_blanks_and_duplicate():
    columns = find_header("cic-2017").columns
    assert len(columns) == 78
    assert columns[0] == (" Destination Port", "dst_port")
    assert columns[4] == ("Total Length of Fwd Packets", "totlen_fwd_pkts")
    assert columns[54:56] == (
        (" Avg Bwd Segment Size", "bwd_seg_size_avg"),
        (" Fwd Header Length.1", "fwd_header_len"),
    )


def test_cic_2018_is_the_79_published_columns():
    assert titles("cic-2018")[:4] == ["Dst Port", "Protocol", "Timestamp", "Flow Duration"]
    assert len(titles("cic-2018")) == 79


@pytest.mark.parametrize(
    ("name", "columns"), [("cic-v4", 84), ("improved", 89), ("improved-2024", 94), ("snake", 89)]
)
def test_headers_with_identity_and_label(name, columns):
    header = find_header(name)
    assert len(header.columns) == columns
    assert [key for _, key in header.columns][:7] == [
        "flow_id", "src_ip", "src_port", "dst_ip", "dst_port", "protocol", "timestamp"
    ]  # fmt: skip
    assert header.columns[-1][1] == "label"


def test_every_header_holds_the_common_features():
    for header in HEADERS.values():
        assert set(COMMON_NAMES) <= set(header.feature_names)
    assert set(find_header("improved").feature_names) == set(IMPROVED_NAMES)
    assert set(find_header("improved-2024").feature_names) == set(IMPROVED_2024_NAMES)


def test_an_unknown_header_names_the_known():
    with pytest.raises(ValueError, match="unknown header 'netflow': use one of cic-2017, cic-2018"):
        find_header("netflow")


@pytest.mark.parametrize("name", ["cic-2017", "cic-2018", "cic-v4", "improved", "improved-2024"])
def test_a_published_header_is_recognised_with_its_dialect(name):
    assert recognise(titles(name)) == Recognised(name, name)
    assert recognise([f"\ufeff {title.upper()} " for title in titles(name)]) == Recognised(name, name)


def test_snake_case_implies_no_dialect():
    assert recognise(titles("snake")) == Recognised("snake", None)
    python = ["cwr_flag_count" if title == "cwe_flag_count" else title for title in titles("snake")]
    assert recognise(python) == Recognised("snake", None)


def test_a_mixture_is_no_header():
    mixed = ["tot_fwd_pkts" if title == "Total Fwd Packet" else title for title in titles("cic-v4")]
    assert recognise(mixed) == Recognised(None, None)


def test_features_without_identity_are_recognised():
    assert recognise(titles("cic-v4")[7:-1]) == Recognised("cic-v4", "cic-v4")


def test_a_dialect_without_a_tool_header_has_snake_case():
    assert own_header("python-cicflowmeter").name == "snake"


def first_line(path):
    with lzma.open(path, "rt") if path.suffix == ".xz" else path.open() as file:
        return next(csv.reader(file))


@pytest.mark.parametrize("dialect", ["improved", "improved-2024", "cic-v4", "cic-2018"])
def test_own_headers_are_those_of_the_original_tools(dialect):
    written = first_line(REFERENCE / dialect / "01_tcp_fin.csv")
    assert written == [title for title, _ in own_header(dialect).columns]
    assert recognise(written) == Recognised(dialect, dialect)


@needs_shared
def test_2017_headers_are_those_of_the_published_files():
    folder = SHARED / "data" / "cic-ids2017-original"
    published = first_line(folder / "head999_f1.rdube.csv.xz")
    published[published.index(" Fwd Header Length", 40)] += ".1"
    assert published == [*titles("cic-2017"), " Label"]
    with_ips = first_line(folder / "glf_with_ips_ddos.mondirkb.csv.xz")
    assert with_ips == [title for title, _ in own_header("cic-2017").columns]


@needs_shared
def test_the_2018_header_is_that_of_the_published_files():
    assert first_line(SHARED / "data" / "cic-ids2018" / "unlabelled_1000.csv") == titles("cic-2018")
