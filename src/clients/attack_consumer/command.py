"""`ml_ids_attack_consumer`: shows the attacks that arrive on an SQS queue."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import typer
from rich.console import Console
from rich.logging import RichHandler

from clients.attack_consumer import flags
from clients.attack_consumer.consumer import Consumer, QueueError
from clients.attack_consumer.displays import Display, JsonDisplay, TextDisplay, live_display
from clients.attack_consumer.flags import Output
from clients.attack_consumer.interruption import Interruption
from clients.attack_consumer.queue import AttackQueue
from clients.aws import AWS_ERRORS, aws_client
from clients.errors import one_line_errors
from clients.frames import Overflow

_LOG_FORMAT: Final = "%(levelname)s: %(asctime)s: %(message)s"

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command()
def attack_consumer(
    queue_url: flags.QueueUrl,
    access_key: flags.AccessKey = None,
    secret_key: flags.SecretKey = None,
    region: flags.Region = None,
    delete_messages: flags.DeleteMessages = "false",
    num_messages: flags.NumMessages = 10,
    wait_time: flags.WaitTime = 10,
    visibility_timeout: flags.VisibilityTimeout = 60,
    display_overflow: flags.DisplayOverflow = Overflow.WRAP,
    poison_queue_url: flags.PoisonQueueUrl = None,
    once: flags.Once = False,
    output: flags.OutputAs = Output.AUTO,
) -> None:
    """Show the attacks that arrive on an SQS queue, until Ctrl-C."""
    with one_line_errors():
        # The loop tries again by itself.
        retries = {"total_max_attempts": 1}
        client = aws_client(
            "sqs", region=region, access_key=access_key, secret_key=secret_key, retries=retries
        )
        queue = AttackQueue(client, queue_url, num_messages, wait_time, visibility_timeout)
        interruption = Interruption()
        delete = flags.truth(delete_messages)
        with interruption.handling_signals(), _display(output, display_overflow) as display:
            _run(Consumer(queue, display, delete, poison_queue_url, interruption), once)


def _run(consumer: Consumer, once: bool) -> None:
    try:
        if once:
            consumer.once()
        else:
            consumer.run()
    except AWS_ERRORS as error:
        raise QueueError(str(error)) from None
    except KeyboardInterrupt:
        # Of the second Ctrl-C, or between two moments of waiting.
        pass


@contextmanager
def _display(output: Output, overflow: Overflow) -> Iterator[Display]:
    """Return where notifications go, and send the log beside it."""
    if output == Output.TABLE or (output == Output.AUTO and sys.stdout.isatty()):
        console = Console()
        handler = RichHandler(console=console, show_path=False, markup=False)
        logging.basicConfig(level=logging.WARNING, format="%(message)s", handlers=[handler], force=True)
        with live_display(console) as display:
            yield display
    else:
        logging.basicConfig(level=logging.WARNING, format=_LOG_FORMAT, force=True)
        logging.getLogger("clients").setLevel(logging.INFO)
        yield JsonDisplay() if output == Output.JSON else TextDisplay(overflow)
