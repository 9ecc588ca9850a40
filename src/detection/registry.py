"""The registry of models: which version serves, fetched and checked."""

from __future__ import annotations

import logging
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Final

from detection.mlflow_client import embedded_uri, open_client, registry_errors, without_passwords
from detection.model_uri import ModelUri, parse_model_uri
from detection.package import SERVED_FILES, load_package
from detection.registration import register_package
from detection.scorer import ModelUnavailableError, Scorer

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities.model_registry import ModelVersion

STARTER: Final = Path(__file__).resolve().parents[2] / "models" / "starter"
STARTER_NAME: Final = "ml-ids"
STARTER_ALIAS: Final = "champion"

logger = logging.getLogger(__name__)


def open_champion(
    *,
    tracking_uri: str | None,
    state_dir: Path,
    model_uri: str,
    register_starter: bool,
    starter: Path = STARTER,
) -> Scorer:
    """Return the model that serves, from the registry.

    An embedded registry without a model `ml-ids` gets the starter, alias champion; another registry
    only when `register_starter` is set.

    Args:
        tracking_uri: the registry; None for the one embedded below `state_dir`.
        state_dir: where the embedded registry is; made when it is not there.
        model_uri: which model and version, see `detection.model_uri`.
        register_starter: whether a registry of the user's own gets the starter too.
        starter: the starter's package.

    Raises:
        ModelUnavailableError: no model can serve; the message says why and what to do.
    """
    embedded = embedded_uri(state_dir)
    registry = tracking_uri or embedded
    try:
        wanted = parse_model_uri(model_uri)
        if registry == embedded:
            _make(state_dir)
        with registry_errors(registry, remedy=_remedy(registry, embedded)):
            client = open_client(registry)
            artifacts = (state_dir.resolve() / "mlartifacts").as_uri() if registry == embedded else None
            if registry == embedded or register_starter:
                _ensure_starter(client, starter, artifacts)
            version = _resolve(client, wanted)
            if version is None:
                raise ModelUnavailableError(without_passwords(_absence(client, wanted, registry, embedded)))
            return _fetch(client, version, registry)
    except (OSError, ValueError) as error:
        raise ModelUnavailableError(str(error)) from error


def _make(state_dir: Path) -> None:
    try:
        state_dir.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ValueError(
            f"STATE_DIR={state_dir}: {error.strerror}; set STATE_DIR to a directory that can be written"
        ) from error


def _remedy(registry: str, embedded: str) -> str:
    if registry == embedded:
        return "make STATE_DIR writable, with room on its disk, or set STATE_DIR to another directory"
    return "check MLFLOW_TRACKING_URI and that it runs"


def _ensure_starter(client: MlflowClient, starter: Path, artifacts: str | None) -> None:
    if client.search_model_versions(f"name = '{STARTER_NAME}'", max_results=1):
        return
    load_package(starter)
    version = register_package(client, starter, STARTER_NAME, alias=STARTER_ALIAS, artifacts=artifacts)
    logger.info("registered the starter model as %s version %s, @%s", STARTER_NAME, version, STARTER_ALIAS)


def _resolve(client: MlflowClient, wanted: ModelUri) -> ModelVersion | None:
    if wanted.kind == "alias":
        models = client.search_registered_models(f"name = '{wanted.name}'")
        number = models[0].aliases.get(wanted.value) if models else None
        return None if number is None else client.get_model_version(wanted.name, str(number))
    versions = _versions(client, wanted.name)
    if wanted.kind == "version":
        versions = [version for version in versions if int(version.version) == int(wanted.value)]
    elif wanted.kind == "stage":
        versions = [
            version for version in versions if (version.current_stage or "").lower() == wanted.value.lower()
        ]
    return max(versions, key=lambda version: int(version.version), default=None)


def _versions(client: MlflowClient, name: str) -> list[ModelVersion]:
    found: list[ModelVersion] = []
    token: str | None = None
    while True:
        page = client.search_model_versions(f"name = '{name}'", page_token=token)
        found += page
        token = page.token
        if not token:
            return found


def _absence(client: MlflowClient, wanted: ModelUri, registry: str, embedded: str) -> str:
    versions = _versions(client, wanted.name)
    if not versions:
        others = ", ".join(sorted(model.name for model in client.search_registered_models())) or "none"
        message = f"registry {registry} has no model {wanted.name!r} (it has: {others})"
        if registry != embedded and wanted.name == STARTER_NAME:
            return (
                f"{message}: register one, or set REGISTER_STARTER=true to register the starter model there"
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
    return f"registry {registry} has no {wanted}: {remedy}"


def _fetch(client: MlflowClient, version: ModelVersion, registry: str) -> Scorer:
    """Download what serving reads of a version, without model/, check and load it."""
    from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

    number = str(version.version)
    title = f"models:/{version.name}/{number}"
    source = client.get_model_version_download_uri(version.name, number)
    repository = get_artifact_repository(source, tracking_uri=registry, registry_uri=registry)
    with tempfile.TemporaryDirectory(prefix="ml-ids-model-") as folder:
        for file in SERVED_FILES:
            try:
                repository.download_artifacts(file, folder)  # type: ignore[no-untyped-call]
            except Exception as error:  # every artifact store has its own kinds
                reason = " ".join(str(error).split())
                raise ValueError(
                    f"{title}: {file} cannot be fetched from {source} ({reason}): if it is not there, "
                    "this is not a model package of this project; serve another version or register one"
                ) from error
        try:
            return load_package(Path(folder), model_name=version.name, model_version=number)
        except ValueError as error:
            raise ValueError(str(error).replace(folder, title)) from error
