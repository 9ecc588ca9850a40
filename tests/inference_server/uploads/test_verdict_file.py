from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from inference_server.uploads import verdict_file
from inference_server.uploads.verdict_file import follow_lines, lines_after


async def everything(path: Path, after: int) -> bytes:
    return b"".join([piece async for piece in follow_lines(path, after, lambda: True)])


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(st.binary(max_size=30).map(lambda text: text.replace(b"\n", b"")), max_size=20),
    st.integers(0, 25),
)
def test_whole_lines_but_the_first_ones(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lines: list[bytes], after: int
) -> None:
    monkeypatch.setattr(verdict_file, "PIECE_BYTES", 40)
    path = tmp_path / "lines"
    path.write_bytes(b"".join(line + b"\n" for line in lines) + b"not finished")
    wanted = [line + b"\n" for line in lines][after:]
    assert list(lines_after(path, after)) == wanted
    assert asyncio.run(everything(path, after)) == b"".join(wanted)


def test_a_file_that_is_not_there_yet_has_no_lines(tmp_path: Path) -> None:
    assert list(lines_after(tmp_path / "none", 0)) == []
    assert asyncio.run(everything(tmp_path / "none", 3)) == b""


def test_lines_are_followed_as_they_are_written(tmp_path: Path) -> None:
    path = tmp_path / "lines"
    found: list[bytes] = []
    written: list[bytes] = []

    async def run() -> None:
        over = False

        async def write() -> None:
            nonlocal over
            with path.open("ab", buffering=0) as file:
                for number in range(6):
                    line = b"%d\n" % number
                    file.write(line[:1])
                    await asyncio.sleep(0.02)
                    file.write(line[1:])
                    written.append(line)
            over = True

        writing = asyncio.create_task(write())
        found.extend([piece async for piece in follow_lines(path, 2, lambda: over)])
        await writing

    asyncio.run(run())
    assert b"".join(found) == b"".join(written[2:])
