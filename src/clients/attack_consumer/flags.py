"""The command's flags: those of cstub/ml-ids-api-client, and more."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Final

import typer

from clients.attack_consumer.queue import LONGEST_WAIT_SECONDS
from clients.frames import Overflow

HOUR: Final = 3600
_TRUTHS: Final = {
    **dict.fromkeys(("true", "t", "yes", "y", "on", "1"), True),
    **dict.fromkeys(("false", "f", "no", "n", "off", "0"), False),
}


class Output(StrEnum):
    """How attacks are shown."""

    AUTO = "auto"
    TEXT = "text"
    TABLE = "table"
    JSON = "json"


QueueUrl = Annotated[str, typer.Option(envvar="SQS_QUEUE_URL", help="URL of the SQS queue")]
AccessKey = Annotated[
    str | None,
    typer.Option(
        envvar="AWS_ACCESS_KEY",
        help="access key of the AWS account; without it, what boto3's standard chain finds",
    ),
]
SecretKey = Annotated[
    str | None,
    typer.Option(
        envvar="AWS_SECRET_KEY", help="its secret key; given here, others see it in the list of processes"
    ),
]
Region = Annotated[str | None, typer.Option(envvar=["AWS_REGION", "AWS_DEFAULT_REGION"], help="AWS region")]
DeleteMessages = Annotated[
    str, typer.Option(metavar="BOOLEAN", help="true deletes messages that were shown, false preserves them")
]
NumMessages = Annotated[int, typer.Option(min=1, max=10, help="most messages a request")]
WaitTime = Annotated[
    int,
    typer.Option(
        min=0,
        max=HOUR,
        help="seconds to wait for messages before asking again; above "
        f"{LONGEST_WAIT_SECONDS}, in requests of at most {LONGEST_WAIT_SECONDS}",
    ),
]
VisibilityTimeout = Annotated[
    int, typer.Option(min=0, max=HOUR, help="seconds in which others do not see what was received")
]
DisplayOverflow = Annotated[
    Overflow, typer.Option(case_sensitive=False, help="of text wider than the window")
]
PoisonQueueUrl = Annotated[
    str | None, typer.Option(help="queue to move messages to that cannot be read; without it they are left")
]
Once = Annotated[bool, typer.Option("--once", help="end after one request instead of going on")]
OutputAs = Annotated[
    Output,
    typer.Option(
        "--output",
        case_sensitive=False,
        help="text: every column; json: an object a line; table: the latest, on a terminal; "
        "auto: a table on a terminal, else text",
    ),
]


def truth(text: str) -> bool:
    """Return what a text says, in any of the words that stand for true and false.

    Raises:
        ValueError: neither.
    """
    try:
        return _TRUTHS[text.strip().lower()]
    except KeyError:
        raise ValueError(f"--delete-messages: {text!r} is neither true nor false") from None
