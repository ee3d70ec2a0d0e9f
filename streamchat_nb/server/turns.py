"""The turns of one conversation: who runs, who waits, and how they end."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import secrets
import time
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from streamchat_nb.agent.agent import Turn
from streamchat_nb.agent.history import history_of
from streamchat_nb.agent.runner import TurnRunner
from streamchat_nb.errors import Conflict, NotFound, RateLimited, StoreError, UsageError
from streamchat_nb.protocol.codec import encode
from streamchat_nb.protocol.events import (
    MessageCreated,
    TurnFinished,
    TurnQueued,
    TurnStarted,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from streamchat_nb.agent.agent import Agent, TurnLimits
    from streamchat_nb.conversation.log import ConversationLog
    from streamchat_nb.protocol.content import Author, UserBlock
    from streamchat_nb.tools.registry import ToolSet

__all__ = ["ConversationTurns", "Receipt", "TurnSlots", "new_id"]

logger = logging.getLogger(__name__)


def new_id(prefix: str) -> str:
    """Return a fresh id, 80 random bits in hex after ``prefix`` and an underscore."""
    return f"{prefix}_{secrets.token_hex(10)}"


@dataclass(frozen=True, kw_only=True)
class Receipt:
    """What a ``send`` gave: where its message stands and which turn answers it."""

    seq: int
    message: str
    turn: str
    duplicate: bool = False


class TurnSlots:
    """How many turns each owner may run at once.

    Args:
        most: Turns per owner.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._running: dict[str, int] = {}
        self._waiting: dict[str, deque[Callable[[], None]]] = {}

    def take(self, owner: str) -> bool:
        """Take a slot if one is free."""
        running = self._running.get(owner, 0)
        if running >= self._most:
            return False
        self._running[owner] = running + 1
        return True

    def wait(self, owner: str, wake: Callable[[], None]) -> None:
        """Call ``wake`` once when a slot may be free."""
        self._waiting.setdefault(owner, deque()).append(wake)

    def give_back(self, owner: str) -> None:
        """Return a slot and wake who waits for one."""
        self._running[owner] -= 1
        if not self._running[owner]:
            del self._running[owner]
        waiting = self._waiting.pop(owner, deque())
        for wake in waiting:
            wake()


@dataclass(frozen=True, kw_only=True)
class _Sent:
    digest: bytes
    message: str
    turn: str
    committed: asyncio.Future[int]


class ConversationTurns:
    """Accepts messages and runs their turns one after the other.

    Args:
        log: The conversation's log.
        agent: Who answers.
        tools: Gives the tools of a turn when it starts.
        limits: Where a turn stops by itself.
        slots: Shared by all conversations.
        queued_turns: How many turns may wait.

    Attributes:
        used_at: Monotonic time at which somebody last asked for the conversation.
    """

    def __init__(
        self,
        log: ConversationLog,
        *,
        agent: Agent,
        tools: Callable[[], ToolSet],
        limits: TurnLimits,
        slots: TurnSlots,
        queued_turns: int,
    ) -> None:
        self.log = log
        self._agent = agent
        self._tools = tools
        self._limits = limits
        self._slots = slots
        self._queued_turns = queued_turns
        self._queue: deque[tuple[str, str]] = deque()
        self._active: asyncio.Task[TurnFinished] | None = None
        self._runner: TurnRunner | None = None
        self._active_turn: str | None = None
        self._stopping = False
        self.used_at = time.monotonic()
        self._sent: dict[str, _Sent] = {}
        self._restore_sent()

    @property
    def active_turn(self) -> str | None:
        """Id of the running turn, if any."""
        return self._active_turn

    @property
    def idle(self) -> bool:
        """Nothing runs, waits or is watched."""
        return self._active is None and not self._queue and self.log.idle

    async def send(
        self,
        *,
        client_message_id: str,
        content: list[UserBlock],
        author: Author,
        if_active: Literal["queue", "reject", "interrupt"],
    ) -> Receipt:
        """Accept a user's message; returns once it is committed.

        Cancel safe: once begun, the message is accepted whether or not anybody
        waits; sending it again gives the same receipt.

        Raises:
            Conflict: The id came before with another payload
                (``idempotency_mismatch``), or a turn runs and ``if_active`` is
                ``reject`` (``turn_active``).
            RateLimited: Too many turns wait already (``queue_full``).
            StoreError: It could not be written; nothing was accepted.
        """
        digest = _digest(content)
        known = self._sent.get(client_message_id)
        if known is not None:
            return await self._repeat(known, digest)
        busy = self._active_turn is not None or bool(self._queue)
        if busy:
            self._refuse_when_busy(if_active)
        turn, message = new_id("t"), new_id("m")
        created = MessageCreated(
            turn=turn,
            message=message,
            role="user",
            author=author,
            client_message_id=client_message_id,
            content=list(content),
        )
        starts = not busy and self._slots.take(self.log.owner)
        if starts:
            self._active_turn = turn
            follow: TurnStarted | TurnQueued = self._started(turn, message)
        else:
            follow = TurnQueued(turn=turn, message=message)
            self._queue.append((turn, message))
        # The message's own seq is one below the event that follows it.
        committed = self.log.append(created, follow, durable=True, rejectable=True)
        sent = _Sent(digest=digest, message=message, turn=turn, committed=committed)
        self._sent[client_message_id] = sent
        committed.add_done_callback(
            lambda done: self._accepted(client_message_id, turn, starts, done)
        )
        if busy and if_active == "interrupt" and self._runner is not None:
            self._runner.cancel()
        seq = await asyncio.shield(committed)
        return Receipt(seq=seq - 1, message=message, turn=turn)

    async def cancel(self, turn: str) -> int:
        """End a running or queued turn; returns the head once its end is written.

        A turn that is over already stays as it is: cancelling twice is no error.

        Raises:
            NotFound: There is no such turn in this conversation.
        """
        for entry in self._queue:
            if entry[0] == turn:
                self._queue.remove(entry)
                return await self.log.append(
                    TurnFinished(turn=turn, status="cancelled"), durable=True
                )
        if turn == self._active_turn and self._runner and self._active:
            self._runner.cancel()
            await asyncio.wait({self._active})
            return self.log.head
        if self.log.fold.turn(turn) is None:
            raise NotFound("This conversation has no such turn.")
        return self.log.head

    async def stop(self, *, timeout_s: float) -> None:
        """Cancel what runs and drop what waits; the log says so. Idempotent."""
        self._stopping = True
        while self._queue:
            turn, _ = self._queue.popleft()
            self.log.append(TurnFinished(turn=turn, status="interrupted"), durable=True)
        if self._runner is not None and self._active is not None:
            self._runner.cancel("interrupted")
            await asyncio.wait({self._active}, timeout=timeout_s)

    def _refuse_when_busy(self, if_active: str) -> None:
        if if_active == "reject":
            raise Conflict(
                "A turn is running; wait for its end or cancel it.",
                code="turn_active",
                retryable=True,
                details={"turn": self._active_turn},
            )
        if len(self._queue) >= self._queued_turns:
            raise RateLimited(
                f"{self._queued_turns} messages wait already; let one be answered "
                "first.",
                code="queue_full",
            )

    async def _repeat(self, known: _Sent, digest: bytes) -> Receipt:
        if known.digest != digest:
            raise Conflict(
                "This client_message_id was used for another message; use a fresh one.",
                code="idempotency_mismatch",
            )
        seq = await asyncio.shield(known.committed)
        return Receipt(
            seq=seq - 1, message=known.message, turn=known.turn, duplicate=True
        )

    def _accepted(
        self,
        client_message_id: str,
        turn: str,
        starts: bool,
        committed: asyncio.Future[int],
    ) -> None:
        if committed.cancelled() or committed.exception() is not None:
            self._sent.pop(client_message_id, None)
            if starts:
                self._active_turn = None
                self._slots.give_back(self.log.owner)
            else:
                self._queue = deque(e for e in self._queue if e[0] != turn)
            self._start_next()
        elif starts:
            self._run(turn)
        else:
            self._start_next()

    def _start_next(self) -> None:
        if self._active_turn is not None or not self._queue or self._stopping:
            return
        if not self._slots.take(self.log.owner):
            self._slots.wait(self.log.owner, self._start_next)
            return
        turn, message = self._queue.popleft()
        self._active_turn = turn
        self.log.append(self._started(turn, message), durable=True)
        self._run(turn)

    def _started(self, turn: str, message: str) -> TurnStarted:
        return TurnStarted(
            turn=turn,
            message=message,
            agent=self._agent.name,
            model=self._agent.model_name,
            offline=self._agent.offline,
        )

    def _run(self, turn: str) -> None:
        self._runner = TurnRunner(
            self.log, self._agent, turn, lambda: self._make_turn(turn)
        )
        self._active = asyncio.get_running_loop().create_task(
            self._runner.run(), name=f"streamchat turn {turn}"
        )
        self._active.add_done_callback(self._ended)

    def _make_turn(self, turn: str) -> Turn:
        return Turn(
            conversation=self.log.id,
            turn=turn,
            history=history_of(
                self.log.state,
                until_turn=turn,
                model_tool_output_bytes=self._limits.model_tool_output_bytes,
            ),
            tools=self._tools(),
            limits=self._limits,
            new_message_id=lambda: new_id("m"),
        )

    def _ended(self, task: asyncio.Task[TurnFinished]) -> None:
        self._active = self._runner = self._active_turn = None
        self._slots.give_back(self.log.owner)
        if (
            not task.cancelled()
            and (error := task.exception()) is not None
            and not isinstance(error, StoreError)
        ):
            logger.error("A turn ended badly", exc_info=error)
        self._start_next()

    def _restore_sent(self) -> None:
        """Remember the sends of the log, so that a repeated one is recognised."""
        for message in self.log.state.messages:
            if message.client_message_id is None or message.turn is None:
                continue
            committed: asyncio.Future[int] = asyncio.get_running_loop().create_future()
            committed.set_result(self.log.head)
            content = [b.content for b in message.blocks if b.content is not None]
            self._sent[message.client_message_id] = _Sent(
                digest=hashlib.sha256(encode(content)).digest(),
                message=message.message,
                turn=message.turn,
                committed=committed,
            )


def _digest(content: list[UserBlock]) -> bytes:
    if not content:
        raise UsageError("a message needs content")
    return hashlib.sha256(encode(content)).digest()
