from __future__ import annotations

import pytest

from helpers.models import make_scorer, typical_table
from inference_server.explaining import LatestModels


def test_verdicts_are_explained_by_the_model_that_made_them() -> None:
    models, table = LatestModels(), typical_table([5, 17])
    versions = [make_scorer(version=version) for version in "123"]
    for scorer in versions:
        models.serve(scorer)
    for scorer in versions[1:]:
        explanations = models.explain(table, scorer.score(table))
        assert [each and each.p_attack for each in explanations] == pytest.approx(
            scorer.score(table).p_attack.tolist()
        )
    assert models.explain(table, versions[0].score(table)) == (None, None)


def test_another_threshold_is_no_other_model() -> None:
    models, table = LatestModels(), typical_table([5])
    first, second = make_scorer(version="1"), make_scorer(version="2")
    for scorer in (first, second, second.with_threshold(0.9), second.with_threshold(0.8)):
        models.serve(scorer)
    assert models.explain(table, first.score(table)) != (None,)


def test_without_a_model_there_is_no_explanation() -> None:
    table = typical_table([5])
    assert LatestModels().explain(table, make_scorer().score(table)) == (None,)
