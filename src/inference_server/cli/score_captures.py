"""`ml-ids score -o FOLDER/`: many captures, on disk or S3, to one file of verdicts each."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from flows.s3 import SCHEME
from inference_server.bulk.captures import find_captures
from inference_server.bulk.engines import Work, score_here
from inference_server.bulk.packed_model import PackedModel, packed_champion
from inference_server.bulk.scoring import Outcome
from inference_server.cli.engine import Engine
from inference_server.cli.reading import errors
from inference_server.cli.verdict_summary import verdict_summary
from inference_server.settings import Settings

FLOW_FILES: Final = (".parquet", ".csv", ".csv.gz", ".csv.xz")


def is_place(output: str) -> bool:
    """Whether an output is a place for one file a capture, not a file."""
    return output.startswith(SCHEME) or output.endswith("/") or Path(output).is_dir()


def score_captures(inputs: Sequence[str], output: str, engine: Engine, settings: Settings) -> None:
    """Score captures into a place, but those whose result is there already.

    A capture that cannot be scored is told, the others are scored, and the command ends with exit code 1.

    Raises:
        OSError, ValueError: nothing can be scored; says why.
    """
    if flows := [name for name in inputs if name.lower().endswith(FLOW_FILES)]:
        raise ValueError(
            f"{flows[0]}: only captures are scored into a folder; for flows name a file: -o FILE"
        )
    run = _engine(engine)
    captures = find_captures(inputs)
    work = Work(tuple(captures), packed_champion(settings), _absolute(output))
    kept = work.done_before()
    done = {outcome.capture for outcome in kept}
    left = replace(work, captures=tuple(capture for capture in captures if capture not in done))
    began = time.perf_counter()
    outcomes = [*kept, *_told(run(left) if left.captures else (), left)]
    _summarise(outcomes, time.perf_counter() - began, output, work.model)
    if any(outcome.state == "failed" for outcome in outcomes):
        raise typer.Exit(1)


def _engine(engine: Engine) -> Callable[[Work], Iterator[Outcome]]:
    if engine is Engine.LOCAL:
        return score_here
    try:
        from inference_server.bulk.ray_engine import score_on_ray
    except ModuleNotFoundError as error:
        raise ValueError(f"--engine ray needs {error.name}: pip install 'ml-ids[sensor,ray]'") from None
    return score_on_ray


def _absolute(output: str) -> str:
    """Return the place as another process, with another working directory, finds it."""
    return output if output.startswith(SCHEME) else str(Path(output).resolve())


def _told(outcomes: Iterable[Outcome], work: Work) -> Iterator[Outcome]:
    """Pass outcomes on, and tell of each: a bar over the bytes, and what went wrong."""
    columns = (BarColumn(), TaskProgressColumn(), TextColumn("{task.description}"), TimeRemainingColumn())
    total, ended = sum(capture.size for capture in work.captures), 0
    with Progress(*columns, console=errors, transient=True, disable=not errors.is_terminal) as progress:
        task = progress.add_task(f"0 of {len(work.captures)} captures", total=total)
        for outcome in outcomes:
            ended += 1
            words = f"{ended} of {len(work.captures)} captures"
            progress.update(task, advance=outcome.capture.size, description=words)
            if outcome.problem:
                progress.console.print(f"error: {outcome.problem}", style="red", markup=False)
            for warning in outcome.result.warnings if outcome.result else ():
                progress.console.print(f"warning: {warning}", style="yellow", markup=False)
            yield outcome


def _summarise(outcomes: Sequence[Outcome], seconds: float, output: str, model: PackedModel) -> None:
    labels: Counter[str] = Counter()
    for outcome in outcomes:
        labels.update(outcome.result.labels if outcome.result else {})
    Console(highlight=False).print(verdict_summary(labels))
    states = Counter(outcome.state for outcome in outcomes)
    packets = sum(each.result.packets for each in outcomes if each.result and each.state == "scored")
    words = [f"{states['scored']:,} captures scored"]
    words += [f"{states['kept']:,} were already"] * bool(states["kept"])
    words += [f"{states['failed']:,} failed"] * bool(states["failed"])
    rate = f"{packets:,} packets in {seconds:.1f} s, {packets / max(seconds, 1e-9):,.0f} packets/s"
    typer.echo(f"{output}: {', '.join(words)}; {rate}; {model}")
