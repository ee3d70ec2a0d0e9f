"""A response's bytes in, model events out: a stream, or one JSON body instead."""

from __future__ import annotations

from enum import Enum, auto
from typing import TYPE_CHECKING

import msgspec

from streamchat_nb.agent.event_stream import EventSplitter
from streamchat_nb.agent.model_errors import model_error
from streamchat_nb.agent.text_deltas import more_text
from streamchat_nb.errors import ModelError

if TYPE_CHECKING:
    from streamchat_nb.agent.accumulator import MessageAccumulator
    from streamchat_nb.agent.model import ModelBlockDelta, ModelEvent

__all__ = ["MessageReader"]

_BLANK = b" \t\r\n\xef\xbb\xbf"


class _Form(Enum):
    UNKNOWN = auto()
    STREAM = auto()
    OBJECT = auto()
    PAGE = auto()


class MessageReader:
    """Reads the body of one response of the Messages API, in any chunks. Pure.

    Some endpoints answer a streaming request with one JSON object. It is known by
    its first character, because its ``content-type`` is not always right.

    Bytes may hold good events and then a fault. The events are returned, and
    ``check`` or the next call raises the fault: what the user sees does not depend
    on how the network cut the bytes.

    Args:
        accumulator: Takes what is read; of use for this response only.
        body_bytes: Largest JSON object and largest event of a stream.
    """

    def __init__(
        self, accumulator: MessageAccumulator, *, body_bytes: int = 33_554_432
    ) -> None:
        self._accumulator = accumulator
        self._splitter = EventSplitter(event_bytes=body_bytes)
        self._body_bytes = body_bytes
        self._form = _Form.UNKNOWN
        self._body = bytearray()
        self._fault: ModelError | None = None
        self._may_go_on = False

    @property
    def complete(self) -> bool:
        """Whether the message is whole: the rest of the response does not matter."""
        return self._accumulator.complete

    @property
    def progress(self) -> int:
        """Counts what brought the answer forward; pings do not."""
        return self._accumulator.progress + (self._form is _Form.OBJECT) * len(
            self._body
        )

    @property
    def is_at_fault(self) -> bool:
        """Whether ``check`` would raise."""
        return self._fault is not None

    def check(self) -> None:
        """Raise the fault that came after the events last returned, if there is one."""
        if self._fault is not None:
            raise self._fault

    def feed(self, chunk: bytes) -> list[ModelEvent]:
        """Take the next bytes.

        Raises:
            ModelError: As ``MessageAccumulator.feed``; or a size is over its bound.
        """
        self.check()
        self._may_go_on = False
        if self._form is _Form.STREAM:
            return self._accumulate(self._splitter.feed(chunk))
        self._body += chunk
        if len(self._body) > self._body_bytes:
            raise model_error(
                "model_stream_malformed",
                reason="It is too large.",
                request_id=self._accumulator.request_id,
            )
        if self._form is _Form.UNKNOWN:
            self._form = _form_of(self._body)
            if self._form is _Form.STREAM:
                return self.feed(self._take_body())
        return []

    def go_on(self, chunk: bytes) -> ModelBlockDelta | None:
        """Take bytes that do nothing but go on with an open text, as nearly all do.

        Returns:
            All that they add, the same as of ``feed``; ``None`` where that is not all
            they mean: then nothing was taken, and they are to be fed.
        """
        more = more_text(chunk) if self._may_go_on else None
        return None if more is None else self._accumulator.go_on(*more)

    def end(self) -> list[ModelEvent]:
        """Take the end of the response.

        Raises:
            ModelError: ``model_stream_truncated`` where the message is not whole,
                ``model_stream_malformed`` where something else than a message came.
        """
        self.check()
        if self._form is _Form.STREAM:
            events = self._accumulate(self._splitter.end())
        else:
            body = self._take_body().strip(_BLANK)
            events = self._accumulator.feed("message", body)
            if not self.complete and (self._form is _Form.PAGE or _is_json(body)):
                raise model_error(
                    "model_stream_malformed",
                    reason="It does not speak the Messages API. Check base_url.",
                    retryable=False,
                    request_id=self._accumulator.request_id,
                )
        if self._fault is None:
            try:
                events.extend(self._accumulator.end())
            except ModelError as fault:
                self._hold_back(fault, events)
        return events

    def _accumulate(self, parts: list[tuple[str, bytes]]) -> list[ModelEvent]:
        events: list[ModelEvent] = []
        try:
            for name, data in parts:
                self._accumulator.feed(name, data, events)
        except ModelError as fault:
            self._hold_back(fault, events)
        # Until more is fed, as what goes on leaves it so.
        self._may_go_on = self._fault is None and self._splitter.is_between_events
        return events

    def _hold_back(self, fault: ModelError, events: list[ModelEvent]) -> None:
        """Keep a fault until the events before it are out."""
        self._fault = fault
        if not events:
            raise fault

    def _take_body(self) -> bytes:
        body = bytes(self._body)
        self._body.clear()
        return body


def _form_of(body: bytearray) -> _Form:
    start = body.lstrip(_BLANK)[:1]
    if not start:
        return _Form.UNKNOWN
    return {b"{": _Form.OBJECT, b"<": _Form.PAGE}.get(bytes(start), _Form.STREAM)


def _is_json(body: bytes) -> bool:
    try:
        msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return False
    return True
