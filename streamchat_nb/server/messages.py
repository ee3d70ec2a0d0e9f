"""``POST …/messages`` and ``GET …/events``: send, and read as it comes, over HTTP.

Server-sent events carry the same frames and events as the socket, each with its
cursor ``log:seq`` as id, so that a reader goes on where it was.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
from typing import TYPE_CHECKING

import msgspec
from tornado.iostream import StreamClosedError
from typing_extensions import override

from streamchat_nb.errors import InvalidInput
from streamchat_nb.protocol.codec import encode
from streamchat_nb.protocol.commands import ClientDescription, Cursor
from streamchat_nb.protocol.frames import GoingAway
from streamchat_nb.server.answers import (
    PostMessage,
    accepted,
    answer_of,
    content_of,
    event_page,
    preferred_wait_s,
    wait_for_turn,
)
from streamchat_nb.server.base import (
    CONVERSATIONS,
    Runtime,
    StreamchatHandler,
    allowed,
)
from streamchat_nb.server.connections import RETURN_MS, bound_send_buffer
from streamchat_nb.server.delivery import Delivery
from streamchat_nb.server.event_outlet import (
    EventHead,
    EventOutlet,
    ResponseStream,
    sse_event,
)
from streamchat_nb.server.presence import participant_of
from streamchat_nb.server.turns import new_id

if TYPE_CHECKING:
    from streamchat_nb.conversation.log import ConversationLog
    from streamchat_nb.protocol.frames import Participant
    from streamchat_nb.server.delivery import Join
    from streamchat_nb.server.sent_messages import Receipt

__all__ = ["EventsHandler", "MessagesHandler"]

HEARTBEAT_S = 15.0
MOST_WAIT_MS = 25_000
LAST_WORDS_S = 0.5


class StreamHandler(StreamchatHandler):
    """Base of routes that may answer with server-sent events."""

    @override
    def initialize(self, runtime: Runtime) -> None:
        super().initialize(runtime)
        self.gone = asyncio.Event()
        self._leaving = asyncio.Event()
        self._ended = asyncio.Event()
        self._retry_after_ms = RETURN_MS

    @override
    def on_connection_close(self) -> None:
        self.gone.set()
        super().on_connection_close()

    @property
    def wants_stream(self) -> bool:
        """Whether the client asked for server-sent events."""
        return "text/event-stream" in self.request.headers.get("Accept", "")

    async def stream(
        self,
        log: ConversationLog,
        since: Cursor | None,
        *,
        until_turn: str | None = None,
        participant: Participant | None = None,
    ) -> None:
        """Send a log from a cursor, until a turn ends or the client is gone.

        It ends, too, when the conversation is deleted, when the server stops, and at
        the head when the turn had ended before.

        Args:
            log: Which log.
            since: From where; ``None``: a snapshot first.
            until_turn: The turn whose end is the end of the stream.
            participant: As whom the reader is shown to those who follow the
                conversation; it is told, too, who they are.
        """
        self.set_header("Content-Type", "text/event-stream; charset=utf-8")
        self.set_header("Cache-Control", "no-cache, no-transform")
        self.set_header("X-Accel-Buffering", "no")
        start = since.seq if since is not None and since.log == log.log else 0
        first = f"id: {log.log}:{start}\nretry: {RETURN_MS}\ndata:\n\n"
        response = ResponseStream(self)
        try:
            await response.send(first.encode())
        except ConnectionError:
            return
        finished = asyncio.Event()
        ended_before = False

        def observe(head: EventHead) -> None:
            match head.type:
                case "unsubscribed":
                    finished.set()
                case "live" if ended_before:
                    finished.set()
                case "turn.finished" if head.turn == until_turn:
                    finished.set()
                    delivery.close()
                case _:
                    pass

        outlet = EventOutlet(response, log.log, observe)
        delivery = Delivery(outlet, self._join_as(participant))
        bound_send_buffer(getattr(self.request.connection, "stream", None))
        self.runtime.connections.add_stream(self)
        try:
            await delivery.subscribe(0, log, since)
            turn = None if until_turn is None else log.fold.turn(until_turn)
            ended_before = turn is not None and turn.finished_ts is not None
            await self._run(delivery, response, finished)
        finally:
            self.runtime.connections.discard(self)
            self._ended.set()

    async def go_away(self, retry_after_ms: int) -> None:
        """Give the reader what is left, say that the server restarts, end the stream.

        Takes half a second; with a stalled reader, as long as it stalls.
        """
        self._retry_after_ms = retry_after_ms
        self._leaving.set()
        await self._ended.wait()

    def _join_as(self, participant: Participant | None) -> Join | None:
        if participant is None:
            return None
        audiences = self.runtime.audiences
        return lambda conversation, tell: audiences.join(
            conversation, participant, tell
        )

    async def _run(
        self, delivery: Delivery, response: ResponseStream, finished: asyncio.Event
    ) -> None:
        loop = asyncio.get_running_loop()
        sending = loop.create_task(delivery.run(), name="sse sender")
        ends = {
            sending,
            loop.create_task(self.gone.wait()),
            loop.create_task(finished.wait()),
            loop.create_task(self._leaving.wait()),
        }
        try:
            while True:
                done, _ = await asyncio.wait(
                    ends, timeout=HEARTBEAT_S, return_when=asyncio.FIRST_COMPLETED
                )
                if done:
                    break
                await response.send(b":\n\n")
            if self._leaving.is_set():
                await self._say_last_words(delivery, response)
            await response.taken()
        except ConnectionError:
            pass
        finally:
            delivery.close()
            for task in ends:
                task.cancel()
            await asyncio.wait(ends)
        error = None if sending.cancelled() else sending.exception()
        if error is not None and not isinstance(error, ConnectionError):
            self.log.warning("A stream broke off with %s", type(error).__name__)
        with contextlib.suppress(StreamClosedError, RuntimeError):
            await self.finish(set_content_type="text/event-stream; charset=utf-8")

    async def _say_last_words(
        self, delivery: Delivery, response: ResponseStream
    ) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LAST_WORDS_S):
                await delivery.caught_up()
                farewell = GoingAway(retry_after_ms=self._retry_after_ms)
                await response.send(sse_event("", encode(farewell)))


class MessagesHandler(StreamHandler):
    """``POST api/conversations/{id}/messages``: the REST way to ask."""

    @override
    @allowed("execute", CONVERSATIONS)
    async def post(self, conversation: str) -> None:
        """Accept a message and answer as JSON, as a stream, or 202 at once.

        ``Accept: text/event-stream`` streams the turn; ``Prefer: respond-async``
        answers 202 at once and ``Prefer: wait=N`` after N seconds at most; else
        the whole answer. The turn goes on when the client goes away.
        """
        request = self.body(PostMessage)
        key = self._idempotency_key()
        log = await self.service.open(self.principal, conversation)
        receipt = await self.service.send(
            self.principal,
            conversation,
            client_message_id=(request.client_message_id or key or new_id("w")),
            content=content_of(request),
            parent=request.parent,
            if_active=request.if_active,
            output_schema=request.output_schema,
        )
        if self.wants_stream:
            since = Cursor(log=log.log, seq=receipt.seq - 1)
            await self.stream(log, since, until_turn=receipt.turn)
        else:
            await self._answer(log, receipt)

    def _idempotency_key(self) -> str | None:
        """Return the header that stands for ``client_message_id``, if it came.

        Raises:
            InvalidInput: It is not an id.
        """
        key = self.request.headers.get("Idempotency-Key")
        if key is not None and not re.fullmatch(r"[A-Za-z0-9._:-]{1,64}", key):
            raise InvalidInput(
                "Idempotency-Key must be 1 to 64 letters, digits and ._:-"
            )
        return key

    async def _answer(self, log: ConversationLog, receipt: Receipt) -> None:
        wait_s = preferred_wait_s(self.request.headers.get("Prefer", ""))
        turn = (
            await wait_for_turn(log, receipt.turn, timeout_s=wait_s, gone=self.gone)
            if wait_s
            else None
        )
        if turn is not None:
            self.answer(answer_of(log, turn))
            return
        self.set_header(
            "Location",
            f"{self.base_url}streamchat/api/conversations/{log.id}/events"
            f"?since={log.log}:{receipt.seq}",
        )
        self.answer(accepted(receipt), status=202)


class EventsHandler(StreamHandler):
    """``GET api/conversations/{id}/events``: read a log from a cursor."""

    @override
    @allowed("read", CONVERSATIONS)
    async def get(self, conversation: str) -> None:
        """Answer with server-sent events, or one JSON page.

        ``Last-Event-ID`` or ``since`` is the cursor; ``wait_ms`` (at most 25,000)
        holds an empty page back until there is something in it. ``client``, ``kind``
        and ``name`` say who reads a stream.
        """
        log = await self.service.open(self.principal, conversation)
        since = self.since()
        client = self._client()
        if self.wants_stream:
            participant = participant_of(client, self.principal.name)
            await self.stream(log, since, participant=participant)
            return
        wait_ms = self.whole_number("wait_ms", 0, most=MOST_WAIT_MS)
        page = await event_page(log, since, wait_ms=wait_ms, gone=self.gone)
        self.answer(page)

    def _client(self) -> ClientDescription:
        """Return who reads, as the query says; a client of its own without an id.

        Raises:
            InvalidInput: An id or a kind that there is not.
        """
        given = {
            "id": self.get_query_argument("client", None) or new_id("client"),
            "kind": self.get_query_argument("kind", "tool"),
            "name": self.get_query_argument("name", ""),
        }
        try:
            return msgspec.convert(given, ClientDescription)
        except msgspec.ValidationError:
            raise InvalidInput(
                "client must be 1 to 64 letters, digits and ._:-, kind one of widget, "
                "page, kernel and tool."
            ) from None
