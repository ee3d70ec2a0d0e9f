"""The client for code that is not asynchronous, on any number of threads.

::

    with connect_sync("http://127.0.0.1:8888/", "its token") as client:
        conversation = client.create()
        print(conversation.ask("Who is Ada?").text)

It is the asynchronous client on an event loop of its own thread: each method here
waits for the one of the same name there, takes the same arguments and raises the same
errors. ``timeout_s`` is the longest wait where a wait may be long; it ends in a
``ConnectError`` (``timeout``), and so does Ctrl-C in a ``KeyboardInterrupt``: both stop
the waiting and leave the turn alone.
"""

from __future__ import annotations

import contextlib
from collections import deque
from typing import TYPE_CHECKING, Any, Generic, Literal, Self, TypeVar

from streamchat_nb.client.client import Client, ClientKind, TransportChoice
from streamchat_nb.client.discovery import ServerAddress, find_server
from streamchat_nb.client.events import copy_of
from streamchat_nb.client.loop_thread import LoopThread
from streamchat_nb.conversation.branches import shown_messages

if TYPE_CHECKING:
    import os
    from collections.abc import AsyncIterator, Callable, Generator, Iterable
    from types import TracebackType

    from streamchat_nb.client.answer import Answer
    from streamchat_nb.client.answer_stream import AnswerStream
    from streamchat_nb.client.check_report import CheckReport
    from streamchat_nb.client.client import ConversationSummary
    from streamchat_nb.client.conversation import (
        ClientConversation,
        IfActive,
        Message,
    )
    from streamchat_nb.client.events import ConversationEvents, StateReplaced
    from streamchat_nb.client.main_thread import MainThread
    from streamchat_nb.client.session import Transport
    from streamchat_nb.conversation.state import (
        ConversationState,
        MessageState,
        TurnState,
    )
    from streamchat_nb.errors import StreamchatError
    from streamchat_nb.protocol.commands import Cursor
    from streamchat_nb.protocol.content import DocumentBlock, ImageBlock
    from streamchat_nb.protocol.events import ApprovalDecision, Event, UnknownEvent
    from streamchat_nb.protocol.frames import Participant
    from streamchat_nb.protocol.trace import TurnTrace
    from streamchat_nb.tools.tool import Tool

__all__ = [
    "SyncAnswerStream",
    "SyncClient",
    "SyncConversation",
    "SyncConversationEvents",
    "connect_sync",
]

Item = TypeVar("Item")


@contextlib.contextmanager
def connect_sync(
    url: str | None = None,
    token: str | None = None,
    *,
    kind: ClientKind = "tool",
    name: str = "",
    transport: TransportChoice = "auto",
) -> Generator[SyncClient]:
    """Connect to a server and close at the end of the block; see ``connect``."""
    address = find_server(url, token)
    with SyncClient(address, kind=kind, name=name, transport=transport) as client:
        yield client


class SyncClient:
    """``Client`` for any thread; see there.

    Args:
        address: The server.
        kind: What this client is.
        name: Shown to others.
        transport: The one transport to use; ``auto`` for the best that gets through.
    """

    def __init__(
        self,
        address: ServerAddress,
        *,
        kind: ClientKind = "tool",
        name: str = "",
        transport: TransportChoice = "auto",
    ) -> None:
        self._client = Client(address, kind=kind, name=name, transport=transport)
        self._thread = LoopThread()

    def serve_on(self, main_thread: MainThread) -> None:
        """Run lent functions on the main thread while it waits for this client."""
        self._thread.main_thread = main_thread

    def __enter__(self) -> Self:
        try:
            self.open()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    @property
    def is_alive(self) -> bool:
        """Whether it can be used: it was not closed, and not in a parent process."""
        return self._thread.is_alive

    @property
    def transport(self) -> Transport | None:
        """See ``Client.transport``."""
        return self._client.transport

    @property
    def transport_reason(self) -> str:
        """See ``Client.transport_reason``."""
        return self._client.transport_reason

    def open(self) -> None:
        """See ``Client.open``."""
        self._thread.wait(self._client.open())

    def close(self) -> None:
        """See ``Client.close``; ends the thread, too."""
        if self._thread.is_alive:
            try:
                self._thread.wait(self._client.close())
            finally:
                self._thread.stop()

    def conversation(self, id_: str) -> SyncConversation:
        """See ``Client.conversation``."""
        known = self._thread.call(lambda: self._client.conversation(id_))
        return SyncConversation(self._thread, known)

    def create(self, title: str = "") -> SyncConversation:
        """See ``Client.create``."""
        created = self._thread.wait(self._client.create(title))
        return SyncConversation(self._thread, created)

    def conversations(
        self,
        *,
        search: str = "",
        archived: bool | None = None,
        deleted: bool = False,
        limit: int = 50,
    ) -> list[ConversationSummary]:
        """See ``Client.conversations``."""
        return self._thread.wait(
            self._client.conversations(
                search=search, archived=archived, deleted=deleted, limit=limit
            )
        )

    def restore(self, id_: str) -> SyncConversation:
        """See ``Client.restore``."""
        return SyncConversation(
            self._thread, self._thread.wait(self._client.restore(id_))
        )

    def export(self, id_: str, format: str = "md") -> str:  # noqa: A002
        """See ``Client.export``."""
        return self._thread.wait(self._client.export(id_, format))

    def check(self) -> CheckReport:
        """See ``Client.check``."""
        return self._thread.wait(self._client.check())


class SyncConversation:
    """``ClientConversation`` for any thread; see there.

    Args:
        thread: Where its client lives.
        conversation: The conversation there.
    """

    def __init__(self, thread: LoopThread, conversation: ClientConversation) -> None:
        self.id = conversation.id
        self._thread = thread
        self._conversation = conversation

    @property
    def state(self) -> ConversationState:
        """A copy of ``ClientConversation.state``."""
        return self._thread.call(lambda: copy_of(self._conversation.state))

    @property
    def cursor(self) -> Cursor | None:
        """See ``ClientConversation.cursor``."""
        return self._conversation.cursor

    @property
    def participants(self) -> list[Participant]:
        """See ``ClientConversation.participants``."""
        return self._conversation.participants

    @property
    def failure(self) -> StreamchatError | None:
        """See ``ClientConversation.failure``."""
        return self._conversation.failure

    def turn(self, turn: str) -> TurnState | None:
        """See ``ClientConversation.turn``."""
        return self._conversation.turn(turn)

    def answer(self, turn: str) -> Answer:
        """See ``ClientConversation.answer``."""
        return self._thread.call(lambda: self._conversation.answer(turn))

    def current(self) -> None:
        """See ``ClientConversation.current``."""
        self._thread.wait(self._conversation.current())

    def send(
        self,
        message: Message,
        *,
        client_message_id: str | None = None,
        parent: str | None = None,
        if_active: IfActive = "queue",
        output_schema: dict[str, Any] | None = None,
    ) -> str:
        """See ``ClientConversation.send``."""
        return self._thread.wait(
            self._conversation.send(
                message,
                client_message_id=client_message_id,
                parent=parent,
                if_active=if_active,
                output_schema=output_schema,
            )
        )

    def ask(
        self,
        message: Message,
        *,
        client_message_id: str | None = None,
        parent: str | None = None,
        if_active: IfActive = "queue",
        output: Any = None,  # noqa: ANN401 - a type, or a schema
        timeout_s: float | None = None,
    ) -> Answer:
        """See ``ClientConversation.ask``."""
        asking = self._conversation.ask(
            message,
            client_message_id=client_message_id,
            parent=parent,
            if_active=if_active,
            output=output,
        )
        return self._thread.wait(asking, timeout_s=timeout_s)

    def stream(
        self,
        message: Message,
        *,
        client_message_id: str | None = None,
        parent: str | None = None,
        if_active: IfActive = "queue",
        timeout_s: float | None = None,
    ) -> SyncAnswerStream:
        """See ``ClientConversation.stream``; ``timeout_s`` is for each piece."""
        stream = self._conversation.stream(
            message,
            client_message_id=client_message_id,
            parent=parent,
            if_active=if_active,
        )
        return SyncAnswerStream(self._thread, stream, timeout_s)

    @property
    def shown_messages(self) -> list[MessageState]:
        """A copy of ``ClientConversation.shown_messages``."""
        return shown_messages(self.state)

    def siblings(self, message: str) -> list[MessageState]:
        """See ``ClientConversation.siblings``; copies."""
        versions = self._thread.call(lambda: self._conversation.siblings(message))
        ids = {version.message for version in versions}
        return [known for known in self.state.messages if known.message in ids]

    def regenerate(
        self, message: str | None = None, *, if_active: IfActive = "queue"
    ) -> str:
        """See ``ClientConversation.regenerate``."""
        return self._thread.wait(
            self._conversation.regenerate(message, if_active=if_active)
        )

    def revise(
        self, message: str, content: Message, *, if_active: IfActive = "queue"
    ) -> str:
        """See ``ClientConversation.revise``."""
        return self._thread.wait(
            self._conversation.revise(message, content, if_active=if_active)
        )

    def select_branch(self, message: str) -> None:
        """See ``ClientConversation.select_branch``."""
        self._thread.wait(self._conversation.select_branch(message))

    def finished(self, turn: str, *, timeout_s: float | None = None) -> TurnState:
        """See ``ClientConversation.finished``."""
        return self._thread.wait(self._conversation.finished(turn), timeout_s=timeout_s)

    def trace(self, turn: str) -> TurnTrace:
        """See ``ClientConversation.trace``."""
        return self._thread.wait(self._conversation.trace(turn))

    def events(
        self, since: Cursor | None = None, *, timeout_s: float | None = None
    ) -> SyncConversationEvents:
        """See ``ClientConversation.events``; ``timeout_s`` is for each event."""
        events = self._thread.call(lambda: self._conversation.events(since))
        return SyncConversationEvents(self._thread, events, timeout_s)

    def lend(self, tools: Iterable[Tool]) -> None:
        """See ``ClientConversation.lend``."""
        self._thread.wait(self._conversation.lend(list(tools)))

    def lend_agents(self, agents: Iterable[object]) -> list[str]:
        """See ``ClientConversation.lend_agents``."""
        return self._thread.wait(self._conversation.lend_agents(list(agents)))

    def watch(self, watcher: Callable[[Event | UnknownEvent | None], None]) -> None:
        """See ``ClientConversation.watch``; it is called on the client's thread."""
        self._thread.call(lambda: self._conversation.watch(watcher))

    def cancel(self, turn: str, *, and_queued: bool = False) -> None:
        """See ``ClientConversation.cancel``."""
        self._thread.wait(self._conversation.cancel(turn, and_queued=and_queued))

    def edit_queued(self, turn: str, message: Message) -> None:
        """See ``ClientConversation.edit_queued``."""
        self._thread.wait(self._conversation.edit_queued(turn, message))

    def send_now(self, turn: str) -> None:
        """See ``ClientConversation.send_now``."""
        self._thread.wait(self._conversation.send_now(turn))

    def approve(
        self,
        approval: str,
        decision: ApprovalDecision = "approved",
        *,
        edited_input: dict[str, Any] | None = None,
        remember: Literal["once", "conversation"] = "once",
        reason: str | None = None,
    ) -> None:
        """See ``ClientConversation.approve``."""
        self._thread.wait(
            self._conversation.approve(
                approval,
                decision,
                edited_input=edited_input,
                remember=remember,
                reason=reason,
            )
        )

    def attach(
        self, file: bytes | str | os.PathLike[str], *, name: str | None = None
    ) -> ImageBlock | DocumentBlock:
        """See ``ClientConversation.attach``."""
        return self._thread.wait(self._conversation.attach(file, name=name))

    def download(self, artifact: str) -> bytes:
        """See ``ClientConversation.download``."""
        return self._thread.wait(self._conversation.download(artifact))

    def configure(self, **settings: str | bool | None) -> None:
        """See ``ClientConversation.configure``."""
        self._thread.wait(self._conversation.configure(**settings))

    def pin(self, pinned: bool = True) -> None:
        """See ``ClientConversation.pin``."""
        self._thread.wait(self._conversation.pin(pinned))

    def archive(self, archived: bool = True) -> None:
        """See ``ClientConversation.archive``."""
        self._thread.wait(self._conversation.archive(archived))

    def rename(self, title: str) -> None:
        """See ``ClientConversation.rename``."""
        self._thread.wait(self._conversation.rename(title))

    def delete(self, *, forever: bool = False) -> None:
        """See ``ClientConversation.delete``."""
        self._thread.wait(self._conversation.delete(forever=forever))


class _Items(Generic[Item]):
    """Takes from an iterator of another thread, and loses nothing when it gives up."""

    def __init__(
        self,
        thread: LoopThread,
        items: AsyncIterator[Item],
        timeout_s: float | None,
    ) -> None:
        self._thread = thread
        self._items = items
        self._timeout_s = timeout_s
        # What came after its wait was given up: the next one takes it.
        self._came: deque[Item] = deque()

    def next(self) -> Item:
        self._thread.wait(self._fetch(), timeout_s=self._timeout_s)
        return self._came.popleft()

    async def _fetch(self) -> None:
        if not self._came:
            self._came.append(await anext(self._items))


class SyncConversationEvents:
    """``ConversationEvents`` as an ordinary iterator; see there.

    Args:
        thread: Where its client lives.
        events: The iterator there.
        timeout_s: Longest wait for one event; ``None``: no limit. An event that comes
            after it is the next one.
    """

    def __init__(
        self, thread: LoopThread, events: ConversationEvents, timeout_s: float | None
    ) -> None:
        self._events = _Items(thread, events, timeout_s)

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Event | UnknownEvent | StateReplaced:
        """Return the next event."""
        return self._events.next()


class SyncAnswerStream:
    """``AnswerStream`` as an ordinary iterator; see there.

    Args:
        thread: Where its client lives.
        stream: The iterator there.
        timeout_s: Longest wait for one piece; ``None``: no limit. A piece that comes
            after it is the next one.
    """

    def __init__(
        self, thread: LoopThread, stream: AnswerStream, timeout_s: float | None
    ) -> None:
        self._stream = stream
        self._pieces = _Items(thread, stream, timeout_s)

    @property
    def turn(self) -> str | None:
        """See ``AnswerStream.turn``."""
        return self._stream.turn

    @property
    def answer(self) -> Answer:
        """See ``AnswerStream.answer``."""
        return self._stream.answer

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> str:
        """Return the next piece of text; never an empty one."""
        try:
            return self._pieces.next()
        except StopAsyncIteration:
            raise StopIteration from None
