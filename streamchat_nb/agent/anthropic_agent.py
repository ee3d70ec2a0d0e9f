"""The built-in agent: a model, the tools of the turn, and a loop with limits."""

from __future__ import annotations

import asyncio
import time
from contextlib import aclosing
from typing import TYPE_CHECKING, Any

from msgspec import structs
from typing_extensions import override

from streamchat_nb.agent.agent import Agent
from streamchat_nb.agent.budget import LEAST_ANSWER_TOKENS, Budget
from streamchat_nb.agent.history import content_of
from streamchat_nb.agent.message_stream import MessageStream
from streamchat_nb.agent.model import ModelRequest
from streamchat_nb.agent.model_step import THINKING, ModelStep
from streamchat_nb.agent.prices import FREE
from streamchat_nb.agent.provider_tools import ProviderTools
from streamchat_nb.agent.repair import repair, size_bytes, trim
from streamchat_nb.agent.retry import RetryPolicy
from streamchat_nb.agent.structured_answer import StructuredAnswer
from streamchat_nb.agent.tool_batch import ToolBatch
from streamchat_nb.protocol.content import Author, TextBlock, ToolUseBlock, Usage
from streamchat_nb.protocol.events import (
    BlockCompleted,
    BlockDelta,
    MessageCompleted,
    MessageDiscarded,
    TurnStatus,
)
from streamchat_nb.tools.actions import usable_actions

if TYPE_CHECKING:
    from collections.abc import (
        AsyncGenerator,
        AsyncIterator,
        Awaitable,
        Callable,
        Sequence,
    )

    from streamchat_nb.agent.agent import AgentEvent, Turn
    from streamchat_nb.agent.model import (
        Effort,
        Model,
        ModelDescription,
        ModelMessageStop,
    )
    from streamchat_nb.agent.prices import Price
    from streamchat_nb.protocol.content import Action, ContentBlock

__all__ = ["AnthropicAgent"]

_MOST_PAUSES = 5
_LAST_ANSWER_TOKENS = 1_024
_THINKING_TOKENS = 32_000
_THOROUGH = frozenset({"xhigh", "max"})
_CUT = frozenset({"length", "max_tokens", "model_context_window_exceeded", "refusal"})
_SHORTEST_TOOL_RUN_S = 1.0
_LAST_NOTE = (
    "[From the program that runs you, not from the user: {limit}. No tool can be "
    "called any more. Answer now with what you have, and tell the user about this "
    "limit.]"
)


class AnthropicAgent(Agent):
    """Answers with a model that speaks the Messages API, and with tools.

    Args:
        model: Where requests go; closed with the agent.
        name: How users choose this agent.
        system: Instructions for the model; keep them the same from turn to turn,
            for the endpoint's cache.
        max_tokens: Most output tokens of one request.
        server_tools: Tools that the endpoint runs itself: ``web_search``,
            ``web_fetch``, ``code_execution``, or as the endpoint defines them.
        thinking: Whether the model thinks before it answers; ``None``: as it does.
        effort: How much work the model puts in; ``None``: as it does.
        price: What the model's tokens cost; ``None`` where that is not known.
        retry: When a failed request is sent again.
        history_bytes: Largest history sent, as JSON; about four bytes are a token.
        tool_output_bytes: Largest tool output in an event; the rest is cut out.
        monotonic: The clock for limits and durations, in seconds.
        sleep: Waits, in seconds, between two tries.
    """

    description = "The built-in agent: a language model with tools."
    shapes_answers = True

    def __init__(  # noqa: PLR0913 (options by keyword)
        self,
        model: Model,
        *,
        name: str = "assistant",
        system: str = "",
        max_tokens: int = 8_192,
        server_tools: Sequence[str | dict[str, Any]] = (),
        thinking: bool | None = None,
        effort: Effort | None = None,
        price: Price | None = None,
        retry: RetryPolicy | None = None,
        history_bytes: int = 600_000,
        tool_output_bytes: int = 131_072,
        monotonic: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self.name = name
        self.model = model
        self.model_name = model.name
        self.offline = model.offline
        self.system = system
        self.max_tokens = max_tokens
        self.server_tools = tuple(server_tools)
        self.thinking = thinking
        self.effort: Effort | None = effort
        self.price = FREE if model.offline else price
        self.retry = retry if retry is not None else RetryPolicy()
        self.history_bytes = history_bytes
        self.tool_output_bytes = tool_output_bytes
        self.monotonic = monotonic
        self.sleep = sleep

    @property
    @override
    def transport(self) -> str:
        return self.model.transport

    @override
    def run(self, turn: Turn) -> AsyncIterator[AgentEvent]:
        return _Loop(self, turn).events()

    @override
    def run_showing(
        self, turn: Turn, show: Callable[[BlockDelta], bool]
    ) -> AsyncIterator[AgentEvent]:
        if type(self).run is not AnthropicAgent.run:
            return self.run(turn)  # a subclass looks at what comes
        return _Loop(self, turn, show).events()

    @override
    async def models(self) -> list[ModelDescription]:
        return await self.model.models()

    @override
    async def warm(self) -> None:
        await self.model.warm()

    @override
    async def close(self) -> None:
        await self.model.close()


class _Loop:
    """One turn: steps of a request and its tool calls, until an answer stands."""

    def __init__(
        self,
        agent: AnthropicAgent,
        turn: Turn,
        show: Callable[[BlockDelta], bool] | None = None,
    ) -> None:
        self._agent = agent
        self._show = show
        self._turn = turn
        self._author = Author(id=agent.name, name=agent.name, kind="agent")
        self._history = repair(turn.history)
        self._messages = trim(self._history, budget_bytes=agent.history_bytes)
        self._budget = Budget(turn.limits, turn.spent, agent.price)
        self._provider_tools = ProviderTools(output_limit_bytes=agent.tool_output_bytes)
        schema = turn.output_schema
        self._structured = None if schema is None else StructuredAnswer(schema)
        self._ends_at = agent.monotonic() + turn.limits.wall_clock_s
        self._steps = 0
        self._tool_calls = 0
        self._pauses = 0
        self._output_tokens = 0
        self._new_ids: set[str] = set()
        self._tools_ran = False
        self._actions: list[Action] = []

    async def events(self) -> AsyncGenerator[AgentEvent]:
        """Yield the turn's events."""
        while True:
            limit = self._limit_reached()
            label = f"Finishing: {limit}…" if limit else THINKING
            yield TurnStatus(phase="thinking", label=label)
            request = self._request(limit)
            step = self._step(request)
            async with aclosing(self._followed(step, request)) as events:
                async for event in events:
                    yield event
            end = step.end
            cost_usd = self._count(request, end)
            batch = None if limit else self._batch(step.message, end)
            last = batch is None and (limit is not None or not self._may_pause(end))
            content: list[ContentBlock] = (
                _last_words(end, limit) if limit else [*end.content]
            )
            if last and self._structured and end.stop_reason not in _CUT:
                answer, fault = self._structured.read(end.content)
                if answer is None:
                    yield self._refused(step.message, end, cost_usd, fault)
                    continue
                content = [*answer]
            yield MessageCompleted(
                message=step.message,
                content=content,
                stop_reason=end.stop_reason,
                usage=end.usage,
                cost=cost_usd,
                actions=(usable_actions(self._actions) if last else None) or None,
            )
            if last:
                return
            self._add("assistant", content_of(end.content))
            if batch is not None:
                async with aclosing(batch.events()) as events:
                    async for event in events:
                        yield event
                self._take(batch)
                if self._turn.is_superseded():
                    return

    async def _followed(
        self, step: ModelStep, request: ModelRequest
    ) -> AsyncGenerator[AgentEvent]:
        """Yield what happens in a step, and what the endpoint's own tools do in it."""
        async with aclosing(step.events()) as events:
            async for event in events:
                match event:
                    case BlockCompleted():
                        yield event
                        for told in self._provider_tools.feed(event):
                            yield told
                    case MessageDiscarded():
                        for end in self._provider_tools.discard(event.message):
                            yield end
                        # A try that broke off was billed, and nobody said for what.
                        cost_usd = self._spend(
                            request, Usage(), lambda: step.delta_bytes
                        )
                        yield structs.replace(event, cost=cost_usd)
                    case _:
                        yield event

    def _refused(
        self,
        message: str,
        end: ModelMessageStop,
        cost_usd: float | None,
        fault: str,
    ) -> MessageDiscarded:
        """Send an answer of another shape back; the next step gives it again."""
        if self._structured is not None:
            self._add("assistant", content_of(end.content))
            told = self._structured.correction(fault)
            self._add("user", [{"type": "text", "text": told}])
        return MessageDiscarded(
            message=message,
            reason=f"The answer was not of the wanted shape: {fault}.",
            usage=end.usage,
            cost=cost_usd,
        )

    def _limit_reached(self) -> str | None:
        """Return which limit is reached, in words, if one is."""
        limits = self._turn.limits
        if self._steps >= limits.steps:
            return f"the limit of {limits.steps} steps for one answer is reached"
        if self._tool_calls >= limits.tool_calls:
            calls = limits.tool_calls
            return f"the limit of {calls} tool calls for one answer is reached"
        if self._time_left_s() <= 0:
            return f"the limit of {limits.wall_clock_s:g} s for one answer is reached"
        if limits.output_tokens is not None and self._tokens_left() <= 0:
            tokens = limits.output_tokens
            return f"the limit of {tokens} tokens for one answer is reached"
        room = self._room()
        if room is not None and room < _LAST_ANSWER_TOKENS:
            return f"{self._budget.nearest} is nearly reached"
        return None

    def _room(self) -> int | None:
        """Return the most output tokens of the next request; ``None``: no ceiling."""
        if self._budget.is_open:
            return None
        tools = self._turn.tools.definitions()
        sent = size_bytes(self._messages) + size_bytes([self._system(), tools])
        return self._budget.room(sent)

    def _system(self) -> str:
        if self._structured is None:
            return self._agent.system
        return f"{self._agent.system}\n\n{self._structured.instruction}".strip()

    def _time_left_s(self) -> float:
        return self._ends_at - self._agent.monotonic()

    def _tokens_left(self) -> int:
        most = self._turn.limits.output_tokens
        return self._max_tokens if most is None else most - self._output_tokens

    @property
    def _max_tokens(self) -> int:
        """Most output tokens of one request; thoughts count."""
        agent = self._agent
        thinks = agent.thinking or agent.effort in _THOROUGH
        return max(agent.max_tokens, _THINKING_TOKENS) if thinks else agent.max_tokens

    def _step(self, request: ModelRequest) -> ModelStep:
        return ModelStep(
            self._agent.model,
            request,
            new_stream=self._new_stream,
            retry=self._agent.retry,
            sleep=self._agent.sleep,
            time_left_s=self._time_left_s,
            retry_shown_text=not self._tools_ran,
            show=self._show,
        )

    def _request(self, limit: str | None) -> ModelRequest:
        messages = self._messages
        most_tokens = max(self._tokens_left(), _LAST_ANSWER_TOKENS if limit else 1)
        if limit:
            note = {"type": "text", "text": _LAST_NOTE.format(limit=limit)}
            messages = repair([*messages, {"role": "user", "content": [note]}])
        room = self._room()
        if room is not None and room < LEAST_ANSWER_TOKENS:
            raise self._budget.reached()
        return ModelRequest(
            messages=list(messages),
            system=self._system(),
            tools=self._turn.tools.definitions(),
            max_tokens=min(
                self._max_tokens, most_tokens, most_tokens if room is None else room
            ),
            tool_choice="none" if limit else "auto",
            server_tools=self._agent.server_tools,
            thinking=self._agent.thinking,
            effort=self._agent.effort,
            output_schema=self._turn.output_schema,
        )

    def _new_stream(self) -> MessageStream:
        return MessageStream(
            self._turn.new_message_id(),
            author=self._author,
            taken_ids=self._taken,
            turn=self._turn.turn,
        )

    def _taken(self) -> set[str]:
        """Return the ids of all tool uses in the messages that stand."""
        return _tool_use_ids(self._history) | self._new_ids

    def _count(self, request: ModelRequest, end: ModelMessageStop) -> float | None:
        """Take note of a step; returns its cost in US dollars, if that is known."""
        self._steps += 1
        self._output_tokens += end.usage.output_tokens or 0
        self._new_ids |= {
            block.id for block in end.content if isinstance(block, ToolUseBlock)
        }
        return self._spend(
            request, end.usage, lambda: size_bytes(content_of(end.content))
        )

    def _spend(
        self, request: ModelRequest, usage: Usage, output_bytes: Callable[[], int]
    ) -> float | None:
        if self._budget.needs_sizes(usage):
            sent = [request.messages, request.system, request.tools]
            sizes = size_bytes(sent), output_bytes()
        else:
            sizes = 0, 0
        cost_usd = self._budget.count(
            usage, input_bytes=sizes[0], output_bytes=sizes[1]
        )
        return None if self._agent.offline else cost_usd

    def _batch(self, message: str, end: ModelMessageStop) -> ToolBatch | None:
        """Return the calls to run now; only ``tool_use`` runs tools."""
        if end.stop_reason != "tool_use":
            return None
        batch = ToolBatch(
            self._turn,
            message=message,
            content=end.content,
            allowed=self._turn.limits.tool_calls - self._tool_calls,
            timeout_s=max(self._time_left_s(), _SHORTEST_TOOL_RUN_S),
            output_limit_bytes=self._agent.tool_output_bytes,
            monotonic=self._agent.monotonic,
        )
        return batch if batch.calls else None

    def _may_pause(self, end: ModelMessageStop) -> bool:
        """Say whether the endpoint paused and the request is to be sent on."""
        if end.stop_reason != "pause_turn":
            return False
        self._pauses += 1
        return self._pauses <= _MOST_PAUSES

    def _take(self, batch: ToolBatch) -> None:
        self._tool_calls += batch.calls
        self._ends_at += batch.waited_s
        self._tools_ran = self._tools_ran or batch.started
        self._actions += batch.actions()
        self._add("user", batch.results())
        self._messages = trim(self._messages, budget_bytes=self._agent.history_bytes)

    def _add(self, role: str, content: list[dict[str, Any]]) -> None:
        if content:
            self._messages = [*self._messages, {"role": role, "content": content}]


def _last_words(end: ModelMessageStop, limit: str) -> list[ContentBlock]:
    """Return the content of a last answer: no calls, and never without a word."""
    content: list[ContentBlock] = [
        block for block in end.content if not isinstance(block, ToolUseBlock)
    ]
    if not any(isinstance(b, TextBlock) and b.text.strip() for b in content):
        content.append(TextBlock(text=f"I stopped here: {limit}."))
    return content


def _tool_use_ids(messages: list[dict[str, Any]]) -> set[str]:
    return {
        block["id"]
        for message in messages
        for block in message["content"]
        if block.get("type") == "tool_use"
    }
