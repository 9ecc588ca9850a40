"""Alerts as the settings want them: the policy and everything that takes its messages."""

from __future__ import annotations

from dataclasses import dataclass

from alerting.alert_log import AlertLog
from alerting.alert_stream import AlertStatus, AlertStream
from alerting.line_file import LineFileStatus
from alerting.policy import AlertPolicy
from alerting.rules_file import RulesFile
from inference_server import demo
from inference_server.settings import Settings

SIDECAR = "sidecar"


@dataclass(frozen=True, slots=True)
class AlertsStatus:
    """The state of alerting.

    Attributes:
        stream: what became of attack verdicts.
        log: alerts.json.
    """

    stream: AlertStatus
    log: LineFileStatus


class Alerts:
    """Joins the parts; the sink feeds `stream`."""

    def __init__(self, settings: Settings) -> None:
        """Make the parts.

        Args:
            settings: the service's.
        """
        self._log = AlertLog(settings.log_dir)
        policy = AlertPolicy(
            aggregated={SIDECAR, demo.SENSOR} if settings.publish_mode == "alert" else (),
            window=settings.alert_window_seconds,
            rules=RulesFile(settings.alert_rules) if settings.alert_rules else None,
        )
        self.stream = AlertStream(policy, {"alerts.json": self._log.write})

    def stop(self) -> None:
        """Close what is open, once the sink has ended."""
        self._log.close()

    def status(self) -> AlertsStatus:
        """Return the state."""
        return AlertsStatus(stream=self.stream.status(), log=self._log.status())
