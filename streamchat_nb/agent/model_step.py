"""One request to a model, tried again where that is right, until a message stands."""

from __future__ import annotations

from contextlib import aclosing
from functools import partial
from typing import TYPE_CHECKING, cast

from streamchat_nb.agent.retry import retry_status
from streamchat_nb.errors import ModelError, UsageError
from streamchat_nb.protocol.events import MessageDiscarded, TurnStatus

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable

    from streamchat_nb.agent.agent import AgentEvent
    from streamchat_nb.agent.message_stream import MessageStream
    from streamchat_nb.agent.model import (
        Model,
        ModelEvent,
        ModelMessageStop,
        ModelRequest,
    )
    from streamchat_nb.agent.retry import RetryPolicy
    from streamchat_nb.protocol.events import BlockDelta

__all__ = ["THINKING", "ModelStep"]

THINKING = "Agent is thinking…"
"""The label of a turn that waits for its model."""


class ModelStep:
    """Sends a request and follows its answer.

    A try that fails after a part of its message was shown is never continued: that
    message is discarded and a new one begins.

    Args:
        model: Where to send it.
        request: What to send, the same in every try.
        new_stream: Gives the follower of a fresh message for each try.
        retry: How often and after which wait.
        sleep: Waits, in seconds.
        time_left_s: Seconds until the turn's own limit; no wait goes beyond it.
        retry_shown_text: Try again also where text of the answer was shown.
        show: Takes deltas by the short cut; see ``Agent.run_showing``.
    """

    def __init__(  # noqa: PLR0913 (facts of one step, by keyword)
        self,
        model: Model,
        request: ModelRequest,
        *,
        new_stream: Callable[[], MessageStream],
        retry: RetryPolicy,
        sleep: Callable[[float], Awaitable[None]],
        time_left_s: Callable[[], float],
        retry_shown_text: bool,
        show: Callable[[BlockDelta], bool] | None = None,
    ) -> None:
        self._model = model
        self._request = request
        self._new_stream = new_stream
        self._retry = retry
        self._sleep = sleep
        self._time_left_s = time_left_s
        self._retry_shown_text = retry_shown_text
        self._show = show
        self._stream = new_stream()

    @property
    def message(self) -> str:
        """Id of the message of the last try."""
        return self._stream.message

    @property
    def delta_bytes(self) -> int:
        """How many bytes the deltas of the last try were, in UTF-8."""
        return self._stream.delta_bytes

    @property
    def end(self) -> ModelMessageStop:
        """The whole message.

        Raises:
            UsageError: It has not ended.
        """
        if self._stream.end is None:
            raise UsageError("the step has no answer yet")
        return self._stream.end

    async def events(self) -> AsyncGenerator[AgentEvent]:
        """Yield what happens, all but the message's ``message.completed``.

        Raises:
            ModelError: The last try failed, or one that is not to be repeated; the
                message it left open, if any, is the caller's to end.
        """
        failures = 0
        while True:
            try:
                async with aclosing(self._answer()) as answer:
                    async for model_event in answer:
                        for event in self._stream.feed(model_event):
                            yield event
                        if self._stream.end is not None:
                            return
                raise _cut_off()
            except ModelError as error:
                failures += 1
                wait_s = self._wait_s(error, failures)
                if wait_s is None:
                    raise
                failure = error
            if self._stream.created:
                yield MessageDiscarded(message=self.message, reason=failure.message)
            yield retry_status(failure, wait_s=wait_s)
            await self._sleep(wait_s)
            yield TurnStatus(phase="thinking", label=THINKING)
            self._stream = self._new_stream()

    def _answer(self) -> AsyncGenerator[ModelEvent]:
        show, stream = self._show, self._stream
        if show is None:
            answer = self._model.stream(self._request)
        else:
            take = partial(stream.pass_on, show)
            answer = self._model.stream_showing(self._request, take)
        return cast("AsyncGenerator[ModelEvent]", answer)

    def _wait_s(self, error: ModelError, failures: int) -> float | None:
        if self._stream.text_shown and not self._retry_shown_text:
            return None
        wait_s = self._retry.wait_s(error, failures=failures)
        if wait_s is None or wait_s >= self._time_left_s():
            return None
        return wait_s


def _cut_off() -> ModelError:
    return ModelError(
        "The model's answer was cut off.",
        code="model_stream_truncated",
        retryable=True,
    )
