"""Small flow tables and verdicts for tests."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from flows.addresses import pack_address
from flows.schema import COMMON_NAMES, schema_id
from flows.table import FlowTable
from flows.verdicts import Verdicts

INSUFFICIENT = -1


def make_table(rows: int, *, sensor: str = "test", names: tuple[str, ...] = COMMON_NAMES) -> FlowTable:
    """Flows 10.0.0.1:40000+n -> 10.0.0.2:80, all features n + 1."""
    numbers = np.arange(rows)
    return FlowTable.from_features(
        np.repeat(numbers[:, None] + 1.0, len(names), axis=1),
        names,
        "improved",
        src_addr=np.tile(np.frombuffer(pack_address("10.0.0.1"), np.uint8), (rows, 1)),
        dst_addr=np.tile(np.frombuffer(pack_address("10.0.0.2"), np.uint8), (rows, 1)),
        src_port=(40000 + numbers).astype(np.int32),
        dst_port=np.full(rows, 80, np.int32),
        protocol=np.full(rows, 6, np.int16),
        start_us=1_700_000_000_000_000 + numbers,
        end_us=1_700_000_001_000_000 + numbers,
        sensor=sensor,
    )


def make_verdicts(codes: Sequence[int]) -> Verdicts:
    """One verdict a code; INSUFFICIENT stands for a flow the model cannot judge."""
    code = np.array(codes, np.int32)
    insufficient = code == INSUFFICIENT
    p_attack = np.where(code > 0, 0.9, 0.1)
    return Verdicts(
        code=np.where(insufficient, 0, code).astype(np.int32),
        p_attack=p_attack,
        p_label=np.full(len(code), 0.9),
        insufficient=insufficient,
        threshold=0.5,
        model_name="ml-ids",
        model_version="1",
        schema_id=schema_id(COMMON_NAMES),
    )
