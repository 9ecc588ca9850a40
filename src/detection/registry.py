"""The registry of models: which version is meant, fetched and checked."""

from __future__ import annotations

import logging
import tempfile
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from detection.mlflow_client import (
    default_registry,
    embedded_uri,
    open_client,
    registry_errors,
    without_passwords,
)
from detection.mlflow_schema import REMEDY, is_outdated, sqlite_file
from detection.model_uri import ModelUri, parse_model_uri
from detection.package import MANIFEST, REGISTER_AGAIN, import_command, load_package, served_files
from detection.registration import experiment_named, register_package
from detection.scorer import ModelUnavailableError, Scorer

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities.model_registry import ModelVersion

STARTER: Final = Path(__file__).resolve().parents[2] / "models" / "starter"
STARTER_NAME: Final = "ml-ids"
CHAMPION: Final = "champion"
CHALLENGER: Final = "challenger"

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Version:
    """A version of a registered model.

    Attributes:
        name, number: of model and version.
        created: milliseconds since 1970; tells it from that of a deleted model of the same name.
    """

    name: str
    number: str
    created: int

    def __str__(self) -> str:
        return f"models:/{self.name}/{self.number}"


class Registry:
    """A registry of models; nothing is opened before it is asked; safe to use from several threads.

    An embedded registry without a model `ml-ids` gets the starter, alias champion; another registry
    only when `register_starter` is set.

    Attributes:
        name: its address, passwords masked.
    """

    def __init__(
        self,
        *,
        tracking_uri: str | None,
        state_dir: Path,
        register_starter: bool,
        allow_pickle: bool = False,
        starter: Path = STARTER,
    ) -> None:
        """Describe a registry.

        Args:
            tracking_uri: its address; None for the one embedded below `state_dir`.
            state_dir: where the embedded registry is; made when it is not there.
            register_starter: whether a registry of the user's own gets the starter too.
            allow_pickle: whether the code of an estimator without a compiled form may run.
            starter: the starter's package.
        """
        self._embedded = embedded_uri(state_dir)
        self._uri = tracking_uri or self._embedded
        self._state_dir = state_dir
        self._starter_wanted = register_starter or self._uri == self._embedded
        self._allow_pickle = allow_pickle
        self._starter = starter
        self._starting = threading.Lock()
        self.name = without_passwords(self._uri)

    @contextmanager
    def client(self) -> Iterator[MlflowClient]:
        """Give a client of the registry; what goes wrong in the context becomes one kind of error.

        Raises:
            ConnectionError: the registry cannot be used; the message says why and what to do.
            ValueError: STATE_DIR cannot be made, or the starter is not whole.
        """
        if self._uri == self._embedded:
            _make(self._state_dir)
        file = sqlite_file(self._uri)
        if file and is_outdated(file):
            raise ConnectionError(
                f"registry {self.name} cannot be used (its tables are of an earlier MLflow): {REMEDY}"
            )
        with registry_errors(self._uri, remedy=self._remedy()):
            client = open_client(self._uri)
            with self._starting:
                if self._starter_wanted:
                    self._ensure_starter(client)
                    self._starter_wanted = False
            yield client

    def find(self, wanted: ModelUri) -> Version:
        """Return the version a URI means at this moment.

        Raises:
            LookupError: there is none; the message says what there is and what to do.
            ConnectionError, ValueError: as `client`.
        """
        with self.client() as client:
            version = _resolve(client, wanted)
            if version is None:
                raise LookupError(without_passwords(self._absence(client, wanted)))
            return _version(version)

    def alias(self, name: str, alias: str) -> Version | None:
        """Return the version an alias is set on, None when it is set on none.

        Raises:
            ConnectionError, ValueError: as `client`.
        """
        with self.client() as client:
            version = _resolve(client, ModelUri(name, "alias", alias))
            return _version(version) if version else None

    def load(self, version: Version, folder: Path) -> Scorer:
        """Fetch what serving reads of a version into `folder`, check it and load it.

        Raises:
            OSError: it cannot be fetched.
            ValueError: as `load_package`.
        """
        with self.client() as client:
            source = client.get_model_version_download_uri(version.name, version.number)
        try:
            self._download(source, version, folder, MANIFEST)
            for file in served_files((folder / MANIFEST).read_bytes())[1:]:
                self._download(source, version, folder, file)
            return load_package(
                folder,
                model_name=version.name,
                model_version=version.number,
                allow_pickle=self._allow_pickle,
            )
        except ValueError as error:
            raise ValueError(str(error).replace(str(folder), str(version))) from error

    def register(
        self,
        package: Path,
        name: str,
        *,
        params: Mapping[str, str] | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> Version:
        """Register a package that was checked as the next version of a model, without an alias.

        Args:
            package: its directory.
            name: the registered model.
            params, tags: what its run says of how the model was made.

        Raises:
            OSError: the package cannot be read, or the registry not be used.
        """
        with self.client() as client:
            number = self._register(client, package, name, None, params=params or {}, tags=tags or {})
            return _version(client.get_model_version(name, number))

    def fetch(self, uri: str, folder: Path) -> Path:
        """Fetch all of an MLflow URI, such as models:/NAME/1 or runs:/ID/model; return where it is.

        Raises:
            OSError: it cannot be fetched.
        """
        with self.client():
            from mlflow.artifacts import download_artifacts

            try:
                with default_registry(self._uri):
                    kept = download_artifacts(uri, dst_path=str(folder))
            except Exception as error:  # every artifact store has its own kinds
                reason = " ".join(str(error).split())
                message = f"{uri} cannot be fetched from registry {self._uri}: {reason}"
                raise OSError(without_passwords(message)) from error
        return Path(kept)

    def run_figures(self, run_id: str) -> Mapping[str, float]:
        """Return the metrics of a run, nothing when the registry has no such run."""
        from mlflow.exceptions import MlflowException

        with self.client() as client:
            try:
                return dict(client.get_run(run_id).data.metrics)
            except MlflowException:
                return {}

    def _register(
        self,
        client: MlflowClient,
        package: Path,
        name: str,
        alias: str | None,
        **made_of: Mapping[str, str],
    ) -> str:
        return register_package(client, package, name, alias=alias, artifacts=self._artifacts, **made_of)

    def experiment(self, client: MlflowClient, name: str) -> str:
        """Return the id of an experiment, which is made where there is none."""
        return experiment_named(client, name, self._artifacts)

    @property
    def _artifacts(self) -> str | None:
        """Where a new experiment keeps its files; None leaves it to the server."""
        return (self._state_dir.resolve() / "mlartifacts").as_uri() if self._uri == self._embedded else None

    def _download(self, source: str, version: Version, folder: Path, file: str) -> None:
        from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

        try:
            repository = get_artifact_repository(source, tracking_uri=self._uri, registry_uri=self._uri)
            repository.download_artifacts(file, str(folder))  # type: ignore[no-untyped-call]
        except Exception as error:  # every artifact store has its own kinds
            reason = " ".join(str(error).split())
            remedy = REGISTER_AGAIN
            if file == MANIFEST:
                command = import_command(version.name, version.number)
                remedy = f"if it is not there, the model was registered as it is; compile it once: {command}"
            raise OSError(
                without_passwords(f"{version}: {file} cannot be fetched from {source} ({reason}): {remedy}")
            ) from error

    def _remedy(self) -> str:
        if self._uri == self._embedded:
            return "make STATE_DIR writable, with room on its disk, or set STATE_DIR to another directory"
        return "check MLFLOW_TRACKING_URI and that it runs"

    def _ensure_starter(self, client: MlflowClient) -> None:
        if client.search_model_versions(f"name = '{STARTER_NAME}'", max_results=1):
            return
        load_package(self._starter)
        version = self._register(client, self._starter, STARTER_NAME, CHAMPION)
        logger.info("registered the starter model as %s version %s, @%s", STARTER_NAME, version, CHAMPION)

    def _absence(self, client: MlflowClient, wanted: ModelUri) -> str:
        versions = list_versions(client, wanted.name)
        if not versions:
            others = ", ".join(sorted(model.name for model in client.search_registered_models())) or "none"
            message = f"registry {self._uri} has no model {wanted.name!r} (it has: {others})"
            if self._uri != self._embedded and wanted.name == STARTER_NAME:
                return (
                    f"{message}: register one, or set REGISTER_STARTER=true to register the starter model "
                    "there"
                )
            return f"{message}: register it, or set MLFLOW_MODEL_NAME to one of these"
        numbers = ", ".join(map(str, sorted(int(version.version) for version in versions)))
        remedy = {
            "alias": f"set the alias {wanted.value} on one of its versions ({numbers})",
            "latest": "register a version",
            "version": f"its versions are {numbers}",
            "stage": f"stages are deprecated: set an alias on one of its versions ({numbers}) and use "
            f"MLFLOW_MODEL_NAME=models:/{wanted.name}@ALIAS",
        }[wanted.kind]
        return f"registry {self._uri} has no {wanted}: {remedy}"


def open_champion(
    *,
    tracking_uri: str | None,
    state_dir: Path,
    model_uri: str,
    register_starter: bool,
    allow_pickle: bool = False,
    starter: Path = STARTER,
) -> Scorer:
    """Return the model that serves, once; the arguments are those of `Registry` and `parse_model_uri`.

    Raises:
        ModelUnavailableError: no model can serve; the message says why and what to do.
    """
    registry = Registry(
        tracking_uri=tracking_uri,
        state_dir=state_dir,
        register_starter=register_starter,
        allow_pickle=allow_pickle,
        starter=starter,
    )
    try:
        version = registry.find(parse_model_uri(model_uri))
        with tempfile.TemporaryDirectory(prefix="ml-ids-model-") as folder:
            return registry.load(version, Path(folder))
    except (OSError, ValueError, LookupError) as error:
        raise ModelUnavailableError(str(error)) from error


def list_versions(client: MlflowClient, name: str) -> list[ModelVersion]:
    """Return every version of a model, in the registry's order."""
    found: list[ModelVersion] = []
    token: str | None = None
    while True:
        page = client.search_model_versions(f"name = '{name}'", page_token=token)
        found += page
        token = page.token
        if not token:
            return found


def _make(state_dir: Path) -> None:
    try:
        state_dir.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ValueError(
            f"STATE_DIR={state_dir}: {error.strerror}; set STATE_DIR to a directory that can be written"
        ) from error


def _version(version: ModelVersion) -> Version:
    return Version(version.name, str(version.version), int(version.creation_timestamp or 0))


def _resolve(client: MlflowClient, wanted: ModelUri) -> ModelVersion | None:
    if wanted.kind == "alias":
        models = client.search_registered_models(f"name = '{wanted.name}'")
        number = models[0].aliases.get(wanted.value) if models else None
        return None if number is None else client.get_model_version(wanted.name, str(number))
    versions = list_versions(client, wanted.name)
    if wanted.kind == "version":
        versions = [version for version in versions if int(version.version) == int(wanted.value)]
    elif wanted.kind == "stage":
        versions = [
            version for version in versions if (version.current_stage or "").lower() == wanted.value.lower()
        ]
    return max(versions, key=lambda version: int(version.version), default=None)
