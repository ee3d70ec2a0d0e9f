"""The tool calls of one step: run them, tell what happens, keep the results."""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections import deque
from contextlib import aclosing
from functools import partial
from typing import TYPE_CHECKING

import msgspec

from streamchat_nb.agent.approvals import Approvals
from streamchat_nb.agent.history import tool_result
from streamchat_nb.protocol.content import ToolUseBlock
from streamchat_nb.protocol.events import (
    ToolCompleted,
    ToolProgress,
    ToolRequested,
    ToolStarted,
    TurnStatus,
)
from streamchat_nb.tools.dispatch import Outcome, refusal_of, run_tool
from streamchat_nb.tools.output import clean_text

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Iterator
    from typing import Any

    from streamchat_nb.agent.agent import AgentEvent, Turn
    from streamchat_nb.protocol.content import Action, AssistantBlock
    from streamchat_nb.protocol.events import ToolApprovalResolved
    from streamchat_nb.tools.tool import Tool

__all__ = ["ToolBatch"]

logger = logging.getLogger(__name__)

_CLOSE_GRACE_S = 0.1
_MOST_NAMES_SHOWN = 3


class ToolBatch:
    """The calls that one message asks for.

    Calls run side by side; a tool that is ``sequential`` runs alone, in its place.
    One call's failure is its own result and nobody else's.

    Args:
        turn: The turn, with its tools.
        message: The message that asks.
        content: Its blocks.
        allowed: How many calls may run; those beyond get an error result.
        timeout_s: Longest run of a call, in seconds, besides its tool's own limit.
        output_limit_bytes: Largest output in an event.
        monotonic: The clock that measures durations, in seconds.

    Attributes:
        calls: How many there are.
        outcomes: By tool call, those that have ended.
        started: Whether any tool began to run.
        waited_s: How long nothing was done but wait for a person, in seconds.
    """

    def __init__(  # noqa: PLR0913 (facts of one step, by keyword)
        self,
        turn: Turn,
        *,
        message: str,
        content: list[AssistantBlock],
        allowed: int,
        timeout_s: float,
        output_limit_bytes: int,
        monotonic: Callable[[], float],
    ) -> None:
        self.outcomes: dict[str, Outcome] = {}
        self.started = False
        self.waited_s = 0.0
        self._edited: set[str] = set()
        self._turn = turn
        self._message = message
        self._calls = [
            (f"b{position}", block)
            for position, block in enumerate(content)
            if isinstance(block, ToolUseBlock)
        ]
        self.calls = len(self._calls)
        self._allowed = allowed
        self._timeout_s = timeout_s
        self._output_limit_bytes = output_limit_bytes
        self._monotonic = monotonic
        self._ready: deque[AgentEvent] = deque()
        self._progress: dict[str, ToolProgress] = {}
        self._status: TurnStatus | None = None
        self._lost: list[tuple[Tool, ToolUseBlock]] = []
        self._woken = asyncio.Event()

    async def events(self) -> AsyncGenerator[AgentEvent]:
        """Run all calls and yield what happens; exactly one end for each.

        Calls that ask a person first do not hold up the others. Closing the iterator
        cancels what runs and what waits.
        """
        runnable: list[tuple[Tool, ToolUseBlock]] = []
        approvals = (
            Approvals(self._turn.approval, timeout_s=self._turn.approval_timeout_s)
            if self._turn.approval
            else None
        )
        for block, call in self._calls:
            yield self._requested(block, call)
        for number, (_, call) in enumerate(self._calls):
            tool = self._turn.tools.get(call.name)
            refusal = self._refusal(number, tool, call)
            if tool is None or refusal is not None:
                yield self._end(call, refusal or Outcome(status="error", output=""))
            elif not self._turn.asks_first(tool):
                runnable.append((tool, call))
            elif approvals is not None:
                yield approvals.request(tool, call)
            else:
                yield self._end(call, _nobody_to_ask(tool))
        async with aclosing(self._run_all(runnable)) as events:
            async for event in events:
                yield event
        if approvals:
            async with aclosing(self._run_approved(approvals)) as events:
                async for event in events:
                    yield event

    async def _run_all(
        self, calls: list[tuple[Tool, ToolUseBlock]]
    ) -> AsyncGenerator[AgentEvent]:
        for group in _groups(calls):
            yield TurnStatus(phase="using_tool", label=_label(group))
            async with aclosing(self._run_group(group)) as events:
                async for event in events:
                    yield event

    async def _run_approved(self, approvals: Approvals) -> AsyncGenerator[AgentEvent]:
        """Wait for the person's answers, then run what was approved."""
        yield TurnStatus(phase="waiting_approval", label=approvals.label)
        began = self._monotonic()
        approved: list[tuple[Tool, ToolUseBlock]] = []
        async with aclosing(approvals.answers()) as answers:
            async for tool, call, answer in answers:
                if answer.decision != "approved":
                    yield self._end(call, _denied(tool, answer))
                    continue
                approved.append((tool, self._as_approved(call, answer)))
        self.waited_s += self._monotonic() - began
        order = [call.id for _, call in self._calls]
        approved.sort(key=lambda entry: order.index(entry[1].id))
        async with aclosing(self._run_all(approved)) as events:
            async for event in events:
                yield event

    def _as_approved(
        self, call: ToolUseBlock, answer: ToolApprovalResolved
    ) -> ToolUseBlock:
        if answer.edited_input is None:
            return call
        self._edited.add(call.id)
        return msgspec.structs.replace(call, input=answer.edited_input)

    def results(self) -> list[dict[str, Any]]:
        """Return the results for the model, in the order of the calls."""
        return [
            tool_result(
                call.id,
                status=self.outcomes[call.id].status,
                output=self._told(call),
                limit_bytes=self._turn.limits.model_tool_output_bytes,
                display=self.outcomes[call.id].display,
            )
            for _, call in self._calls
        ]

    def _told(self, call: ToolUseBlock) -> str:
        output = self.outcomes[call.id].output
        if call.id not in self._edited:
            return output
        return f"(The user changed the input before it ran.)\n{output}"

    def actions(self) -> list[Action]:
        """Return the links and buttons of all results, in the order of the calls."""
        return [
            action
            for _, call in self._calls
            for action in self.outcomes[call.id].actions
        ]

    def _requested(self, block: str, call: ToolUseBlock) -> ToolRequested:
        tool = self._turn.tools.get(call.name)
        return ToolRequested(
            message=self._message,
            block=block,
            tool_call=call.id,
            name=call.name,
            label=f"Using {call.name}…" if tool is None else tool.label,
            input=call.input,
            where="server" if tool is None else tool.where,
            needs_approval=tool is not None and self._turn.asks_first(tool),
            risk="read" if tool is None else tool.risk,
        )

    def _refusal(
        self, number: int, tool: Tool | None, call: ToolUseBlock
    ) -> Outcome | None:
        if number >= self._allowed:
            limit = self._turn.limits.tool_calls
            return Outcome(
                status="error",
                output=f"Not run: the limit of {limit} tool calls for one answer is "
                "reached.",
            )
        return refusal_of(tool, call, known=self._turn.tools)

    async def _run_group(
        self, group: list[tuple[Tool, ToolUseBlock]]
    ) -> AsyncGenerator[AgentEvent]:
        tasks: set[asyncio.Task[None]] = set()
        try:
            for tool, call in group:
                # Whoever consumes this has written it before the tool is told.
                started = _attempt(tool, call, 1)
                yield started
                self.started = True
                tasks.add(asyncio.create_task(self._run(tool, call, started)))
            while self._ready or not all(call.id in self.outcomes for _, call in group):
                await self._woken.wait()
                for event in self._drained():
                    yield event
                # Again, for what does no harm twice, once the new lease is written.
                for tool, call in self._lost_leases():
                    started = _attempt(tool, call, 2)
                    yield started
                    tasks.add(asyncio.create_task(self._run(tool, call, started)))
        finally:
            for task in tasks:
                task.cancel()
            if tasks:
                await asyncio.wait(tasks, timeout=_CLOSE_GRACE_S)

    def _lost_leases(self) -> list[tuple[Tool, ToolUseBlock]]:
        lost, self._lost = self._lost, []
        return lost

    async def _run(self, tool: Tool, call: ToolUseBlock, started: ToolStarted) -> None:
        began = self._monotonic()
        try:
            outcome = await run_tool(
                tool,
                call,
                conversation=self._turn.conversation,
                turn=self._turn.turn,
                report=partial(self._report, call.id),
                timeout_s=min(tool.timeout_s, self._timeout_s),
                output_limit_bytes=self._output_limit_bytes,
                lease=started.lease or "",
                attempt=started.attempt,
                wait=self._wait,
            )
        except Exception:
            logger.exception("Running tool %s failed", tool.name)
            outcome = Outcome(status="error", output="The server could not run it.")
        if outcome.is_lease_lost and tool.idempotent and started.attempt == 1:
            self._lost.append((tool, call))
            self._woken.set()
            return
        duration_ms = round((self._monotonic() - began) * 1000)
        progress = self._progress.pop(call.id, None)
        if progress is not None:
            self._ready.append(progress)
        self._ready.append(self._end(call, outcome, duration_ms))
        self._woken.set()

    def _wait(self, text: str) -> None:
        self._status = TurnStatus(phase="waiting_kernel", label=text)
        self._woken.set()

    def _report(self, tool_call: str, text: str, fraction: float | None) -> None:
        waiting = self._progress.get(tool_call)
        if fraction is None and waiting is not None:
            fraction = waiting.fraction
        self._progress[tool_call] = ToolProgress(
            tool_call=tool_call, message=text, fraction=fraction
        )
        self._woken.set()

    def _drained(self) -> list[AgentEvent]:
        waiting = [] if self._status is None else [self._status]
        events = [*waiting, *self._ready, *self._progress.values()]
        self._status = None
        self._ready.clear()
        self._progress.clear()
        self._woken.clear()
        return events

    def _end(
        self, call: ToolUseBlock, outcome: Outcome, duration_ms: int | None = None
    ) -> ToolCompleted:
        self.outcomes[call.id] = outcome
        return ToolCompleted(
            tool_call=call.id,
            status=outcome.status,
            output=outcome.output,
            truncated=outcome.truncated,
            display=outcome.display or None,
            actions=outcome.actions or None,
            duration_ms=duration_ms,
        )


def _attempt(tool: Tool, call: ToolUseBlock, attempt: int) -> ToolStarted:
    remote = tool.where != "server"
    return ToolStarted(
        tool_call=call.id,
        attempt=attempt,
        executor=tool.where,
        lease=f"l_{secrets.token_hex(10)}" if remote else None,
    )


def _nobody_to_ask(tool: Tool) -> Outcome:
    return Outcome(
        status="denied",
        output=f"{tool.name} needs a person's approval, and nobody can be asked here; "
        "it did not run.",
    )


def _denied(tool: Tool, answer: ToolApprovalResolved) -> Outcome:
    reason = clean_text(answer.reason or "").strip()
    why = f": {reason}" if reason else "."
    return Outcome(status="denied", output=f"The user did not let {tool.name} run{why}")


def _groups(
    calls: list[tuple[Tool, ToolUseBlock]],
) -> Iterator[list[tuple[Tool, ToolUseBlock]]]:
    """Yield the calls that may run side by side, in order."""
    together: list[tuple[Tool, ToolUseBlock]] = []
    for tool, call in calls:
        if not tool.sequential:
            together.append((tool, call))
            continue
        if together:
            yield together
            together = []
        yield [(tool, call)]
    if together:
        yield together


def _label(group: list[tuple[Tool, ToolUseBlock]]) -> str:
    labels = list(dict.fromkeys(tool.label for tool, _ in group))
    if len(labels) == 1:
        return labels[0]
    names = list(dict.fromkeys(tool.name for tool, _ in group))
    shown, more = names[:_MOST_NAMES_SHOWN], len(names) - _MOST_NAMES_SHOWN
    return f"Using {', '.join(shown)}{f' and {more} more' if more > 0 else ''}…"
