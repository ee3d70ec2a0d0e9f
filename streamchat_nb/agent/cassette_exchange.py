"""One exchange with a model as a cassette holds it. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, assert_never

import msgspec

from streamchat_nb.agent.model import (
    ModelBlockDelta,
    ModelBlockStart,
    ModelBlockStop,
    ModelMessageStop,
)
from streamchat_nb.errors import ModelError
from streamchat_nb.protocol.content import (
    ErrorBody,
    ProviderBlock,
    TextBlock,
    ThinkingBlock,
    ToolUseBlock,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from streamchat_nb.agent.cassette_request import CanonicalRequest
    from streamchat_nb.agent.cassette_secrets import Scrubber
    from streamchat_nb.agent.model import ModelEvent
    from streamchat_nb.protocol.content import AssistantBlock

__all__ = ["Exchange", "Take"]


@dataclass(frozen=True, kw_only=True)
class Exchange:
    """A request and all that came back.

    Attributes:
        request: The request.
        model: Id of the model that was asked.
        events: What it said, in order.
        offsets_ms: When each event came, and last the failure, milliseconds after
            the request; as many as there are.
        failure: How it ended, where it did not end well.
    """

    request: CanonicalRequest
    model: str
    events: tuple[ModelEvent, ...]
    offsets_ms: tuple[int, ...]
    failure: ErrorBody | None = None

    def error(self) -> ModelError | None:
        """Return the failure as it was raised."""
        if self.failure is None:
            return None
        return ModelError(
            self.failure.message,
            code=self.failure.code,
            retryable=self.failure.retryable,
            retry_after_ms=self.failure.retry_after_ms,
            details=self.failure.details,
        )


class Take:
    """Collects what one request gives, while it streams.

    Args:
        request: The request.
        model: Id of the model that is asked.
        elapsed_s: Seconds since the request was sent.
    """

    def __init__(
        self, request: CanonicalRequest, *, model: str, elapsed_s: Callable[[], float]
    ) -> None:
        self._request = request
        self._model = model
        self._elapsed_s = elapsed_s
        self._events: list[ModelEvent] = []
        self._offsets_ms: list[int] = []

    def add(self, event: ModelEvent) -> None:
        """Take the next event."""
        self._events.append(event)
        self._offsets_ms.append(self._now_ms())

    def finish(self, scrubber: Scrubber, failure: ModelError | None = None) -> Exchange:
        """Return the exchange, without secrets and without the endpoint's own ids.

        Args:
            scrubber: Takes out the secrets. Deltas are joined before, and cut at the
                same places after: a secret may come in pieces.
            failure: How it ended, if not well.
        """
        scrubbed = _Scrubbing(self._events, scrubber)
        timed = [
            (safe, offset)
            for event, offset in zip(self._events, self._offsets_ms, strict=True)
            if (safe := scrubbed.event(event)) is not None
        ]
        offsets_ms = [offset for _, offset in timed]
        if failure is not None:
            offsets_ms.append(self._now_ms())
        return Exchange(
            request=self._request,
            model=self._model,
            events=tuple(event for event, _ in timed),
            offsets_ms=tuple(offsets_ms),
            failure=None if failure is None else _failure_of(failure, scrubber),
        )

    def _now_ms(self) -> int:
        return max(0, round(self._elapsed_s() * 1000))


def _failure_of(error: ModelError, scrubber: Scrubber) -> ErrorBody:
    details = {k: v for k, v in (error.details or {}).items() if k != "request_id"}
    return ErrorBody(
        code=error.code,
        message=scrubber.text(error.message),
        retryable=error.retryable,
        retry_after_ms=error.retry_after_ms,
        details=scrubber.value(details) or None,
    )


class _Scrubbing:
    """Takes the secrets out of the events of one answer."""

    def __init__(self, events: list[ModelEvent], scrubber: Scrubber) -> None:
        self._scrubber = scrubber
        raw: dict[int, list[str]] = {}
        whole: dict[int, AssistantBlock] = {}
        for event in events:
            if isinstance(event, ModelBlockDelta):
                raw.setdefault(event.index, []).append(event.text)
            elif isinstance(event, ModelBlockStop):
                whole[event.index] = event.content
        self._pieces = {
            index: _cut(self._text("".join(pieces), whole.get(index)), pieces)
            for index, pieces in raw.items()
        }

    def event(self, event: ModelEvent) -> ModelEvent | None:
        """Return the next event; ``None`` for a delta of which nothing is left."""
        match event:
            case ModelBlockStart():
                return event
            case ModelBlockDelta():
                text = next(self._pieces[event.index])
                return msgspec.structs.replace(event, text=text) if text else None
            case ModelBlockStop():
                content = self._block(event.content)
                return msgspec.structs.replace(event, content=content)
            case ModelMessageStop():
                content = [self._block(block) for block in event.content]
                return msgspec.structs.replace(event, content=content, request_id=None)
            case _:
                assert_never(event)

    def _text(self, text: str, block: AssistantBlock | None) -> str:
        """Return what the deltas of a block say; of a call as its input says it."""
        if isinstance(block, ToolUseBlock):
            safe = self._scrubber.value(block.input)
            if safe != block.input:
                return msgspec.json.encode(safe).decode()
        return self._scrubber.text(text)

    def _block(self, block: AssistantBlock) -> AssistantBlock:
        match block:
            case TextBlock():
                return msgspec.structs.replace(
                    block,
                    text=self._scrubber.text(block.text),
                    citations=self._scrubber.value(block.citations),
                )
            case ThinkingBlock():
                thinking = self._scrubber.text(block.thinking)
                return msgspec.structs.replace(block, thinking=thinking)
            case ToolUseBlock():
                safe = self._scrubber.value(block.input)
                return msgspec.structs.replace(block, input=safe)
            case ProviderBlock():
                safe = self._scrubber.value(block.data)
                return msgspec.structs.replace(block, data=safe)
            case _:
                assert_never(block)


def _cut(text: str, pieces: list[str]) -> Iterator[str]:
    """Cut a text where the pieces were cut; the last one gets the rest."""
    for piece in pieces[:-1]:
        yield text[: len(piece)]
        text = text[len(piece) :]
    yield text
