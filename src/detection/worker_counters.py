"""What the scoring thread counts."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class WorkerCounters:
    """Flows counted since the worker was made.

    handed_over = captured + shed + sum(refused) + failed + waiting.

    Attributes:
        handed_over: flows that captures handed over.
        captured: of these, scored.
        shed: not taken, because too many waited or the worker stopped.
        refused: not scored, because the model cannot read them; by reason.
        failed: lost with a batch whose scoring or delivery raised.
        waiting: not decided yet; at most `capacity`.
        capacity: how many flows may wait, of captures and of requests each.
        requested: flows scored for requests.
        attacks, insufficient: verdicts of either kind, of captures and requests.
        restarts: how often the work was taken up again after a failure.
    """

    handed_over: int
    captured: int
    shed: int
    refused: dict[str, int]
    failed: int
    waiting: int
    capacity: int
    requested: int
    attacks: int
    insufficient: int
    restarts: int
