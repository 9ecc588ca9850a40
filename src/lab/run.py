"""One scenario from beginning to end: network, services, recorder, what everybody does, labels."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

from lab import namespaces
from lab.network import fabric
from lab.outcome import Outcome, Progress
from lab.recorder import Recorder
from lab.scenario import Scenario
from lab.schedule import schedule
from lab.stage import Stage


def run_scenario(
    scenario: Scenario,
    seed: int,
    capture: Path,
    *,
    progress: Progress = lambda text: None,
) -> Outcome:
    """Run a scenario and write a capture of it.

    Args:
        scenario: what is to happen.
        seed: of everything that is drawn.
        capture: the file to write.
        progress: told what goes on.

    Raises:
        PermissionError: it needs root.
        OSError: a program, or something of the kernel, is missing; a service does not start.
    """
    with ExitStack() as stack:
        built = stack.enter_context(fabric(scenario, seed))
        place = namespaces.folder()
        stage = Stage(scenario, seed, built, place, progress)
        stack.callback(stage.stop_services)
        stage.start_services()
        recorder = Recorder(built.switch, capture, place)
        try:
            stage.play(schedule(scenario, seed))
        finally:
            recorder.stop()
        stage.outcome.missed = recorder.missed
        stage.outcome.packets = built.packets()
    return stage.outcome
