"""The turns of one conversation: who runs, who waits, and how they end."""

from __future__ import annotations

import asyncio
import logging
import secrets
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from streamchat_nb.agent.agent import Turn
from streamchat_nb.agent.budget import Spent, refuse_over_budget
from streamchat_nb.agent.history import history_of, thread_of
from streamchat_nb.agent.runner import TurnRunner
from streamchat_nb.conversation.branches import Branches
from streamchat_nb.errors import (
    Conflict,
    InvalidInput,
    NotFound,
    RateLimited,
    StoreError,
    Unavailable,
)
from streamchat_nb.protocol.events import (
    ConversationUpdated,
    MessageCreated,
    MessageEdited,
    TurnFinished,
    TurnQueued,
    TurnStarted,
)
from streamchat_nb.server.agent_desk import AgentDesk
from streamchat_nb.server.approvals import ApprovalDesk
from streamchat_nb.server.sent_messages import (
    Receipt,
    SentMessage,
    SentMessages,
    digest_of,
)
from streamchat_nb.server.tool_desk import ToolDesk
from streamchat_nb.tools.registry import ToolSet

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from streamchat_nb.agent.agent import Agent
    from streamchat_nb.conversation.log import ConversationLog
    from streamchat_nb.protocol.commands import ToolOffer
    from streamchat_nb.protocol.content import Author, UserBlock
    from streamchat_nb.protocol.events import ToolApprovalResolved
    from streamchat_nb.protocol.frames import Frame
    from streamchat_nb.server.attachments import Attachments
    from streamchat_nb.server.server_tools import ServerTools
    from streamchat_nb.server.settings import Settings
    from streamchat_nb.server.traces import Traces
    from streamchat_nb.server.turn_slots import TurnSlots

__all__ = ["ConversationTurns", "new_id"]

logger = logging.getLogger(__name__)

Result = TypeVar("Result")

WRITE_TIMEOUT_S = 5.0
UNWATCHED_CHECKS = 4
"""How often it is looked, within the time that a turn may go unwatched."""


def new_id(prefix: str) -> str:
    """Return a fresh id, 80 random bits in hex after ``prefix`` and an underscore."""
    return f"{prefix}_{secrets.token_hex(10)}"


@dataclass(kw_only=True)
class _Waiting:
    """A turn that waits; it may start once its message is in the log."""

    turn: str
    message: str
    is_committed: bool = False


@dataclass(kw_only=True)
class _Active:
    """The turn that runs, or is about to."""

    turn: str
    runner: TurnRunner
    ended: asyncio.Event = field(default_factory=asyncio.Event)
    task: asyncio.Task[TurnFinished] | None = None
    watchdog: asyncio.Task[None] | None = None


class ConversationTurns:
    """Accepts messages and runs their turns one after the other.

    Args:
        log: The conversation's log.
        agent: Who answers.
        tools: The server's tools, as they are when a turn starts.
        settings: Limits of a turn and of the queue, and what becomes of a turn that
            nobody follows.
        slots: Shared by all conversations.
        attachments: The files of conversations.
        traces: Keeps what is sent to models.

    Attributes:
        agent: Who answers, from the next turn on.
        agents: Where clients lend agents.
        approvals: Where tool calls ask a person.
        desk: Where clients lend tools.
        used_at: Monotonic time at which somebody last asked for the conversation.
    """

    def __init__(  # noqa: PLR0913 (what all conversations share, by keyword)
        self,
        log: ConversationLog,
        *,
        agent: Agent,
        tools: ServerTools,
        settings: Settings,
        slots: TurnSlots,
        attachments: Attachments,
        traces: Traces,
    ) -> None:
        self.log = log
        self.agent = agent
        self._attachments = attachments
        self._traces = traces
        self.desk = ToolDesk()
        self.agents = AgentDesk(
            log, tool_output_bytes=settings.limits.tool_output_bytes
        )
        self._server_tools = tools
        self._settings = settings
        self._slots = slots
        self._queue: list[_Waiting] = []
        self._active: _Active | None = None
        self._waits_for_slot = False
        self._holding = False
        self.used_at = time.monotonic()
        self.approvals = ApprovalDesk(log, tools=self._tools, settings=settings)
        self._sent = SentMessages(log)

    @property
    def active_turn(self) -> str | None:
        """Id of the running turn, if any."""
        return None if self._active is None else self._active.turn

    @property
    def answering(self) -> Agent | None:
        """The agent of the running turn, if any."""
        return None if self._active is None else self._active.runner.agent

    @property
    def idle(self) -> bool:
        """Nothing runs, waits or is watched."""
        nobody = self.desk.idle and self.agents.idle and self.log.idle
        return self._active is None and not self._queue and nobody

    def _tools(self) -> ToolSet:
        """Return the tools that there are now: the server's and those lent to it."""
        own = self._server_tools.current()
        lent = [tool for tool in self.desk.tools() if tool.name not in own]
        return ToolSet([*own.values(), *lent]) if lent else own

    def offer_tools(
        self, client: str, offers: list[ToolOffer], say: Callable[[Frame], None]
    ) -> None:
        """Take what a client lends, as ``ToolDesk.offer``."""
        self.desk.offer(client, offers, say, taken=self._server_tools.current())

    # what is asked for

    async def send(
        self,
        *,
        client_message_id: str,
        content: list[UserBlock],
        author: Author,
        if_active: Literal["queue", "reject", "interrupt"],
        parent: str | None = None,
        output_schema: dict[str, Any] | None = None,
    ) -> Receipt:
        """Accept a user's message; returns once it is committed.

        Cancel safe: once begun, the message is accepted whether or not anybody
        waits; sending it again gives the same receipt.

        Raises:
            Conflict: The id came before with another payload
                (``idempotency_mismatch``), or a turn runs and ``if_active`` is
                ``reject`` (``turn_active``).
            InvalidInput: ``parent`` is no message of the user (``no_such_message``).
            RateLimited: Too many turns wait already (``queue_full``).
            StoreError: It could not be written; nothing was accepted.
            Unavailable: It is accepted, but cannot be saved now.
        """
        digest = digest_of(content, output_schema)
        known = await self._in_time(
            self._sent.repeated(client_message_id, digest, parent)
        )
        if known is not None:
            return known
        if parent:
            self._refuse_unless_sent(parent)
        refuse_over_budget(self._settings.turn_limits, Spent.by(self.log.state))
        busy = self._active is not None or bool(self._queue)
        if busy:
            self._refuse_when_busy(if_active)
        waiting = _Waiting(turn=new_id("t"), message=new_id("m"))
        created = MessageCreated(
            turn=waiting.turn,
            message=waiting.message,
            role="user",
            author=author,
            client_message_id=client_message_id,
            parent=parent,
            content=list(content),
            output_schema=output_schema,
        )
        if not busy and self._slots.take(self.log.owner):
            self._select(waiting)
            follow: TurnStarted | TurnQueued = self._started(waiting)
        else:
            follow = self._enqueue(waiting, ahead=if_active == "interrupt" and busy)
        # The message's own seq is one below the event that follows it.
        committed = self.log.append(
            created,
            follow,
            durable=True,
            rejectable=True,
            shown=lambda: self._accepted(waiting),
        )
        sent = SentMessage(
            digest=digest,
            message=waiting.message,
            turn=waiting.turn,
            committed=committed,
        )
        self._sent.add(client_message_id, sent)
        committed.add_done_callback(
            lambda done: self._acknowledged(client_message_id, waiting, done)
        )
        if if_active == "interrupt" and self._active and busy:
            self._active.runner.cancel()
        seq = await self._written(committed)
        return Receipt(seq=seq - 1, message=waiting.message, turn=waiting.turn)

    async def edit(self, turn: str, content: list[UserBlock]) -> int:
        """Give a message that waits another content; returns the edit's ``seq``.

        Raises:
            NotFound: There is no such turn in this conversation.
            Conflict: It does not wait any more (``not_queued``).
            StoreError: It could not be written; nothing was changed.
        """
        waiting = self._find_waiting(turn)
        if waiting is None:
            raise self._not_waiting(turn)
        edited = MessageEdited(
            turn=turn, message=waiting.message, content=list(content)
        )
        committed = self.log.append(edited, durable=True, rejectable=True)
        return await self._written(committed)

    async def send_now(self, turn: str) -> int:
        """Let a turn that waits go next; returns the ``seq`` that says so.

        The running turn ends at its next tool boundary. A turn that began already
        stays as it is.

        Raises:
            NotFound: There is no such turn in this conversation.
            Conflict: It ended without having begun (``not_queued``).
        """
        waiting = self._find_waiting(turn)
        if waiting is None:
            state = self.log.fold.turn(turn)
            if turn == self.active_turn or (state and state.started_ts is not None):
                return self.log.head
            raise self._not_waiting(turn)
        self._queue.remove(waiting)
        committed = self.log.append(self._enqueue(waiting, ahead=True), durable=True)
        if self._active is not None:
            self._active.runner.supersede()
        return await self._written(committed)

    async def select_branch(self, message: str, *, by: Author) -> int:
        """Show the branch of a user's message; returns the ``seq`` that says so.

        Raises:
            InvalidInput: It is no message of the user (``no_such_message``).
            StoreError: It could not be written; nothing was changed.
        """
        self._refuse_unless_sent(message)
        state = self.log.state
        if Branches(state).newest(message) == state.tip and not self.log.has_pending:
            return self.log.head
        update = ConversationUpdated(tip=message, by=by)
        return await self._written(
            self.log.append(update, durable=True, rejectable=True)
        )

    async def approve(self, answer: ToolApprovalResolved, *, by: Author) -> int | None:
        """Record a person's answer to an approval, as ``ApprovalDesk.resolve``.

        Returns:
            Where the log says so; ``None`` when the same answer was given before.
        """
        committed = self.approvals.resolve(answer, by=by, active_turn=self.active_turn)
        return None if committed is None else await self._written(committed)

    async def cancel(self, turn: str, *, and_queued: bool = False) -> int:
        """End a running or waiting turn; returns the head once its end is written.

        A turn that is over already stays as it is: cancelling twice is no error.

        Args:
            turn: Id of the turn.
            and_queued: End all turns that wait, too.

        Raises:
            NotFound: There is no such turn in this conversation.
            Unavailable: It ends, but the store cannot write that now.
        """
        waiting = self._find_waiting(turn)
        if waiting is None and not self._knows(turn):
            raise NotFound("This conversation has no such turn.")
        ends: list[TurnFinished] = []
        if waiting is not None:
            self._queue.remove(waiting)
            reason = None if and_queued else "removed"
            ends.append(TurnFinished(turn=turn, status="cancelled", stop_reason=reason))
        if and_queued:
            ends += [
                TurnFinished(turn=entry.turn, status="cancelled")
                for entry in self._queue
            ]
            self._queue.clear()
        written = self.log.append(*ends, durable=True) if ends else None
        if self._active is not None and self._active.turn == turn:
            self._active.runner.cancel()
            await self._in_time(self._active.ended.wait())
        if written is not None:
            await self._written(written)
        return self.log.head

    async def stop(self, *, timeout_s: float) -> None:
        """Cancel what runs and drop what waits; the log says so. Idempotent."""
        self.hold()
        queue, self._queue = self._queue, []
        for waiting in queue:
            end = TurnFinished(turn=waiting.turn, status="interrupted")
            self.log.append(end, durable=True)
        if self._active is not None:
            self._active.runner.cancel("interrupted")
            await self.ended(timeout_s=timeout_s)

    def hold(self) -> None:
        """Start no more turns; the running one goes on. Idempotent."""
        self._holding = True

    async def ended(self, *, timeout_s: float) -> None:
        """Wait until the running turn is over, at most this long."""
        if self._active is not None:
            ended = asyncio.ensure_future(self._active.ended.wait())
            await asyncio.wait({ended}, timeout=timeout_s)
            ended.cancel()

    # the queue

    def _enqueue(self, waiting: _Waiting, *, ahead: bool) -> TurnQueued:
        self._queue.insert(0 if ahead else len(self._queue), waiting)
        return TurnQueued(turn=waiting.turn, message=waiting.message, ahead=ahead)

    def _find_waiting(self, turn: str) -> _Waiting | None:
        return next((entry for entry in self._queue if entry.turn == turn), None)

    def _knows(self, turn: str) -> bool:
        return turn == self.active_turn or self.log.fold.turn(turn) is not None

    def _not_waiting(self, turn: str) -> NotFound | Conflict:
        if not self._knows(turn):
            return NotFound("This conversation has no such turn.")
        return Conflict(
            "This message does not wait any more: it is being answered, was answered "
            "or was removed. Send a new one.",
            code="not_queued",
            details={"turn": turn},
        )

    def _refuse_when_busy(self, if_active: str) -> None:
        if if_active == "reject":
            raise Conflict(
                "A turn is running; wait for its end or cancel it.",
                code="turn_active",
                retryable=True,
                details={"turn": self.active_turn},
            )
        most = self._settings.limits.queued_turns
        if len(self._queue) >= most:
            raise RateLimited(
                f"{most} messages wait already; let one be answered first.",
                code="queue_full",
            )

    def _refuse_unless_sent(self, message: str) -> None:
        state = self.log.fold.message(message)
        if state is None or state.role != "user":
            raise InvalidInput(
                "A branch begins at a message of the user's in this conversation, and "
                "this is none: take the id of one whose role is user.",
                code="no_such_message",
                details={"message": message},
            )

    def _accepted(self, waiting: _Waiting) -> None:
        """Go on now that a message is in the log; its author is told later."""
        waiting.is_committed = True
        active = self._active
        if active is not None and active.turn == waiting.turn:
            self._run(active)
        self._start_next()

    def _acknowledged(
        self,
        client_message_id: str,
        waiting: _Waiting,
        committed: asyncio.Future[int],
    ) -> None:
        """Go on without a message if it was refused."""
        is_written = not committed.cancelled() and committed.exception() is None
        if is_written or waiting.is_committed:
            return
        self._sent.forget(client_message_id)
        active = self._active
        if active is not None and active.turn == waiting.turn:
            self._release(active)
        elif waiting in self._queue:
            self._queue.remove(waiting)
        self._start_next()

    def _start_next(self) -> None:
        if self._active is not None or self._holding or not self._queue:
            return
        waiting = self._queue[0]
        if not waiting.is_committed:
            return  # it calls again when it is
        if not self._slots.take(self.log.owner):
            self._wait_for_slot()
            return
        self._queue.remove(waiting)
        self._select(waiting)
        self.log.append(self._started(waiting), durable=True)
        if self._active is not None:
            self._run(self._active)

    def _wait_for_slot(self) -> None:
        def go_on() -> None:
            self._waits_for_slot = False
            self._start_next()

        if not self._waits_for_slot:
            self._waits_for_slot = True
            self._slots.wait(self.log.owner, go_on)

    # the turn that runs

    def _select(self, waiting: _Waiting) -> None:
        """Make a turn the active one; from now on it can be cancelled."""
        turn = waiting.turn
        recorder = self._traces.begin(self.log.id, turn)
        runner = TurnRunner(
            self.log, self.agent, turn, self._make_turn, recorder=recorder
        )
        self._active = _Active(turn=turn, runner=runner)

    def _started(self, waiting: _Waiting) -> TurnStarted:
        return TurnStarted(
            turn=waiting.turn,
            message=waiting.message,
            agent=self.agent.name,
            model=self.agent.model_name,
            offline=self.agent.offline,
        )

    def _run(self, active: _Active) -> None:
        loop = asyncio.get_running_loop()
        active.runner.begin()
        active.task = loop.create_task(
            active.runner.run(), name=f"streamchat turn {active.turn}"
        )
        active.task.add_done_callback(lambda task: self._ended(active, task))
        if self._settings.on_no_subscribers == "cancel":
            active.watchdog = loop.create_task(
                self._cancel_unwatched(active), name=f"watch turn {active.turn}"
            )

    async def _cancel_unwatched(self, active: _Active) -> None:
        """Cancel a turn that nobody has followed for the time of the settings."""
        timeout_s = self._settings.no_subscribers_timeout_s
        unwatched_since = time.monotonic()
        while time.monotonic() - unwatched_since < timeout_s:
            await asyncio.sleep(timeout_s / UNWATCHED_CHECKS)
            if self.log.readers:
                unwatched_since = time.monotonic()
        active.runner.cancel(stop_reason="no_subscribers")

    async def _make_turn(self, runner: TurnRunner) -> Turn:
        limits = self._settings.turn_limits
        await self._server_tools.settled()
        state = self.log.state
        artifacts = await self._attachments.of_history(self.log.id, state)
        return Turn(
            conversation=self.log.id,
            turn=runner.turn_id,
            thread=thread_of(state, runner.turn_id),
            history=history_of(
                state,
                until_turn=runner.turn_id,
                model_tool_output_bytes=limits.model_tool_output_bytes,
                artifacts=artifacts,
            ),
            tools=self._tools(),
            limits=limits,
            new_message_id=lambda: new_id("m"),
            asks_first=self.approvals.asks_first,
            approval=self.approvals.answer,
            approval_timeout_s=self._settings.approval_timeout_s,
            is_superseded=lambda: runner.is_superseded,
            spent=Spent.by(self.log.state),
            output_schema=self._output_schema(runner.turn_id),
        )

    def _output_schema(self, turn: str) -> dict[str, Any] | None:
        state = self.log.fold.turn(turn)
        question = None if state is None else self.log.fold.message(state.message)
        return None if question is None else question.output_schema

    def _ended(self, active: _Active, task: asyncio.Task[TurnFinished]) -> None:
        if active.watchdog is not None:
            active.watchdog.cancel()
        if (
            not task.cancelled()
            and (error := task.exception()) is not None
            and not isinstance(error, StoreError)
        ):
            logger.error("A turn ended badly", exc_info=error)
        self._release(active)
        self._start_next()

    def _release(self, active: _Active) -> None:
        self._active = None
        active.ended.set()
        self._slots.give_back(self.log.owner)

    # writing in time

    async def _written(self, committed: asyncio.Future[int]) -> int:
        return await self._in_time(asyncio.shield(committed))

    async def _in_time(self, waiting: Awaitable[Result]) -> Result:
        try:
            async with asyncio.timeout(WRITE_TIMEOUT_S):
                return await waiting
        except TimeoutError:
            raise Unavailable(
                "This was taken note of, but cannot be saved now; it takes effect when "
                "the server can write again.",
                code="store_unavailable",
            ) from None
