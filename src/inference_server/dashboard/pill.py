"""The one word for the sensor's state that every page shows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from capture.status import NOT_STARTED
from detection.watcher import ModelStatus
from inference_server.dashboard.snapshot import Snapshot

LOADING: Final = ModelStatus().error
Tone = Literal["good", "warn", "bad", "idle"]


@dataclass(frozen=True, slots=True)
class Pill:
    """What is said of the sensor.

    Attributes:
        tone: the colour: `bad` when something is lost or nothing is seen.
        text: in two or three words.
        why: the sentence behind it.
    """

    tone: Tone
    text: str
    why: str


def pill_of(snapshot: Snapshot) -> Pill:
    """Return the worst that is the case."""
    capture = snapshot.status.capture
    down = [each for each in capture.interfaces if not each.running]
    starting = not capture.error and all(each.error == NOT_STARTED for each in down)
    if snapshot.status.scorer is None and starting:
        return _without_model(snapshot)
    if capture.error or down:
        why = capture.error or "; ".join(f"{each.interface}: {each.error}" for each in down)
        return Pill("bad", "Not capturing", why)
    if snapshot.lost_lately:
        return Pill("bad", "Losing data", f"lately lost: {_listed(snapshot.lost_lately)}")
    if snapshot.status.scorer is None:
        return _without_model(snapshot)
    if reasons := snapshot.health["reasons"]:
        text = "Traffic drifts" if snapshot.health["status"] == "drift" else "Degraded"
        return Pill("warn", text, "; ".join(reasons))
    if lost := {name: count for name, count in snapshot.lost.items() if count}:
        return Pill("warn", "Lost some earlier", f"since the start: {_listed(lost)}")
    if not capture.enabled:
        return Pill("idle", "Capture off", "START_CICFLOWMETER=false: only requests and uploads are judged")
    return Pill("good", "Seeing everything", "nothing is lost between the wire and the alert")


def _without_model(snapshot: Snapshot) -> Pill:
    error = snapshot.status.model.error or ""
    if error == LOADING:
        return Pill("idle", "Starting", error)
    return Pill("bad", "No model", f"nothing is judged: {error}")


def _listed(counts: dict[str, int]) -> str:
    return ", ".join(f"{count:,} {name}" for name, count in counts.items())
