"""The command as its users run it."""

from __future__ import annotations

import json
import os
import pty
import select
import signal
import subprocess
import sys
import uuid
from typing import Any

import pytest
from typer.testing import CliRunner

from clients.attack_consumer.command import app
from helpers.queues import KEY, REGION, Queues
from helpers.server import wait_until

CODE = "from clients.attack_consumer.command import app; app()"
ROW = {"columns": ["timestamp", "prediction"], "data": [["21/02/2018 10:15:06", 1.0]]}
BODY = json.dumps({"Message": json.dumps(ROW)})


@pytest.fixture
def url(queues: Queues) -> str:
    made = queues.queue(f"attacks-{uuid.uuid4().hex}")
    queues.client("sqs").send_message(QueueUrl=made, MessageBody=BODY)
    return made


def environment(queues: Queues, **more: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    nowhere = {
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_CONFIG_FILE": "/",
        "AWS_SHARED_CREDENTIALS_FILE": "/",
    }
    return kept | nowhere | {"AWS_ENDPOINT_URL_SQS": queues.url} | more


def run(queues: Queues, *arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", CODE, *arguments],
        env=environment(queues, **more),
        capture_output=True,
        text=True,
        timeout=60,
    )


FLAGS = ("--access-key", KEY[0], "--secret-key", KEY[1], "--region", REGION)


def test_the_predecessors_flags(queues: Queues, url: str) -> None:
    flags = ("--delete-messages", "True", "--num-messages", "10", "--wait-time", "1")
    more = ("--visibility-timeout", "60", "--display-overflow", "nowrap", "--once")
    ran = run(queues, *FLAGS, "--queue-url", url, *flags, *more)
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.startswith("Attack detected [")
    assert "Network Flow:\n" in ran.stdout
    assert "21/02/2018 10:15:06" in ran.stdout
    assert ran.stderr.startswith("INFO: ")
    assert ran.stderr.endswith("Retrieving messages from queue...\n")
    assert queues.waiting(url) == 0


def test_keys_of_the_standard_chain(queues: Queues, url: str) -> None:
    chain = {"AWS_ACCESS_KEY_ID": KEY[0], "AWS_SECRET_ACCESS_KEY": KEY[1], "AWS_DEFAULT_REGION": REGION}
    ran = run(queues, "--once", "--output", "json", SQS_QUEUE_URL=url, **chain)
    assert ran.returncode == 0, ran.stderr
    assert json.loads(ran.stdout)["flow"] == {"timestamp": "21/02/2018 10:15:06", "prediction": 1.0}


def test_ctrl_c_ends_it_cleanly(queues: Queues, url: str) -> None:
    command = [sys.executable, "-u", "-c", CODE, *FLAGS, "--queue-url", url, "--wait-time", "20"]
    process = subprocess.Popen(
        command, env=environment(queues), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline().startswith("Attack detected")
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=30)
    finally:
        process.kill()
    assert process.returncode == 0
    assert "Traceback" not in errors


def test_a_table_on_a_terminal(queues: Queues, url: str) -> None:
    ours, theirs = pty.openpty()
    command = [sys.executable, "-c", CODE, *FLAGS, "--queue-url", url]
    process = subprocess.Popen(command, env=environment(queues, TERM="xterm"), stdout=theirs, stderr=theirs)
    os.close(theirs)
    seen = b""

    def attack_seen() -> bool:
        nonlocal seen
        while select.select([ours], [], [], 0)[0]:
            seen += os.read(ours, 1 << 16)
        return b"attack" in seen

    try:
        wait_until(attack_seen)
        process.send_signal(signal.SIGINT)
        wait_until(lambda: process.poll() is not None)
    finally:
        process.kill()
        process.wait()
        os.close(ours)
    assert process.returncode == 0
    assert b"destination" in seen


def test_missing_credentials_are_one_line(queues: Queues, url: str) -> None:
    ran = run(queues, "--queue-url", url, "--region", REGION, "--once")
    assert ran.returncode == 1
    assert ran.stderr.splitlines()[-1].startswith("error: Unable to locate credentials")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--access-key", "a"), "--access-key and --secret-key belong together"),
        (("--access-key", "a", "--secret-key", "b"), "You must specify a region"),
        ((*FLAGS, "--delete-messages", "perhaps"), "'perhaps' is neither true nor false"),
    ],
)
def test_what_its_user_must_mend_is_one_line(
    arguments: tuple[str, ...], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [*filter(lambda name: name.startswith("AWS_"), os.environ)]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_CONFIG_FILE", "/")
    ran = CliRunner().invoke(app, ["--queue-url", "http://queue", *arguments])
    assert ran.exit_code == 1
    (line,) = ran.stderr.splitlines()
    assert line.startswith("error: ")
    assert message in line


@pytest.mark.parametrize(
    "arguments", [("--num-messages", "11"), ("--wait-time", "3601"), ("--output", "xml"), ()]
)
def test_flags_have_bounds(arguments: tuple[str, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SQS_QUEUE_URL", raising=False)
    queue: Any = ("--queue-url", "http://q") if arguments else ()
    assert CliRunner().invoke(app, [*queue, *arguments]).exit_code == 2
