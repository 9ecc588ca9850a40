from __future__ import annotations

import gzip
import io
import lzma
from collections import Counter

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings

from flows.assembly import NO_VALUE
from flows.csv_files import REPEATED_HEADER, CsvFlowWriter, read_csv, write_csv
from flows.headers import HEADERS, find_header
from flows.labels import find_label
from flows.schema import BY_NAME, COMMON_NAMES, IMPROVED_2024_NAMES, IMPROVED_NAMES
from flows.table import UNKNOWN_TIME
from helpers.flows import EXAMPLE, SHARED, assert_same_table, flow_table, flow_tables, needs_shared

GOLDEN = SHARED / "data" / "golden"
ORIGINAL = SHARED / "data" / "cic-ids2017-original"


def text_of(table, header=None):
    file = io.BytesIO()
    write_csv(table, file, header)
    return file.getvalue().decode()


def saved(folder, text, name="flows.csv"):
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def lines_2017(n=3, label=b"BENIGN"):
    """Rows as in the original files: blanks, the duplicate column, a label."""
    titles, *rows = text_of(flow_table(n), "cic-2017").encode().replace(b".1,", b",", 1).splitlines()
    return [titles + b", Label", *(row + b"," + label for row in rows)]


# Writing


def test_own_header_has_identity_microseconds_and_a_label():
    titles, first, *_ = text_of(flow_table()).splitlines()
    assert titles.startswith("Flow ID,Src IP,Src Port,Dst IP,Dst Port,Protocol,Timestamp,Flow Duration,")
    assert titles.endswith(",ICMP Code,ICMP Type,Total TCP Flow Time,Label")
    assert first.startswith(
        "10.0.0.1-10.0.0.2-40000-443-6,10.0.0.1,40000,10.0.0.2,443,6,2017-07-07 13:00:00.401000,406000,6,3,"
    )
    assert first.endswith(",NeedManualLabel")


def test_integers_are_integers_and_floats_their_shortest_text():
    features = {"fwd_pkt_len_mean": 0.1 + 0.2, "idle_mean": 5e6, "fwd_blk_rate_avg": 2.5, "active_mean": 1e22}
    row = pd.read_csv(io.StringIO(text_of(flow_table(1, features=features))), dtype=str).iloc[0]
    assert row["Flow Duration"] == "406000"
    assert row["Fwd Packet Length Mean"] == "0.30000000000000004"
    assert row["Idle Mean"] == "5000000.0"
    assert row["Fwd Bulk Rate Avg"] == "2.5"
    assert row["Active Mean"] == "1e+22"


def test_what_is_not_finite_is_spelled_as_the_tools_do():
    features = {"flow_byts_s": np.inf, "flow_iat_min": np.nan, "active_std": -np.inf}
    row = pd.read_csv(
        io.StringIO(text_of(flow_table(1, features=features))), dtype=str, na_filter=False
    ).iloc[0]
    assert (row["Flow Bytes/s"], row["Flow IAT Min"], row["Active Std"]) == ("Infinity", "NaN", "-Infinity")


def test_cic_2017_loads_in_pandas_as_the_original_does():
    frame = pd.read_csv(io.StringIO(text_of(flow_table(), "cic-2017")))
    assert frame.shape == (3, 78)
    assert (frame[" Fwd Header Length.1"] == frame[" Fwd Header Length"]).all()
    assert frame[" Destination Port"].tolist() == [443] * 3


@pytest.mark.parametrize(
    ("header", "time"),
    [
        ("cic-2018", "07/07/2017 13:00:00"),
        ("cic-v4", "07/07/2017 01:00:00 PM"),
        ("improved", "2017-07-07 13:00:00.401000"),
        ("snake", "2017-07-07 13:00:00.401000"),
    ],
)
def test_each_header_s_time_format(header, time):
    frame = pd.read_csv(io.StringIO(text_of(flow_table(1), header)))
    column = "timestamp" if header == "snake" else "Timestamp"
    assert frame[column].tolist() == [time]


def test_labels_and_times_of_the_source_are_kept():
    extras = {
        "label": np.array(['a "b", c', "DDoS"], object),
        "timestamp": np.array(["7/7/2017 3:56", "8/7/2017 3:56"], object),
    }
    table = flow_table(2, start_us=np.array([UNKNOWN_TIME, 0]), extras=extras)
    frame = pd.read_csv(io.StringIO(text_of(table)))
    assert frame["Label"].tolist() == ['a "b", c', "DDoS"]
    assert frame["Timestamp"].tolist() == ["7/7/2017 3:56", "1970-01-01 00:00:00.000000"]
    assert text_of(table, "snake").splitlines()[0].endswith(",label")
    assert text_of(flow_table(), "snake").splitlines()[0].endswith(",total_tcp_flow_time")


def test_features_a_table_lacks():
    common = flow_table(names=COMMON_NAMES)
    with pytest.raises(
        ValueError, match="header improved needs features that these flows lack: fwd_rst_flags"
    ):
        text_of(common, "improved")
    assert "RST Flags" not in text_of(common)
    assert text_of(common, "snake").splitlines()[0].endswith("idle_min")


def test_the_own_header_keeps_extras_and_a_published_one_does_not(tmp_path):
    captures = np.array(["a.pcap", 'b, "c".pcap', None], dtype=object)
    table = flow_table(extras={"capture": captures})
    titles = text_of(table).splitlines()[0]
    back = read_csv(saved(tmp_path, text_of(table)))
    assert titles.endswith(",Label,capture")
    assert back.extras["capture"].tolist() == ["a.pcap", 'b, "c".pcap', ""]
    assert "capture" not in text_of(table, "improved")


def test_a_table_without_the_first_one_s_extra_is_refused():
    table = flow_table(extras={"capture": np.full(3, "a.pcap", dtype=object)})
    writer = CsvFlowWriter(io.BytesIO())
    writer.write(table)
    with pytest.raises(ValueError, match="lack columns that the first ones had: capture"):
        writer.write(flow_table())


def test_an_unknown_header_fails_before_the_file_is_made(tmp_path):
    with pytest.raises(ValueError, match="unknown header"):
        write_csv(flow_table(), tmp_path / "flows.csv", "netflow")
    assert not (tmp_path / "flows.csv").exists()


def test_tables_follow_each_other_under_one_header(tmp_path):
    path = tmp_path / "flows.csv.gz"
    with CsvFlowWriter(path) as writer:
        for _ in range(3):
            writer.write(flow_table(2))
    assert len(read_csv(path)) == 6
    assert gzip.decompress(path.read_bytes()).count(b"Flow ID") == 1


def test_a_file_without_flows_has_its_header(tmp_path):
    path = tmp_path / "flows.csv"
    with CsvFlowWriter(path):
        pass
    assert len(read_csv(path)) == 0
    assert read_csv(path).feature_names == IMPROVED_NAMES


@settings(deadline=None)
@given(flow_tables())
def test_whatever_the_features_they_are_read_back(tmp_path_factory, table):
    path = tmp_path_factory.mktemp("csv") / "flows.csv"
    rows = ~np.isnan(table.features).all(axis=1)
    plain = type(table).from_features(table.features[rows], table.feature_names, "improved")
    write_csv(plain, path)
    again = read_csv(path)
    assert again.feature_names == table.feature_names
    np.testing.assert_array_equal(again.features, table.features[rows])


# Reading


@pytest.mark.parametrize("header", [None, *HEADERS])
def test_a_written_table_is_read_back(tmp_path, header):
    own = {"improved-2024": IMPROVED_2024_NAMES, "improved": IMPROVED_NAMES, "snake": IMPROVED_NAMES}
    names = own.get(header or "improved", COMMON_NAMES)
    table = flow_table(names=names, features=dict.fromkeys({*names} - {*IMPROVED_NAMES}, 3.0))
    path = tmp_path / "flows.csv"
    write_csv(table, path, header)
    again = read_csv(path, dialect="improved")
    np.testing.assert_array_equal(again.features, table.features)
    assert again.feature_names == table.feature_names
    assert "label" not in again.extras
    assert (again.dst_port == table.dst_port).all()
    assert (again.protocol == (-1 if header == "cic-2017" else 6)).all()
    if header in (None, "improved", "snake"):
        assert again.start_us.tolist() == table.start_us.tolist()
        assert again.end_us.tolist() == table.end_us.tolist()
        assert [again.source(0), again.destination(0)] == ["10.0.0.1", "10.0.0.2"]
        assert not again.extras


def test_the_messy_original_is_read(tmp_path):
    header, first, *rest = lines_2017(3, label=b"Web Attack \x96 XSS")
    blank = b"," * header.count(b",")
    text = b"\r\n".join([b"\xef\xbb\xbf" + header, first, header, *rest, header, blank, b""])
    dropped = Counter()
    table = read_csv(saved(tmp_path, text), dropped=dropped)
    assert dropped == {REPEATED_HEADER: 2, NO_VALUE: 1}
    assert (table.dialect, len(table), table.feature_names) == ("cic-2017", 3, COMMON_NAMES)
    assert table.column("fwd_header_len").tolist() == [EXAMPLE["fwd_header_len"]] * 3
    assert table.dst_port.tolist() == [443] * 3
    assert table.source(0) is None
    assert table.extras["label"].tolist() == ["Web Attack \u2013 XSS"] * 3
    assert table.flow_uid.tolist() == [0, 1, 2]


def test_repeated_headers_are_dropped_whatever_the_block(tmp_path, monkeypatch):
    header, *rows = lines_2017(50)
    path = saved(tmp_path, b"\n".join([header, *(line for row in rows for line in (row, header))]))
    for block in (len(header) - 1, 997, 1 << 20):
        monkeypatch.setattr("flows.csv_files.BLOCK", block)
        dropped = Counter()
        assert len(read_csv(path, dropped=dropped)) == dropped[REPEATED_HEADER] == 50


def test_the_first_rows_are_read_and_no_others(tmp_path, monkeypatch):
    header, *rows = lines_2017(20)
    path = saved(tmp_path, b"\n".join([header, *rows[:5], header, *rows[5:], b"no row of flows"]))
    for block in (997, 1 << 20):
        monkeypatch.setattr("flows.csv_files.BLOCK", block)
        assert [len(read_csv(path, nrows=count)) for count in (1, 7, 20)] == [1, 7, 20]


def test_ports_may_be_floats_and_numbers_may_be_missing(tmp_path):
    titles, row = text_of(flow_table(1)).replace("NeedManualLabel", "Bot").splitlines()
    row = row.replace(",40000,", ",36196.0,").replace(",443,6,", ",,6.0,").replace(",50750.0,", ",,")
    table = read_csv(saved(tmp_path, f"{titles}\n{row}\n"))
    assert (table.src_port[0], table.dst_port[0], table.protocol[0]) == (36196, -1, 6)
    assert np.isnan(table.column("flow_iat_mean")[0])
    assert table.extras["label"].tolist() == ["Bot"]


def test_ambiguous_times_stay_as_they_are(tmp_path):
    table = read_csv(saved(tmp_path, text_of(flow_table(1), "cic-2018")))
    assert table.dialect == "cic-2018"
    assert table.start_us.tolist() == [UNKNOWN_TIME]
    assert table.extras["timestamp"].tolist() == ["07/07/2017 13:00:00"]


def test_times_of_v4_are_parsed(tmp_path):
    table = read_csv(saved(tmp_path, text_of(flow_table(1, names=COMMON_NAMES), "cic-v4")))
    assert table.dialect == "cic-v4"
    assert table.start_us.tolist() == [1_499_432_400_000_000]
    assert not table.extras


def test_the_dialect_of_snake_case_is_the_caller_s(tmp_path):
    path = saved(tmp_path, text_of(flow_table(1), "snake"))
    assert read_csv(path).dialect == "improved"
    python = read_csv(path, dialect="python-cicflowmeter")
    assert python.dialect == "python-cicflowmeter"
    assert python.column("flow_duration").tolist() == [406_000e6]
    assert python.start_us.tolist() == [UNKNOWN_TIME]
    assert python.extras["timestamp"].tolist() == ["2017-07-07 13:00:00.401000"]
    with pytest.raises(ValueError, match="unknown dialect 'java'"):
        read_csv(path, dialect="java")


def test_unknown_columns_are_extras(tmp_path):
    lines = text_of(flow_table(2)).splitlines()
    added = ["id, score ,note", "7,0.5,a b", "8,Infinity,"]
    path = saved(tmp_path, "\n".join(f"{more},{line}" for more, line in zip(added, lines, strict=True)))
    extras = {name: values.tolist() for name, values in read_csv(path).extras.items()}
    assert extras == {"id": [7, 8], "score": [0.5, np.inf], "note": ["a b", ""]}


def test_a_flow_id_alone_is_kept(tmp_path):
    lines = text_of(flow_table(1)).splitlines()
    path = saved(tmp_path, "\n".join(",".join(line.split(",")[:1] + line.split(",")[6:]) for line in lines))
    table = read_csv(path)
    assert table.extras["flow_id"].tolist() == ["10.0.0.1-10.0.0.2-40000-443-6"]
    assert table.source(0) is None


@pytest.mark.parametrize(("name", "pack"), [("f.csv.xz", lzma.compress), ("f.csv.GZ", gzip.compress)])
def test_compressed_files_are_read_and_broken_ones_refused(tmp_path, name, pack):
    packed = pack(text_of(flow_table(50)).encode())
    assert len(read_csv(saved(tmp_path, packed, name))) == 50
    for broken in (packed[: len(packed) // 2], b"no such format"):
        with pytest.raises(ValueError, match=f"{name}: not a whole compressed file"):
            read_csv(saved(tmp_path, broken, name))


def test_missing_features_are_named_with_the_file(tmp_path):
    text = text_of(flow_table()).replace("Flow Duration", "Dauer").replace("Idle Min", "x")
    with pytest.raises(ValueError, match=r"flows\.csv: no column for flow_duration, idle_min$"):
        read_csv(saved(tmp_path, text))


def test_two_columns_for_one_feature_are_refused(tmp_path):
    text = text_of(flow_table()).replace("NeedManualLabel", "1").replace("Label", "flow_duration")
    with pytest.raises(
        ValueError, match="columns 'Flow Duration' and 'flow_duration' are both flow_duration"
    ):
        read_csv(saved(tmp_path, text))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "empty: no header line"),
        ("\n\n", "empty: no header line"),
        ("hello\nworld\n", "no header of flows: none of the 76"),
        (b"\x7fELF\x00\xff" * 300, "no header of flows"),
    ],
)
def test_what_is_no_flow_table_is_refused(tmp_path, text, message):
    with pytest.raises(ValueError, match=rf"flows\.csv: {message}"):
        read_csv(saved(tmp_path, text))


def test_broken_rows_are_refused_with_their_column(tmp_path):
    text = text_of(flow_table())
    with pytest.raises(ValueError, match=r"flows\.csv: column 'Flow Duration': .*abc"):
        read_csv(saved(tmp_path, text.replace("406000", "abc")))
    with pytest.raises(ValueError, match=r"flows\.csv: .*Expected 89 columns, got 3"):
        read_csv(saved(tmp_path, text + "1,2,3\n"))
    with pytest.raises(ValueError, match=r"flows\.csv: a line is longer than"):
        read_csv(saved(tmp_path, text + "1" * 3_000_000))


def test_a_missing_file_is_an_os_error(tmp_path):
    with pytest.raises(FileNotFoundError):
        read_csv(tmp_path / "none.csv")


# Real files


@needs_shared
def test_the_published_improved_rows():
    table = read_csv(GOLDEN / "expected_improved_cicflowmeter.csv")
    assert (len(table), table.dialect, table.feature_names) == (9, "improved", IMPROVED_NAMES)
    assert table.start_us[0] == 1_499_348_422_024_349
    assert (table.source(0), table.dst_port[0], table.protocol[0]) == ("172.16.0.1", 80, 6)
    assert list(table.extras) == ["id", "Attempted Category", "label"]


@needs_shared
@pytest.mark.parametrize(
    ("name", "rows", "infinite", "missing"),
    [
        ("head999_m1.rdube", 999, 20, 0),
        ("head999_tu1.rdube", 999, 8, 4),
        ("webattacks_thursday_8000benign.neil-cipher", 10_180, 20, 2),
        ("glf_with_ips_sqli.mondirkb", 21, 0, 0),
        ("oc2_7class_sample.starrix", 6311, 20, 0),
    ],
)
def test_the_original_2017_files(name, rows, infinite, missing):
    path = ORIGINAL / f"{name}.csv.xz"
    table = read_csv(path)
    assert (len(table), table.dialect) == (rows, "cic-2017")
    assert (np.isinf(table.features).sum(), np.isnan(table.features).sum()) == (infinite, missing)
    frame = pd.read_csv(path, encoding="latin-1")
    frame.columns = [title.strip("ï»¿ ") for title in frame.columns]
    for feature in COMMON_NAMES:
        np.testing.assert_array_equal(table.column(feature), frame[BY_NAME[feature].cic_2017].to_numpy(float))
    for label in set(table.extras["label"]):
        assert find_label(label)


@needs_shared
def test_the_2018_file():
    table = read_csv(SHARED / "data" / "cic-ids2018" / "unlabelled_1000.csv")
    assert (len(table), table.dialect) == (1000, "cic-2018")
    assert set(table.protocol.tolist()) <= {0, 6, 17}
    assert table.extras["timestamp"][0] == "20/02/2018 09:50:36"


@needs_shared
@pytest.mark.parametrize("dialect", ["improved", "improved-2024", "cic-2018", "cic-v4"])
def test_the_original_tools_output(dialect):
    for path in sorted((SHARED / "reference" / dialect).glob("*.csv")):
        table = read_csv(path)
        assert table.dialect == dialect
        assert (table.start_us == UNKNOWN_TIME).all() == (dialect == "cic-2018")
        assert not np.isnan(table.features).all(axis=1).any()
        assert "label" not in table.extras


@needs_shared
def test_the_tool_s_output_survives_our_text(tmp_path):
    for path in sorted((SHARED / "reference" / "improved").glob("*.csv")):
        table = read_csv(path)
        write_csv(table, tmp_path / "flows.csv")
        assert (tmp_path / "flows.csv").read_text().splitlines()[0] == path.read_text().splitlines()[0]
        assert_same_table(read_csv(tmp_path / "flows.csv"), table)


def test_the_snake_header_is_complete():
    assert set(find_header("snake").feature_names) == set(IMPROVED_NAMES)


def test_files_of_other_sets_are_read_by_the_names_of_their_columns(tmp_path):
    path = saved(tmp_path, "duration,src_bytes,count,label\n0,181,8,normal.\n2,239,,smurf.\n")
    table = read_csv(path, required=("src_bytes", "count"))
    assert table.feature_names == ("src_bytes", "count")
    np.testing.assert_array_equal(table.features, [[181, 8], [239, np.nan]])
    assert table.extras["label"].tolist() == ["normal.", "smurf."]
