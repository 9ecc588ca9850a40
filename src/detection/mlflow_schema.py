"""Which tables an MLflow database has, asked without MLflow: its client would change them unasked."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from contextlib import closing
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

REMEDY: Final = "stop the service and run ml-ids upgrade"


def sqlite_file(tracking_uri: str) -> Path | None:
    """Return the file of a registry that is one, None of any other."""
    try:
        url = make_url(tracking_uri)
    except ArgumentError:
        return None
    return Path(url.database) if url.get_backend_name() == "sqlite" and url.database else None


def found_revision(file: Path) -> str | None:
    """Return the revision of a database's tables, None when it has none, or is no database."""
    if not file.is_file():
        return None
    try:
        with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as connection:
            row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    except sqlite3.Error:
        return None
    return str(row[0]) if row else None


def is_outdated(file: Path) -> bool:
    """Return whether a database has tables, and they are of an earlier MLflow."""
    found = found_revision(file)
    return found is not None and found != _revisions()[0] and found in _revisions()


def upgrade(tracking_uri: str) -> None:
    """Bring a database's tables to what the installed MLflow wants, by MLflow's own command.

    Raises:
        ValueError: that failed; says why.
    """
    command = [sys.executable, "-m", "mlflow", "db", "upgrade", tracking_uri]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        last = (done.stderr.strip() or done.stdout.strip()).splitlines()[-1:]
        raise ValueError(f"mlflow db upgrade failed: {''.join(last)}")


@lru_cache(maxsize=1)
def _revisions() -> tuple[str, ...]:
    """Return the revisions that the installed MLflow knows, the latest first."""
    from alembic.script import ScriptDirectory

    package = find_spec("mlflow")
    if package is None or package.origin is None:
        return ()
    scripts = ScriptDirectory(str(Path(package.origin).parent / "store" / "db_migrations"))
    return tuple(script.revision for script in scripts.walk_revisions())
