"""A capture goes the way live packets go: meter, model, alert policy."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from alerting.policy import AlertPolicy
from capture.files import CaptureFile
from capture.rules import LiveRules
from context.stage import ContextStage
from detection.scorer import Scorer
from flows.labels import BY_CODE
from flows.table import FlowTable
from inference_server.self_test.cases import Case

SENSOR: Final = "self-test"


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of a capture.

    Attributes:
        case: which.
        flows: how many the meter made of it.
        insufficient: of these, those that show too little to be judged.
        flagged: of these, those that the model calls an attack.
        alerts: opened by the policy, by label.
    """

    case: Case
    flows: int
    insufficient: int
    flagged: int
    alerts: dict[str, int]

    @property
    def fired(self) -> bool:
        """Whether there is an alert."""
        return bool(self.alerts)

    @property
    def right(self) -> bool:
        """Whether there is an alert if, and only if, there should be one."""
        return self.fired != self.case.benign


def answer(case: Case, scorer: Scorer, rules: LiveRules, window: float) -> Answer:
    """Replay a case.

    Args:
        case: which.
        scorer: the model, at the threshold in force.
        rules: how the sensor ends flows.
        window: seconds that verdicts of one class about one source are one alert.

    Raises:
        OSError: the capture is not there.
        ValueError: the model reads what the meter cannot measure.
    """
    policy = AlertPolicy(aggregated={SENSOR}, window=window)
    flows = insufficient = flagged = 0
    alerts: Counter[str] = Counter()
    for table in _flows(case, scorer, rules):
        verdicts = scorer.score(table)
        flows += len(table)
        insufficient += int(verdicts.insufficient.sum())
        flagged += int(verdicts.is_attack.sum())
        opened = {
            revision.alert_id: BY_CODE[revision.flow.code].name
            for revision in policy.take(table, verdicts, SENSOR)
            if revision.revision == 1
        }
        alerts.update(opened.values())
    return Answer(case, flows, insufficient, flagged, dict(alerts))


def _flows(case: Case, scorer: Scorer, rules: LiveRules) -> Iterator[FlowTable]:
    """Yield the flows, with what their hosts did before if the model reads that."""
    context = bool(scorer.record.context)
    file = CaptureFile(
        case.capture, dialect=scorer.record.dialect, live_rules=rules, sensor=SENSOR, starts=context
    )
    tables = file.tables()
    yield from ContextStage().complete(tables, file.take_starts) if context else tables
