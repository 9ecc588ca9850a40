"""MLflow's client, kept quiet: no telemetry, no progress bars, no minutes of retries."""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from mlflow import MlflowClient

DEFAULTS: Final = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "true",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    "MLFLOW_LOGGING_LEVEL": "WARNING",
    # The caller tries again by itself, and says meanwhile what is wrong.
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "30",
}
PASSWORD: Final = "********"


def embedded_uri(state_dir: Path) -> str:
    """Return the tracking URI of the registry embedded below a state directory."""
    return f"sqlite:///{state_dir.resolve()}/mlflow.db"


def without_passwords(text: str) -> str:
    """Return a text with the passwords of the URLs in it masked."""
    return re.sub(r"(//[^:/@\s]*:)[^@/\s]*@", rf"\1{PASSWORD}@", text)


def open_client(tracking_uri: str) -> MlflowClient:
    """Return a client of a tracking server or database; the environment's own settings win.

    MLflow takes a second to import, so it is imported here and not by whoever imports this module.
    """
    _keep_quiet()
    from mlflow import MlflowClient

    return MlflowClient(tracking_uri=tracking_uri, registry_uri=tracking_uri)


@contextmanager
def registry_errors(tracking_uri: str, *, remedy: str) -> Iterator[None]:
    """Turn what MLflow, its database or the network raise into one kind.

    Raises:
        ConnectionError: the registry cannot be used; the message says which, the reason, and `remedy`.
    """
    _keep_quiet()
    from mlflow.exceptions import MlflowException
    from sqlalchemy.exc import SQLAlchemyError

    try:
        yield
    except (MlflowException, OSError, SQLAlchemyError) as error:
        # The same failure has the same words: addresses of objects are left out.
        reason = re.sub(r" at 0x[0-9a-f]+", "", str(error).strip().partition("\n")[0])
        message = f"registry {tracking_uri} cannot be used ({reason}): {remedy}"
        raise ConnectionError(without_passwords(message)) from error


@contextmanager
def default_registry(uri: str) -> Iterator[None]:
    """Make a registry the process's own while MLflow resolves models:/ URIs, which asks no other.

    For commands: it is not for a process whose threads use another registry meanwhile.
    """
    import mlflow

    before = {name: os.environ.get(name) for name in ("MLFLOW_TRACKING_URI", "MLFLOW_REGISTRY_URI")}
    mlflow.set_tracking_uri(uri)
    mlflow.set_registry_uri(uri)
    try:
        yield
    finally:
        mlflow.set_tracking_uri(None)  # type: ignore[arg-type]
        mlflow.set_registry_uri(None)  # type: ignore[arg-type]
        for name, value in before.items():
            os.environ.pop(name, None)
            if value is not None:
                os.environ[name] = value


def _keep_quiet() -> None:
    """Set the defaults, which MLflow reads when it is imported."""
    for name, value in DEFAULTS.items():
        os.environ.setdefault(name, value)
    # Each retry would be a warning of its own, in words that name no setting.
    logging.getLogger("urllib3.connectionpool").setLevel(logging.ERROR)
