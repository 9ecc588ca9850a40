from __future__ import annotations

from detection.refusal import refusal
from flows.dialects import PYTHON
from flows.schema import COMMON_NAMES
from helpers.models import make_record, make_scorer

SCORER = make_scorer()
ICMP = make_scorer(make_record(names=(*COMMON_NAMES, "icmp_code", "icmp_type")), version="2")


def test_what_the_sensor_measures_is_judged() -> None:
    assert refusal(SCORER, "improved", COMMON_NAMES) is None
    assert refusal(SCORER, PYTHON, COMMON_NAMES, also_scored={PYTHON}) is None


def test_a_foreign_dialect_is_named() -> None:
    why = refusal(SCORER, "cic-2018", COMMON_NAMES, also_scored={PYTHON})
    assert why
    assert why.reason == "dialect"
    assert why.message == "model ml-ids version 1 reads dialect improved, the sensor measures cic-2018"


def test_every_missing_feature_is_named() -> None:
    why = refusal(ICMP, "improved", COMMON_NAMES)
    assert why
    assert why.reason == "features"
    assert why.message == (
        "model ml-ids version 2 reads features the sensor does not measure: icmp_code, icmp_type"
    )
