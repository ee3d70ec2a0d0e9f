"""One conversation as a client sees it: a fold that follows the server's log."""

from __future__ import annotations

import asyncio
import re
import secrets
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import quote, urlencode

from streamchat_nb.client.answer import Answer, answer_of
from streamchat_nb.client.answer_stream import AnswerStream
from streamchat_nb.client.event_page import fetch_page
from streamchat_nb.client.events import ConversationEvents
from streamchat_nb.client.structured_output import StructuredOutput
from streamchat_nb.conversation.branches import Branches, shown_messages
from streamchat_nb.errors import NotFound, UsageError
from streamchat_nb.protocol.commands import (
    Approve,
    Cancel,
    Cursor,
    EditQueued,
    SelectBranch,
    Send,
    SendNow,
)
from streamchat_nb.protocol.content import (
    DocumentBlock,
    ImageBlock,
    TextBlock,
    UserBlock,
)
from streamchat_nb.protocol.trace import TurnTrace

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterable

    from streamchat_nb.client.conversation_host import ConversationHost
    from streamchat_nb.client.event_page import EventPage
    from streamchat_nb.conversation.state import (
        ConversationState,
        MessageState,
        TurnState,
    )
    from streamchat_nb.errors import StreamchatError
    from streamchat_nb.protocol.events import ApprovalDecision, Event, UnknownEvent
    from streamchat_nb.protocol.frames import Participant
    from streamchat_nb.tools.tool import Tool

__all__ = ["ClientConversation", "IfActive", "Message"]

IfActive = Literal["queue", "reject", "interrupt"]
"""What to do with a message while a turn runs."""
Message = str | Sequence[UserBlock]
"""What a person says: Markdown, or blocks with data and attached files among them."""


class ClientConversation:
    """A conversation of a ``Client``; made by ``Client.conversation`` and ``create``.

    Making one asks nothing of the server. It is followed from the first use on, goes
    on from where it was after every loss, and has seen each event exactly once.

    All methods that ask the server raise a ``StreamchatError`` that says what to do:
    ``NotFound`` for a conversation that is not there (any more),
    ``AuthenticationError``, ``ConnectError`` without a server for 60 s.

    Args:
        id_: Its id.
        host: The client that follows it.

    Attributes:
        id: Its id.

    Raises:
        UsageError: ``id_`` cannot be an id.
    """

    def __init__(self, id_: str, host: ConversationHost) -> None:
        if not re.fullmatch(r"[A-Za-z0-9._:-]{1,64}", id_):
            raise UsageError("A conversation's id is 1 to 64 letters, digits and ._:-")
        self.id = id_
        self._host = host
        self._log = host.log(id_)

    async def lend(self, tools: Iterable[Tool]) -> None:
        """Lend tools to the conversation's agents, in place of those lent before.

        They run in this process, and need a WebSocket: without one they are lent as
        soon as there is one.

        Raises:
            StreamchatError: The server does not take them; it says why.
        """
        await self._log.current()
        await self._host.lend(self.id, tools)

    async def lend_agents(self, agents: Iterable[object]) -> list[str]:
        """Lend agents to the conversation, in place of those lent before.

        They run in this process, on a thread and an event loop of their own, and may
        call the tools that this client lends. They need a WebSocket: without one they
        are lent as soon as there is one. ``configure(agent=name)`` lets one of them
        answer.

        Args:
            agents: Each as ``agent_of`` takes it: an ``Agent``, a compiled LangGraph
                graph, or a function that yields text.

        Returns:
            Their names, in order.

        Raises:
            UsageError: One of them is no agent; says what to do.
            StreamchatError: The server does not take them, for example because one of
                its own agents has that name; those before stay.
        """
        from streamchat_nb.agent.any_agent import agent_of  # noqa: PLC0415 - when used

        lent = [agent_of(agent) for agent in agents]
        for agent in lent:
            if not re.fullmatch(r"[A-Za-z0-9_-]{1,64}", agent.name):
                raise UsageError(
                    f"{agent.name!r} cannot be the name of an agent: give it one of 1 "
                    "to 64 letters, digits, _ and -."
                )
        await self._log.current()
        await self._host.lend_agents(self.id, lent)
        return [agent.name for agent in lent]

    # state

    @property
    def state(self) -> ConversationState:
        """The state as far as this client has seen it; read-only, and it changes."""
        return self._log.state

    @property
    def cursor(self) -> Cursor | None:
        """Where this client stands, or ``None`` before it has seen anything."""
        return self._log.cursor

    @property
    def participants(self) -> list[Participant]:
        """Who follows the conversation now, as far as the server has said.

        The server tells who follows by a socket or a stream; over plain requests
        (``transport`` is ``rest``) it is empty.
        """
        return list(self._log.participants)

    @property
    def failure(self) -> StreamchatError | None:
        """Why it cannot be used any more, if so; ask the client for it anew."""
        return self._log.failure

    def turn(self, turn: str) -> TurnState | None:
        """Return a turn by id, as far as this client has seen it."""
        return self._log.turn(turn)

    def answer(self, turn: str) -> Answer:
        """Return the answer of a finished turn.

        Raises:
            NotFound: This client has seen no such turn.
        """
        return answer_of(self.state, turn)

    async def current(self) -> None:
        """Wait until everything up to now is here.

        Raises:
            ConnectError: Not within 30 s.
        """
        await self._log.current()

    # asking

    async def send(
        self,
        message: Message,
        *,
        client_message_id: str | None = None,
        parent: str | None = None,
        if_active: IfActive = "queue",
        output_schema: dict[str, Any] | None = None,
    ) -> str:
        """Send a message; returns the id of its turn once the server has it.

        It is sent again under the same id until the server has answered, so it is in
        the conversation once, whatever breaks.

        Args:
            message: Its text, or its blocks.
            client_message_id: What makes it the same message when it is sent again,
                also by another process; made up when ``None``.
            parent: The user's message that this one follows: another one than the last
                begins a branch, ``""`` one at the beginning. ``None`` goes on with the
                branch that is shown.
            if_active: While a turn runs, wait for its end (``queue``), refuse
                (``reject``) or end it and go on with this one (``interrupt``).
            output_schema: JSON Schema of an object: the answer is then one JSON text
                of that shape.

        Raises:
            Conflict: A turn runs and ``if_active`` is ``reject``, or the id was used
                for another message.
            InvalidInput: ``parent`` is no message of the user (``no_such_message``).
        """
        await self._log.follow()
        ack = await self._host.perform(
            Send(
                id=self._host.next_id(),
                conversation=self.id,
                client_message_id=client_message_id or f"w_{secrets.token_hex(10)}",
                content=_content_of(message),
                parent=parent,
                if_active=if_active,
                output_schema=output_schema,
            )
        )
        if ack.result is None:
            raise UsageError("the server acknowledged a message without its turn")
        return str(ack.result["turn"])

    async def ask(
        self,
        message: Message,
        *,
        client_message_id: str | None = None,
        parent: str | None = None,
        if_active: IfActive = "queue",
        output: Any = None,  # noqa: ANN401 - a type, or a schema
    ) -> Answer:
        """Send a message and wait for its whole answer.

        Cancellation: the turn goes on at the server; ``cancel`` ends it.

        Args:
            message: As for ``send``.
            client_message_id: As for ``send``.
            parent: As for ``send``.
            if_active: As for ``send``.
            output: What the answer is to be, in place of prose: a pydantic model, a
                dataclass, a ``TypedDict``, an msgspec ``Struct``, or a JSON Schema of
                an object. ``Answer.output`` is then a value of it.

        Raises:
            UsageError: ``output`` is nothing of that kind.
            StreamchatError: ``output_invalid``, the answer has the wanted schema and
                is refused by the type's own checks.
        """
        wanted = None if output is None else StructuredOutput(output)
        turn = await self.send(
            message,
            client_message_id=client_message_id,
            parent=parent,
            if_active=if_active,
            output_schema=None if wanted is None else wanted.schema,
        )
        await self.finished(turn)
        answer = self.answer(turn)
        return answer if wanted is None else wanted.of(answer)

    def stream(
        self,
        message: Message,
        *,
        client_message_id: str | None = None,
        parent: str | None = None,
        if_active: IfActive = "queue",
    ) -> AnswerStream:
        """Send a message and iterate over the text of its answer as it comes.

        Nothing is sent before the iteration begins. Leaving it early leaves the turn
        alone; ``cancel`` ends it.

        Args:
            message: As for ``send``.
            client_message_id: As for ``send``.
            parent: As for ``send``.
            if_active: As for ``send``.
        """
        send = partial(
            self.send,
            message,
            client_message_id=client_message_id,
            parent=parent,
            if_active=if_active,
        )
        return AnswerStream(self, send)

    # branches

    @property
    def shown_messages(self) -> list[MessageState]:
        """The messages of the branch that is shown, in the order of the log."""
        return shown_messages(self.state)

    def siblings(self, message: str) -> list[MessageState]:
        """Return the versions of a user's message, it among them, as they were sent.

        Raises:
            NotFound: This client has seen no such message of the user.
        """
        known = self._question(message)
        versions = Branches(self.state).siblings(known.message)
        return [m for m in self.state.messages if m.message in versions]

    async def regenerate(
        self, message: str | None = None, *, if_active: IfActive = "queue"
    ) -> str:
        """Ask a message of the user again, beside it; returns the id of the new turn.

        What was answered stays, on a branch of its own.

        Args:
            message: Its id; ``None`` for the last one of the branch that is shown.
            if_active: As for ``send``.

        Raises:
            NotFound: This client has seen no such message of the user.
        """
        if message is None:
            asked = [m for m in self.shown_messages if m.role == "user"]
            message = asked[-1].message if asked else ""
        known = self._question(message)
        blocks = [block.content for block in known.blocks]
        return await self.send(
            [block for block in blocks if isinstance(block, UserBlock)],
            parent=known.parent,
            if_active=if_active,
            output_schema=known.output_schema,
        )

    async def revise(
        self, message: str, content: Message, *, if_active: IfActive = "queue"
    ) -> str:
        """Ask in other words what the user asked before; returns the id of the turn.

        The earlier message and all that followed it stay, on a branch of their own.

        Args:
            message: The id of the earlier message of the user.
            content: What is sent in its place; as for ``send``.
            if_active: As for ``send``.

        Raises:
            NotFound: This client has seen no such message of the user.
        """
        known = self._question(message)
        return await self.send(
            content,
            parent=known.parent,
            if_active=if_active,
            output_schema=known.output_schema,
        )

    async def select_branch(self, message: str) -> None:
        """Show the branch of a user's message, to everybody, and go on there.

        Args:
            message: Its id; of what follows it the newest is shown.

        Raises:
            InvalidInput: There is no such message of the user (``no_such_message``).
        """
        await self._log.follow()
        await self._host.perform(
            SelectBranch(id=self._host.next_id(), conversation=self.id, message=message)
        )

    def _question(self, message: str) -> MessageState:
        for known in self.state.messages:
            if known.message == message and known.role == "user":
                return known
        raise NotFound("This conversation has no such message of the user.")

    async def finished(self, turn: str) -> TurnState:
        """Wait for the end of a turn; it may be interrupted by the server's death.

        Cancellation: the turn goes on.

        Raises:
            NotFound: The turn is not in the conversation any more.
        """
        return await self._log.finished(turn)

    async def trace(self, turn: str) -> TurnTrace:
        """Return where the time of a turn went, and what was sent to a model for it.

        Of a turn that goes on it is what there is so far. Requests are kept for the
        last turns only, and not over a restart: ``requests_kept`` says so.

        Raises:
            NotFound: There is no such turn.
        """
        path = f"conversations/{self.id}/turns/{quote(turn, safe='')}/trace"
        return await self._host.http.get(path, TurnTrace)

    def events(self, since: Cursor | None = None) -> ConversationEvents:
        """Iterate over the events, each once and in order, without an end.

        Args:
            since: Begin after this cursor of before; ``None`` begins at this moment.
        """
        events = ConversationEvents(self._log, self._fetch, since)
        self._log.listen(events)
        return events

    def watch(self, watcher: Callable[[Event | UnknownEvent | None], None]) -> None:
        """Call a function on the client's event loop after each event.

        Unlike ``events`` it does not keep the conversation followed, and it never ends.

        Args:
            watcher: Takes the event; ``None`` stands for events that came as one new
                state. It must return quickly.
        """
        self._log.watch(watcher)

    # commands

    async def cancel(self, turn: str, *, and_queued: bool = False) -> None:
        """End a turn; one that is over stays as it is.

        Args:
            turn: Its id.
            and_queued: End all turns that wait, too.

        Raises:
            NotFound: There is no such turn.
        """
        await self._host.perform(
            Cancel(
                id=self._host.next_id(),
                conversation=self.id,
                turn=turn,
                and_queued=and_queued,
            )
        )

    async def edit_queued(self, turn: str, message: Message) -> None:
        """Give a message that waits for its turn another content.

        Raises:
            Conflict: It does not wait any more.
            NotFound: There is no such turn.
        """
        await self._host.perform(
            EditQueued(
                id=self._host.next_id(),
                conversation=self.id,
                turn=turn,
                content=_content_of(message),
            )
        )

    async def send_now(self, turn: str) -> None:
        """Let a turn that waits go next; the running one ends at its next tool.

        Raises:
            Conflict: It does not wait any more.
            NotFound: There is no such turn.
        """
        await self._host.perform(
            SendNow(id=self._host.next_id(), conversation=self.id, turn=turn)
        )

    async def approve(
        self,
        approval: str,
        decision: ApprovalDecision = "approved",
        *,
        edited_input: dict[str, Any] | None = None,
        remember: Literal["once", "conversation"] = "once",
        reason: str | None = None,
    ) -> None:
        """Answer a tool call that waits for a person; the first answer counts.

        Args:
            approval: Id of the request, as in ``state.tool_calls``.
            decision: ``approved`` or ``denied``.
            edited_input: What the tool is to be called with instead.
            remember: ``conversation`` lets this tool run without asking from now on.
            reason: Told to the model.

        Raises:
            Conflict: Somebody has answered otherwise, or the call has ended.
            InvalidInput: The tool does not take ``edited_input``, or may not be
                remembered.
            NotFound: There is no such approval.
        """
        await self._host.perform(
            Approve(
                id=self._host.next_id(),
                conversation=self.id,
                approval=approval,
                decision=decision,
                edited_input=edited_input,
                remember=remember,
                reason=reason,
            )
        )

    # files

    async def attach(
        self, file: bytes | str | os.PathLike[str], *, name: str | None = None
    ) -> ImageBlock | DocumentBlock:
        """Attach a file to the conversation; returns the block to send it with.

        Args:
            file: Its bytes, or its path: an image, a PDF, or text in UTF-8.
            name: Its name; that of the path when ``None``.

        Raises:
            InvalidInput: It is empty or of a kind that is not taken.
            TooLarge: It is over the server's limit.
            OSError: It cannot be read.
        """
        if isinstance(file, bytes):
            data, name = file, name or "file"
        else:
            data = await asyncio.to_thread(Path(file).read_bytes)
            name = name or Path(file).name
        path = f"conversations/{self.id}/artifacts?{urlencode({'name': name})}"
        http = self._host.http
        kept = await self._host.persist(lambda _: http.upload(path, data))
        artifact, media_type = str(kept["artifact"]), str(kept["media_type"])
        if media_type.startswith("image/"):
            return ImageBlock(
                artifact=artifact, media_type=media_type, alt=str(kept["name"])
            )
        return DocumentBlock(
            artifact=artifact, media_type=media_type, title=str(kept["name"])
        )

    async def download(self, artifact: str) -> bytes:
        """Return an attached file.

        Args:
            artifact: Its id, as in the block of a message.

        Raises:
            NotFound: The conversation has no such file.
        """
        path = f"conversations/{self.id}/artifacts/{artifact}"
        http = self._host.http
        return await self._host.persist(lambda _: http.download(path))

    # the conversation itself

    async def rename(self, title: str) -> None:
        """Give the conversation a title."""
        await self._change({"title": title})

    async def pin(self, pinned: bool = True) -> None:
        """List the conversation before others, or no longer."""
        await self._change({"pinned": pinned})

    async def archive(self, archived: bool = True) -> None:
        """Keep the conversation out of the usual list, or have it there again."""
        await self._change({"archived": archived})

    async def configure(self, **settings: str | bool | None) -> None:
        """Choose who answers, from the next turn on.

        Args:
            **settings: What changes: ``model``, ``agent``, ``cassette`` (a path below
                the server's root folder) and ``cassette_mode`` (``auto``, ``record``,
                ``replay``). ``None`` takes a choice back.

        Raises:
            InvalidInput: It cannot be had; nothing has changed.
        """
        await self._change({"settings": settings})

    async def _change(self, body: dict[str, Any]) -> None:
        path, http = f"conversations/{self.id}", self._host.http
        answer = await self._host.persist(lambda _: http.request("PATCH", path, body))
        await self._log.reached(Cursor(log=answer["log"], seq=answer["head"]))

    async def delete(self, *, forever: bool = False) -> None:
        """Put it into the trash (see ``Client.restore``), or delete it ``forever``."""
        query = "?forever=true" if forever else ""
        await self._host.http.request("DELETE", f"conversations/{self.id}{query}")

    async def _fetch(self, since: Cursor) -> EventPage:
        http = self._host.http
        return await self._host.persist(lambda _: fetch_page(http, self.id, since))


def _content_of(message: Message) -> list[UserBlock]:
    return [TextBlock(text=message)] if isinstance(message, str) else list(message)
