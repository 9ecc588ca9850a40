from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.ensemble import GradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from detection.import_card import Source
from detection.importing import AS_IT_IS, Imported, Wanted, golden_places, make_package
from detection.package import CARD, CATBOOST, GOLDEN, MODEL, load_package
from detection.preprocess import clean
from flows.schema import BY_NAME, COMMON_NAMES
from helpers.foreign import fitted_forest, golden_flows, titles_2018, training_frame
from helpers.models import fitted_catboost, log_folder, typical_table

TWENTY = COMMON_NAMES[:20]
SOURCE = Source("models:/theirs/1", "abc", {"f1": 0.75})


@pytest.fixture
def golden(tmp_path: Path) -> Path:
    return golden_flows(tmp_path / "golden.parquet")


def wanted_for(golden: Path, **changes: object) -> Wanted:
    return replace(Wanted(dialect="improved", benign="BENIGN", golden=golden), **changes)


def imported(estimator: object, wanted: Wanted, folder: Path) -> tuple[Imported, Path]:
    package = folder / "package"
    return make_package(log_folder(estimator, folder / "logged"), wanted, SOURCE, package), package


def test_a_forest_of_twenty_features_becomes_a_package(golden: Path, tmp_path: Path) -> None:
    forest = fitted_forest(titles_2018(TWENTY))
    made, package = imported(forest, wanted_for(golden, threshold=0.3), tmp_path)
    assert (made.kind, made.compared) == ("compiled arrays", 60)
    assert made.difference < 1e-12
    assert made.record.features == TWENTY
    assert made.record.class_names == ("Benign", "DoS Hulk", "Portscan")
    assert (package / MODEL).is_file()
    assert (package / "model" / "MLmodel").is_file()
    scorer = load_package(package)
    assert scorer.score(typical_table([0, 5, 17])).code.tolist() == [0, 5, 17]
    assert scorer.threshold == 0.3


def test_the_record_holds_what_the_benign_flows_are(golden: Path, tmp_path: Path) -> None:
    made, _ = imported(fitted_forest(titles_2018(TWENTY)), wanted_for(golden), tmp_path)
    benign = [row[10] for row in made.record.benign_quantiles.values]
    assert len(benign) == 20
    assert 10 < np.median(benign) < 1000
    assert made.record.figures["golden flows/benign flagged"] < 0.2
    assert made.record.figures["golden flows/attacks flagged"] > 0.9
    assert made.record.insufficient is None


def test_the_card_says_what_is_known(golden: Path, tmp_path: Path) -> None:
    _, package = imported(fitted_forest(titles_2018(TWENTY)), wanted_for(golden), tmp_path)
    card = (package / CARD).read_text()
    for told in (
        "from `models:/theirs/1` (run `abc`)",
        "Reads 20 features",
        "dialect `improved`",
        "On 60 flows of `golden.parquet`",
        "| PortScan | Portscan | 17 |",
        "f1: 0.75",
        "NaN becomes 0, infinity becomes 0",
    ):
        assert told in card


def test_the_golden_batch_is_raw_rows_with_the_estimators_own_answers(golden: Path, tmp_path: Path) -> None:
    forest = fitted_forest(titles_2018(TWENTY))
    rules = AS_IT_IS.model_copy(update={"nan": -7.0, "infinity": 9e5})
    _, package = imported(forest, wanted_for(golden, preprocessing=rules), tmp_path)
    with np.load(package / GOLDEN) as batch:
        rows, probabilities = batch["rows"], batch["probabilities"]
    assert np.isnan(rows).any()
    assert np.isposinf(rows).any()
    frame = pd.DataFrame(clean(rows, rules), columns=titles_2018(TWENTY))
    np.testing.assert_array_equal(probabilities, forest.predict_proba(frame))


def test_the_column_that_cic_ids2017_has_twice_is_read_twice(golden: Path, tmp_path: Path) -> None:
    titles = [BY_NAME[name].cic_2017 for name in COMMON_NAMES]
    titles.insert(55, "Fwd Header Length.1")
    made, package = imported(fitted_forest(titles), wanted_for(golden), tmp_path)
    assert made.record.features.count("fwd_header_len") == 2
    assert load_package(package).score(typical_table([0, 5, 17])).code.tolist() == [0, 5, 17]


def test_a_model_of_another_data_set_keeps_its_names(tmp_path: Path) -> None:
    titles = ["duration", "src_bytes", "dst_bytes", "count"]
    frame, labels = training_frame(titles, classes=(0, 5))
    forest = RandomForestClassifier(5, random_state=0).fit(frame, labels == "DoS Hulk")
    path = tmp_path / "kdd.csv"
    frame.assign(label=np.where(labels == "BENIGN", "normal.", "smurf.")).to_csv(path, index=False)
    made, _ = imported(forest, wanted_for(path, benign="False"), tmp_path)
    assert made.record.features == tuple(titles)
    assert made.record.classes == (0, 35)
    assert made.record.figures["golden flows/benign flagged"] < 0.1


def test_catboost_models_keep_their_own_file(golden: Path, tmp_path: Path) -> None:
    fitted = fitted_catboost(features=76)
    fitted.save_model(str(tmp_path / "theirs.cbm"))
    wanted = wanted_for(golden, benign="0", numbers=True, columns=COMMON_NAMES)
    made = make_package(tmp_path / "theirs.cbm", wanted, SOURCE, tmp_path / "package")
    assert made.kind == "CatBoost"
    assert (tmp_path / "package" / CATBOOST).is_file()
    scorer = load_package(tmp_path / "package")
    assert scorer.score(typical_table([0, 5, 17])).code.tolist() == [0, 5, 17]


def test_nan_is_left_to_a_model_that_learned_it(golden: Path, tmp_path: Path) -> None:
    frame, labels = training_frame(titles_2018(TWENTY))
    frame.iloc[::3, 0] = np.nan
    keep = AS_IT_IS.model_copy(update={"nan": None})
    forest = RandomForestClassifier(8, random_state=0).fit(frame, labels)
    made, package = imported(forest, wanted_for(golden, preprocessing=keep), tmp_path)
    assert made.difference < 1e-12
    assert load_package(package).record.preprocessing.nan is None
    linear = make_pipeline(StandardScaler(), LogisticRegression()).fit(frame.fillna(0), labels)
    with pytest.raises(ValueError, match=r"--nan keep: the model cannot read NaN"):
        imported(linear, wanted_for(golden, preprocessing=keep), tmp_path / "linear")


def test_without_a_compiled_form_it_is_kept_only_when_asked(golden: Path, tmp_path: Path) -> None:
    frame, labels = training_frame(titles_2018(TWENTY))
    boosted = GradientBoostingClassifier(n_estimators=3, random_state=0).fit(frame, labels)
    with pytest.raises(ValueError, match=r"GradientBoostingClassifier.*--pickle imports it as it is"):
        imported(boosted, wanted_for(golden), tmp_path / "refused")
    made, package = imported(boosted, wanted_for(golden, keep_pickle=True), tmp_path / "kept")
    assert made.kind == "pickle"
    with pytest.raises(ValueError, match="ALLOW_PICKLE_MODELS=true"):
        load_package(package)
    assert load_package(package, allow_pickle=True).record == made.record


@pytest.mark.parametrize(
    ("titles", "message"),
    [
        (
            ["Flow Duration", "Dst Port"],
            r"the model reads 'Dst Port': addresses, ports.*train it w",
        ),
        (["Flow Duration", "flow_duration"], r"flow_duration: a name stands twice"),
    ],
)
def test_names_columns_that_no_model_may_read(
    titles: list[str], message: str, golden: Path, tmp_path: Path
) -> None:
    with pytest.raises(ValueError, match=message):
        imported(fitted_forest(titles), wanted_for(golden), tmp_path)


def test_a_model_without_names_is_told_them(golden: Path, tmp_path: Path) -> None:
    frame, labels = training_frame(titles_2018(TWENTY))
    nameless = RandomForestClassifier(5, random_state=0).fit(frame.to_numpy(), labels)
    with pytest.raises(ValueError, match=r"does not say what its 20 columns are: name them in order with"):
        imported(nameless, wanted_for(golden), tmp_path / "one")
    with pytest.raises(ValueError, match=r"--features: the model reads 20 columns, 2 are named"):
        imported(nameless, wanted_for(golden, columns=("a", "b")), tmp_path / "two")
    made, _ = imported(nameless, wanted_for(golden, columns=tuple(titles_2018(TWENTY))), tmp_path / "three")
    assert made.record.features == TWENTY


def test_names_flows_that_do_not_fit(golden: Path, tmp_path: Path) -> None:
    forest = fitted_forest(titles_2018(TWENTY))
    with pytest.raises(ValueError, match=r"golden.parquet: was measured by dialect improved, not --d"):
        imported(forest, wanted_for(golden, dialect="cic-2018"), tmp_path / "one")
    (tmp_path / "few.csv").write_text("flow_duration,tot_fwd_pkts\n1,2\n")
    with pytest.raises(ValueError, match=r"few.csv: no column for tot_bwd_pkts"):
        imported(forest, wanted_for(tmp_path / "few.csv"), tmp_path / "two")
    (tmp_path / "none.csv").write_text(",".join(COMMON_NAMES) + "\n")
    with pytest.raises(ValueError, match=r"none.csv: holds no flow"):
        imported(forest, wanted_for(tmp_path / "none.csv"), tmp_path / "three")


def test_golden_rows_are_spread_and_hold_odd_ones() -> None:
    rows = np.ones((10_000, 3))
    rows[[5, 77], 1] = np.nan
    places = golden_places(rows)
    assert {0, 5, 77, 9_999} <= {*places.tolist()}
    assert 250 < len(places) <= 258
    assert golden_places(np.ones((1, 3))).tolist() == [0]
