"""A campaign: scenarios with several seeds each, whose flows are one labelled set."""

from __future__ import annotations

import multiprocessing
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any, Final

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from flows.yaml_files import read_yaml
from lab.output import Files, write_flows
from lab.run import run_scenario
from lab.scenario import Name, find_scenario

OWN: Final = Path(str(files("lab"))) / "campaigns"
RECORD: Final = "campaign.json"
SEEDS_EACH: Final = 100
"""So many seeds belong to one seed of a campaign."""


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Part(_Strict):
    """A scenario of a campaign.

    Attributes:
        scenario: its name, or a .yaml file.
        times: with so many seeds.
    """

    scenario: str
    times: int = Field(1, ge=1, lt=SEEDS_EACH)


class Campaign(_Strict):
    """What a campaign consists of."""

    name: Name
    description: str
    runs: Annotated[tuple[Part, ...], Field(min_length=1)]

    def seeds(self, seed: int) -> list[tuple[str, int]]:
        """Return scenario and seed of all runs, the first of each scenario first."""
        most = max(part.times for part in self.runs)
        return [
            (part.scenario, SEEDS_EACH * seed + number)
            for number in range(1, most + 1)
            for part in self.runs
            if number <= part.times
        ]


class Run(_Strict):
    """What one run made.

    Attributes:
        file: the flows, in the campaign's folder.
        scenario, seed: what ran.
        network: the conditions between the hosts.
        packets: that crossed the bridge.
        missed: packets that the recorder did not get.
        cut: whether it was stopped because of too many packets.
        labels, activities: labelled flows by label, and by what made them.
        left_out: flows without a label, by reason.
        early: rows of flows as they were at 10 s and 30 s, beside the others.
        undone: activities that could not be, or whose tool failed, by reason.
    """

    file: str
    scenario: str
    seed: int
    network: dict[str, bool | int | float | None]
    packets: int
    missed: int
    cut: bool
    labels: dict[str, int]
    activities: dict[str, int]
    left_out: dict[str, int]
    early: int
    undone: dict[str, int]


class Record(_Strict):
    """What a campaign made, `campaign.json` beside its flows.

    Attributes:
        campaign: its name.
        seed: of the campaign.
        command: what makes it again.
        complete: no flow of any capture is missing, labelled or not: the windows of host context are whole.
        runs: by file.
    """

    campaign: str
    seed: int
    command: str
    complete: bool = True
    runs: tuple[Run, ...] = ()

    @property
    def labels(self) -> Counter[str]:
        """Labelled flows by label."""
        return sum((Counter(run.labels) for run in self.runs), Counter[str]())


def read_campaign(path: Path) -> Campaign:
    """Read a campaign.

    Raises:
        OSError: the file cannot be read.
        ValueError: it is none; the message names the file and the field.
    """
    return read_yaml(path, Campaign)


def find_campaign(name: str) -> Campaign:
    """Read one of the lab's own campaigns, or a file.

    Raises:
        OSError, ValueError: see `read_campaign`; there is no such campaign.
    """
    own = {path.stem: path for path in sorted(OWN.glob("*.yaml"))}
    if name in own:
        return read_campaign(own[name])
    if name.endswith((".yaml", ".yml")):
        return read_campaign(Path(name))
    raise ValueError(f"no campaign {name}: name a .yaml file or one of {', '.join(own)}")


def run_campaign(
    campaign: Campaign, seed: int, output: Path, *, at_once: int, command: str, done: Callable[[Run], None]
) -> Record:
    """Run what is not there yet, and write flows and record.

    A run of which the folder's record knows, and whose flows are there, is not repeated.

    Args:
        campaign: what is to run.
        seed: of everything that is drawn.
        output: the folder for the flows.
        at_once: so many runs at the same time.
        command: what the record says makes it again.
        done: told of each run that is there.

    Raises:
        PermissionError: it needs root.
        OSError: a run cannot be, or a file cannot be written.
        ValueError: there is no such scenario, or the folder holds another campaign.
    """
    output.mkdir(parents=True, exist_ok=True)
    wanted = campaign.seeds(seed)
    for scenario, _ in wanted:
        find_scenario(scenario)
    runs = {(run.scenario, run.seed): run for run in _known(output, campaign, seed)}
    open_runs = [each for each in wanted if each not in runs]
    record = Record(campaign=campaign.name, seed=seed, command=command)
    # Namespaces carry the number of the process that made them: each run has one of its own.
    with ProcessPoolExecutor(
        at_once, mp_context=multiprocessing.get_context("spawn"), max_tasks_per_child=1
    ) as pool:
        started = [pool.submit(one_run, scenario, number, output) for scenario, number in open_runs]
        try:
            for future in as_completed(started):
                run = future.result()
                runs[run.scenario, run.seed] = run
                record = record.model_copy(update={"runs": tuple(sorted(runs.values(), key=_file))})
                (output / RECORD).write_text(record.model_dump_json(indent=1) + "\n", encoding="utf-8")
                done(run)
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
    return record.model_copy(update={"runs": tuple(sorted(runs.values(), key=_file))})


def one_run(scenario: str, seed: int, output: Path) -> Run:
    """Run a scenario, write its flows, and forget its packets.

    Raises:
        OSError, ValueError: as `lab.run.run_scenario`.
    """
    found = find_scenario(scenario)
    made = Files(output, f"{found.name}-{seed}")
    try:
        outcome = run_scenario(found, seed, made.capture)
        counts = write_flows(made, outcome.rules)
    finally:
        made.capture.unlink(missing_ok=True)
        made.rules.unlink(missing_ok=True)
    return Run(
        file=made.flows.name,
        scenario=scenario,
        seed=seed,
        network=found.conditions(seed).model_dump(),
        packets=outcome.packets,
        missed=outcome.missed,
        cut=outcome.cut,
        labels=_most_first(counts.labels),
        activities=_most_first(counts.kinds),
        left_out=_most_first(counts.left_out),
        early=counts.early,
        undone=_most_first(outcome.left_out + outcome.failed),
    )


def read_record(path: Path) -> Record:
    """Read what a campaign made.

    Raises:
        OSError: the file cannot be read.
        ValueError: it is no such record.
    """
    try:
        return Record.model_validate_json(path.read_bytes())
    except ValidationError as error:
        raise ValueError(f"{path}: not the record of a campaign: {error.errors()[0]['msg']}") from None


def _known(output: Path, campaign: Campaign, seed: int) -> Iterator[Run]:
    path = output / RECORD
    if not path.exists():
        return
    record = read_record(path)
    if (record.campaign, record.seed) != (campaign.name, seed):
        raise ValueError(
            f"{output}: holds the campaign {record.campaign}, seed {record.seed}: name another folder"
        )
    yield from (run for run in record.runs if (output / run.file).exists())


def _file(run: Run) -> str:
    return run.file


def _most_first(counts: Counter[str]) -> dict[str, Any]:
    return {name: count for name, count in counts.most_common() if count}
