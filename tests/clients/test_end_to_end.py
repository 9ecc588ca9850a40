"""From one client to the other: a file of flows, the service, a topic, a queue, the consumer."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import uuid
from pathlib import Path

import pandas as pd
import pytest
from typer.testing import CliRunner

from clients.rest_client.command import app
from helpers.queues import KEY, REGION, Queues
from helpers.server import wait_until

CONSUMER = "from clients.attack_consumer.command import app; app()"


def consume(queues: Queues, queue: str) -> list[dict[str, object]]:
    """What one request shows."""
    flags = ["--access-key", KEY[0], "--secret-key", KEY[1], "--region", REGION, "--queue-url", queue]
    ran = subprocess.run(
        [sys.executable, "-c", CONSUMER, *flags, "--once", "--output", "json", "--wait-time", "20"],
        env=os.environ | {"AWS_ENDPOINT_URL_SQS": queues.url},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    return [json.loads(line) for line in ran.stdout.splitlines()]


@pytest.fixture
def subscribed(queues: Queues, topic: str) -> tuple[str, str]:
    """A queue of attacks, and one of everything."""
    attacks, everything = (queues.queue(f"{name}-{uuid.uuid4().hex}") for name in ("attacks", "everything"))
    queues.subscribe(topic, attacks, {"prediction": ["attack"]})
    queues.subscribe(topic, everything)
    return attacks, everything


def test_of_a_benign_and_an_attack_flow_exactly_the_attack_is_shown(
    queues: Queues,
    subscribed: tuple[str, str],
    publishing_url: str,
    labelled: pd.DataFrame,
    tmp_path: Path,
) -> None:
    attacks, everything = subscribed
    flows = labelled.groupby("label").head(1).query("label != 'PortScan'")
    flows.to_csv(tmp_path / "flows.csv", index=False)
    flags = ["--dataset-uri", f"file://{tmp_path}/flows.csv", "--api-url", publishing_url, "--all"]
    sent = CliRunner().invoke(app, flags)
    assert "Accuracy: 100.00%" in sent.stdout, sent.output
    wait_until(lambda: queues.waiting(everything) == 2)
    (shown,) = consume(queues, attacks)
    flow = shown["flow"]
    assert isinstance(flow, dict)
    attack = flows[flows["label"] == "DoS Hulk"].drop(columns="label").iloc[0].to_dict()
    assert {name: flow[name] for name in attack} == attack
    assert (flow["prediction"], flow["count"], flow["revision"]) == (1.0, 1, 1)
    assert queues.waiting(attacks) + len(queues.receive(everything, 2)) == 2
