"""A central service of a test's own, that answers as it is told."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from flows.table import FlowTable
from helpers.server import serving
from inference_server.bodies.flow_batch import decode_flows
from inference_server.sensors.messages import FLOWS_PATH, REPORT_PATH

TAKEN = {"taken": True, "host_context": False}


@dataclass
class Central:
    """What it got; `answers` are given first, each once, then every batch is taken.

    Attributes:
        batches: taken ones by number, in the order they came.
        asked: how many batches came, those that were not taken included.
        reports: what was reported.
        keys: the API keys that came with batches.
    """

    url: str = ""
    answers: deque[Response] = field(default_factory=deque)
    host_context: bool = False
    batches: list[tuple[str, int, FlowTable]] = field(default_factory=list)
    asked: int = 0
    reports: list[dict[str, Any]] = field(default_factory=list)
    keys: set[str | None] = field(default_factory=set)

    @property
    def flows(self) -> list[int]:
        """Uids of all flows, in the order they came."""
        return [uid for _, _, table in self.batches for uid in table.flow_uid.tolist()]

    async def take(self, request: Request) -> Response:
        body = await request.body()
        self.asked += 1
        self.keys.add(request.headers.get("x-api-key"))
        if self.answers:
            return self.answers.popleft()
        query = request.query_params
        self.batches.append((query["stream"], int(query["seq"]), decode_flows(body, 10_000_000)))
        return JSONResponse(TAKEN | {"host_context": self.host_context})

    async def hear(self, request: Request) -> Response:
        self.reports.append(await request.json())
        return JSONResponse({"taken": False, "host_context": self.host_context})


@contextmanager
def central_service() -> Iterator[Central]:
    """Run one."""
    central = Central()
    routes = [
        Route(FLOWS_PATH, central.take, methods=["POST"]),
        Route(REPORT_PATH, central.hear, methods=["POST"]),
    ]
    with serving(Starlette(routes=routes)) as client:
        central.url = str(client.base_url)
        yield central
