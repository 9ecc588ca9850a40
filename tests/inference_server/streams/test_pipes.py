from __future__ import annotations

import asyncio
import threading

import pytest

from inference_server.streams.pipes import AbandonedError, Inlet, Outlet


def test_bytes_come_out_in_order_and_no_more_are_held_than_may_be() -> None:
    sent = [bytes([number]) * 700 for number in range(50)]
    read: list[bytes] = []

    async def run() -> None:
        inlet = Inlet(lambda: None, capacity=1000)

        def take() -> None:
            buffer = memoryview(bytearray(300))
            while size := inlet.readinto(buffer):
                assert inlet._held <= 1000 + 700
                read.append(bytes(buffer[:size]))

        thread = threading.Thread(target=take)
        thread.start()
        for piece in sent:
            await inlet.put(piece)
        inlet.finish()
        await asyncio.to_thread(thread.join)

    asyncio.run(run())
    assert b"".join(read) == b"".join(sent)


def test_who_reads_nothing_stops_who_writes() -> None:
    async def run() -> None:
        outlet = Outlet(capacity=10)
        done = threading.Event()

        def write() -> None:
            for _ in range(3):
                outlet.put(b"0123456789")
            outlet.finish()
            done.set()

        thread = threading.Thread(target=write)
        thread.start()
        assert not await asyncio.to_thread(done.wait, 0.2)
        found = b""
        while piece := await outlet.get():
            found += piece
        assert found == b"0123456789" * 3
        await asyncio.to_thread(thread.join)

    asyncio.run(run())


def test_both_ends_give_up_when_one_does() -> None:
    async def run() -> None:
        inlet, outlet = Inlet(lambda: None, capacity=1), Outlet(capacity=1)
        await inlet.put(b"12")
        putting = asyncio.create_task(inlet.put(b"3"))
        await asyncio.sleep(0)
        inlet.abandon()
        outlet.abandon()
        with pytest.raises(AbandonedError):
            await putting
        with pytest.raises(AbandonedError):
            inlet.readinto(memoryview(bytearray(1)))
        with pytest.raises(AbandonedError):
            outlet.put(b"1")
        assert await outlet.get() == b""

    asyncio.run(run())


def test_quiet_is_told() -> None:
    async def run() -> None:
        told = threading.Event()
        inlet = Inlet(told.set)
        thread = threading.Thread(target=inlet.readinto, args=(memoryview(bytearray(1)),))
        thread.start()
        assert await asyncio.to_thread(told.wait, 30)
        inlet.finish()
        await asyncio.to_thread(thread.join)

    asyncio.run(run())
