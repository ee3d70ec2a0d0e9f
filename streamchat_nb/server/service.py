"""The service: conversations, who may use them, and their running turns.

Transport-free: the WebSocket, REST and SSE handlers translate and call it. All
methods run on one event loop.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
import time
from contextlib import suppress
from itertools import islice, takewhile
from typing import TYPE_CHECKING, Any, Literal

import msgspec

from streamchat_nb._version import __version__
from streamchat_nb.conversation.artifacts import artifacts_beside
from streamchat_nb.conversation.log import ConversationLog, LogWriter
from streamchat_nb.conversation.store import ConversationRecord
from streamchat_nb.errors import StoreError, StreamchatError, Unavailable
from streamchat_nb.protocol.events import ConversationCreated, ConversationUpdated
from streamchat_nb.server.agents import BUILT_IN, AgentChoice, Agents
from streamchat_nb.server.attachments import Attachments
from streamchat_nb.server.choices import Choices
from streamchat_nb.server.collector_rounds import CollectorRounds
from streamchat_nb.server.conversation_list import ConversationList, not_found
from streamchat_nb.server.health import Health
from streamchat_nb.server.model_choices import ModelChoices
from streamchat_nb.server.recovery import interrupt_open_turns
from streamchat_nb.server.server_tools import ServerTools
from streamchat_nb.server.titles import checked_title, title_of
from streamchat_nb.server.traces import Traces
from streamchat_nb.server.turn_slots import TurnSlots
from streamchat_nb.server.turns import ConversationTurns
from streamchat_nb.server.warm_up import warm_up
from streamchat_nb.tools.validation import check_output_schema

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from streamchat_nb.agent.agent import Agent
    from streamchat_nb.conversation.store import Store
    from streamchat_nb.protocol.content import UserBlock
    from streamchat_nb.protocol.events import ToolApprovalResolved
    from streamchat_nb.server.model_choices import ModelList
    from streamchat_nb.server.principal import Principal
    from streamchat_nb.server.sent_messages import Receipt
    from streamchat_nb.server.settings import Settings
    from streamchat_nb.tools.registry import ToolSet

__all__ = ["Health", "Service"]

logger = logging.getLogger(__name__)

LOADED_CONVERSATIONS = 256
IDLE_S = 60.0
STOP_TIMEOUT_S = 5.0
DELETED = "conversation_deleted"


class Service:
    """Conversations and their turns.

    Args:
        settings: The server's settings.
        store: Where conversations are kept; opened by ``start``.
        make_agent: Makes who answers a conversation; see ``Agents``.
        agent_names: Gives the names of agents besides the default one; likewise.
        make_tools: Makes the server-side tools; called once by ``start``, on a thread.

    Attributes:
        settings: The server's settings.
        agent: Who answers where a conversation's settings choose nobody else; there
            once it is started.
        attachments: The files of conversations; there once it is started.
        conversations: Everybody's conversations, as lists.
        traces: What was sent to models for the last turns.
    """

    agent: Agent
    attachments: Attachments

    def __init__(
        self,
        settings: Settings,
        *,
        store: Store,
        make_agent: Callable[[AgentChoice], Agent],
        make_tools: Callable[[], ToolSet],
        agent_names: Callable[[], Iterable[str]] = tuple,
    ) -> None:
        self.settings = settings
        self.traces = Traces()
        self._agents = Agents(make_agent, agent_names)
        self._choices = Choices(self._agents)
        self._models = ModelChoices()
        self._tools = ServerTools(make_tools, settings)
        self._store = store
        self.conversations = ConversationList(
            store, trash_days=settings.trash_days, erase=self._erase
        )
        self._writer = LogWriter(store)
        self._turns: dict[str, ConversationTurns] = {}
        self._loading: dict[str, asyncio.Task[ConversationTurns]] = {}
        self._slots = TurnSlots(settings.limits.running_turns_per_user)
        self._collector_rounds = CollectorRounds(lambda: self._slots.all_free)
        self._stopping = False
        self._warming: asyncio.Task[None] | None = None

    # life

    async def start(self) -> None:
        """Make the agent, open the store, end the turns that a dead server left open.

        Raises:
            UsageError: An agent or a tool of the settings cannot be loaded.
            StoreError: The store cannot be opened; its message says what to do.
        """
        self.agent = await self._agents.open()
        await self._tools.start()
        await self._store.open()
        artifacts = artifacts_beside(self._store.location)
        self.attachments = Attachments(artifacts, self.settings.limits)
        unfinished = await self._store.unfinished()
        self._writer.start()
        self._collector_rounds.start()
        self._warming = asyncio.get_running_loop().create_task(
            warm_up(self.agent), name="warm the agent"
        )
        await asyncio.gather(*(self._interrupt(id_) for id_ in unfinished))
        self.conversations.start()

    async def drain(self, *, timeout_s: float) -> None:
        """Take no more messages, and let the turns that run end by themselves.

        Readers are served meanwhile. Call ``stop`` afterwards.

        Args:
            timeout_s: Longest wait, in seconds.
        """
        self._stopping = True
        loaded = list(self._turns.values())
        for turns in loaded:
            turns.hold()
        await asyncio.gather(*(turns.ended(timeout_s=timeout_s) for turns in loaded))

    async def stop(self) -> None:
        """End turns as ``interrupted``, commit, close. Idempotent, bounded in time."""
        self._stopping = True
        loaded = list(self._turns.values())
        await asyncio.gather(
            *(turns.stop(timeout_s=STOP_TIMEOUT_S) for turns in loaded)
        )
        self._collector_rounds.stop()
        await self.conversations.stop()
        await self._writer.stop(timeout_s=STOP_TIMEOUT_S)
        for turns in loaded:
            turns.log.close(StoreError("The server stops.", code="store_closed"))
        try:
            await self._store.close()
        except StoreError as error:
            logger.error("The store did not close: %s", error.message)  # noqa: TRY400
        if self._warming is not None:
            self._warming.cancel()
            await asyncio.wait({self._warming})
            await self._agents.close()
        await self._tools.stop()

    # conversations

    async def create(
        self,
        principal: Principal,
        *,
        title: str = "",
        choice: AgentChoice | None = None,
        id_: str | None = None,
    ) -> ConversationLog:
        """Make a conversation.

        Args:
            principal: Whose.
            title: Its title; empty to make one of the first message.
            choice: Who answers; ``None`` as the server's settings say.
            id_: Its id; ``None`` for a fresh one.

        Raises:
            Conflict: There is one with this id.
            InvalidInput: The title cannot be used, or nobody can answer so.
            Unavailable: The store cannot write now.
        """
        self._refuse_when_unavailable()
        now_ms = time.time_ns() // 1_000_000
        title = checked_title(title)
        agent = await self._choices.first(choice or AgentChoice())
        record = ConversationRecord(
            id=id_ or f"c_{secrets.token_hex(16)}",
            log=secrets.token_hex(16),
            owner=principal.id,
            title=title,
            created_ms=now_ms,
            updated_ms=now_ms,
        )
        created = ConversationCreated(
            title=title,
            by=principal.author,
            settings=choice.settings() if choice else None,
        )
        log = await self._writer.create(record, created)
        self._keep(self._turns_of(log, agent))
        await self._close_unused_agents()
        return log

    async def open(self, principal: Principal, conversation: str) -> ConversationLog:
        """Return the log of a conversation of this principal.

        Raises:
            NotFound: There is none, or it is somebody else's.
            StoreError: It could not be read.
        """
        return (await self._open_turns(principal, conversation)).log

    async def rename(
        self, principal: Principal, conversation: str, title: str
    ) -> ConversationLog:
        """Give a conversation another title.

        Raises:
            NotFound: There is none, or it is somebody else's.
            InvalidInput: The title cannot be used.
        """
        log = await self.open(principal, conversation)
        update = ConversationUpdated(title=checked_title(title), by=principal.author)
        await asyncio.shield(log.append(update, durable=True, rejectable=True))
        return log

    async def configure(
        self, principal: Principal, conversation: str, settings: dict[str, Any]
    ) -> ConversationLog:
        """Choose who answers a conversation, from its next turn on.

        Args:
            principal: Who asks.
            conversation: Which one.
            settings: What changes, by the names of ``AgentChoice``; ``None`` takes a
                choice back.

        Raises:
            NotFound: There is none, or it is somebody else's.
            InvalidInput: There is no such setting, or nobody can answer so.
        """
        turns = await self._open_turns(principal, conversation)
        self._refuse_when_unavailable()
        changed, agent = await self._choices.changed(turns, settings)
        update = ConversationUpdated(settings=changed, by=principal.author)
        await asyncio.shield(turns.log.append(update, durable=True, rejectable=True))
        turns.agent = agent
        await self._close_unused_agents()
        return turns.log

    async def delete(
        self, principal: Principal, conversation: str, *, forever: bool = False
    ) -> None:
        """Put a conversation into the trash, or delete it ``forever``, also from there.

        Its running turn is cancelled.

        Raises:
            NotFound: As ``ConversationList.record``.
        """
        forever = forever or not self.conversations.has_trash
        record = await self.conversations.record(
            principal, conversation, in_trash=forever
        )
        if not record.deleted_ms:
            await self._close(await self._open_turns(principal, conversation))
        # Kept until the store has let it go, so that nobody loads it meanwhile.
        try:
            if forever:
                await self._erase(conversation)
            else:
                await self.conversations.put_into_trash(conversation)
        finally:
            self._turns.pop(conversation, None)

    # turns

    async def send(  # noqa: PLR0913 (what a message is, by keyword)
        self,
        principal: Principal,
        conversation: str,
        *,
        client_message_id: str,
        content: list[UserBlock],
        parent: str | None = None,
        if_active: Literal["queue", "reject", "interrupt"] = "queue",
        output_schema: dict[str, Any] | None = None,
    ) -> Receipt:
        """Accept a user's message; returns once it is committed.

        Raises:
            NotFound: No such conversation.
            InvalidInput: As ``Attachments.check`` and ``check_output_schema``; or the
                ``parent`` is no message of the user (``no_such_message``).
            Conflict: It has reached its ceiling (``budget_reached``), or as
                ``ConversationTurns.send``, as ``RateLimited``.
            TooLarge: The text is over the limit.
            Unavailable: The server stops or its store cannot write.
        """
        turns = await self._open_turns(principal, conversation)
        await self.attachments.check(conversation, content)
        if output_schema is not None:
            check_output_schema(output_schema)
        self._refuse_when_unavailable()
        receipt = await turns.send(
            client_message_id=client_message_id,
            content=content,
            author=principal.author,
            parent=parent,
            if_active=if_active,
            output_schema=output_schema,
        )
        if not turns.log.state.title and not receipt.duplicate:
            turns.log.append(ConversationUpdated(title=title_of(content)))
        return receipt

    async def edit_queued(
        self,
        principal: Principal,
        conversation: str,
        turn: str,
        content: list[UserBlock],
    ) -> int:
        """Give a message that waits another content; returns the edit's ``seq``.

        Raises:
            NotFound: No such conversation or turn.
            InvalidInput: As ``Attachments.check``.
            TooLarge: The text is over the limit.
            Conflict: It does not wait any more (``not_queued``).
            Unavailable: The server stops or its store cannot write.
        """
        turns = await self._open_turns(principal, conversation)
        await self.attachments.check(conversation, content)
        self._refuse_when_unavailable()
        return await turns.edit(turn, content)

    async def send_now(self, principal: Principal, conversation: str, turn: str) -> int:
        """Let a turn that waits go next; the running one makes room for it.

        Returns:
            The ``seq`` that says so.

        Raises:
            NotFound: No such conversation or turn.
            Conflict: It ended without having begun (``not_queued``).
            Unavailable: The server stops or its store cannot write.
        """
        turns = await self._open_turns(principal, conversation)
        self._refuse_when_unavailable()
        return await turns.send_now(turn)

    async def select_branch(
        self, principal: Principal, conversation: str, message: str
    ) -> int:
        """Show a conversation at the branch of a user's message, and go on there.

        Turns that run or wait do so all the same, each in its own branch.

        Returns:
            The ``seq`` that says so; the head where it is shown already.

        Raises:
            NotFound: No such conversation.
            InvalidInput: It is no message of the user (``no_such_message``).
            Unavailable: The store cannot write now.
        """
        turns = await self._open_turns(principal, conversation)
        self._refuse_when_unavailable()
        return await turns.select_branch(message, by=principal.author)

    async def conversation_turns(
        self, principal: Principal, conversation: str
    ) -> ConversationTurns:
        """Return where a conversation of this principal lends and runs tools.

        Raises:
            NotFound: There is none, or it is somebody else's.
        """
        return await self._open_turns(principal, conversation)

    async def approve(
        self, principal: Principal, conversation: str, answer: ToolApprovalResolved
    ) -> int | None:
        """Record an answer to a tool call that waits for approval.

        Args:
            principal: Who answers.
            conversation: Its conversation.
            answer: Without ``tool_call``, ``turn`` and ``by``.

        Returns:
            Where the log says so; ``None`` when the same answer was given before.

        Raises:
            NotFound: No such conversation or approval.
            Conflict: Another answer is recorded, or the call has ended.
            InvalidInput: The edited input is not what the tool takes.
            Unavailable: The server stops or its store cannot write.
        """
        turns = await self._open_turns(principal, conversation)
        self._refuse_when_unavailable()
        return await turns.approve(answer, by=principal.author)

    async def cancel(
        self,
        principal: Principal,
        conversation: str,
        turn: str,
        *,
        and_queued: bool = False,
    ) -> int:
        """End a turn; returns the head once its end is written.

        Args:
            principal: Who asks.
            conversation: Its conversation.
            turn: Id of the turn.
            and_queued: End all turns that wait, too.

        Raises:
            NotFound: No such conversation or turn.
            Unavailable: It ends, but the store cannot write that now.
        """
        turns = await self._open_turns(principal, conversation)
        return await turns.cancel(turn, and_queued=and_queued)

    def health(self) -> Health:
        """Return the state of the service."""
        failure = self._writer.failure
        return Health(
            status="ok" if failure is None else "degraded",
            version=__version__,
            store=self._store.location,
            model=self.agent.model_name,
            offline=self.agent.offline,
            transport=self.agent.transport,
            running_turns=sum(t.active_turn is not None for t in self._turns.values()),
            loaded_conversations=len(self._turns),
            problem=None if failure is None else failure.message,
            notice=self._store.notice,
            mcp_servers=self._tools.mcp_statuses(),
        )

    async def models(self) -> ModelList:
        """Return the models that can be chosen for the built-in agent."""
        choice = AgentChoice(agent=BUILT_IN if BUILT_IN in self._agents else None)
        return await self._models.of(await self._agents.get(choice))

    @property
    def agent_names(self) -> list[str]:
        """Names of the server's agents, the default one first."""
        return self._agents.names

    async def describe_agents(
        self, principal: Principal, conversation: str | None = None
    ) -> list[dict[str, object]]:
        """Return the agents that can be talked to, and their tools.

        Args:
            principal: Who asks.
            conversation: Those that are lent to it are among them, too.

        Raises:
            NotFound: There is no such conversation, or it is somebody else's.
        """
        turns = None
        if conversation is not None:
            turns = await self._open_turns(principal, conversation)
        tools = [
            {"name": tool.name, "description": tool.description}
            for tool in self._tools.current().values()
        ]
        return [
            {
                **msgspec.structs.asdict(agent),
                "tools": tools if agent.where == "server" else [],
            }
            for agent in await self._choices.described(turns)
        ]

    async def _close(self, turns: ConversationTurns) -> None:
        """Cancel a conversation's turns, and let nobody write to it any more."""
        if turns.active_turn is not None:
            with suppress(StreamchatError):  # it has just ended, or cannot be written
                await turns.cancel(turns.active_turn, and_queued=True)
        await turns.stop(timeout_s=STOP_TIMEOUT_S)
        deleted = "The conversation was deleted."
        turns.log.close(StoreError(deleted, code=DELETED, retryable=False))

    async def _erase(self, conversation: str) -> None:
        await self._store.delete(conversation)
        await self.attachments.delete(conversation)
        self.traces.forget(conversation)

    async def _open_turns(
        self, principal: Principal, conversation: str
    ) -> ConversationTurns:
        turns = self._turns.get(conversation)
        closed = turns and turns.log.closed
        if closed and closed.code == "store_conflict":  # the store has another log
            del self._turns[conversation]
            turns = None
        if turns is None:
            await self.conversations.record(principal, conversation)
            # Others may have loaded it meanwhile: two logs would not know each other.
            turns = self._turns.get(conversation) or await self._loaded(conversation)
        closed = turns.log.closed
        if turns.log.owner != principal.id or (closed and closed.code == DELETED):
            raise not_found()
        turns.used_at = time.monotonic()
        self._turns[conversation] = self._turns.pop(conversation, turns)
        return turns

    async def _loaded(self, conversation: str) -> ConversationTurns:
        """Load a conversation, once for all who ask for it meanwhile."""
        loading = self._loading.get(conversation)
        if loading is None:
            loading = asyncio.get_running_loop().create_task(
                self._load(conversation), name=f"load {conversation}"
            )
            self._loading[conversation] = loading
            loading.add_done_callback(lambda _: self._loading.pop(conversation, None))
        return await asyncio.shield(loading)

    async def _interrupt(self, conversation: str) -> None:
        """Load a conversation, which ends what a dead server left open in it."""
        # One that cannot be read must not keep the others from being used.
        try:
            await self._load(conversation)
        except StreamchatError as error:
            logger.warning("%s could not be read: %s", conversation, error.message)

    async def _load(self, conversation: str) -> ConversationTurns:
        record = await self._store.get(conversation)
        if record is None:
            raise not_found()
        log = await self._writer.load(record)
        await interrupt_open_turns(log)
        turns = self._turns_of(log, self.agent)
        turns.agent = await self._choices.restored(turns)
        if not record.deleted_ms:
            self._keep(turns)
        return turns

    def _turns_of(self, log: ConversationLog, agent: Agent) -> ConversationTurns:
        return ConversationTurns(
            log,
            agent=agent,
            tools=self._tools,
            settings=self.settings,
            slots=self._slots,
            attachments=self.attachments,
            traces=self.traces,
        )

    def _keep(self, turns: ConversationTurns) -> None:
        self._turns[turns.log.id] = turns
        self._unload_idle()

    async def _close_unused_agents(self) -> None:
        await self._agents.close_unused({id(t.answering) for t in self._turns.values()})

    def _unload_idle(self) -> None:
        """Forget the longest unused idle conversations over the bound."""
        excess = len(self._turns) - LOADED_CONVERSATIONS
        if excess > 0:
            # Not one that a request has just opened and not begun to watch. They are
            # in the order of their use: who comes back to many looks at few.
            before = time.monotonic() - IDLE_S
            unused = takewhile(lambda one: one[1].used_at < before, self._turns.items())
            idle = (id_ for id_, turns in unused if turns.idle)
            for id_ in tuple(islice(idle, excess)):
                del self._turns[id_]

    def _refuse_when_unavailable(self) -> None:
        if self._stopping:
            raise Unavailable(
                "The server is stopping; send again when it is back.",
                retry_after_ms=2000,
            )
        failure = self._writer.failure
        if failure is not None and self._writer.is_retrying:
            raise Unavailable(
                f"Nothing can be saved now, so nothing is accepted: {failure.message}",
                code="store_unavailable",
                retry_after_ms=2000,
            )
