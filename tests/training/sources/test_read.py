from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from context.features import CONTEXT_NAMES
from context.notes import NOTES
from flows.csv_files import write_csv
from flows.hdf5_files import write_hdf5
from flows.kdd99 import FEATURES
from flows.parquet_files import write_parquet
from flows.schema import COMMON_NAMES, IMPROVED_NAMES
from flows.table import UNKNOWN_TIME, FlowTable
from helpers.flows import SHARED, flow_table, needs_shared
from helpers.packets import connection, pcap, write_capture
from training.clean_tables import read_clean_table
from training.dataset import UNKNOWN_ACTIVITY
from training.sources.read import ReadOptions, read_training_data, with_repeated


def some(labels: list[str], *, durations: list[float], **columns: object) -> FlowTable:
    return flow_table(
        len(labels),
        features={"flow_duration": np.array(durations)},
        extras={"label": np.array(labels, object)},
        **columns,
    )


def test_several_files_are_one_set_in_the_order_of_time(tmp_path: Path) -> None:
    one, other = tmp_path / "1.parquet", tmp_path / "2.csv"
    write_parquet(some(["BENIGN", "DoS Hulk"], durations=[1, 2], start_us=np.array([10, 20])), one)
    write_csv(some(["Botnet", "DoS Hulk"], durations=[3, 2], start_us=np.array([0, 30])), other)
    flows = read_training_data([one, str(other)])
    assert flows.codes.tolist() == [1, 0, 5]
    assert flows.features[:, 0].tolist() == [3.0, 1.0, 2.0]
    assert [flows.sources[at] for at in flows.source] == [str(other), str(one), str(one)]
    assert (flows.rows_read, flows.dropped) == (4, {"duplicate": 1})
    assert len(read_training_data([one, other], options=ReadOptions(keep_duplicates=True))) == 4


def test_a_folder_is_all_files_in_it(tmp_path: Path) -> None:
    (tmp_path / "day").mkdir()
    write_parquet(some(["BENIGN"], durations=[1]), tmp_path / "1.parquet")
    write_csv(some(["Botnet"], durations=[2]), tmp_path / "day" / "2.csv.gz")
    (tmp_path / "read-me.txt").write_text("no flows")
    assert sorted(read_training_data([tmp_path]).codes.tolist()) == [0, 1]
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match=r"empty: holds no flows .* and no capture with label rules"):
        read_training_data([tmp_path / "empty"])


def test_what_made_flows_is_known_where_a_file_tells_it(tmp_path: Path) -> None:
    for name, label, activities in [
        ("1", "Portscan", ["nmap", "sweep", None]),
        ("2", "Benign", ["browse", "nmap", "browse"]),
    ]:
        table = some([label] * 3, durations=[1, 2, 3])
        told = {**table.extras, "activity": np.array(activities, object)}
        write_parquet(replace(table, extras=told), tmp_path / f"{name}.parquet")
    write_parquet(some(["Botnet"], durations=[9]), tmp_path / "3.parquet")
    flows = read_training_data([tmp_path])
    named = [flows.activities[at] if at != UNKNOWN_ACTIVITY else None for at in flows.activity.tolist()]
    expected = [("nmap", 17), ("sweep", 17), (None, 17), ("browse", 0), ("browse", 0), ("nmap", 0), (None, 1)]
    assert Counter(zip(named, flows.codes.tolist(), strict=True)) == Counter(expected)
    assert sorted(flows.take(flows.activity == flows.activities.index("nmap")).codes.tolist()) == [0, 17]


def test_context_is_read_where_files_tell_it_and_unknown_elsewhere(tmp_path: Path) -> None:
    notes = {name: np.zeros(3, np.int32) for name in NOTES}
    table = some(["Botnet", "Benign", "Botnet"], durations=[1, 2, 3], start_us=np.array([10, 20, 30]))
    write_parquet(replace(table, extras=table.extras | notes), tmp_path / "1.parquet")
    write_parquet(some(["Botnet"], durations=[4], start_us=np.array([40])), tmp_path / "2.parquet")
    flows = read_training_data([tmp_path], options=ReadOptions(context=True))
    assert flows.names == (*COMMON_NAMES, *CONTEXT_NAMES)
    counted = flows.features[:, flows.names.index("pair_flows_2s")]
    assert counted[:3].tolist() == [1.0, 2.0, 3.0]
    assert np.isnan(counted[3])
    clean = read_clean_table([tmp_path / "1.parquet"], options=ReadOptions(context=True))
    assert clean.table.column("pair_flows_2s").tolist() == [1.0, 2.0, 3.0]


def test_flows_as_they_were_before_their_end_are_learned_from_too(tmp_path: Path) -> None:
    table = some(["Botnet"] * 3, durations=[1, 2, 3], provisional=np.array([False, True, False]))
    write_parquet(table, tmp_path / "f.parquet")
    flows = read_training_data([tmp_path / "f.parquet"])
    assert flows.features[:, 0].tolist() == [1.0, 2.0, 3.0]
    assert (flows.rows_read, flows.dropped) == (3, {})


def test_files_of_two_dialects_are_not_one_set(tmp_path: Path) -> None:
    write_parquet(some(["BENIGN"], durations=[1]), tmp_path / "1.parquet")
    write_parquet(
        flow_table(1, names=COMMON_NAMES, dialect="cic-v4", extras={"label": np.array(["BENIGN"])}),
        tmp_path / "2.parquet",
    )
    with pytest.raises(ValueError, match=r"2.parquet: its flows were measured in dialect cic-v4"):
        read_training_data([tmp_path / "1.parquet", tmp_path / "2.parquet"])


def test_wants_labels(tmp_path: Path) -> None:
    write_parquet(flow_table(2), tmp_path / "f.parquet")
    with pytest.raises(ValueError, match=r"f.parquet: no flow has a label"):
        read_training_data([tmp_path / "f.parquet"])


@pytest.mark.parametrize("name", ["f.parquet", "f.csv", "f.h5"])
def test_reads_so_many_rows_of_each_file(tmp_path: Path, name: str) -> None:
    writers = {"f.parquet": write_parquet, "f.csv": write_csv, "f.h5": write_hdf5}
    writers[name](some(["BENIGN"] * 5, durations=[1, 2, 3, 4, 5]), tmp_path / name)
    flows = read_training_data([tmp_path / name], options=ReadOptions(nrows=2))
    assert (len(flows), flows.rows_read) == (2, 2)


def test_flows_are_read_again_with_those_that_repeat_others(tmp_path: Path) -> None:
    path = tmp_path / "f.parquet"
    write_parquet(some(["BENIGN"] * 3, durations=[1, 1, 2]), path)
    flows = read_training_data([path])
    repeated = with_repeated([path], flows)
    assert repeated is not None
    assert (len(flows), len(repeated)) == (2, 3)
    assert with_repeated([path], repeated) is None


def test_a_folder_s_captures_are_read_where_there_are_rules(tmp_path: Path) -> None:
    write_capture(tmp_path / "scan.pcap", pcap(connection()))
    write_hdf5(some(["Botnet"], durations=[2]), tmp_path / "train.h5")
    assert read_training_data([tmp_path]).codes.tolist() == [1]
    (tmp_path / "labels.yaml").write_text("rules: [{label: PortScan}]")
    assert sorted(read_training_data([tmp_path]).codes.tolist()) == [1, 17]
    (tmp_path / "labels.yaml").unlink()
    (tmp_path / "rules.yaml").write_text("rules: [{label: PortScan - Attempted}]")
    options = ReadOptions(rules=tmp_path / "rules.yaml", attempted="attack")
    assert sorted(read_training_data([tmp_path], options=options).codes.tolist()) == [1, 17]


def test_labels_in_a_file_of_their_own(tmp_path: Path) -> None:
    write_csv(flow_table(2, names=COMMON_NAMES, dialect="cic-v4"), tmp_path / "Data.csv")
    (tmp_path / "Label.csv").write_text("Label\n0\n9\n")
    for location in (tmp_path, tmp_path / "Data.csv"):
        flows = read_training_data([location])
        assert (flows.codes.tolist(), flows.dialect) == ([0, 28], "cic-v4")


def test_connections_have_the_features_that_their_models_read(tmp_path: Path) -> None:
    row = ",".join(["0", "icmp", "ecr_i", "SF", "1032", *["0"] * 36])
    (tmp_path / "corrected").write_text(f"{row},smurf.\n{row},smurf.\n{row},normal.\n")
    flows = read_training_data([tmp_path / "corrected"])
    assert (flows.names, flows.dialect, flows.codes.tolist()) == (FEATURES, "kdd99", [22, 0])
    assert flows.dropped == {"duplicate": 1}
    write_parquet(some(["BENIGN"], durations=[1]), tmp_path / "f.parquet")
    with pytest.raises(ValueError, match="dialect improved"):
        read_training_data([tmp_path / "corrected", tmp_path / "f.parquet"])


def test_both_headers_of_2018_with_repeated_ones_and_local_times(tmp_path: Path) -> None:
    table = some(["Benign", "DoS attacks-Hulk"], durations=[1, -2], names=COMMON_NAMES, dialect="cic-2018")
    write_csv(table, tmp_path / "own.csv")
    titles, *rows = [line.split(",") for line in (tmp_path / "own.csv").read_text().splitlines()]
    times = ["20/02/2018 10:12:07", "20/02/2018 01:14:00"]
    for row, time in zip(rows, times, strict=True):
        row[titles.index("Timestamp")] = time
    assert titles[:4] == ["Flow ID", "Src IP", "Src Port", "Dst IP"]
    for first, columns in ((0, 84), (4, 80)):
        lines = [",".join(cells[first:]) for cells in (titles, rows[0], titles, rows[1], titles)]
        (tmp_path / "day.csv").write_text("\n".join(lines))
        flows = read_training_data([tmp_path / "day.csv"])
        assert len(titles) - first == columns
        assert (flows.dialect, flows.codes.tolist()) == ("cic-2018", [0, 5])
        assert (flows.rows_read, flows.dropped) == (4, {"repeated header": 2})
        starts = flows.start_us.view("datetime64[us]").astype(str).tolist()
        assert starts == ["2018-02-20T14:12:07.000000", "2018-02-20T17:14:00.000000"]
        assert flows.features[:, 0].tolist() == [1, -2]
        assert (flows.pair >= 0).all() == (columns == 84)


def test_the_hdf5_of_the_predecessor_has_integers_and_no_dialect(tmp_path: Path) -> None:
    features = dict.fromkeys(COMMON_NAMES, np.array([1, 2], np.uint16))
    columns = {"dst_port": np.array([80, 443], np.uint32), "protocol": np.array([6, 17], np.uint8)}
    times = ["20/02/2018 10:12:07", "01/01/1970 12:00:00"]
    labels = ["DDoS attacks-LOIC-HTTP", "Infilteration"]
    frame = pd.DataFrame(columns | {"timestamp": times} | features | {"label": labels})
    with pd.HDFStore(str(tmp_path / "train.h5"), "w", complevel=5, complib="zlib") as store:
        store.put("ids_data", frame, format="table", track_times=False)
    flows = read_training_data([tmp_path / "train.h5"], options=ReadOptions(dialect="cic-2018"))
    assert (flows.dialect, flows.codes.tolist(), flows.dst_port.tolist()) == ("cic-2018", [12, 10], [443, 80])
    assert flows.features.tolist() == [[2.0] * 76, [1.0] * 76]
    assert flows.start_us.tolist() == [UNKNOWN_TIME, 1_519_135_927_000_000]


def test_all_features_of_a_set_can_be_taken(tmp_path: Path) -> None:
    write_csv(some(["Botnet"], durations=[2]), tmp_path / "f.csv")
    flows = read_training_data([tmp_path / "f.csv"], options=ReadOptions(names=IMPROVED_NAMES))
    assert flows.names == IMPROVED_NAMES


@needs_shared
@pytest.mark.parametrize(
    ("name", "rows", "dropped", "odd", "timed"),
    [
        ("glf_with_ips_ddos.mondirkb", 1000, {}, (0, 0, 459), True),
        ("glf_with_ips_portscan.mondirkb", 1000, {"duplicate": 580}, (0, 0, 21), True),
        ("glf_with_ips_sqli.mondirkb", 21, {}, (0, 0, 0), True),
        ("glf_with_ips_xss.mondirkb", 652, {}, (0, 0, 17), True),
        ("head999_f1.rdube", 999, {"duplicate": 10}, (1, 0, 529), False),
        ("head999_f2.rdube", 999, {"duplicate": 14}, (1, 0, 640), False),
        ("head999_f3.rdube", 999, {"duplicate": 20}, (1, 0, 574), False),
        ("head999_m1.rdube", 999, {"duplicate": 62}, (5, 0, 440), False),
        ("head999_th1.rdube", 1006, {"duplicate": 6}, (0, 0, 627), False),
        ("head999_tu1.rdube", 999, {"duplicate": 18}, (5, 4, 366), False),
        ("oc2_7class_sample.starrix", 6311, {"duplicate": 1015}, (4, 0, 388), False),
        ("webattacks_thursday_8000benign.neil-cipher", 10_180, {"duplicate": 213}, (11, 2, 4768), False),
    ],
)
def test_all_pieces_of_the_original_set_load(
    name: str, rows: int, dropped: dict[str, int], odd: tuple[int, int, int], timed: bool
) -> None:
    flows = read_training_data([SHARED / "data" / "cic-ids2017-original" / f"{name}.csv.xz"])
    assert (flows.rows_read, flows.dropped, flows.dialect) == (rows, dropped, "cic-2017")
    assert len(flows) + sum(flows.dropped.values()) == rows
    values = flows.features
    found = (np.isinf(values), np.isnan(values), values < 0)
    assert tuple(int(mask.any(axis=1).sum()) for mask in found) == odd
    assert ((flows.start_us != UNKNOWN_TIME) & (flows.pair >= 0)).all() == timed


@needs_shared
def test_reads_the_corrected_cic_ids2017() -> None:
    flows = read_training_data([SHARED / "data" / "cic-ids2017-improved" / "flows.parquet"])
    assert (flows.rows_read, flows.dropped) == (56_277, {"duplicate": 13_384})
    counts = dict(zip(*np.unique(flows.codes, return_counts=True), strict=True))
    assert (counts[0], counts[5], counts[13], counts[16]) == (7458, 7415, 13, 11)
    assert (np.diff(flows.start_us) >= 0).all()
    assert len(np.unique(flows.pair)) > 100
