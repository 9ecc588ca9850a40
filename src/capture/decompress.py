"""Compressed captures as streams: gzip and Zstandard, told by their first bytes, bounded."""

from __future__ import annotations

from io import BufferedReader
from typing import Any, Final

import pyarrow as pa

MAX_BYTES: Final = 1 << 38
"""How much one compressed capture may give, bytes: 256 GiB."""
MAX_RATIO: Final = 250
"""How many bytes a compressed one may give; captures reach some 10 to 50."""
RATIO_APPLIES_FROM: Final = 1 << 26
"""Bytes that a compressed capture may give whatever their ratio: a small capture can be very regular."""

_STEPS: Final = (512, 1 << 16)
"""Least and most bytes asked of the decompressor at once: when it fails, it gives nothing of them."""
_STEP_SHIFT: Final = 5
_MAGICS: Final = {
    bytes.fromhex("1f8b"): "gzip",
    bytes.fromhex("28b52ffd"): "zstd",
    # A skippable frame, with which parallel compressors begin.
    bytes.fromhex("502a4d18"): "zstd",
}


class _Counted:
    """What PyArrow reads a file through; counts the bytes taken."""

    closed = False

    def __init__(self, file: BufferedReader) -> None:
        self.taken = 0
        self._file = file

    def read(self, size: int = -1) -> bytes:
        content = self._file.read(size)
        self.taken += len(content)
        return content

    def close(self) -> None:
        """Do nothing: the file belongs to the caller."""


class CaptureStream:
    """The bytes of a capture file, decompressed if need be.

    Of broken data it gives what comes before the break but for the last 3 %, at most 64 KiB.

    Attributes:
        compression: gzip, zstd or None.
        problem: why the stream ended before its proper end, None when it did not.
        over_limit: it ended because it gives too much.
    """

    def __init__(
        self, file: BufferedReader, *, max_bytes: int = MAX_BYTES, max_ratio: float = MAX_RATIO
    ) -> None:
        """Look at the file's first bytes.

        Args:
            file: the file, at its beginning; it need not be seekable.
            max_bytes: what a compressed file may give.
            max_ratio: what a compressed byte may give, once RATIO_APPLIES_FROM is passed.

        Raises:
            OSError: the file cannot be read.
        """
        head = file.peek(4)[:4]
        self.compression = next((name for magic, name in _MAGICS.items() if head.startswith(magic)), None)
        self.problem: str | None = None
        self.over_limit = False
        self._file = file
        self._max_bytes = max_bytes
        self._max_ratio = max_ratio
        self._counted = _Counted(file)
        self._given = 0
        self._source: Any = None
        if self.compression:
            self._source = pa.CompressedInputStream(pa.PythonFile(self._counted, "r"), self.compression)

    @property
    def bytes_taken(self) -> int:
        """Bytes of the file read so far, compressed ones where it is compressed."""
        return self._counted.taken if self._source else self._given

    def readinto(self, buffer: memoryview, /) -> int:
        """Fill the buffer from its start; return the bytes read, 0 at the end or when `problem` is set.

        Raises:
            OSError: the file cannot be read.
        """
        if not self._source:
            read = self._file.readinto1(buffer)
            self._given += read
            return read
        filled = 0
        while filled < len(buffer) and self.problem is None:
            # Larger steps are twice as fast, smaller ones lose less where the data is broken.
            step = min(max(self._given >> _STEP_SHIFT, _STEPS[0]), _STEPS[1])
            read = self._decompress(buffer[filled : filled + step])
            if not read:
                break
            filled += read
        return filled

    def _decompress(self, buffer: memoryview) -> int:
        try:
            read = int(self._source.readinto(buffer))
        except OSError as error:
            # The system's errors have a number, those of decompression have not.
            if error.errno is not None:
                raise
            self.problem = f"broken {self.compression} data after {self._given:,} bytes of capture: {error}"
            return 0
        self._given += read
        self.problem = self._limit_passed()
        self.over_limit = self.problem is not None
        return 0 if self.problem else read

    def _limit_passed(self) -> str | None:
        if self._given > self._max_bytes:
            return f"the {self.compression} data gives more than max_bytes = {self._max_bytes:,} bytes"
        if self._given > max(RATIO_APPLIES_FROM, self._max_ratio * self._counted.taken):
            return (
                f"the {self.compression} data gives more than max_ratio = {self._max_ratio:g} bytes for each"
                " of its own; decompress it by hand if you trust it"
            )
        return None
