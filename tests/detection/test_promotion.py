from __future__ import annotations

from pathlib import Path

import pytest

from detection.model_uri import ModelUri
from detection.promotion import promote, rollback
from detection.registry import Registry
from helpers.models import make_package, make_record


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_package(tmp_path_factory.mktemp("starter"))


@pytest.fixture
def registry(tmp_path: Path, template: Path) -> Registry:
    """A registry of three versions, the first of which is the champion."""
    registry = Registry(
        tracking_uri=None, state_dir=tmp_path / "state", register_starter=False, starter=template
    )
    for number in (2, 3):
        record = make_record(threshold=number / 10)
        registry.register(make_package(tmp_path / str(number), record), "ml-ids")
    return registry


def version(number: int) -> ModelUri:
    return ModelUri("ml-ids", "version", str(number))


def champion(registry: Registry) -> str:
    found = registry.alias("ml-ids", "champion")
    assert found
    return found.number


def test_a_promoted_version_is_the_champion(registry: Registry) -> None:
    done = promote(registry, version(3))
    assert (done.version.number, done.before) == ("3", "1")
    assert champion(registry) == "3"


def test_rollback_goes_back_step_by_step(registry: Registry) -> None:
    promote(registry, version(2))
    promote(registry, version(3))
    done = rollback(registry, "ml-ids")
    assert (done.version.number, done.before) == ("2", "3")
    assert rollback(registry, "ml-ids").version.number == champion(registry) == "1"
    with pytest.raises(LookupError, match=r"models:/ml-ids@champion: no earlier version is remembered"):
        rollback(registry, "ml-ids")


def test_promoting_the_champion_again_changes_nothing(registry: Registry) -> None:
    promote(registry, version(2))
    assert promote(registry, version(2)).before == "2"
    assert rollback(registry, "ml-ids").version.number == "1"


def test_an_alias_that_somebody_else_moved_does_not_confuse_rollback(registry: Registry) -> None:
    promote(registry, version(2))
    with registry.client() as client:
        client.set_registered_model_alias("ml-ids", "champion", "1")
    with pytest.raises(LookupError):
        rollback(registry, "ml-ids")
    with registry.client() as client:
        client.set_registered_model_alias("ml-ids", "champion", "3")
    assert rollback(registry, "ml-ids").version.number == "1"


def test_other_aliases_have_a_history_of_their_own(registry: Registry) -> None:
    promote(registry, version(2), alias="challenger")
    promote(registry, version(3), alias="challenger")
    assert champion(registry) == "1"
    assert rollback(registry, "ml-ids", alias="challenger").version.number == "2"


def test_a_version_that_fails_its_checks_is_not_promoted(registry: Registry, tmp_path: Path) -> None:
    records = sorted((tmp_path / "state" / "mlartifacts").rglob("record.json"))
    for record in records:
        record.write_text(record.read_text().replace('"threshold":', '"threshold" :'))
    with pytest.raises(ValueError, match=r"models:/ml-ids/3/record.json: is not the file manifest"):
        promote(registry, version(3))
    assert champion(registry) == "1"
    with pytest.raises(LookupError, match=r"its versions are 1, 2, 3"):
        promote(registry, version(9))
