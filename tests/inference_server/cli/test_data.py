from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
from click.testing import Result
from typer.testing import CliRunner

from clients.rest_client.dataset import is_attack, read_dataset
from flows.csv_files import write_csv
from flows.parquet_files import read_parquet
from flows.schema import COMMON_NAMES
from flows.table import FlowTable
from helpers.flows import SHARED, flow_table, needs_shared
from helpers.models import made_up_flows
from helpers.packets import connection, pcap, write_capture
from inference_server.cli import app
from training.sources.read import read_training_data

SPELLED = {0: "Benign", 5: "DoS attacks-Hulk", 17: "PortScan"}


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["data", *(str(argument) for argument in arguments)])


def saved(path: Path) -> Path:
    table = flow_table(
        4,
        features={"flow_duration": np.array([1.0, 2.0, 2.0, -3.0])},
        extras={"label": np.array(["BENIGN", "DoS Hulk", "DoS Hulk", "DoS Hulk - Attempted"], object)},
    )
    write_csv(table, path)
    titles, *rows = path.read_text().splitlines()
    path.write_text("\n".join([titles, rows[0], titles, *rows[1:], ""]))
    return path


def test_describes_classes_times_and_what_was_dropped(tmp_path: Path) -> None:
    result = run("describe", saved(tmp_path / "f.csv"), "--attempted", "attack")
    assert result.exit_code == 0, result.output
    said = " ".join(result.output.split())
    assert "3 flows of 5 rows (dropped: 1 repeated header, 1 duplicate)" in said
    assert "dialect improved, 76 features, 1 pairs of hosts" in said
    assert "values that preprocessing replaces: negative in 1" in said
    assert "DoS Hulk" in said
    assert "66.67%" in said
    assert "2017-07-07 13:00:00" in said


def test_describes_as_json(tmp_path: Path) -> None:
    result = run("describe", saved(tmp_path / "f.csv"), saved(tmp_path / "g.csv"), "--json")
    found = json.loads(result.output)
    assert found["dropped"] == {"repeated header": 2, "attempted": 2, "duplicate": 4}
    assert [(each["name"], each["rows"]) for each in found["classes"]] == [("Benign", 1), ("DoS Hulk", 1)]
    assert list(found["sources"].values()) == [2, 0]


def test_converts_a_capture_and_its_rules(tmp_path: Path) -> None:
    capture = write_capture(tmp_path / "scan.pcap", pcap([*connection(), *connection(1_000_000, port=40001)]))
    (tmp_path / "rules.yaml").write_text("rules: [{label: PortScan, source_port: 40001}]")
    output = tmp_path / "flows.parquet"
    result = run("convert", capture, "--rules", tmp_path / "rules.yaml", "-o", output, "--keep-duplicates")
    assert result.exit_code == 0, result.output
    assert "flows.parquet: 2 flows of 2 rows" in result.output
    assert read_parquet(output).extras["label"].tolist() == ["Benign", "Portscan"]


def big(path: Path, rows: int = 600) -> Path:
    """Write flows of three classes, an hour of 2018, as that set was published."""
    features, codes = made_up_flows(rows)
    table = FlowTable.from_features(
        features,
        COMMON_NAMES,
        "cic-2018",
        dst_port=np.full(rows, 80, np.int32),
        protocol=np.full(rows, 6, np.int16),
        start_us=1_519_135_200_000_000 + 9_000_000 * np.arange(rows),
        extras={"label": np.array([SPELLED[code] for code in codes.tolist()], object)},
    )
    write_csv(table, path)
    return path


def test_splits_into_what_the_predecessor_s_programs_and_our_clients_read(tmp_path: Path) -> None:
    (tmp_path / "processed").mkdir()
    big(tmp_path / "processed" / "day.csv")
    out = tmp_path / "dataset"
    flags = ("--val-size", 0.1, "--test-size", 0.1, "--random-seed", 42)
    result = run("split", "--dataset-path", tmp_path / "processed", "--output-path", out, *flags)
    assert result.exit_code == 0, result.output
    sizes = {}
    for name in ("train", "val", "test"):
        path = out / f"{name}.h5"
        frame = pd.read_hdf(path, "ids_data")
        assert list(frame.columns) == ["dst_port", "protocol", "timestamp", *COMMON_NAMES, "label"]
        dataset = read_dataset(path, path.name)
        assert set(dataset.categories) == {"Benign", "DoS Hulk", "Portscan"}
        assert [is_attack(label) for label in dataset.categories].count(False) == 1
        again = read_training_data([path])
        assert again.dialect == "cic-2018"
        sizes[name] = len(frame)
        assert len(again) == len(dataset) == sizes[name]
    assert sizes == {"train": 480, "val": 60, "test": 60}
    assert [path.name for path in sorted(out.iterdir())] == ["test.h5", "train.h5", "val.h5"]
    every = np.concatenate([read_training_data([path]).features[:, 0] for path in out.iterdir()])
    assert len(np.unique(every)) == 600


def test_splits_by_time_into_other_formats_and_takes_so_many_rows(tmp_path: Path) -> None:
    source, out = big(tmp_path / "day.csv"), tmp_path / "parts"
    flags = ("--strategy", "time-ordered", "--format", "parquet", "--nrows", 150)
    result = run("split", "--dataset-path", source, "--output-path", out, *flags)
    assert result.exit_code == 0, result.output
    train, val, test = (read_parquet(out / f"{name}.parquet") for name in ("train", "val", "test"))
    assert (len(train), len(val), len(test)) == (120, 15, 15)
    assert train.start_us.max() <= val.start_us.min()
    assert val.start_us.max() <= test.start_us.min()


def test_errors_are_one_line(tmp_path: Path) -> None:
    source = saved(tmp_path / "f.csv")
    for arguments, said in (
        (("convert", source, "-o", tmp_path / "f.txt"), "the output's name must end in"),
        (("convert", source, "-o", source), "is also an input"),
        (("describe", tmp_path / "none.csv"), "none.csv: No such file"),
        (("describe", source, "--dialect", "klingon"), "unknown dialect 'klingon'"),
        (("describe", tmp_path / "f.csv", "--rules", tmp_path / "none.yaml", "--nrows", "0"), "nrows"),
    ):
        result = run(*arguments)
        assert result.exit_code != 0
        assert said in result.stderr


@needs_shared
def test_describes_the_test_set_of_nsl_kdd() -> None:
    found = json.loads(run("describe", SHARED / "data/nsl-kdd/KDDTest+.txt.xz", "--json").output)
    assert (found["dialect"], found["features"], found["rows_read"]) == ("kdd99", 31, 22_544)
    assert {each["code"] for each in found["classes"]} == {0, 22, 30, 31, 32}
