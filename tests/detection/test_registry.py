from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from detection.mlflow_client import DEFAULTS, embedded_uri, open_client
from detection.package import MODEL
from detection.registration import register_package
from detection.registry import open_champion
from detection.scorer import ModelUnavailableError, Scorer
from helpers.models import make_package, make_pickle_package, make_record, typical_table


@pytest.fixture(scope="module")
def starter(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_package(tmp_path_factory.mktemp("starter"))


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory, starter: Path) -> Path:
    """A registry of three versions: 1 @champion, 2 @blue and in stage Production, 3 @green."""
    state = tmp_path_factory.mktemp("state dir")
    opened(state, starter)
    client = open_client(embedded_uri(state))
    for threshold, alias in ((0.25, "blue"), (0.75, "green")):
        record = make_record(threshold=threshold)
        package = make_package(tmp_path_factory.mktemp("package"), record)
        register_package(client, package, "ml-ids", alias=alias)
    with pytest.warns(FutureWarning, match="stages"):
        client.transition_model_version_stage("ml-ids", "2", "Production")
    return state


def opened(
    state: Path,
    starter: Path,
    model_uri: str = "models:/ml-ids@champion",
    *,
    tracking_uri: str | None = None,
    register_starter: bool = False,
    allow_pickle: bool = False,
) -> Scorer:
    return open_champion(
        tracking_uri=tracking_uri,
        state_dir=state,
        model_uri=model_uri,
        register_starter=register_starter,
        allow_pickle=allow_pickle,
        starter=starter,
    )


def test_first_start_registers_the_starter(tmp_path: Path, starter: Path) -> None:
    state = tmp_path / "not" / "there"
    scorer = opened(state, starter)
    assert (scorer.model_name, scorer.model_version) == ("ml-ids", "1")
    assert scorer.score(typical_table([5])).code.tolist() == [5]
    assert opened(state, starter).model_version == "1"
    client = open_client(embedded_uri(state))
    assert len(client.search_model_versions("name = 'ml-ids'")) == 1


@pytest.mark.parametrize(
    ("model_uri", "version"),
    [
        ("models:/ml-ids@champion", "1"),
        ("ml-ids@blue", "2"),
        ("models:/ml-ids/latest", "3"),
        ("models:/ml-ids/1", "1"),
        ("models:/ml-ids/02", "2"),
        ("models:/ml-ids/Production", "2"),
        ("models:/ml-ids/production", "2"),
    ],
)
def test_understands_every_form(state: Path, starter: Path, model_uri: str, version: str) -> None:
    scorer = opened(state, starter, model_uri)
    assert scorer.model_version == version
    assert scorer.record.threshold == {"1": 0.5, "2": 0.25, "3": 0.75}[version]


@pytest.mark.parametrize(
    ("model_uri", "complaint"),
    [
        ("models:/ml-ids@red", r"has no models:/ml-ids@red: set the alias red on .* \(1, 2, 3\)"),
        ("models:/ml-ids/9", r"has no models:/ml-ids/9: its versions are 1, 2, 3"),
        ("models:/ml-ids/Staging", r"has no models:/ml-ids/Staging: stages are deprecated: set an alias"),
        ("models:/other@champion", r"has no model 'other' \(it has: ml-ids\): register it, or set MLFLOW_M"),
        ("ml-ids", r"MLFLOW_MODEL_NAME 'ml-ids' names no model version"),
    ],
)
def test_says_what_is_not_there(state: Path, starter: Path, model_uri: str, complaint: str) -> None:
    with pytest.raises(ModelUnavailableError, match=complaint):
        opened(state, starter, model_uri)


def test_another_registry_gets_the_starter_only_when_asked(tmp_path: Path, starter: Path) -> None:
    own = f"sqlite:///{tmp_path}/own.db"
    with pytest.raises(ModelUnavailableError, match=r"own.db has no model 'ml-ids'.*REGISTER_STARTER=true"):
        opened(tmp_path, starter, tracking_uri=own)
    client = open_client(own)
    client.create_experiment("ml-ids", (tmp_path / "files").as_uri())
    assert opened(tmp_path, starter, tracking_uri=own, register_starter=True).model_version == "1"
    assert opened(tmp_path, starter, tracking_uri=own).model_version == "1"


def test_the_embedded_registry_may_be_named(tmp_path: Path, starter: Path) -> None:
    assert opened(tmp_path, starter, tracking_uri=embedded_uri(tmp_path)).model_version == "1"


def test_a_starter_that_is_not_whole_is_not_registered(tmp_path: Path, starter: Path) -> None:
    broken = tmp_path / "starter"
    shutil.copytree(starter, broken)
    (broken / MODEL).unlink()
    with pytest.raises(ModelUnavailableError, match=r"starter/compiled/model.npz: No such file"):
        opened(tmp_path, broken)
    assert opened(tmp_path, starter).model_version == "1"


def test_names_a_version_that_is_no_package(tmp_path: Path, starter: Path) -> None:
    opened(tmp_path, starter)
    client = open_client(embedded_uri(tmp_path))
    (tmp_path / "empty").mkdir()
    client.create_model_version("ml-ids", (tmp_path / "empty").as_uri())
    with pytest.raises(
        ModelUnavailableError,
        match=r"models:/ml-ids/2: manifest.json cannot be fetched.* compile it once: "
        r"ml-ids models import models:/ml-ids/2 --dialect DIALECT --benign-label LABEL --golden FLOWS$",
    ):
        opened(tmp_path, starter, "models:/ml-ids/latest")


def test_names_the_version_whose_file_was_changed(tmp_path: Path, starter: Path) -> None:
    opened(tmp_path, starter)
    (record,) = (tmp_path / "mlartifacts").rglob("record.json")
    record.write_text(record.read_text().replace("0.5", "0.1"))
    with pytest.raises(ModelUnavailableError, match=r"models:/ml-ids/1/record.json: is not the file"):
        opened(tmp_path, starter)


@pytest.mark.parametrize("uri", ["http://127.0.0.1:9", "sqlite:////proc/no/mlflow.db", "carrier://pigeon"])
def test_a_registry_that_cannot_be_used(
    tmp_path: Path, starter: Path, uri: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    with pytest.raises(
        ModelUnavailableError, match=rf"registry {uri} cannot be used \(\S.*check MLFLOW_TRACKING"
    ):
        opened(tmp_path, starter, tracking_uri=uri)


@pytest.mark.parametrize("uri", ["http://me:secret@127.0.0.1:9", "sqlite://me:secret@/nowhere/mlflow.db"])
def test_no_message_gives_a_password_away(
    tmp_path: Path, starter: Path, uri: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    with pytest.raises(ModelUnavailableError, match=r"registry \w+://me:\*+@") as raised:
        opened(tmp_path, starter, tracking_uri=uri)
    assert "secret" not in str(raised.value)


def test_a_state_directory_that_cannot_be_used(tmp_path: Path, starter: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ModelUnavailableError, match=r"STATE_DIR=.*/file/var: .*; set STATE_DIR to a dir"):
        opened(tmp_path / "file" / "var", starter)
    (tmp_path / "mlflow.db").write_text("no database, but text")
    with pytest.raises(ModelUnavailableError, match=r"mlflow.db cannot be used .*make STATE_DIR writable"):
        opened(tmp_path, starter)


SERVE = """
import sys
from pathlib import Path
from detection.registry import open_champion
for _ in range(2):
    open_champion(tracking_uri=None, state_dir=Path(sys.argv[1]), model_uri="ml-ids@champion",
                  register_starter=False, starter=Path(sys.argv[2]))
print(*[name for name in ("sklearn", "skops") if name in sys.modules])
"""


def test_registering_and_serving_are_quiet_and_need_no_scikit_learn(tmp_path: Path, starter: Path) -> None:
    made = subprocess.run(
        [sys.executable, "-c", SERVE, str(tmp_path / "state"), str(starter)],
        env={name: value for name, value in os.environ.items() if name not in DEFAULTS},
        capture_output=True,
        text=True,
        timeout=300,
        cwd=tmp_path,
        check=True,
    )
    assert made.stdout.split() == []
    assert made.stderr == ""
    assert [path.name for path in tmp_path.iterdir()] == ["state"]


def test_a_pickle_is_served_only_when_allowed(tmp_path: Path, starter: Path) -> None:
    opened(tmp_path, starter)
    client = open_client(embedded_uri(tmp_path))
    package = make_pickle_package(tmp_path / "made")
    register_package(client, package, "ml-ids", alias="pickled")
    with pytest.raises(ModelUnavailableError, match=r"models:/ml-ids/2: .* ALLOW_PICKLE_MODELS=true"):
        opened(tmp_path, starter, "ml-ids@pickled")
    scorer = opened(tmp_path, starter, "ml-ids@pickled", allow_pickle=True)
    assert scorer.score(typical_table([5, 0])).code.tolist() == [5, 0]
