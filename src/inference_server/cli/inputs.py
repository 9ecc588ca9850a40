"""What commands read flows from: captures, files of flows, and the archive of the sensor's own."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from context.notes import with_context
from detection.scorer import Scorer
from flows.archive import archived_hours, read_archive
from flows.csv_files import read_csv
from flows.parquet_files import read_parquet
from flows.table import FlowTable
from inference_server.cli.reading import ReadingBar
from inference_server.settings import Settings

LAST_HELP: Final = "only the flows that ended in this time, such as 30m, 24h or 7d, of the archive"
_DURATION: Final = re.compile(r"(\d+(?:\.\d+)?)([smhd])")
_SECONDS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86_400}


@dataclass(frozen=True, slots=True)
class Inputs:
    """What to read.

    Attributes:
        paths: captures, files of flows, and archives (directories).
        since_us: only flows of archives that ended at or after this time, UTC microseconds.
    """

    paths: tuple[Path, ...]
    since_us: int | None

    def tables(self, bar: ReadingBar, *, context: bool = False) -> Iterator[tuple[Path, FlowTable]]:
        """Yield the flows of all inputs and which input they are of.

        Args:
            bar: shows what is read.
            context: with what their hosts did before; NaN where an input does not tell it.

        Raises:
            OSError: one cannot be read.
            ValueError: one is not what its name says.
        """
        for path in self.paths:
            for table in self._tables(bar, path, context):
                yield path, with_context(table) if context else table

    def _tables(self, bar: ReadingBar, path: Path, context: bool) -> Iterator[FlowTable]:
        suffixes = [suffix.lower() for suffix in path.suffixes]
        if path.is_dir():
            yield from read_archive(path, since_us=self.since_us, on_problem=bar.warn)
        elif ".csv" in suffixes[-2:]:
            yield read_csv(path)
        elif suffixes[-1:] == [".parquet"]:
            yield read_parquet(path)
        else:
            yield from bar.capture(path, context=context)
            return
        bar.finish(path)


def check_features(path: Path, table: FlowTable, scorer: Scorer) -> None:
    """Say which features of a model an input lacks.

    Raises:
        ValueError: it lacks some.
    """
    if missing := scorer.missing(table.feature_names):
        raise ValueError(f"{path}: lacks features that the model reads: {', '.join(missing)}")


def chosen_inputs(paths: list[Path] | None, last: str | None, settings: Settings) -> Inputs:
    """Return what the arguments name; the sensor's own archive when they name nothing but a time.

    Raises:
        OSError: a directory cannot be read.
        ValueError: nothing is named, a directory is no archive, or `last` is no time or not for these.
    """
    if not paths and last is None:
        raise ValueError("name captures or flows, or say --last 24h for what this sensor archived")
    chosen = tuple(paths or [settings.flows_dir])
    for path in chosen:
        if last is not None and path.exists() and not path.is_dir():
            raise ValueError(f"{path}: --last is for an archive of flows, such as {settings.flows_dir}")
        if path.is_dir() and not archived_hours(path):
            raise ValueError(f"{path}: holds no archived flows, such as 2026-11-21T14.parquet")
    return Inputs(chosen, None if last is None else _since_us(last))


def _since_us(last: str) -> int:
    found = _DURATION.fullmatch(last)
    if found is None:
        raise ValueError(f"--last {last}: not a time such as 90s, 30m, 24h or 7d")
    return int((time.time() - float(found[1]) * _SECONDS[found[2]]) * 1e6)
