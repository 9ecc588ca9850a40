"""Which batches of which sensors were taken: on disk, so that none is scored twice after a restart."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from sqlalchemy import Connection, Engine, delete, select
from sqlalchemy.dialects.sqlite import insert as upsert
from sqlalchemy.exc import DBAPIError

from alerting.database.file import is_damage, open_current
from alerting.database.owner import REMEDY
from inference_server.sensors.tables import SCHEMA, STREAMS

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class StreamId:
    """One run of numbers of a sensor's batches: `stream` is another when the sensor lost count."""

    sensor: str
    stream: str


@dataclass(frozen=True, slots=True)
class Mark:
    """How far a stream was taken.

    Attributes:
        seq: number of the last batch; all before were taken, or dropped by the sensor.
        batches, flows: how many were taken.
        taken_us: when the last was, UTC microseconds.
    """

    seq: int = 0
    batches: int = 0
    flows: int = 0
    taken_us: int = 0


class Marks:
    """The marks of all streams; safe to use from several threads.

    Raises:
        OSError: (from every method) the file cannot be used; says why and what to do.
    """

    def __init__(self, path: Path) -> None:
        self._path: Final = path
        self._lock = threading.Lock()
        self._engine: Engine | None = None

    def load(self) -> dict[StreamId, Mark]:
        """Return every stream's mark."""
        with self._transaction() as connection:
            return {
                StreamId(row.sensor, row.stream): Mark(row.seq, row.batches, row.flows, row.taken_us)
                for row in connection.execute(select(STREAMS))
            }

    def put(self, stream: StreamId, mark: Mark) -> None:
        """Commit a stream's mark."""
        row = upsert(STREAMS).values(sensor=stream.sensor, stream=stream.stream, **asdict(mark))
        keys = [STREAMS.c.sensor, STREAMS.c.stream]
        with self._transaction() as connection:
            connection.execute(row.on_conflict_do_update(index_elements=keys, set_=asdict(mark)))

    def forget(self, before_us: int) -> None:
        """Delete the marks of streams that nothing was taken of since a time."""
        with self._transaction() as connection:
            connection.execute(delete(STREAMS).where(STREAMS.c.taken_us < before_us))

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            if self._engine:
                self._engine.dispose()
                self._engine = None

    @contextmanager
    def _transaction(self) -> Iterator[Connection]:
        with self._lock:
            try:
                with self._opened().begin() as connection:
                    yield connection
            except (DBAPIError, OSError) as error:
                raise self._failure(error) from None

    def _opened(self) -> Engine:
        if self._engine is None:
            self._engine, said = open_current(self._path, SCHEMA)
            if said:
                logger.warning("%s", said)
        return self._engine

    def _failure(self, error: DBAPIError | OSError) -> OSError:
        if self._engine and isinstance(error, DBAPIError) and is_damage(error):
            self._engine.dispose()
            self._engine = None
        reason = error.orig if isinstance(error, DBAPIError) else error
        return OSError(f"{self._path.name}: {reason}; {REMEDY}")
