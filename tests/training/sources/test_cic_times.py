from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from flows.csv_files import read_csv
from flows.table import UNKNOWN_TIME
from helpers.flows import SHARED, flow_table, needs_shared
from training.sources.cic_times import cic_times, with_cic_times


@pytest.mark.parametrize(
    ("local", "utc"),
    [
        ("03/07/2017 08:55:58", "2017-07-03T11:55:58"),
        ("7/7/2017 3:56", "2017-07-07T18:56:00"),
        ("5/7/2017 12:00", "2017-07-05T15:00:00"),
        ("16/02/2018 01:45:27", "2018-02-16T17:45:27"),
        ("20/02/2018 10:12:07", "2018-02-20T14:12:07"),
    ],
)
def test_hours_of_the_afternoon_are_told_by_the_days_of_the_captures(local: str, utc: str) -> None:
    assert cic_times(pa.array([local])).view("datetime64[us]") == np.datetime64(utc)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "01/01/1970 12:00:00",
        "08/07/2017 03:56",
        "31/02/2018 01:00:00",
        "7/7/2017 3:99",
        "2017-07-07 13:00",
    ],
)
def test_other_times_stay_unknown(text: str) -> None:
    assert cic_times(pa.array([text, "7/7/2017 3:56"]))[0] == UNKNOWN_TIME


def test_a_file_with_hours_of_24_is_of_somebody_else() -> None:
    assert cic_times(pa.array(["7/7/2017 3:56", "7/7/2017 15:56"])).tolist() == [UNKNOWN_TIME] * 2
    assert cic_times(pa.array([], pa.string())).tolist() == []


def test_times_that_are_known_stay() -> None:
    table = flow_table(
        3,
        start_us=np.array([5, UNKNOWN_TIME, UNKNOWN_TIME]),
        extras={"timestamp": np.array(["7/7/2017 3:56", "7/7/2017 3:56", None], object)},
    )
    read = with_cic_times(table)
    assert read.start_us.tolist() == [5, 1_499_453_760_000_000, UNKNOWN_TIME]
    assert "timestamp" in read.extras
    assert not with_cic_times(table.take(slice(2))).extras
    assert with_cic_times(flow_table(2)).start_us.tolist() == flow_table(2).start_us.tolist()


@needs_shared
def test_the_same_connections_began_then_in_the_corrected_set() -> None:
    original = with_cic_times(read_csv(SHARED / "data/golden/expected_original_cicflowmeter.csv"))
    improved = read_csv(SHARED / "data/golden/expected_improved_cicflowmeter.csv")
    first = {port: original.start_us[original.src_port == port].min() for port in improved.src_port.tolist()}
    apart = improved.start_us - np.array([first[port] for port in improved.src_port.tolist()])
    assert ((apart >= 0) & (apart < 60_000_000)).all()
