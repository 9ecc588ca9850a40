"""An answer that is written while the request's body is still read."""

from __future__ import annotations

import asyncio
from typing import Final

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from inference_server.streams.pipes import AbandonedError
from inference_server.streams.stream import CaptureStream

NDJSON: Final = "application/x-ndjson"


class StreamResponse(Response):
    """Feeds a stream with the body and answers with its lines; a client that goes ends it."""

    media_type = NDJSON

    def __init__(self, stream: CaptureStream, reading: asyncio.Task[None]) -> None:
        """Answer for a stream that a task of `feed` reads the body for."""
        super().__init__(
            headers={"X-Accel-Buffering": "no", "Cache-Control": "no-store", "Connection": "close"}
        )
        del self.headers["content-length"]
        self._stream = stream
        self._reading = reading

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        try:
            await send(
                {"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers}
            )
            while lines := await self._stream.outlet.get():
                await send({"type": "http.response.body", "body": lines, "more_body": True})
            await send({"type": "http.response.body", "body": b"", "more_body": False})
        finally:
            self._stream.abandon()
            self._reading.cancel()


async def feed(stream: CaptureStream, receive: Receive) -> None:
    """Put a request's body into a stream, as fast as it is read; abandon it when the client goes."""
    more = True
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            stream.abandon()
            return
        if more and (piece := message.get("body", b"")):
            try:
                await stream.inlet.put(piece)
            except AbandonedError:
                return
        if more and not message.get("more_body", False):
            more = False
            stream.inlet.finish()
