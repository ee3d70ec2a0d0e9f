"""One turn, from start to its one end, whatever the agent does."""

from __future__ import annotations

import asyncio
import logging
from contextlib import aclosing
from typing import TYPE_CHECKING, Literal, cast

import msgspec

from streamchat_nb.agent.closing import open_ends
from streamchat_nb.agent.request_trace import recorded_by
from streamchat_nb.conversation.state import summed_usage
from streamchat_nb.errors import StoreError, StreamchatError
from streamchat_nb.protocol.events import (
    BlockCompleted,
    BlockDelta,
    MessageCompleted,
    MessageCreated,
    MessageDiscarded,
    ToolCompleted,
    ToolRequested,
    ToolStarted,
    TurnEndStatus,
    TurnFinished,
)
from streamchat_nb.protocol.frames import error_body

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable

    from streamchat_nb.agent.agent import Agent, AgentEvent, Turn
    from streamchat_nb.agent.request_trace import RequestRecorder
    from streamchat_nb.conversation.log import ConversationLog
    from streamchat_nb.protocol.content import ErrorBody, Usage

__all__ = ["TurnRunner"]

logger = logging.getLogger(__name__)

CANCEL_GRACE_S = 0.15
UNCHECKED_CHARACTERS = 65_536
"""So much may take the short cut before the log is asked whether it has room."""


class TurnRunner:
    """Runs one turn of an agent and writes what happens to the log.

    Args:
        log: The conversation's log; ``turn.started`` is already appended to it.
        agent: Who answers.
        turn_id: Id of the turn.
        make_turn: Makes the turn, given this, once everything before it is committed.
        recorder: Notes what is sent to models for it; ``None`` for nobody.

    Attributes:
        agent: Who answers.
        turn_id: Id of the turn.
        is_superseded: A newer message is to be answered instead; see ``supersede``.
    """

    def __init__(
        self,
        log: ConversationLog,
        agent: Agent,
        turn_id: str,
        make_turn: Callable[[TurnRunner], Awaitable[Turn]],
        *,
        recorder: RequestRecorder | None = None,
    ) -> None:
        self._log = log
        self.agent = agent
        self.turn_id = turn_id
        self.is_superseded = False
        self._make_turn = make_turn
        self._recorder = recorder
        self._usage: Usage | None = None
        self._cost: float | None = None
        self._stop_reason: str | None = None
        self._ended_early: Literal["cancelled", "interrupted"] | None = None
        self._why_early: str | None = None
        self._consuming: asyncio.Task[None] | None = None
        self._is_over = asyncio.Event()
        self._left_behind = False
        self._open: set[str] = set()
        self._end: tuple[TurnFinished, asyncio.Future[int]] | None = None
        self._unchecked_characters = 0

    def cancel(
        self,
        status: Literal["cancelled", "interrupted"] = "cancelled",
        *,
        stop_reason: str | None = None,
    ) -> None:
        """End the turn soon, with this status and reason. The first call counts."""
        if self._ended_early is None:
            self._ended_early = status
            self._why_early = stop_reason
            if self._consuming is not None:
                self._stop(self._consuming)

    def supersede(self) -> None:
        """Ask the agent to end at its next tool boundary."""
        self.is_superseded = True

    def begin(self) -> None:
        """Start the agent, so that it need not wait until ``run`` is. Idempotent."""
        if self._consuming is None and self._ended_early is None:
            loop = asyncio.get_running_loop()
            consuming = loop.create_task(self._consume(), name=f"agent {self.turn_id}")
            consuming.add_done_callback(lambda _: self._is_over.set())
            self._consuming = consuming

    async def run(self) -> TurnFinished:
        """Run to the end and return the terminal event, which is then in the log.

        End it early by ``cancel``, not by cancelling the task that awaits this.
        An agent that does not stop within 150 ms of ``cancel`` is left behind:
        its later events are dropped.

        Raises:
            StoreError: The log was closed; nothing more can be written to it.
        """
        self.begin()
        consuming = self._consuming
        if consuming is None:
            return await self._finish(self._ended_early or "cancelled", None)
        try:
            await self._is_over.wait()
        finally:
            consuming.cancel()
        if self._end is not None:
            finished, written = self._end
            await written
            return finished
        status, error = self._outcome(consuming)
        return await self._finish(status, error)

    def _stop(self, consuming: asyncio.Task[None]) -> None:
        """Cancel the agent; it is over with its task, or after a while without."""
        consuming.cancel()
        asyncio.get_running_loop().call_later(CANCEL_GRACE_S, self._is_over.set)

    def _outcome(
        self, consuming: asyncio.Task[None]
    ) -> tuple[TurnEndStatus, ErrorBody | None]:
        if not consuming.done():
            self._left_behind = True
            consuming.add_done_callback(_forget)
            logger.warning("Agent %s does not stop; left behind", self.agent.name)
            return self._ended_early or "cancelled", None
        if consuming.cancelled():
            return self._ended_early or "cancelled", None
        failure = consuming.exception()
        match failure:
            case None:
                return "completed", None
            case StoreError():
                raise failure
            case StreamchatError():
                return "failed", error_body(failure)
            case _:
                logger.error("Agent %s failed", self.agent.name, exc_info=failure)
                return "failed", error_body(_agent_failed(failure))

    async def _consume(self) -> None:
        recorded_by(self._recorder)
        await self._log.flushed()
        turn = await self._make_turn(self)
        if turn.output_schema is not None and not self.agent.shapes_answers:
            raise _prose_only(self.agent.name)
        running = self.agent.run_showing(turn, self._show)
        events = cast("AsyncGenerator[AgentEvent]", running)
        async with aclosing(events):
            async for event in events:
                if self._left_behind:
                    break
                await self._write(event)
        if not (self._open or self._left_behind):
            # Here, so that the end of its last message and its own are one commit.
            finished = self._finished("completed", None)
            self._end = finished, self._log.append(finished, durable=True)

    def _show(self, delta: BlockDelta) -> bool:
        """Write a delta that took the short cut; now and then it must not."""
        self._unchecked_characters += len(delta.delta)
        if self._left_behind or self._unchecked_characters > UNCHECKED_CHARACTERS:
            return False
        if delta.turn != self.turn_id:
            delta = msgspec.structs.replace(delta, turn=self.turn_id)
        self._log.append_delta(delta)
        return True

    async def _write(self, event: AgentEvent) -> None:
        stamped = msgspec.structs.replace(event, turn=self.turn_id)
        self._unchecked_characters = 0
        match stamped:
            case BlockDelta():
                self._log.append_delta(stamped)
            case BlockCompleted():
                self._log.append(stamped)
                # Let what was said be shown before its end is seen to.
                await asyncio.sleep(0)
            case ToolStarted():
                self._open.add(stamped.tool_call)
                await self._log.append(stamped, durable=True)
            case ToolRequested():
                self._open.add(stamped.tool_call)
                self._log.append(stamped)
            case ToolCompleted():
                self._open.discard(stamped.tool_call)
                self._log.append(stamped)
            case MessageCreated():
                self._open.add(stamped.message)
                self._log.append(stamped)
            case MessageCompleted() | MessageDiscarded():
                self._open.discard(stamped.message)
                self._count(stamped)
                self._log.append(stamped)
            case _:
                self._log.append(stamped)
        await self._log.room()

    def _count(self, end: MessageCompleted | MessageDiscarded) -> None:
        if isinstance(end, MessageCompleted):
            self._stop_reason = end.stop_reason
        self._usage = summed_usage(self._usage, end.usage)
        if end.cost is not None:
            self._cost = (self._cost or 0.0) + end.cost

    def _reason_of(self, status: TurnEndStatus) -> str | None:
        if status != "completed":
            return self._why_early if status == self._ended_early else None
        made_room = self.is_superseded and self._stop_reason == "tool_use"
        return "superseded" if made_room else self._stop_reason

    async def _finish(
        self, status: TurnEndStatus, error: ErrorBody | None
    ) -> TurnFinished:
        await self._log.flushed()
        ends = open_ends(self._log.state, self.turn_id, status=status)
        finished = self._finished(status, error)
        await self._log.append(*ends, finished, durable=True)
        return finished

    def _finished(self, status: TurnEndStatus, error: ErrorBody | None) -> TurnFinished:
        return TurnFinished(
            turn=self.turn_id,
            status=status,
            stop_reason=self._reason_of(status),
            error=error,
            usage=self._usage,
            cost=self._cost,
        )


def _forget(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and (error := task.exception()) is not None:
        logger.warning("An agent that was left behind failed: %s", type(error).__name__)


def _prose_only(agent: str) -> StreamchatError:
    return StreamchatError(
        f"{agent!r} answers in prose, and not in a wanted shape. Ask without output, "
        "or choose the built-in agent for it.",
        code="output_unsupported",
    )


def _agent_failed(failure: BaseException) -> StreamchatError:
    return StreamchatError(
        f"The agent stopped with {type(failure).__name__}; the server's log has the "
        "details. What it wrote is kept; send the message again to retry.",
        code="agent_failed",
        retryable=True,
    )
