from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.tree import DecisionTreeClassifier

from detection.compile_sklearn import compile_pipeline
from detection.scorer import Scorer
from detection.steps import Linear
from flows.schema import COMMON_NAMES, IMPROVED_NAMES
from flows.table import FlowTable
from helpers.models import fitted_pipeline, made_up_flows, make_record, make_scorer, typical_table


def test_verdicts_are_in_the_tables_order() -> None:
    verdicts = make_scorer(version="7").score(typical_table([0, 5, 17, 0]))
    assert verdicts.code.tolist() == [0, 5, 17, 0]
    assert [verdicts.label(row) for row in range(3)] == ["benign", "DoS Hulk", "Portscan"]
    assert (verdicts.p_attack >= 0.5).tolist() == [False, True, True, False]
    assert (verdicts.p_label > 0.5).all()
    assert (verdicts.model_name, verdicts.model_version) == ("ml-ids", "7")
    assert verdicts.threshold == 0.5
    assert verdicts.schema_id == make_record().schema_id


def test_the_threshold_decides_and_not_the_likeliest_class() -> None:
    features, _ = made_up_flows(300, seed=8)
    table = FlowTable.from_features(features, COMMON_NAMES, "improved")
    p_attack = make_scorer().score(table).p_attack
    threshold = float(np.median(p_attack))
    verdicts = make_scorer(make_record(threshold=threshold)).score(table)
    assert (verdicts.is_attack == (p_attack >= threshold)).all()
    assert verdicts.is_attack.sum() >= 150
    probabilities = make_scorer().probabilities(features)
    attacks = verdicts.is_attack
    assert (verdicts.code[attacks] == np.array([5, 17])[probabilities[attacks, 1:].argmax(axis=1)]).all()
    column = np.searchsorted([0, 5, 17], verdicts.code)
    assert (verdicts.p_label == probabilities[np.arange(300), column]).all()


def test_another_threshold_makes_another_scorer_of_the_same_model() -> None:
    scorer = make_scorer(make_record(threshold=0.5), version="7")
    strict = scorer.with_threshold(1.0)
    table = typical_table([5, 17, 0])
    assert (scorer.threshold, strict.threshold, strict.record.threshold) == (0.5, 1.0, 0.5)
    assert scorer.score(table).is_attack.tolist() == [True, True, False]
    verdicts = strict.score(table)
    assert (verdicts.threshold, verdicts.model_version) == (1.0, "7")
    assert verdicts.is_attack.tolist() == (verdicts.p_attack >= 1.0).tolist()


@pytest.mark.parametrize("threshold", [0.0, -0.1, 1.000001, float("nan")])
def test_a_threshold_that_is_none(threshold: float) -> None:
    with pytest.raises(ValueError, match="not above 0 and at most 1"):
        make_scorer().with_threshold(threshold)


def test_the_benign_column_may_be_anywhere() -> None:
    pipeline = fitted_pipeline()
    compiled = compile_pipeline(pipeline)
    last = compiled.steps[-1]
    assert isinstance(last, Linear)
    turned_last = Linear(
        last.columns, np.ascontiguousarray(last.weights[:, ::-1]), np.ascontiguousarray(last.bias[::-1])
    )
    turned = replace(compiled, steps=(*compiled.steps[:-1], turned_last))
    table = typical_table([0, 5, 17])
    straight = Scorer(compiled, make_record()).score(table)
    reverse = Scorer(turned, make_record(classes=(17, 5, 0))).score(table)
    assert (reverse.code == straight.code).all()
    assert np.allclose(reverse.p_attack, straight.p_attack, atol=1e-12)


def test_flows_the_model_knows_nothing_of_are_no_attacks() -> None:
    table = typical_table([5, 5, 5, 5, 5])
    name = table.feature_names.index
    table.features[0, [name("tot_fwd_pkts"), name("tot_bwd_pkts")]] = 1, 0
    table.features[1, name("flow_duration")] = 0
    table.features[2, name("flow_duration")] = -5
    table.features[3, name("flow_duration")] = np.nan
    verdicts = make_scorer().score(table)
    assert verdicts.insufficient.tolist() == [True, True, True, True, False]
    assert verdicts.code.tolist() == [0, 0, 0, 0, 5]
    assert verdicts.label(0) == "insufficient"
    assert np.isnan(verdicts.p_attack[:4]).all()
    assert np.isnan(verdicts.p_label[:4]).all()


def test_a_model_without_the_rule_judges_every_flow() -> None:
    table = typical_table([5])
    table.features[0, table.feature_names.index("flow_duration")] = 0
    assert not make_scorer(make_record(insufficient=None)).score(table).insufficient.any()


def test_finds_its_features_in_any_order_and_among_others() -> None:
    narrow = typical_table([0, 5, 17])
    names = tuple(reversed(IMPROVED_NAMES))
    features = np.full((3, len(names)), 3.0)
    for column, name in enumerate(names):
        if name in COMMON_NAMES:
            features[:, column] = narrow.column(name)
    wide = FlowTable.from_features(features, names, "improved")
    assert (make_scorer().score(wide).p_attack == make_scorer().score(narrow).p_attack).all()


def test_names_all_missing_features() -> None:
    names = COMMON_NAMES[2:]
    table = FlowTable.from_features(np.ones((1, len(names))), names, "improved")
    assert make_scorer().missing(names) == COMMON_NAMES[:2]
    with pytest.raises(KeyError, match="flow_duration, tot_fwd_pkts"):
        make_scorer().score(table)


def test_scores_raw_values_and_leaves_the_table_alone() -> None:
    table = typical_table([5])
    table.features[0, 15] = np.inf
    table.features[0, 16] = np.nan
    before = table.features.copy()
    assert np.isfinite(make_scorer().score(table).p_attack).all()
    assert np.array_equal(table.features, before, equal_nan=True)


def test_scores_no_rows() -> None:
    assert len(make_scorer().score(typical_table([]))) == 0


def test_refuses_a_record_of_another_model() -> None:
    with pytest.raises(ValueError, match="the model has 76 features and 3 classes, its record 76 and 2"):
        Scorer(compile_pipeline(fitted_pipeline()), make_record(classes=(0, 5)))


def test_a_model_may_keep_missing_values_only_where_trees_read_them() -> None:
    record = make_record(names=COMMON_NAMES[:4], insufficient=None)
    keeping = record.model_copy(
        update={"preprocessing": record.preprocessing.model_copy(update={"nan": None})}
    )
    features, codes = made_up_flows(300, features=4)
    features[::3, 1] = np.nan
    tree = DecisionTreeClassifier(random_state=0).fit(features, codes)
    scorer = Scorer(compile_pipeline(tree), keeping)
    assert (scorer.probabilities(features) == tree.predict_proba(features)).all()
    with pytest.raises(ValueError, match=r"preprocessing\.nan"):
        Scorer(compile_pipeline(fitted_pipeline(features=4)), keeping)


def test_threads_may_share_it() -> None:
    scorer = make_scorer()
    features, _ = made_up_flows(3000, seed=4)
    table = FlowTable.from_features(features, COMMON_NAMES, "improved")
    expected = scorer.score(table)
    with ThreadPoolExecutor(4) as pool:
        for verdicts in pool.map(lambda _: scorer.score(table), range(8)):
            assert (verdicts.p_attack == expected.p_attack).all()


def test_explains_what_moved_each_flow() -> None:
    scorer = make_scorer()
    table = typical_table([5, 0, 17])
    verdicts = scorer.score(table)
    for row, explanation in enumerate(scorer.explain(table)):
        assert explanation is not None
        assert explanation.p_attack == verdicts.p_attack[row]
        sizes = [abs(each.contribution) for each in explanation.contributions]
        assert len(sizes) == 10
        assert sizes == sorted(sizes, reverse=True)
        total = explanation.base + sum(each.contribution for each in explanation.contributions)
        assert total + explanation.rest == pytest.approx(explanation.p_attack, abs=1e-12)
        for each in explanation.contributions:
            assert each.value == table.column(each.feature)[row]
            assert each.median == 500.0
    attack, benign, _ = scorer.explain(table)
    assert attack is not None
    assert benign is not None
    assert attack.base == benign.base
    assert attack.contributions[0].contribution > 0 > benign.contributions[0].contribution


def test_a_feature_that_stands_twice_is_explained_once() -> None:
    names = ("fwd_header_len", "flow_duration", "fwd_header_len")
    table = typical_table([5])
    scorer = make_scorer(make_record(names=names, insufficient=None))
    (explanation,) = scorer.explain(table)
    assert explanation is not None
    assert sorted(each.feature for each in explanation.contributions) == ["flow_duration", "fwd_header_len"]
    total = explanation.base + sum(each.contribution for each in explanation.contributions)
    assert total == pytest.approx(explanation.p_attack, abs=1e-12)


def test_explanations_show_values_as_the_flow_has_them() -> None:
    names = COMMON_NAMES[:3]
    table = typical_table([5])
    small = FlowTable.from_features(table.features[:, :3].copy(), names, "improved")
    small.features[0, 2] = np.inf
    (explanation,) = make_scorer(make_record(names=names)).explain(small)
    assert explanation is not None
    assert {each.feature: each.value for each in explanation.contributions}[names[2]] == np.inf
    assert explanation.rest == pytest.approx(0.0, abs=1e-12)


def test_flows_the_model_knows_nothing_of_are_not_explained() -> None:
    table = typical_table([5, 5])
    table.features[0, table.feature_names.index("flow_duration")] = 0
    without, with_one = make_scorer().explain(table)
    assert without is None
    assert with_one is not None
    with pytest.raises(KeyError, match="flow_duration"):
        make_scorer().explain(FlowTable.from_features(np.ones((1, 75)), COMMON_NAMES[1:], "improved"))


def test_a_model_that_is_not_compiled_explains_nothing_and_says_so_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    class Other:
        features, classes = 76, 3

        def probabilities(self, rows: NDArray[np.float64]) -> NDArray[np.float64]:
            return np.full((len(rows), 3), 1 / 3)

    scorer = Scorer(Other(), make_record(), model_name="ml-ids", model_version="4")
    scorer.warm_up()
    assert scorer.unexplained == "has no compiled form"
    assert scorer.explain(typical_table([0, 5])) == scorer.explain(typical_table([5, 0])) == (None, None)
    assert [record.getMessage() for record in caplog.records] == [
        "model ml-ids version 4 has no compiled form: its verdicts go without explanations"
    ]


def test_knows_its_own_verdicts() -> None:
    table = typical_table([5])
    first, second = make_scorer(version="1"), make_scorer(version="2")
    assert first.made(first.with_threshold(0.9).score(table))
    assert not first.made(second.score(table))
