"""What SNS and SQS have in common: their client, and calls of at most ten entries and 256 KB."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from alerting.message import Message
from alerting.transports.transport import Rejected

if TYPE_CHECKING:
    from botocore.client import BaseClient

CALL_ENTRIES: Final = 10
CALL_BYTES: Final = 262_144
BATCH: Final = 100
AT_ONCE: Final = 4
CONNECT_SECONDS: Final = 5.0
ANSWER_SECONDS: Final = 10.0

_NEVER: Final = frozenset({"InvalidParameter", "InvalidParameterValue", "InvalidMessageContents"})
"""Codes of entries that are refused for what they are."""

_FIFO: Final = ".fifo"


@dataclass(frozen=True, slots=True)
class AwsAccess:
    """How a service is reached; what is None is what boto3 finds by itself.

    Attributes:
        region: such as eu-west-1.
        endpoint: URL of the service.
        access_key, secret_key: both or none.
    """

    region: str | None = None
    endpoint: str | None = None
    access_key: str | None = None
    secret_key: str | None = None

    def client(self, service: str) -> BaseClient:
        """Return a client of `sns` or `sqs` that never tries twice by itself.

        Raises:
            ValueError: no region is known.
        """
        # boto3 takes a third of a second to import, which only those pay who use it.
        from boto3.session import Session
        from botocore.config import Config
        from botocore.exceptions import NoRegionError

        config = Config(
            connect_timeout=CONNECT_SECONDS,
            read_timeout=ANSWER_SECONDS,
            retries={"total_max_attempts": 1, "mode": "standard"},
        )
        session = Session(aws_access_key_id=self.access_key, aws_secret_access_key=self.secret_key)
        try:
            return session.client(service, region_name=self.region, endpoint_url=self.endpoint, config=config)
        except NoRegionError:
            raise ValueError(
                "AWS_REGION is not set: set it to the queue's region, such as eu-west-1"
            ) from None


@dataclass(frozen=True, slots=True)
class _Entry:
    at: int
    size: int
    fields: dict[str, Any]


def send_batches(
    messages: Sequence[Message],
    entry_of: Callable[[Message], tuple[dict[str, Any], int]],
    target: str,
    call: Callable[[list[dict[str, Any]]], dict[str, Any]],
) -> list[str | None]:
    """Send messages in as few calls as the limits allow, some at a time; none begins after one that failed.

    Args:
        messages: any number.
        entry_of: makes the fields of one's entry, and says how many bytes of the limit they take.
        target: name of the topic or queue; of one that ends in .fifo the order is kept per alert.
        call: sends entries, returns the service's answer; from several threads at once.
    """
    errors: list[str | None] = [None] * len(messages)
    entries = []
    for at, message in enumerate(messages):
        entry = _entry(at, message, target, *entry_of(message))
        if entry.size > CALL_BYTES:
            errors[at] = Rejected(f"{entry.size} bytes, more than the {CALL_BYTES} that are possible")
        else:
            entries.append(entry)
    failures: list[str] = []

    def attempt(portion: list[_Entry]) -> None:
        outcome: Sequence[str | None] = ()
        if not failures:
            try:
                outcome = _outcome(call([each.fields for each in portion]), portion)
            except Exception as error:
                failures.append(str(error) or type(error).__name__)
        for each, problem in zip(portion, outcome or failures[:1] * len(portion), strict=True):
            errors[each.at] = problem

    _some_at_a_time(attempt, list(_calls(entries)), 1 if target.endswith(_FIFO) else AT_ONCE)
    return errors


def _some_at_a_time(
    attempt: Callable[[list[_Entry]], None], portions: list[list[_Entry]], at_once: int
) -> None:
    """Attempt every portion; most of a call is waiting."""
    waiting = iter(portions)

    def work() -> None:
        for portion in waiting:
            attempt(portion)

    # Daemons: a call that hangs must not keep the service from ending, as an executor's would.
    helpers = [threading.Thread(target=work, daemon=True) for _ in portions[1:at_once]]
    for helper in helpers:
        helper.start()
    work()
    for helper in helpers:
        helper.join()


def _entry(at: int, message: Message, target: str, fields: dict[str, Any], size: int) -> _Entry:
    fields = {"Id": str(at), **fields}
    if target.endswith(_FIFO):
        fields |= {
            "MessageGroupId": message.alert_id or message.kind,
            "MessageDeduplicationId": message.message_id,
        }
    return _Entry(at, size, fields)


def _calls(entries: Iterable[_Entry]) -> Iterator[list[_Entry]]:
    portion: list[_Entry] = []
    taken = 0
    for entry in entries:
        if portion and (len(portion) == CALL_ENTRIES or taken + entry.size > CALL_BYTES):
            yield portion
            portion, taken = [], 0
        portion.append(entry)
        taken += entry.size
    if portion:
        yield portion


def _outcome(answer: dict[str, Any], portion: Sequence[_Entry]) -> list[str | None]:
    taken = {each["Id"] for each in answer.get("Successful", ())}
    refused = {each["Id"]: _problem(each) for each in answer.get("Failed", ())}
    return [
        None if each.fields["Id"] in taken else refused.get(each.fields["Id"], "the answer does not name it")
        for each in portion
    ]


def _problem(failed: dict[str, Any]) -> str:
    code = str(failed.get("Code", "unknown"))
    text = f"{code}: {failed.get('Message', '')}"
    return Rejected(text) if failed.get("SenderFault") and code.rpartition(".")[2] in _NEVER else text
