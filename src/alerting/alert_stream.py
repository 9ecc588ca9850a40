"""From verdicts to those who want alerts: the policy, then explanation and evidence, then every consumer."""

from __future__ import annotations

import itertools
import logging
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from alerting.alert import AlertRevision
from alerting.budget import Budget
from alerting.clock import SYSTEM_CLOCK, Clock
from alerting.policy import AlertPolicy, PolicyCounts
from alerting.rules_file import RulesStatus
from flows.explanations import Explanation
from flows.table import FlowTable
from flows.verdicts import Verdicts

EXPLANATIONS_PER_SECOND: Final = 200.0
EXPLANATION_BURST: Final = 400
"""A reason takes a third of a millisecond; more alerts than this are a flood."""

PORTION: Final = 256
"""Messages handed on at once."""

Explain = Callable[[FlowTable, Verdicts], tuple[Explanation | None, ...]]
"""Says why a table's flows got these verdicts; None where nothing can."""

NameEvidence = Callable[[str], str | None]
"""Names the file with the evidence of an alert's id, None while there is none."""

Consumer = Callable[[Sequence[AlertRevision]], None]
"""Takes messages over, in order; called from one thread."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class AlertStatus:
    """What became of attack verdicts and of the alerts made of them.

    Attributes:
        policy: the policy's counters.
        explained: explanations asked for, by outcome: given, unavailable (none to be had), over budget
            (not asked for), failed.
        failed: messages that a consumer did not take because of a defect, by consumer.
        rules: the state of the rules file, None without one.
    """

    policy: PolicyCounts
    explained: dict[str, int]
    failed: dict[str, int]
    rules: RulesStatus | None


class AlertStream:
    """Feeds the policy and hands its messages on. One thread calls; any may read `status`."""

    def __init__(
        self,
        policy: AlertPolicy,
        consumers: Mapping[str, Consumer],
        *,
        explain: Explain | None = None,
        name_evidence: NameEvidence | None = None,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        """Join the parts.

        Args:
            policy: what makes alerts of verdicts.
            consumers: who takes the messages, by name; one that raises costs the others nothing.
            explain: says what moved the model, at most `EXPLANATIONS_PER_SECOND` times a second.
            name_evidence: says which file has the packets of an alert.
            clock: where the time comes from.
        """
        self._policy = policy
        self._consumers = dict(consumers)
        self._explain = explain
        self._name_evidence = name_evidence
        self._budget = Budget(EXPLANATIONS_PER_SECOND, EXPLANATION_BURST, clock.monotonic)
        self._explained: Counter[str] = Counter()
        self._failed: Counter[str] = Counter()

    def take(self, table: FlowTable, verdicts: Verdicts, source: str) -> None:
        """Take a table's verdicts; `source` says who asked for them (sidecar, demo, api)."""
        self._hand_on(self._policy.take(table, verdicts, source))

    def tick(self) -> None:
        """Revise and close what is due; to be called about once a second."""
        self._hand_on(self._policy.tick())

    def close(self) -> None:
        """Close every alert."""
        self._hand_on(self._policy.close())

    def status(self) -> AlertStatus:
        """Return the counters."""
        return AlertStatus(
            self._policy.counts(), dict(self._explained), dict(self._failed), self._policy.rules_status()
        )

    def _hand_on(self, alerts: Iterable[AlertRevision]) -> None:
        messages = iter(alerts)
        while portion := [self._complete(alert) for alert in itertools.islice(messages, PORTION)]:
            for name, consumer in self._consumers.items():
                try:
                    consumer(portion)
                except Exception:
                    self._failed[name] += len(portion)
                    logger.exception("%s did not take %d messages of alerts", name, len(portion))

    def _complete(self, alert: AlertRevision) -> AlertRevision:
        explanation = alert.explanation
        if alert.opens_or_revises and explanation is None and self._explain:
            explanation = self._explanation(alert, self._explain)
        evidence = None
        if alert.revision > 1 and self._name_evidence:
            evidence = self._name_evidence(alert.alert_id)
        return replace(alert, explanation=explanation, evidence=evidence)

    def _explanation(self, alert: AlertRevision, explain: Explain) -> Explanation | None:
        if not self._budget.take():
            self._explained["over budget"] += 1
            return None
        try:
            (explanation,) = explain(alert.flow.table(), alert.flow.verdicts())
        except Exception:
            self._explained["failed"] += 1
            logger.exception("alert %s goes without an explanation", alert.alert_id)
            return None
        self._explained["given" if explanation else "unavailable"] += 1
        return explanation
