"""Alert books in tests: messages of alerts, books that are open, and what they hold once written."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from alerting.alert import AlertRevision
from alerting.book.book import AlertBook
from alerting.book.filters import AlertQuery
from alerting.policy import AlertPolicy
from helpers.alerts import attacks, taken
from helpers.server import wait_until


@contextmanager
def open_book(path: Path, **options: Any) -> Iterator[AlertBook]:
    """A book on a file, closed at the end."""
    book = AlertBook(path, **options)
    book.start()
    try:
        yield book
    finally:
        book.stop(30)


def written(book: AlertBook) -> AlertBook:
    """Wait until all that the book took is committed."""
    wait_until(lambda: book.status().waiting == 0 and book.status().offered == book.status().committed)
    return book


def opening(sources: Sequence[str], codes: list[int] | None = None, **columns: Any) -> list[AlertRevision]:
    """The opening messages of an alert a source, of captured flows."""
    return taken(AlertPolicy(aggregated={"sidecar"}), *attacks(list(sources), codes, **columns))


def all_alerts(book: AlertBook, **wanted: Any) -> list[dict[str, Any]]:
    """Every alert that fits, page by page."""
    found: list[dict[str, Any]] = []
    cursor: str | None = None
    while True:
        page = book.page(AlertQuery.model_validate(wanted | ({"cursor": cursor} if cursor else {})))
        found += page.alerts
        cursor = page.cursor
        if cursor is None:
            return found
