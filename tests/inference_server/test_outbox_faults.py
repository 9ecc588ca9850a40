"""What the outbox promises, with the whole service and everything that goes wrong around it."""

from __future__ import annotations

import itertools
import os
import random
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import httpx
import pytest

from alerting.outbox.browsing import browsing
from helpers.command import running
from helpers.models import typical_flow
from helpers.outbox import rows_accounted
from helpers.server import wait_until
from helpers.wild_queue import WildQueue, wild_queue

ATTACK = 17
QUIET = {"START_CICFLOWMETER": "false", "DEMO": "0", "FLOW_ARCHIVE_GB": "0"}


@contextmanager
def under_load(url: str, flows: int = 5) -> Iterator[None]:
    """Send attacks all the while; a service that goes away is expected."""
    over = threading.Event()
    body = [typical_flow(ATTACK)] * flows

    def send() -> None:
        with httpx.Client(base_url=url, timeout=10) as client:
            while not over.is_set():
                with suppress(httpx.HTTPError):
                    client.post("/predict", json=body)
                time.sleep(0.02)

    thread = threading.Thread(target=send, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join(30)


def committed_ids(outbox: Path) -> set[str]:
    with browsing(outbox) as browser:
        return {each.message_id for each in browser.deliveries()}


@pytest.mark.parametrize("kills", [3, pytest.param(200, marks=pytest.mark.slow)])
def test_no_committed_alert_is_lost_when_the_service_is_killed_again_and_again(
    tmp_path: Path, champion_state: Path, kills: int
) -> None:
    shutil.copytree(champion_state, tmp_path / "var", ignore=shutil.ignore_patterns("outbox.db*"))
    outbox = tmp_path / "var" / "outbox.db"
    dice = random.Random(kills)
    committed: set[str] = set()
    with wild_queue(seed=kills) as queue:
        environment = QUIET | {"WEBHOOK_URL": queue.url, "OUTBOX_MAX_MB": "4000"}
        serve = ["ml-ids", "serve", "--port", "0"]
        for _ in range(kills):
            with running(serve, tmp_path, **environment) as service, under_load(service.url):
                wait_until(service.ready)
                time.sleep(dice.uniform(0, 1.5))
                service.stop(signal.SIGKILL)
            committed |= committed_ids(outbox)
        queue.wild = False
        with running(serve, tmp_path, **environment) as service:
            wait_until(service.ready)
            wait_until(lambda: _delivered_all(service.url), seconds=180 + kills)
            service.stop()
    assert len(committed) > kills
    assert committed <= set(queue.taken)
    assert committed_ids(outbox) >= committed
    assert any(times > 1 for times in queue.taken.values()), "no duplicate: the queue was not wild enough"
    assert all(len(contents) == 1 for contents in queue.contents.values())
    assert rows_accounted(outbox)["webhook"].keys() == {"delivered"}


def _delivered_all(url: str) -> bool:
    (transport,) = httpx.get(f"{url}/health", timeout=60).json()["alerts"]["outbox"]["transports"]
    return bool(transport["committed"] and transport["delivered"] == transport["committed"])


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 40 MB; skips where none can be mounted."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=40m", "tmpfs", str(disk)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("mounting a small disk needs root and CAP_SYS_ADMIN")
    yield disk
    subprocess.run(["umount", "-l", str(disk)], check=True)


def test_a_full_disk_is_counted_and_shown_while_the_service_goes_on(
    serve: Any, champion_state: Path, small_disk: Path
) -> None:
    shutil.copytree(champion_state, small_disk / "var", ignore=shutil.ignore_patterns("outbox.db*"))
    with (
        wild_queue() as queue,
        serve(state_dir=small_disk / "var", log_dir=small_disk / "logs", webhook_url=queue.url) as client,
    ):
        queue.wild = False

        def health() -> dict[str, Any]:
            found: dict[str, Any] = client.get("/health").json()
            return found

        posts = itertools.count(1)
        attacks = 0

        def attack() -> None:
            nonlocal attacks
            answer = client.post("/predict", json=[typical_flow(ATTACK)] * 100)
            assert answer.status_code == 200
            attacks = 100 * next(posts)

        filler = small_disk / "filler"
        _fill(filler)

        def both_full() -> bool:
            attack()
            reasons = " ".join(health()["reasons"])
            return "messages wait in memory: outbox.db: database or disk is full" in reasons and (
                "alerts.json: " in reasons and "lines lost" in reasons
            )

        wait_until(both_full)
        attack()
        filler.unlink()
        attack()
        wait_until(lambda: health()["alerts"]["messages"] == attacks and _recovered(health()))
        alerts = health()["alerts"]
        outbox, (webhook,) = alerts["outbox"], alerts["outbox"]["transports"]
        # The others are what the sensor says of its disk.
        assert attacks <= outbox["offered"] == outbox["committed"]
        assert outbox["lost"] == {}
        assert webhook["delivered"] == webhook["committed"] == len(queue.taken)
        lost = {file["name"]: file["lost"] for file in health()["sink"]["files"]}
        assert lost["alerts.json"] > 0


def _fill(filler: Path) -> None:
    with filler.open("wb", buffering=0) as stream, suppress(OSError):
        while stream.write(bytes(1 << 16)):
            pass


def _recovered(health: dict[str, Any]) -> bool:
    outbox = health["alerts"]["outbox"]
    (webhook,) = outbox["transports"]
    written = outbox["error"] is None and outbox["waiting"] == 0
    return written and webhook["committed"] == webhook["delivered"] == outbox["committed"]


def test_a_damaged_outbox_is_set_aside_at_the_start_which_is_said(
    serve: Any, champion_state: Path, tmp_path: Path
) -> None:
    shutil.copytree(champion_state, tmp_path / "var", ignore=shutil.ignore_patterns("outbox.db*"))
    (tmp_path / "var" / "outbox.db").write_bytes(os.urandom(100_000))
    with serve(state_dir=tmp_path / "var") as client:
        client.post("/predict", json=typical_flow(ATTACK))
        wait_until(lambda: client.get("/health").json()["alerts"]["outbox"]["committed"] == 1)
        reasons = client.get("/health").json()["reasons"]
    assert "outbox.db was damaged (file is not a database) and was set aside as outbox.db.aside-" in str(
        reasons
    )


def test_with_the_queue_away_predictions_are_answered_and_delivered_when_it_is_back(
    serve: Any, champion_state: Path, tmp_path: Path
) -> None:
    shutil.copytree(champion_state, tmp_path / "var", ignore=shutil.ignore_patterns("outbox.db*"))
    queue: WildQueue
    with wild_queue() as queue:
        url = queue.url
    with serve(state_dir=tmp_path / "var", webhook_url=url) as client:
        for _ in range(20):
            assert (
                client.post("/predict", json=[typical_flow(ATTACK)] * 5).json()["prediction"] == [ATTACK] * 5
            )
        wait_until(lambda: client.get("/health").json()["alerts"]["outbox"]["committed"] == 100)
        wait_until(lambda: "webhook: " in str(client.get("/health").json()["reasons"]))
        outbox = client.get("/health").json()["alerts"]["outbox"]
        assert (outbox["lost"], outbox["transports"][0]["delivered"]) == ({}, 0)
