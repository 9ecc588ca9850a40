from __future__ import annotations

from pathlib import Path

import numpy as np

from flows.table import FlowTable
from helpers.sensors import captured_table
from helpers.server import DEADLINE_SECONDS, wait_until
from inference_server.central.keeper import Keeper
from inference_server.central.spool import DELIVERED, SPOOL_FULL, SPOOLED
from inference_server.central.waiting import MEMORY_FULL, Waiting

LIMIT = 2_000_000


def random_table(first_uid: int) -> FlowTable:
    """1,000 flows that compress badly."""
    table = captured_table([0] * 1000, first_uid=first_uid)
    table.features[:] = np.random.default_rng(first_uid).random(table.features.shape)
    return table


def test_the_oldest_batches_make_room_but_the_one_that_is_being_sent(tmp_path: Path) -> None:
    waiting = Waiting()
    keeper = Keeper(tmp_path / "spool.db", waiting, LIMIT)
    keeper.start()
    waiting.put(random_table(0))
    first = keeper.ask().result(DEADLINE_SECONDS)
    assert first is not None
    for number in range(1, 8):
        waiting.put(random_table(1000 * number))
        wait_until(lambda number=number: (keeper.counts.totals or {}).get(SPOOLED) == 1000 * (number + 1))
    keeper.settle(first.seq, DELIVERED)
    wait_until(lambda: (keeper.counts.totals or {}).get(DELIVERED) == 1000)
    second = keeper.ask().result(DEADLINE_SECONDS)
    keeper.stop(DEADLINE_SECONDS)
    totals = keeper.counts.totals or {}
    assert second is not None
    assert totals[SPOOL_FULL] > 0
    assert second.seq == first.seq + 1 + totals[SPOOL_FULL] // 1000
    assert totals[SPOOLED] == keeper.counts.flows + totals[DELIVERED] + totals[SPOOL_FULL]
    assert keeper.bytes <= LIMIT


def test_what_memory_has_no_room_for_is_counted() -> None:
    waiting = Waiting(capacity=5)
    assert waiting.put(captured_table([0] * 3)) == 0
    assert waiting.put(captured_table([0] * 3)) == 1
    assert waiting.put(captured_table([0] * 3)) == 3
    assert (waiting.handed_over, waiting.flows, waiting.lost) == (9, 5, {MEMORY_FULL: 4})


def test_what_cannot_be_spooled_waits_until_it_can(tmp_path: Path) -> None:
    (tmp_path / "spool.db").mkdir()
    waiting = Waiting()
    keeper = Keeper(tmp_path / "spool.db", waiting, LIMIT)
    keeper.start()
    waiting.put(captured_table([0] * 3))
    wait_until(lambda: keeper.owner.error)
    assert "STATE_DIR" in str(keeper.owner.error)
    (tmp_path / "spool.db").rmdir()
    wait_until(lambda: keeper.counts.flows == 3)
    assert (waiting.flows, keeper.owner.error) == (0, None)
    keeper.stop(DEADLINE_SECONDS)
