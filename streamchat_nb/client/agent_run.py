"""One turn that an agent of this process answers, on a loop that is not the client's.

What the agent needs to know is in the conversation that the client follows: its
history, and a person's answers. What it says waits here until the server is told.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
import threading
from contextlib import aclosing
from typing import TYPE_CHECKING, cast

import msgspec

from streamchat_nb.agent.agent import Turn, TurnLimits
from streamchat_nb.agent.budget import Spent
from streamchat_nb.agent.history import history_of, thread_of
from streamchat_nb.errors import StreamchatError, UsageError
from streamchat_nb.protocol.agent_events import AgentEvent
from streamchat_nb.protocol.codec import carriable, encode
from streamchat_nb.protocol.content import ErrorBody
from streamchat_nb.protocol.events import (
    BlockDelta,
    ToolApprovalRequested,
    ToolApprovalResolved,
    ToolStarted,
)
from streamchat_nb.protocol.frames import error_body
from streamchat_nb.tools.registry import ToolSet
from streamchat_nb.tools.secret_filter import SecretFilter

if TYPE_CHECKING:
    import concurrent.futures
    from collections.abc import AsyncGenerator, Iterable, Mapping

    from streamchat_nb.agent.agent import Agent
    from streamchat_nb.client.followed_log import FollowedLog
    from streamchat_nb.client.loop_thread import LoopThread
    from streamchat_nb.conversation.artifacts import Artifact
    from streamchat_nb.protocol.frames import RunAgent
    from streamchat_nb.tools.tool import Tool

__all__ = ["AgentRun"]

logger = logging.getLogger(__name__)

BATCH_BYTES = 131_072
BATCH_EVENTS = 256
WAITING_BYTES = 262_144
"""So much may wait to be told; then the agent waits."""
STOP_S = 0.5
_DELTA_CHARACTERS = 16_384
_MOST_ERROR_CHARACTERS = 1_000


class AgentRun:
    """An agent that answers a turn, and what it says. On the client's loop.

    Args:
        frame: What the server asks for.
        log: The conversation; it is at least where the frame says.
        tools: What the agent may call.
        files: The attached files by id.
    """

    def __init__(
        self,
        frame: RunAgent,
        log: FollowedLog,
        *,
        tools: Iterable[Tool],
        files: Mapping[str, Artifact],
    ) -> None:
        self._frame = frame
        self._log = log
        self._loop = asyncio.get_running_loop()
        self._said = asyncio.Event()
        self._allowed = self._allowed_tools()
        self._is_superseded = False
        self._running: concurrent.futures.Future[None] | None = None
        self._turn = self._make_turn(tools, files)
        # Shared with the agent's thread, under the lock.
        self._lock = threading.Lock()
        self._waiting: list[tuple[AgentEvent, int]] = []
        self._bytes = 0
        self._agent_loop: asyncio.AbstractEventLoop | None = None
        self._told = asyncio.Event()

    def start(self, agent: Agent, thread: LoopThread) -> None:
        """Let the agent begin, on its thread."""
        self._running = thread.submit(self._drive(agent))
        self._running.add_done_callback(lambda _: self._wake())

    async def batch(self) -> list[AgentEvent]:
        """Return what was said since, at least one event; none once it has ended."""
        while True:
            self._said.clear()
            if taken := self._take():
                return taken
            if self._running is None or self._running.done():
                return []
            await self._said.wait()

    def acknowledge(self, *, is_superseded: bool) -> None:
        """Take note that the server has written the last batch."""
        self._is_superseded = is_superseded
        self._allowed = self._allowed_tools()
        with self._lock:
            self._bytes = sum(size for _, size in self._waiting)
            loop = self._agent_loop
        if loop is not None:
            with contextlib.suppress(RuntimeError):  # it was stopped
                loop.call_soon_threadsafe(self._told.set)

    @property
    def failure(self) -> ErrorBody | None:
        """Why the agent ended, where it did not by itself; once it has."""
        running = self._running
        if running is None or running.cancelled():
            return None
        match running.exception():
            case None:
                return None
            case StreamchatError() as error:
                return error_body(error)
            case error:
                logger.error("Agent %s failed", self._frame.agent, exc_info=error)
                said = SecretFilter().without_secrets(
                    f"{type(error).__name__}: {error}"
                )
                said = said[:_MOST_ERROR_CHARACTERS]
                return ErrorBody(
                    code="agent_failed",
                    message=f"The agent {self._frame.agent} stopped with {said}",
                    retryable=True,
                )

    def stop(self) -> None:
        """Cancel the agent; what it still says is dropped. Idempotent."""
        if self._running is not None:
            self._running.cancel()

    # on the client's loop

    def _make_turn(self, tools: Iterable[Tool], files: Mapping[str, Artifact]) -> Turn:
        frame, limits, state = self._frame, self._frame.limits, self._log.state
        schemas = (
            message.output_schema
            for message in state.messages
            if message.turn == frame.turn and message.role == "user"
        )
        timeout_ms = limits.approval_timeout_ms
        return Turn(
            conversation=frame.conversation,
            turn=frame.turn,
            thread=thread_of(state, frame.turn),
            history=history_of(
                state,
                until_turn=frame.turn,
                model_tool_output_bytes=limits.model_tool_output_bytes,
                artifacts=files,
            ),
            tools=ToolSet(tools),
            limits=TurnLimits(
                steps=limits.steps,
                tool_calls=limits.tool_calls,
                wall_clock_s=limits.wall_clock_ms / 1000,
                output_tokens=limits.output_tokens,
                tokens=limits.tokens,
                cost_usd=limits.cost_usd,
                conversation_tokens=limits.conversation_tokens,
                conversation_cost_usd=limits.conversation_cost_usd,
                model_tool_output_bytes=limits.model_tool_output_bytes,
            ),
            new_message_id=lambda: f"m_{secrets.token_hex(10)}",
            asks_first=self._asks_first,
            approval=self._approval,
            approval_timeout_s=None if timeout_ms is None else timeout_ms / 1000,
            is_superseded=lambda: self._is_superseded,
            spent=Spent.by(state),
            output_schema=next(schemas, None),
        )

    def _allowed_tools(self) -> frozenset[str]:
        """Return the tools that do not ask any more in this conversation."""
        return frozenset(self._log.state.settings.get("allowed_tools", ()))

    async def _answer_to(self, approval: str) -> ToolApprovalResolved:
        return await self._log.until(lambda: self._find_answer(approval))

    def _find_answer(self, approval: str) -> ToolApprovalResolved | None:
        for call in reversed(self._log.state.tool_calls):
            asked = call.approval
            if asked is None or asked.approval != approval or asked.decision is None:
                continue
            return ToolApprovalResolved(
                approval=approval,
                tool_call=call.tool_call,
                decision=asked.decision,
                by=asked.by,
                edited_input=call.input if asked.is_edited else None,
                reason=asked.reason,
            )
        return None

    def _take(self) -> list[AgentEvent]:
        """Take what fits into one batch."""
        taken: list[AgentEvent] = []
        left = BATCH_BYTES
        with self._lock:
            for event, size in self._waiting[:BATCH_EVENTS]:
                left -= size
                if taken and left < 0:
                    break
                taken.append(event)
            del self._waiting[: len(taken)]
        return taken

    # on the agent's loop

    async def _drive(self, agent: Agent) -> None:
        """Let the agent answer, and keep what it says until it is told."""
        with self._lock:
            self._agent_loop = asyncio.get_running_loop()
        running = cast("AsyncGenerator[AgentEvent]", agent.run(self._turn))
        try:
            async with aclosing(running) as events:
                async for event in events:
                    await self._say(event)
        except (SystemExit, KeyboardInterrupt):
            raise StreamchatError(
                f"The agent {self._frame.agent} tried to end the process.",
                code="agent_failed",
            ) from None

    async def _say(self, event: object) -> None:
        if not isinstance(event, AgentEvent):
            raise UsageError(
                f"The agent {self._frame.agent} yielded a {type(event).__name__}; an "
                "Agent yields events. A function that yields text is no Agent: give "
                "the function itself."
            )
        event = cast("AgentEvent", carriable(event))
        with self._lock:
            self._keep(event)
        self._wake()
        # A tool begins, and a person is asked, only once the log says so.
        if isinstance(event, ToolStarted | ToolApprovalRequested):
            await self._until_below(1)
        else:
            await self._until_below(WAITING_BYTES)

    def _keep(self, event: AgentEvent) -> None:
        """Put an event behind the others; more of a block joins what waits of it."""
        last = self._waiting[-1][0] if self._waiting else None
        if (
            isinstance(event, BlockDelta)
            and isinstance(last, BlockDelta)
            and (last.message, last.block) == (event.message, event.block)
            and len(last.delta) < _DELTA_CHARACTERS
        ):
            self._bytes -= self._waiting.pop()[1]
            event = msgspec.structs.replace(last, delta=last.delta + event.delta)
        size = len(encode(event))
        self._waiting.append((event, size))
        self._bytes += size

    async def _until_below(self, most_bytes: int) -> None:
        """Wait while so much waits, or is on its way."""
        while True:
            self._told.clear()
            with self._lock:
                if self._bytes < most_bytes:
                    return
            await self._told.wait()

    def _asks_first(self, tool: Tool) -> bool:
        if tool.risk != "exec" and tool.name in self._allowed:
            return False
        return tool.needs_approval

    async def _approval(self, approval: str) -> ToolApprovalResolved:
        asking = asyncio.run_coroutine_threadsafe(self._answer_to(approval), self._loop)
        return await asyncio.wrap_future(asking)

    def _wake(self) -> None:
        with contextlib.suppress(RuntimeError):  # the client was closed
            self._loop.call_soon_threadsafe(self._said.set)
