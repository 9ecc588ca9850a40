"""The model that serves, and those that could: looked at, reloaded, promoted and taken back."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any, Final, Literal

from detection.drift import DRIFTING_SHARE, ENOUGH_FLOWS, SHIFTED_PSI, DriftStatus
from detection.model_list import Listed, list_models
from detection.model_uri import ModelUri, parse_model_uri
from detection.promotion import Promotion, promote, rollback
from detection.promotion_gate import Margins
from detection.registry import CHALLENGER, CHAMPION, Registry
from detection.scorer import Scorer
from detection.watcher import ModelWatcher
from flows.labels import BY_CODE
from inference_server.model_figures import measured
from inference_server.telemetry.health import challenger_body, utc_text
from inference_server.telemetry.status import ServiceStatus

Alias = Literal["champion", "challenger"]
RELOAD_SECONDS: Final = 60.0
logger = logging.getLogger(__name__)


class ModelDesk:
    """Answers about models. But for `model`, methods ask the registry: no event loop may call them itself.

    Raises:
        OSError: (from those) the registry cannot be used.
    """

    def __init__(
        self,
        model_uri: str,
        registry: Registry,
        watcher: ModelWatcher,
        status: Callable[[], ServiceStatus],
        judged: Callable[[], dict[str, dict[str, int]]],
        margins: Margins,
    ) -> None:
        """Join the parts.

        Args:
            model_uri: MLFLOW_MODEL_NAME.
            registry: where versions are.
            watcher: follows it.
            status: the service's state.
            judged: what people said of alerts: class given, then class really, then how many.
            margins: by how much a promoted model may be worse than the champion.
        """
        self._wanted = parse_model_uri(model_uri)
        self._registry = registry
        self._watcher = watcher
        self._status = status
        self._judged = judged
        self._margins = margins

    def model(self) -> dict[str, Any] | None:
        """Return all that is known of the model that serves, None before there is one."""
        status = self._status()
        scorer = status.scorer
        if scorer is None:
            return None
        return {
            "follows": str(self._wanted),
            **_about(scorer),
            "source": status.model.source,
            "checked_at": utc_text(status.model.checked_at),
            "problems": list(status.model.problems),
            "threshold": scorer.threshold,
            "threshold_source": status.threshold and status.threshold.source,
            "drift": _drift(status.drift),
            "challenger": challenger_body(status),
            "judged": self._judged(),
        }

    def versions(self) -> list[dict[str, Any]]:
        """Return the versions of the model that is configured, the latest first."""
        return [_version(each) for each in list_models(self._registry) if each.name == self._wanted.name]

    def reload(self, who: str | None) -> dict[str, Any]:
        """Look at the registry at once, and serve what it says; return what serves then."""
        logger.info("the registry is looked at, as %s asked", who or "somebody")
        checked = self._watcher.check_now(RELOAD_SECONDS)
        status = self._status()
        serves = status.scorer
        return {
            "checked": checked,
            "version": serves and serves.model_version,
            "challenger": status.model.challenger and status.model.challenger.model_version,
            "problems": list(status.model.problems) or ([status.model.error] if status.model.error else []),
        }

    def promote(self, version: str, alias: Alias, who: str | None, *, force: bool = False) -> dict[str, Any]:
        """Give a version an alias after it was checked, and let it serve.

        Args:
            version: its number.
            alias: what it gets.
            who: asks for it.
            force: although it is worse than the champion, or nobody knows; the log says so.

        Raises:
            LookupError: there is no such version.
            ValueError: it fails its checks, or is worse than the champion; nothing has changed.
        """
        wanted = ModelUri(self._wanted.name, "version", version)
        done = promote(self._registry, wanted, alias=alias, margins=self._margins, force=force)
        return self._changed(done, alias, who)

    def rollback(self, alias: Alias, who: str | None) -> dict[str, Any]:
        """Give an alias back to the version that had it before.

        Raises:
            LookupError: it is not known which had.
            ValueError: that one fails its checks; nothing has changed.
        """
        return self._changed(rollback(self._registry, self._wanted.name, alias=alias), alias, who)

    def _changed(self, promotion: Promotion, alias: Alias, who: str | None) -> dict[str, Any]:
        version, before = promotion.version, promotion.before
        logger.info(
            "%s gave @%s to %s, instead of %s%s",
            *(who or "somebody", alias, version, before or "none", ", by force" if promotion.forced else ""),
        )
        return {"alias": alias, "promoted": version.number, "before": before, **self.reload(who)}


def _about(scorer: Scorer) -> dict[str, Any]:
    record = scorer.record
    return {
        "name": scorer.model_name,
        "version": scorer.model_version,
        "description": record.description,
        "dialect": record.dialect,
        "schema_id": record.schema_id,
        "features": list(record.features),
        "classes": [
            {"code": code, "label": BY_CODE[code].name, "family": BY_CODE[code].family}
            for code in record.classes
        ],
        "record_threshold": record.threshold,
        "measured": measured(record.figures),
        "card": scorer.card,
    }


def _drift(drift: DriftStatus | None) -> dict[str, Any] | None:
    if drift is None:
        return None
    return {
        "drifting": drift.drifting,
        "flows": drift.flows,
        "flows_needed": ENOUGH_FLOWS,
        "share": drift.share,
        "limit": DRIFTING_SHARE,
        "shifted_from": SHIFTED_PSI,
        "psi": dict(sorted(drift.psi.items(), key=lambda item: -item[1])),
    }


def _version(listed: Listed) -> dict[str, Any]:
    return {
        "version": listed.number,
        "aliases": list(listed.aliases),
        "champion": CHAMPION in listed.aliases,
        "challenger": CHALLENGER in listed.aliases,
        "created": listed.created.isoformat(timespec="seconds"),
        "dialect": listed.dialect or None,
        "threshold": float(listed.threshold) if listed.threshold else None,
        "features": int(listed.features) if listed.features.isdecimal() else None,
        "measured": measured(listed.figures),
    }
