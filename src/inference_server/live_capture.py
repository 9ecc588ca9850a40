"""Live capture as the settings want it, or the reason why there is none."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from os import PathLike

from capture.evidence import Wanted
from capture.extractors.environment import find_environment
from capture.extractors.sidecar import ExtractorSidecar
from capture.interfaces import default_interface, may_capture
from capture.rules import LiveRules
from capture.sidecar import Sidecar
from capture.status import InterfaceStatus
from flows.dialects import IMPROVED, PYTHON
from flows.table import FlowTable
from inference_server.bodies.capture_options import capture_options
from inference_server.container import in_container
from inference_server.live_context import LiveContext
from inference_server.settings import Settings

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class CaptureStatus:
    """The state of live capture.

    Attributes:
        enabled: capture is wanted.
        error: why no interface is captured although capture is wanted, None otherwise.
        interfaces: the state of each interface.
        dialect: of the flows that are captured.
    """

    enabled: bool
    error: str | None
    interfaces: tuple[InterfaceStatus, ...]
    dialect: str = IMPROVED


class LiveCapture:
    """The sidecar on the wanted interfaces; without the permission, or an interface, none."""

    def __init__(
        self,
        settings: Settings,
        hand_over: Callable[[FlowTable], int],
        *,
        reads_context: Callable[[], bool] = lambda: False,
    ) -> None:
        """Prepare the capture.

        Args:
            settings: what to capture.
            hand_over: as `Sidecar` takes it.
            reads_context: whether a model that serves reads host context; asked all the time.
        """
        self._enabled = settings.start_cicflowmeter
        self._error: str | None = None
        self._sidecar: Sidecar | ExtractorSidecar | None = None
        self._dialect = captured_dialect(settings)
        if not self._enabled:
            return
        interfaces = settings.cic_interface or _default()
        if not may_capture():
            self._error = permission_hint()
        elif not interfaces:
            self._error = "no default route to capture on: set CIC_INTERFACE"
        else:
            try:
                self._sidecar = _sidecar(settings, interfaces, hand_over, reads_context)
            except FileNotFoundError as error:
                self._error = str(error)

    def start(self) -> None:
        """Begin to capture, or say once why not."""
        if self._error:
            logger.warning("no live capture: %s", self._error)
        if self._sidecar:
            self._sidecar.start()

    def stop(self, timeout: float) -> None:
        """End the capture; open flows are handed over."""
        if self._sidecar:
            self._sidecar.stop(timeout)

    def evidence(self, wanted: Sequence[Wanted], path: str | PathLike[str]) -> int:
        """Write the packets kept of flows; return how many, 0 also where none are kept."""
        return self._sidecar.evidence(wanted, path) if self._sidecar else 0

    def status(self) -> CaptureStatus:
        """Return the state of every interface."""
        interfaces = self._sidecar.status() if self._sidecar else ()
        return CaptureStatus(self._enabled, self._error, interfaces, self._dialect)


def captured_dialect(settings: Settings) -> str:
    """Return the dialect of the flows that are captured."""
    return PYTHON if settings.capture_extractor == "cicflowmeter" else IMPROVED


def _sidecar(
    settings: Settings,
    interfaces: Sequence[str],
    hand_over: Callable[[FlowTable], int],
    reads_context: Callable[[], bool],
) -> Sidecar | ExtractorSidecar:
    sensor, options = settings.sensor_id, capture_options(settings)
    if settings.capture_extractor == "cicflowmeter":
        environment = find_environment(settings.tools_dir)
        return ExtractorSidecar(
            interfaces, hand_over, sensor=sensor, environment=environment, options=options
        )
    return Sidecar(
        interfaces,
        hand_over,
        sensor=sensor,
        rules=live_rules(settings),
        options=options,
        context=lambda: LiveContext(reads_context, flows=options.max_flows),
    )


def live_rules(settings: Settings) -> LiveRules:
    """Return when live flows end."""
    return LiveRules(
        linger_seconds=settings.close_linger,
        idle_seconds=settings.capture_idle_seconds,
        early_seconds=settings.capture_early_seconds,
        unanswered_seconds=settings.capture_unanswered_seconds,
    )


def permission_hint() -> str:
    """Say how this process would be allowed to capture."""
    if in_container():
        fix = "Run the container with --cap-add NET_RAW"
    else:
        fix = (
            f"Run as root, or once: sudo setcap cap_net_raw+ep {os.path.realpath(sys.executable)} "
            "(every user of that interpreter may capture then)"
        )
    return f"not permitted. {fix}; START_CICFLOWMETER=false silences this"


def _default() -> tuple[str, ...]:
    name = default_interface()
    return (name,) if name else ()
