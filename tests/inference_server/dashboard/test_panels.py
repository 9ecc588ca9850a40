from __future__ import annotations

from dataclasses import replace

import pytest

from helpers.models import make_scorer
from helpers.status import ARCHIVE, CENTRAL, INTERFACE, SENSOR, make_status
from inference_server.dashboard.losses import UNSENT, losses
from inference_server.dashboard.panels import panel
from inference_server.dashboard.snapshot import Snapshot, totals_of
from inference_server.live_capture import CaptureStatus
from inference_server.sensors.status import SensorsStatus
from inference_server.telemetry.health import health_body
from inference_server.telemetry.status import ServiceStatus

OF_SENSOR = ("sensor_stats", "reasons", "losses", "interfaces", "queues", "transports", "stores")


def look(status: ServiceStatus) -> Snapshot:
    return Snapshot(
        time=0.0,
        status=status,
        health=health_body(status, 300),
        totals=totals_of(status),
        lost=losses(status),
        max_flows=1000,
    )


@pytest.mark.parametrize("template", OF_SENSOR)
def test_a_panel_is_made_once_a_look(template: str) -> None:
    snapshot = look(make_status(make_scorer()))
    made = panel(template, snapshot)
    assert bool(made.strip()) == (template != "reasons")
    assert panel(template, snapshot) is made


@pytest.mark.parametrize("template", OF_SENSOR)
def test_a_panel_can_be_made_of_a_service_that_only_begins(template: str) -> None:
    status = make_status(None, capture=CaptureStatus(False, None, ()), stores=(), benign=())
    assert isinstance(panel(template, look(status)), str)


def test_what_came_from_outside_is_escaped() -> None:
    attack = "<img src=x onerror=alert(1)>"
    interface = replace(INTERFACE, running=False, error=attack, packet_filter=attack)
    status = make_status(
        make_scorer(),
        capture=CaptureStatus(True, None, (interface,)),
        archive=replace(ARCHIVE, error=attack),
    )
    for template in ("interfaces", "reasons"):
        made = panel(template, look(status))
        assert "<img" not in made
        assert "&lt;img" in made


def test_a_loss_is_said_in_red() -> None:
    snapshot = replace(look(make_status(make_scorer())), lost_lately={"flows shed before scoring": 12})
    assert "stat lost" in panel("sensor_stats", snapshot)
    assert "12 flows shed before scoring in the last 10 minutes" in panel("reasons", snapshot)


def test_sensors_that_are_not_well_come_first_and_names_are_escaped() -> None:
    silent = replace(SENSOR, sensor="<b>edge-2</b>", silent_seconds=100.0)
    fine = [replace(SENSOR, sensor=f"edge-{number}", report=None) for number in range(60)]
    made = panel("sensors", look(make_status(None, sensors=SensorsStatus((*fine, silent), {}, 0, None))))
    assert "&lt;b&gt;edge-2" in made
    assert made.index("edge-2&lt;") < made.index("edge-0")
    assert "11 more: GET /api/sensors" in made


def test_a_sensor_shows_what_it_has_not_sent_and_a_service_alone_neither() -> None:
    away = replace(CENTRAL, error="no <answer>", dropped={"spool full": 12345})
    made = panel("sensors", look(make_status(None, central=away, sensors=SensorsStatus((), {}, 0, None))))
    assert "no &lt;answer&gt;" in made
    assert "12,345" in made
    assert losses(make_status(None, central=away))[UNSENT] == 12345
    assert not panel("sensors", look(make_status(None, sensors=SensorsStatus((), {}, 0, None)))).strip()
