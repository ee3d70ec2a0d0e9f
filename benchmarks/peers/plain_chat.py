"""What the peers in Python share: the SDK as one would use it, behind one client.

In their favour: ``create(stream=True)`` is the cheaper of the SDK's two ways; there is
no limit of connections to the endpoint; a token is checked for its signature and its
end alone; a delta for many is made into JSON once. They keep nothing: no history, no
numbers, no store; who comes late or comes back gets what is said from then on.
"""

from __future__ import annotations

import asyncio
import json
import os
from typing import TYPE_CHECKING, Any

import anthropic  # noqa: TID253 - a peer does nothing else
import httpx2
import jwt
from tornado.websocket import WebSocketClosedError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

__all__ = ["PlainChat"]

MOST_CONNECTIONS = 4_000
AUTHENTICATE_S = 30.0
UNAUTHENTICATED = 4001

_rooms: dict[str, set[PlainChat]] = {}


class PlainChat:
    """One client: it authenticates, follows conversations, and chats.

    Args:
        say: Sends a message to it; may raise ``WebSocketClosedError``.
        close: Closes its socket, with a code and a reason.

    Attributes:
        say: As given.
    """

    _client: anthropic.AsyncAnthropic | None = None

    def __init__(
        self, say: Callable[[str], object], close: Callable[[int, str], None]
    ) -> None:
        self.say = say
        self._close = close
        self._user: str | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(
            AUTHENTICATE_S, close, UNAUTHENTICATED, "authenticate first"
        )

    def receive(self, raw: str | bytes) -> None:
        """Take a message of the client."""
        message: dict[str, Any] = json.loads(raw)
        match message["type"]:
            case "authenticate":
                self._authenticate(message["token"])
            case _ if self._user is None:
                self._close(UNAUTHENTICATED, "authenticate first")
            case "subscribe":
                _rooms.setdefault(message["conversation"], set()).add(self)
                self.say('{"type":"subscribed"}')
            case "chat":
                task = asyncio.ensure_future(
                    self._chat(message["text"], message.get("conversation"))
                )
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)
            case _:
                self.say('{"type":"error","message":"unknown type"}')

    def leave(self) -> None:
        """Forget the client."""
        self._timer.cancel()
        for task in self._tasks:
            task.cancel()
        for room in _rooms.values():
            room.discard(self)

    def _authenticate(self, token: str) -> None:
        claims: dict[str, Any] = jwt.decode(
            token, os.environ["JWT_SECRET"], algorithms=["HS256"]
        )
        self._user = str(claims["sub"])
        self._timer.cancel()
        self.say('{"type":"authenticated"}')

    async def _chat(self, text: str, conversation: str | None) -> None:
        readers: set[PlainChat] = (
            {self} if conversation is None else _rooms[conversation]
        )
        async for delta in self._deltas(text):
            _tell(readers, json.dumps({"type": "token", "text": delta}))
        _tell(readers, '{"type":"done"}')

    @classmethod
    async def _deltas(cls, text: str) -> AsyncIterator[str]:
        if cls._client is None:
            limits = httpx2.Limits(
                max_connections=MOST_CONNECTIONS,
                max_keepalive_connections=MOST_CONNECTIONS,
            )
            cls._client = anthropic.AsyncAnthropic(
                api_key="sk-bench",
                base_url=os.environ["ANTHROPIC_BASE_URL"],
                max_retries=0,
                http_client=anthropic.DefaultAsyncHttpxClient(limits=limits),
            )
        stream = await cls._client.messages.create(
            model="claude-fake",
            max_tokens=1024,
            messages=[{"role": "user", "content": text}],
            stream=True,
        )
        async for event in stream:
            if event.type == "content_block_delta" and event.delta.type == "text_delta":
                yield event.delta.text


def _tell(readers: set[PlainChat], message: str) -> None:
    for reader in tuple(readers):
        try:
            reader.say(message)
        except WebSocketClosedError:
            readers.discard(reader)
