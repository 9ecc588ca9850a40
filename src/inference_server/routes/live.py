"""`WS /api/alerts/live`: alerts as they change, for as long as somebody reads them."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from contextlib import suppress
from typing import Annotated, Any, Final

import orjson
from fastapi import APIRouter
from pydantic import Field, SecretStr, ValidationError
from starlette.websockets import WebSocket, WebSocketDisconnect

from alerting.book.feed import Subscription
from alerting.book.filters import AlertFilter
from inference_server.service import Service
from inference_server.web.api_keys import Role
from inference_server.web.auth import SUBPROTOCOL
from inference_server.web.errors import (
    BusyError,
    ForbiddenError,
    RequestError,
    UnauthorizedError,
    UnprocessableError,
)
from inference_server.web.responses import OrjsonResponse

HEARTBEAT_SECONDS: Final = 15.0
FIRST_MESSAGE_SECONDS: Final = 10.0
SEND_SECONDS: Final = 20.0
"""How long one message may take to leave; whoever reads that slowly is left."""

LOOK_SECONDS: Final = 5.0
"""How often that is looked at: a timer a message would cost as much as the message."""

LONGEST_MESSAGE: Final = 10_000
POLICY_VIOLATION: Final = 1008
TRY_AGAIN_LATER: Final = 1013
GOING_AWAY: Final = 1001
_LISTS: Final = frozenset({"label", "severity"})
logger = logging.getLogger(__name__)
router = APIRouter()


class Wish(AlertFilter):
    """What a subscriber asks for, in the query or in a message: a filter, and where to go on.

    Attributes:
        after: the `seq` of the last change that it knows; None: changes from now on.
        key: an API key, where no header brings it; in a message only.
    """

    after: Annotated[int, Field(ge=0, le=2**63 - 1)] | None = None
    key: SecretStr | None = None

    @property
    def filter(self) -> AlertFilter:
        """The alerts that are wanted."""
        return AlertFilter.model_construct(**{name: getattr(self, name) for name in AlertFilter.model_fields})


@router.websocket("/api/alerts/live")
async def live_alerts(socket: WebSocket) -> None:
    """Tell of alerts that change."""
    try:
        wish = _query_wish(socket)
        knows_key = _may_read(socket)
    except RequestError as error:
        await socket.send_denial_response(
            OrjsonResponse(error.body, status_code=error.status, headers=dict(error.headers))
        )
        return
    await socket.accept(SUBPROTOCOL if SUBPROTOCOL in socket.scope.get("subprotocols", ()) else None)
    live = _Live(socket)
    try:
        if not knows_key:
            wish = await live.first_wish()
        await live.run(wish)
    except RequestError as error:
        await live.refuse(str(error), TRY_AGAIN_LATER if isinstance(error, BusyError) else POLICY_VIOLATION)
    except (WebSocketDisconnect, TimeoutError):
        return
    finally:
        live.close()


class _Live:
    """One connection: the subscription that it reads now, and the messages that replace it."""

    def __init__(self, socket: WebSocket) -> None:
        self._socket = socket
        self._service: Service = socket.app.state.service
        self._subscription: Subscription | None = None
        self._time = asyncio.get_running_loop().time
        self._sent_at = self._time()
        self._sending = False

    async def first_wish(self) -> Wish:
        """Return what the first message asks for, which must bring an accepted key.

        Raises:
            UnauthorizedError: it does not, or there is none in time.
            UnprocessableError: it is no such message.
        """
        try:
            async with asyncio.timeout(FIRST_MESSAGE_SECONDS):
                wish = _message_wish(await self._socket.receive_text())
        except TimeoutError:
            raise UnauthorizedError('API key missing: send it as a header, or first {"key": "..."}') from None
        found = self._service.keys.find(wish.key.get_secret_value()) if wish.key else None
        if found is None:
            raise UnauthorizedError("API key not accepted")
        self._socket.scope.setdefault("state", {})["caller"] = found.name
        return wish

    async def run(self, wish: Wish) -> None:
        """Tell what is wished until the subscriber leaves or is left.

        Raises:
            RequestError: it sent something wrong, or there are too many subscribers.
            WebSocketDisconnect, TimeoutError: it is gone.
        """
        self._subscribe(wish)
        tasks = {asyncio.create_task(part) for part in (self._tell(), self._listen(), self._beat())}
        try:
            ended, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in ended:
                task.result()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def refuse(self, reason: str, code: int) -> None:
        """Say why the connection ends."""
        with suppress(TimeoutError, WebSocketDisconnect, RuntimeError):
            async with asyncio.timeout(SEND_SECONDS):
                await self._send(orjson.dumps({"type": "error", "detail": reason}).decode())
                await self._socket.close(code)

    def close(self) -> None:
        """End the subscription."""
        if self._subscription:
            self._subscription.close()

    def _subscribe(self, wish: Wish) -> None:
        before = self._subscription
        if before:
            before.close()
        try:
            self._subscription = self._service.alert_book.subscribe(wish.filter, wish.after)
        except OverflowError as error:
            raise BusyError(str(error)) from None

    async def _listen(self) -> None:
        while True:
            self._subscribe(_message_wish(await self._socket.receive_text()))

    async def _tell(self) -> None:
        while subscription := self._subscription:
            message = await subscription.next()
            if message:
                await self._send(message.encoded)
                if message.type == "dropped":
                    await self._socket.close(TRY_AGAIN_LATER, message.reason)
                    return
            elif subscription is self._subscription:
                await self._socket.close(GOING_AWAY, "the service stops")
                return

    async def _beat(self) -> None:
        """Send heartbeats; raises TimeoutError when a message does not leave."""
        while True:
            await asyncio.sleep(min(LOOK_SECONDS, HEARTBEAT_SECONDS))
            silent = self._time() - self._sent_at
            if self._sending and silent > SEND_SECONDS:
                raise TimeoutError
            if not self._sending and silent >= HEARTBEAT_SECONDS and (told := self._subscription):
                await self._send(f'{{"type":"heartbeat","last":{max(0, told.after)}}}')

    async def _send(self, text: str) -> None:
        self._sent_at, self._sending = self._time(), True
        await self._socket.send_text(text)
        self._sending = False


def _may_read(socket: WebSocket) -> bool:
    """Return whether the request itself says that it may; False when its first message is to bring the key.

    Raises:
        RequestError: it may not.
    """
    service: Service = socket.app.state.service
    try:
        service.keys.require(socket, Role.READ)
    except ForbiddenError:
        raise
    except UnauthorizedError:
        brings_key = any(name in socket.headers for name in ("x-api-key", "authorization"))
        if brings_key or not service.keys.needed:
            raise
        return False
    return True


def _query_wish(socket: WebSocket) -> Wish:
    given = socket.query_params
    if "key" in given:
        raise UnprocessableError(
            'key: not in a query, which logs keep: send a header, or first {"key": "..."}'
        )
    return _wish({name: given.getlist(name) if name in _LISTS else given[name] for name in given})


def _message_wish(text: str) -> Wish:
    if len(text) > LONGEST_MESSAGE:
        raise UnprocessableError(f"a message of more than {LONGEST_MESSAGE} characters")
    try:
        said = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise UnprocessableError(f"not JSON: {error}") from None
    if not isinstance(said, dict):
        raise UnprocessableError('not an object such as {"severity": [1, 2]}')
    return _wish(said)


def _wish(said: Mapping[str, Any]) -> Wish:
    try:
        return Wish.model_validate(said)
    except ValidationError as error:
        detail = error.errors()[0]
        name = ".".join(str(part) for part in detail["loc"])
        raise UnprocessableError(f"{name}: {detail['msg'].removeprefix('Value error, ')}") from None
