"""Alerting in tests: clocks that a test turns, flows from given sources, the published schema."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from jsonschema import Draft202012Validator

from alerting.alert import AlertRevision
from alerting.clock import Clock
from alerting.policy import AlertPolicy
from flows.addresses import pack_address
from flows.table import FlowTable
from flows.verdicts import Verdicts
from helpers.flows import flow_table, verdicts_for

SCHEMA = json.loads((Path(__file__).parents[2] / "docs" / "alert.schema.json").read_text())
VALIDATOR = Draft202012Validator(SCHEMA, format_checker=Draft202012Validator.FORMAT_CHECKER)


class HandClock:
    """Two clocks that stand still until they are set."""

    def __init__(self) -> None:
        self.seconds = 1000.0
        self.us = 1_767_355_200_000_000
        self.clock = Clock(lambda: self.seconds, lambda: self.us)

    def pass_(self, seconds: float) -> None:
        self.seconds += seconds
        self.us += int(seconds * 1e6)


def packed(*addresses: str) -> Any:
    """Addresses as a table's column."""
    return np.frombuffer(b"".join(map(pack_address, addresses)), np.uint8).reshape(-1, 16)


def attacks(sources: list[str], codes: list[int] | None = None, **columns: Any) -> tuple[FlowTable, Verdicts]:
    """One attack flow a source, Portscan unless `codes` says otherwise."""
    table = flow_table(len(sources), src_addr=packed(*sources), **columns)
    return table, verdicts_for(table, codes or [17] * len(sources))


def taken(policy: AlertPolicy, *batch: Any, source: str = "sidecar") -> list[AlertRevision]:
    """What a policy says to a table and its verdicts."""
    return list(policy.take(*batch, source))


def one_alert(source: str = "sidecar", **columns: Any) -> AlertRevision:
    """The opening message of an alert about one flow; `columns` replaces the table's."""
    (alert,) = taken(AlertPolicy(aggregated={source}), *attacks(["10.0.0.1"], **columns), source=source)
    return alert


def validated(lines: str) -> list[dict[str, Any]]:
    """Lines of alerts.json, each held against the schema."""
    records = [json.loads(line) for line in lines.splitlines()]
    for record in records:
        VALIDATOR.validate(record)
    return records
