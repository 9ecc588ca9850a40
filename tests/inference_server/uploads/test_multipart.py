from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference_server.uploads.multipart import first_file
from inference_server.web.errors import UnprocessableError


def form(**files: tuple[str | None, bytes]) -> tuple[str, bytes]:
    request = httpx.Request("POST", "http://sensor/", files=files)
    return request.headers["content-type"], request.read()


def read(content_type: str, body: bytes, size: int = 1000) -> tuple[str, bytes]:
    async def pieces() -> AsyncIterator[bytes]:
        for start in range(0, len(body), size):
            yield body[start : start + size]

    async def run() -> tuple[str, bytes]:
        file = await first_file(content_type, pieces())
        return file.name, b"".join([chunk async for chunk in file.chunks])

    return asyncio.run(run())


@given(st.binary(max_size=300), st.integers(1, 50))
def test_the_first_file_is_found_whatever_the_pieces(content: bytes, size: int) -> None:
    content_type, body = form(note=(None, b"text"), file=("a b.pcap", content), more=("c.pcap", b"other"))
    assert read(content_type, body, size) == ("a b.pcap", content)


def test_a_form_without_a_file_is_refused() -> None:
    with pytest.raises(UnprocessableError, match="holds no file"):
        read(*form(note=(None, b"text")))


@pytest.mark.parametrize(
    "content_type", ["multipart/form-data", f"multipart/form-data; boundary={'x' * 500}"]
)
def test_a_form_without_a_usable_boundary_is_refused(content_type: str) -> None:
    with pytest.raises(UnprocessableError, match=r"[bB]oundary"):
        read(content_type, b"--x\r\n")


def test_a_form_that_is_cut_off_is_refused() -> None:
    content_type, body = form(file=("a.pcap", b"packets"))
    with pytest.raises(UnprocessableError, match="cut off"):
        read(content_type, body[:-10])
    with pytest.raises(UnprocessableError, match="The form is broken"):
        read(content_type, b"no form at all")
