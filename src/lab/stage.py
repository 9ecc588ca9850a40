"""The hosts of a scenario while something happens on them."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from flows.label_rules import LabelRules
from lab import namespaces
from lab.activities.kind import Task
from lab.claims import LINGER, Claim, label_rules
from lab.guard import SILENT_V4, check_command
from lab.network import Fabric, Host, resolver
from lab.outcome import Outcome, Progress
from lab.processes import Running
from lab.scenario import NOBODY, Scenario
from lab.schedule import Step
from lab.services.catalogue import SERVICES
from lab.services.service import Setting

READY_SECONDS: Final = 30.0
TICK: Final = 0.05
COUNT_EVERY: Final = 1.0


@dataclass(slots=True)
class _Going:
    """A step that runs."""

    step: Step
    task: Task
    running: Running
    begin: datetime
    until: float


class Stage:
    """The hosts while something happens on them.

    Attributes:
        outcome: what happened so far.
    """

    def __init__(self, scenario: Scenario, seed: int, built: Fabric, place: Path, progress: Progress) -> None:
        self.outcome = Outcome(scenario, seed, LabelRules(default="", rules=[]))
        self._scenario = scenario
        self._built = built
        self._place = place
        self._progress = progress
        self._services: list[Running] = []
        self._claims: list[Claim] = []
        self._missing: set[str] = set()
        self._offered: set[tuple[str, str]] = set()

    def start_services(self) -> None:
        """Start what hosts serve and wait until it listens; a server that is not installed is left out."""
        rng = random.Random(f"{self._scenario.name}/services/{self.outcome.seed}")
        names = self._name_server()
        for host in self._built.hosts.values():
            resolver(host, names)
            for name in host.spec.services:
                self._start_service(host, name, random.Random(rng.getrandbits(64)))

    def stop_services(self) -> None:
        """Stop them."""
        for running in self._services:
            running.stop()

    def _name_server(self) -> str:
        servers = [host for host in self._built.hosts.values() if "dnsmasq" in host.spec.services]
        return servers[0].address if servers else ""

    def _start_service(self, host: Host, name: str, rng: random.Random) -> None:
        service = SERVICES[name]
        if service.program is not None and service.program.path() is None:
            self._tell_missing(f"the service {name}: apt-get install {service.program.package}")
            return
        place = self._place / host.name / name
        place.mkdir(parents=True)
        for number, command in enumerate(service.set_up(self._setting(host, place, rng))):
            self._services.append(Running(host.namespace, command, place, f"{name}-{number}"))
        self._wait(host, name, service.listens)
        self._offered.add((host.name, name))

    def _setting(self, host: Host, place: Path, rng: random.Random) -> Setting:
        names = {each.name: each.address for each in self._built.hosts.values()}
        return Setting(host.address, host.address6, names, namespaces.etc(host.namespace), place, rng)

    def _wait(self, host: Host, name: str, listens: tuple[tuple[str, int], ...]) -> None:
        wanted = set(listens)
        deadline = time.monotonic() + READY_SECONDS
        while not wanted <= namespaces.listening(host.namespace):
            dead = next((each for each in self._services if each.code is not None), None)
            if dead is not None or time.monotonic() > deadline:
                said = (dead or self._services[-1]).said()
                raise OSError(f"{host.name}: {name} does not start: {said}")
            time.sleep(0.1)

    def play(self, steps: list[Step]) -> None:
        """Do everything at its time."""
        began = counted = time.monotonic()
        waiting, going = list(steps), list[_Going]()
        while (waiting or going) and time.monotonic() - began < self._scenario.seconds:
            now = time.monotonic()
            while waiting and waiting[0].start <= now - began:
                going += self._start(waiting.pop(0))
            going = [each for each in going if not self._ended(each, now)]
            if now - counted >= COUNT_EVERY:
                counted = now
                if self._built.packets() >= self._scenario.max_packets:
                    self.outcome.cut = True
                    break
            time.sleep(TICK)
        for each in going:
            self._ended(each, each.until)
        self.outcome.rules = label_rules(
            self._claims,
            f"{self._scenario.description} Network: {self._conditions()}.",
            f"ml-ids lab run {self._scenario.name} --seed {self.outcome.seed}",
        )

    def _start(self, step: Step) -> list[_Going]:
        kind = step.kind
        if kind.program is not None and kind.program.path() is None:
            self._leave_out(kind.name, f"{kind.program.name}: apt-get install {kind.program.package}")
            return []
        if (
            kind.service is not None
            and step.target != NOBODY
            and (step.target, kind.service) not in self._offered
        ):
            self._leave_out(kind.name, f"no {kind.service} on {step.target}")
            return []
        source = self._built.hosts[step.source]
        task = self._task(step, source)
        command = kind.command(task)
        check_command(command, kind.targets(task))
        running = Running(source.namespace, command, task.place, "tool")
        return [_Going(step, task, running, datetime.now(UTC), time.monotonic() + step.seconds)]

    def _task(self, step: Step, source: Host) -> Task:
        ipv6 = self._built.network.ipv6 and step.kind.ipv6 and step.target != NOBODY
        place = self._place / "tasks" / str(step.seed)
        place.mkdir(parents=True, exist_ok=True)
        others = [host for host in self._built.hosts.values() if host is not source and not host.spec.behind]
        if step.target == NOBODY:
            address = str(SILENT_V4[random.Random(step.seed).randrange(1, SILENT_V4.num_addresses - 1)])
        else:
            address = self._built.hosts[step.target].talks_from(ipv6=ipv6)
        return Task(
            target=step.target,
            address=address,
            own_address=source.talks_from(ipv6=ipv6),
            others=tuple(host.talks_from(ipv6=ipv6) for host in others),
            parameters=step.parameters,
            seconds=step.seconds,
            seed=step.seed,
            place=place,
            lab=self._place,
        )

    def _ended(self, going: _Going, now: float) -> bool:
        code = going.running.code
        if code is None and now < going.until:
            return False
        if code is None:
            going.running.stop()
        elif code not in going.step.kind.codes:
            self.outcome.failed[f"{going.step.kind.name}: {going.running.said()[:120]}"] += 1
        self.outcome.done[going.step.kind.name] += 1
        self._claims += self._claimed(going)
        return True

    def _claimed(self, going: _Going) -> Iterator[Claim]:
        step = going.step
        source = self._built.hosts[step.source]
        about = {
            "scenario": self._scenario.name,
            "activity": step.kind.name,
            "tool": step.kind.tool,
            **step.parameters.model_dump(),
        }
        spoofed = step.kind.spoofs(going.task)
        for talk in step.kind.talks:
            yield Claim(
                label=step.kind.label,
                begin=going.begin,
                end=datetime.now(UTC) + LINGER,
                source=frozenset(source.seen if spoofed is None else (spoofed,)),
                destination=frozenset(step.kind.targets(going.task)),
                protocol=talk.protocol,
                ports=None if talk.ports is None else frozenset(talk.ports),
                about=about,
            )

    def _conditions(self) -> str:
        return ", ".join(f"{name} {value}" for name, value in self._built.network.model_dump().items())

    def _leave_out(self, kind: str, reason: str) -> None:
        self.outcome.left_out[f"{kind}: {reason}"] += 1
        self._tell_missing(f"{kind}: {reason}")

    def _tell_missing(self, text: str) -> None:
        if text not in self._missing:
            self._missing.add(text)
            self._progress(f"left out, {text}")
