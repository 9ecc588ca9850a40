"""The file in a `multipart/form-data` body, as a stream."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Final

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from inference_server.web.errors import UnprocessableError

MEDIA_TYPE: Final = "multipart/form-data"
MAX_HEADER_BYTES: Final = 8192


@dataclass(frozen=True, slots=True)
class NamedStream:
    """A file's bytes and what it is called, empty when nobody said."""

    name: str
    chunks: AsyncIterator[bytes]


class _FirstFile:
    """Gives the bytes of the first part that has a file name, and passes over all others."""

    def __init__(self, boundary: bytes) -> None:
        self.name: str | None = None
        self._data: list[bytes] = []
        self._inside = False
        self._ended = False
        self._field = b""
        self._value = b""
        self._disposition = b""
        self._parser = MultipartParser(
            boundary,
            {
                "on_part_begin": self._begin,
                "on_header_field": self._header_field,
                "on_header_value": self._header_value,
                "on_header_end": self._header_end,
                "on_headers_finished": self._headers_finished,
                "on_part_data": self._part_data,
                "on_part_end": self._part_end,
                "on_end": self._end,
            },
            max_header_size=MAX_HEADER_BYTES,
        )

    def feed(self, chunk: bytes) -> bytes:
        """Take a piece of the body; return what it holds of the file."""
        self._parser.write(chunk)
        data, self._data = b"".join(self._data), []
        return data

    def finish(self) -> None:
        """Check that the body was whole.

        Raises:
            FormParserError: its last boundary is missing.
        """
        if not self._ended:
            raise FormParserError("it is cut off before its last boundary")

    def _begin(self) -> None:
        self._disposition = b""

    def _header_field(self, data: bytes, start: int, end: int) -> None:
        self._field += data[start:end]

    def _header_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _header_end(self) -> None:
        if self._field.lower() == b"content-disposition":
            self._disposition = self._value
        self._field = self._value = b""

    def _headers_finished(self) -> None:
        options = parse_options_header(self._disposition)[1]
        if self.name is None and b"filename" in options:
            self.name = options[b"filename"].decode(errors="replace")
            self._inside = True

    def _part_data(self, data: bytes, start: int, end: int) -> None:
        if self._inside:
            self._data.append(data[start:end])

    def _part_end(self) -> None:
        self._inside = False

    def _end(self) -> None:
        self._ended = True


async def first_file(content_type: str, body: AsyncIterator[bytes]) -> NamedStream:
    """Read on to the first file in a body of this content type; return it as a stream.

    Raises:
        UnprocessableError: there is none, or the body is broken; the stream raises that, too.
    """
    boundary = parse_options_header(content_type.encode("latin-1"))[1].get(b"boundary")
    if not boundary:
        raise UnprocessableError(f"Content-Type {MEDIA_TYPE} without a boundary")
    try:
        parser = _FirstFile(boundary)
    except FormParserError as error:
        raise UnprocessableError(f"The form is broken: {error}") from None
    chunks = _file_chunks(parser, body)
    first = await anext(chunks, b"")
    if parser.name is None:
        raise UnprocessableError("The form holds no file: send one, as with curl -F file=@capture.pcap")
    return NamedStream(parser.name, _after(first, chunks))


async def _file_chunks(parser: _FirstFile, body: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    try:
        async for chunk in body:
            if data := parser.feed(chunk):
                yield data
        parser.finish()
    except FormParserError as error:
        raise UnprocessableError(f"The form is broken: {error}") from None


async def _after(first: bytes, chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    yield first
    async for chunk in chunks:
        yield chunk
