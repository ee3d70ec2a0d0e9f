"""One conversation as a client sees it: a fold that follows the server's log."""

from __future__ import annotations

import asyncio
import secrets
from collections import deque
from typing import TYPE_CHECKING, Protocol

import msgspec
from typing_extensions import override

from streamchat_nb.conversation.state import (
    ConversationState,
    Fold,
    TurnState,
    final_message,
)
from streamchat_nb.errors import ConnectError, NotFound, StreamchatError, UsageError
from streamchat_nb.protocol.commands import Cursor, Send
from streamchat_nb.protocol.content import Action, ErrorBody, TextBlock, Usage

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable

    from streamchat_nb.conversation.state import ToolCallState
    from streamchat_nb.protocol.events import Event, UnknownEvent
    from streamchat_nb.protocol.frames import (
        Ack,
        Live,
        Snapshot,
        Subscribed,
    )

__all__ = ["Answer", "ClientConversation", "answer_of"]

CURRENT_TIMEOUT_S = 30.0
EVENT_BACKLOG = 10_000


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What a turn gave.

    Attributes:
        text: The text of the final message; empty when there is none.
        status: ``completed``, ``cancelled``, ``failed`` or ``interrupted``.
        tool_calls: All tool calls of the turn, in order.
        actions: Links and buttons of the final message.
        usage: Tokens, as far as the endpoint counted them.
        error: What went wrong, if something did.
        turn: Id of the turn.
        message: Id of the final message.
        model: The model that answered.
    """

    text: str
    status: str
    tool_calls: list[ToolCallState]
    actions: list[Action]
    usage: Usage | None
    error: ErrorBody | None
    turn: str
    message: str | None
    model: str

    @override
    def __str__(self) -> str:
        """Return the text."""
        return self.text

    def _repr_markdown_(self) -> str:
        """Return the text for a notebook's output."""
        return self.text


class Sender(Protocol):
    """What a conversation needs of its client."""

    def next_id(self) -> int:
        """Return a fresh command id."""
        ...

    async def send(self, command: Send) -> Ack:
        """Send a message until the server answers."""
        ...

    async def cancel(self, conversation: str, turn: str) -> Ack:
        """End a turn."""
        ...


class ClientConversation:
    """A conversation followed by a ``Client``.

    Args:
        id_: Its id.
        client: The client that follows it.
    """

    def __init__(self, id_: str, client: Sender) -> None:
        self.id = id_
        self._client = client
        self._fold = Fold()
        self._log: str | None = None
        self._parts: list[ConversationState] = []
        self._changed = asyncio.Event()
        self._live = asyncio.Event()
        self._failure: StreamchatError | None = None
        self._listeners: set[Callable[[Event | UnknownEvent | None], None]] = set()

    @property
    def state(self) -> ConversationState:
        """The state as far as this client has seen it. Read-only."""
        return self._fold.state

    @property
    def failure(self) -> StreamchatError | None:
        """Why it is not followed any more, if it is not."""
        return self._failure

    @property
    def is_busy(self) -> bool:
        """Whether a turn waits or runs."""
        return any(turn.status in ("queued", "running") for turn in self.state.turns)

    @property
    def cursor(self) -> Cursor | None:
        """Where this client stands, or ``None`` before the first snapshot."""
        if self._log is None:
            return None
        return Cursor(log=self._log, seq=self._fold.seq)

    def turn(self, turn: str) -> TurnState | None:
        """Return a turn by id."""
        return self._fold.turn(turn)

    async def current(self) -> None:
        """Wait until everything up to the subscription is here.

        Raises:
            ConnectError: Not within 30 s.
            StreamchatError: The conversation or the connection has ended.
        """
        try:
            async with asyncio.timeout(CURRENT_TIMEOUT_S):
                await self._live.wait()
        except TimeoutError:
            raise ConnectError("The server did not deliver the conversation.") from None
        if self._failure is not None:
            raise self._failure

    async def send(self, text: str) -> str:
        """Send a message; returns the id of its turn once the server has it.

        Raises:
            StreamchatError: The server refused it; the message says what to do.
        """
        ack = await self._client.send(
            Send(
                id=self._client.next_id(),
                conversation=self.id,
                client_message_id=f"w_{secrets.token_hex(10)}",
                content=[TextBlock(text=text)],
            )
        )
        if ack.result is None:
            raise UsageError("the server acknowledged a message without its turn")
        return str(ack.result["turn"])

    async def cancel(self, turn: str) -> None:
        """End a turn."""
        await self._client.cancel(self.id, turn)

    async def ask(self, text: str) -> Answer:
        """Send a message and wait for its whole answer.

        Cancellation: the turn goes on at the server; ``cancel`` ends it.

        Raises:
            StreamchatError: The server refused the message or the connection ended.
        """
        turn = await self.send(text)
        await self.finished(turn)
        return self.answer(turn)

    def answer(self, turn: str) -> Answer:
        """Return the answer of a finished turn.

        Raises:
            NotFound: There is no such turn.
        """
        return answer_of(self.state, turn)

    async def finished(self, turn: str) -> TurnState:
        """Wait for the end of a turn.

        Raises:
            StreamchatError: The conversation or the connection has ended.
        """
        while True:
            state = self._fold.turn(turn)
            if state is not None and state.finished_ts is not None:
                return state
            if self._failure is not None:
                raise self._failure
            self._changed.clear()
            await self._changed.wait()

    async def events(self) -> AsyncGenerator[Event | UnknownEvent]:
        """Yield events from now on, in order, until the iterator is closed.

        Raises:
            StreamchatError: The conversation or the connection ended for good, or the
                consumer fell more than 10,000 events behind.
        """
        waiting: deque[Event | UnknownEvent] = deque()
        news = asyncio.Event()
        overflow = False

        def listen(event: Event | UnknownEvent | None) -> None:
            nonlocal overflow
            if event is not None and not overflow:
                overflow = len(waiting) >= EVENT_BACKLOG
                waiting.append(event)
            news.set()

        self._listeners.add(listen)
        try:
            while True:
                if overflow:
                    raise UsageError("events() was read too slowly; read the state.")
                if waiting:
                    yield waiting.popleft()
                elif self._failure is not None:
                    raise self._failure
                else:
                    news.clear()
                    await news.wait()
        finally:
            self._listeners.discard(listen)

    # from the client

    def take_subscribed(self, frame: Subscribed) -> None:
        """Begin a replay or a snapshot."""
        self._log = frame.log if frame.mode == "replay" else self._log
        self._parts = []

    def take_snapshot(self, frame: Snapshot) -> None:
        """Take a part; the last one replaces the state."""
        part = msgspec.json.decode(frame.state, type=ConversationState)
        if frame.part == 1:
            self._parts = []
        self._parts.append(part)
        if frame.part < frame.parts:
            return
        whole = self._parts[0]
        for later in self._parts[1:]:
            whole.messages.extend(later.messages)
            whole.tool_calls.extend(later.tool_calls)
            whole.turns.extend(later.turns)
        self._parts = []
        self._log = frame.log
        self._fold = Fold(whole)
        self._changed.set()

    def take_event(self, event: Event | UnknownEvent) -> bool:
        """Apply an event; returns whether it fitted (else subscribe again)."""
        if event.seq <= self._fold.seq:
            return True
        if event.prev != self._fold.seq:
            return False
        self._fold.apply(event)
        self._changed.set()
        for listen in tuple(self._listeners):
            listen(event)
        return True

    def take_live(self, frame: Live) -> None:
        """Everything up to here is applied."""
        if self._fold.seq >= frame.seq:
            self._live.set()

    def take_failure(self, error: StreamchatError) -> None:
        """The conversation or the connection ended for good; the first word counts."""
        if self._failure is None:
            self._failure = error
        self._live.set()
        self._changed.set()
        for listen in tuple(self._listeners):
            listen(None)


def answer_of(state: ConversationState, turn: str) -> Answer:
    """Return the answer of a finished turn.

    Raises:
        NotFound: The turn is not in this state.
    """
    end = next((t for t in state.turns if t.turn == turn), None)
    if end is None:
        raise NotFound("This conversation has no such turn.")
    last = final_message(state, turn)
    blocks = [] if last is None else last.blocks
    return Answer(
        text="\n\n".join(b.text for b in blocks if b.kind == "text"),
        status=end.status,
        tool_calls=[call for call in state.tool_calls if call.turn == turn],
        actions=[] if last is None else last.actions,
        usage=end.usage,
        error=end.error,
        turn=turn,
        message=None if last is None else last.message,
        model=end.model,
    )
