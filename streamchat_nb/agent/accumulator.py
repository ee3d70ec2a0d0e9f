"""The tolerant accumulator: decoded stream data in, model events out. Pure.

Endpoints differ, and connections end anywhere. The rules here: an answer is whole
only when the stream says so; a tool call is whole only when its block is closed and
its input is a JSON object to the last character; everything else that is missing,
unknown or oddly named is survived.
"""

from __future__ import annotations

import re
import uuid
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import msgspec

from streamchat_nb.agent.model import (
    ModelBlockDelta,
    ModelBlockStart,
    ModelBlockStop,
    ModelMessageStop,
)
from streamchat_nb.agent.model_errors import code_for_type, model_error, public_reason
from streamchat_nb.protocol.content import (
    ProviderBlock,
    TextBlock,
    ThinkingBlock,
    ToolUseBlock,
    Usage,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from streamchat_nb.agent.model import ModelEvent
    from streamchat_nb.errors import ModelError
    from streamchat_nb.protocol.content import AssistantBlock
    from streamchat_nb.protocol.events import BlockKind

__all__ = ["MessageAccumulator"]

_JOINED_CHARACTERS = 8_192
"""A delta of so many is not made longer."""
_LEGAL_ID = re.compile(r"[A-Za-z0-9._:-]{1,64}")
_KINDS: dict[str, BlockKind] = {
    "text": "text",
    "thinking": "thinking",
    "tool_use": "tool_use",
}
_TOOL_STOP_REASONS = frozenset({"", "end_turn", "function_call", "stop", "tool_calls"})


class _WireDelta(msgspec.Struct):
    type: str = ""
    text: str | None = None
    thinking: str | None = None
    partial_json: str | None = None
    signature: str | None = None
    citation: dict[str, Any] | None = None
    stop_reason: str | None = None


class _WireEvent(msgspec.Struct):
    type: str | None = None
    index: int | None = None
    delta: _WireDelta | None = None
    message: object = None
    content_block: dict[str, Any] | None = None
    usage: object = None
    error: object = None


class _WireTag(msgspec.Struct):
    type: object = None


_decode_event = msgspec.json.Decoder(_WireEvent).decode
_decode_tag = msgspec.json.Decoder(_WireTag).decode
_decode_object = msgspec.json.Decoder(dict[str, Any]).decode
_DECODE_ERRORS = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


class _OpenBlock:
    """A block between its start and its stop."""

    def __init__(self, kind: BlockKind, data: dict[str, Any]) -> None:
        self.kind: BlockKind = kind
        self.data = data
        self.ordinal = -1
        self.parts: list[str] = []
        self.signature = ""
        self.citations: list[dict[str, Any]] = []


class _Verdict(NamedTuple):
    """Why a finished stream is no answer after all."""

    code: str
    reason: str
    retryable: bool | None = None


_SECOND_ANSWER = _Verdict("model_stream_malformed", "A second answer began inside it.")


class MessageAccumulator:
    """Builds one assistant message from the events of one response.

    A text block begins with its first character: one that stays empty is left out,
    because no endpoint takes it back.

    Args:
        lenient: The endpoint is not Anthropic's: a stop reason completes a message
            without ``message_stop``, and tool calls count under any ordinary stop
            reason.
        request_id: The endpoint's id of the request, for results and errors.
        taken_tool_ids: Gives the ids of earlier tool calls; a new one must differ.
            Asked when there is one.
        new_tool_id: Makes the id that replaces an empty, repeated or illegal one.
        undecodable_limit: Events that are no JSON or have a wrong shape and are
            skipped; one more is an error.

    Attributes:
        complete: The message is whole; whatever follows is ignored.
        progress: Counts the events that brought the answer forward. Pings, unknown
            and undecodable events do not.
        request_id: As given.
    """

    def __init__(
        self,
        *,
        lenient: bool = False,
        request_id: str | None = None,
        taken_tool_ids: Callable[[], Collection[str]] = tuple,
        new_tool_id: Callable[[], str] = lambda: f"toolu_{uuid.uuid4().hex}",
        undecodable_limit: int = 16,
    ) -> None:
        self.complete = False
        self.progress = 0
        self._lenient = lenient
        self.request_id = request_id
        self._taken_tool_ids = taken_tool_ids
        self._tool_ids: set[str] | None = None
        self._new_tool_id = new_tool_id
        self._undecodable_left = undecodable_limit
        self._open: dict[int, _OpenBlock] = {}
        self._content: dict[int, AssistantBlock] = {}
        self._next_ordinal = 0
        self._tool_is_broken = False
        self._skipped = False
        self._stop_reason = ""
        self._is_stopped = False
        self._usage: dict[str, int] = {}
        self._model = ""
        self._handlers = {
            "content_block_delta": self._on_delta,
            "content_block_start": self._on_block_start,
            "content_block_stop": self._on_block_stop,
            "message_start": self._on_message_start,
            "message_delta": self._on_message_delta,
            "message_stop": self._on_message_stop,
            "message": self._on_message,
            "error": self._on_error,
        }

    def feed(
        self, name: str, data: bytes, events: list[ModelEvent] | None = None
    ) -> list[ModelEvent]:
        """Take one event of the stream.

        Args:
            name: The event's name; used only where the data names no type.
            data: UTF-8 JSON.
            events: What came just before it: it is added to, and a delta that goes on
                with the last one becomes one with that.

        Returns:
            ``events``; without them, those of this event alone.

        Raises:
            ModelError: The endpoint reports an error, or the stream cannot become a
                message any more.
        """
        events = [] if events is None else events
        if self.complete:
            return events
        try:
            event = _decode_event(data)
        except _DECODE_ERRORS:
            self._skip(data)
            return events
        kind = event.type or ("error" if event.error else name)
        handler = self._handlers.get(kind)
        if handler is None:
            return events
        self.progress += 1
        try:
            handler(event, data, events)
        except _DECODE_ERRORS:  # in a part that only the handler reads
            self._skip(data)
        return events

    def go_on(self, index: int, text: str, events: int) -> ModelBlockDelta | None:
        """Take more of a text; ``None`` where none is open there: nothing was taken.

        Args:
            index: Of the block, as the endpoint counts.
            text: More of it.
            events: In how many events it came.
        """
        block = self._open.get(index)
        if block is None or block.kind != "text" or block.ordinal < 0 or self.complete:
            return None
        self.progress += events
        block.parts.append(text)
        return ModelBlockDelta(index=block.ordinal, kind="text", text=text)

    def end(self) -> list[ModelEvent]:
        """Take the end of the stream.

        Raises:
            ModelError: ``model_stream_truncated``, the message is not whole.
        """
        events: list[ModelEvent] = []
        if not self.complete:
            if not (self._lenient and self._is_stopped):
                raise self._error(_Verdict("model_stream_truncated", ""))
            self._finish(events)
        return events

    # --- one event each ----------------------------------------------------------

    def _on_delta(
        self, event: _WireEvent, data: bytes, events: list[ModelEvent]
    ) -> None:
        delta = event.delta
        if delta is None or event.index is None:
            return
        block = self._open.get(event.index)
        if block is None:
            block = self._implied_block(event.index, delta, events)
        if block.kind == "text":
            if delta.citation is not None:
                block.citations.append(delta.citation)
            self._grow(block, delta.text, events)
        elif block.kind == "thinking":
            block.signature += delta.signature or ""
            self._grow(block, delta.thinking, events)
        elif block.kind == "tool_use" or delta.type == "input_json_delta":
            self._grow(block, delta.partial_json, events)
        else:
            changes = _decode_object(data)["delta"]
            changes.pop("type", None)
            block.data.update(changes)

    def _on_block_start(
        self, event: _WireEvent, _data: bytes, events: list[ModelEvent]
    ) -> None:
        if event.content_block is not None:
            index = self._next_ordinal if event.index is None else event.index
            self._begin(index, event.content_block, events)

    def _on_block_stop(
        self, event: _WireEvent, _data: bytes, events: list[ModelEvent]
    ) -> None:
        block = None if event.index is None else self._open.pop(event.index, None)
        if block is not None:
            self._close(block, events)

    def _on_message_start(
        self, event: _WireEvent, _data: bytes, events: list[ModelEvent]
    ) -> None:
        if self._next_ordinal or self._open:
            raise self._error(_SECOND_ANSWER)
        self._take_message(_object(event.message), events)

    def _on_message_delta(
        self, event: _WireEvent, _data: bytes, _events: list[ModelEvent]
    ) -> None:
        if event.delta is not None and event.delta.stop_reason:
            self._stop_reason = event.delta.stop_reason
            self._is_stopped = True
        self._count(event.usage)

    def _on_message_stop(
        self, _event: _WireEvent, _data: bytes, events: list[ModelEvent]
    ) -> None:
        self._finish(events)

    def _on_message(
        self, _event: _WireEvent, data: bytes, events: list[ModelEvent]
    ) -> None:
        """Take a whole message in one piece: the reply without streaming."""
        message = _decode_object(data)
        if isinstance(message.get("content"), list):
            if self.progress > 1:
                raise self._error(_SECOND_ANSWER)
            self._take_message(message, events)
            self._finish(events)

    def _on_error(
        self, event: _WireEvent, _data: bytes, _events: list[ModelEvent]
    ) -> None:
        body = _object(event.error)
        code = code_for_type(_text(body.get("type")))
        reason = public_reason(body.get("message") or event.error or event.message)
        raise self._error(_Verdict(code, f"It says: {reason}" if reason else ""))

    # --- blocks ------------------------------------------------------------------

    def _implied_block(
        self, index: int, delta: _WireDelta, events: list[ModelEvent]
    ) -> _OpenBlock:
        """Begin the block whose start did not come, where its kind is certain."""
        if delta.text is None and delta.thinking is None:
            raise self._error(
                _Verdict("model_stream_malformed", "A part belongs to no block.")
            )
        kind = "thinking" if delta.text is None else "text"
        self._begin(index, {"type": kind}, events)
        return self._open[index]

    def _begin(
        self, index: int, data: dict[str, Any], events: list[ModelEvent]
    ) -> None:
        left_open = self._open.pop(index, None)
        if left_open is not None:
            self._close_unfinished(left_open, events)
        block = _OpenBlock(_KINDS.get(str(data.get("type")), "server_tool"), data)
        self._open[index] = block
        if block.kind != "text":
            self._announce(block, events)
        if block.kind in {"text", "thinking"}:
            self._grow(block, _text(data.get(block.kind)), events)
            block.signature += _text(data.get("signature"))
            citations = data.get("citations")
            if isinstance(citations, list):
                block.citations.extend(cast("list[dict[str, Any]]", citations))

    def _announce(self, block: _OpenBlock, events: list[ModelEvent]) -> None:
        block.ordinal = self._next_ordinal
        self._next_ordinal += 1
        events.append(ModelBlockStart(index=block.ordinal, kind=block.kind))

    def _grow(
        self, block: _OpenBlock, text: str | None, events: list[ModelEvent]
    ) -> None:
        if text:
            if block.ordinal < 0:
                self._announce(block, events)
            block.parts.append(text)
            last = events[-1] if events else None
            if (
                isinstance(last, ModelBlockDelta)
                and last.index == block.ordinal
                and len(last.text) < _JOINED_CHARACTERS
            ):
                events.pop()
                text = last.text + text
            events.append(
                ModelBlockDelta(index=block.ordinal, kind=block.kind, text=text)
            )

    def _close_unfinished(self, block: _OpenBlock, events: list[ModelEvent]) -> None:
        """Close a block whose stop did not come; a tool call is then never whole."""
        if block.kind == "tool_use":
            self._tool_is_broken = True
        else:
            self._close(block, events)

    def _close(self, block: _OpenBlock, events: list[ModelEvent]) -> None:
        content = self._content_of(block)
        if content is not None and block.ordinal >= 0:
            self._content[block.ordinal] = content
            events.append(
                ModelBlockStop(index=block.ordinal, kind=block.kind, content=content)
            )

    def _content_of(self, block: _OpenBlock) -> AssistantBlock | None:
        text = "".join(block.parts)
        if block.kind == "text":
            return TextBlock(text=text, citations=block.citations or None)
        if block.kind == "thinking":
            return ThinkingBlock(thinking=text, signature=block.signature or None)
        name = _text(block.data.get("name"))
        if text or block.kind == "tool_use":
            input_ = _strict_object(text or block.data.get("input"))
            if input_ is None or not name:
                self._tool_is_broken = True
                return None
            block.data["input"] = input_
        if block.kind == "tool_use":
            tool_id = self._tool_id(block.data.get("id"))
            return ToolUseBlock(id=tool_id, name=name, input=block.data["input"])
        return ProviderBlock(data=block.data)

    def _tool_id(self, wanted: object) -> str:
        tool_id = _text(wanted)
        if self._tool_ids is None:
            self._tool_ids = set(self._taken_tool_ids())
        while tool_id in self._tool_ids or not _LEGAL_ID.fullmatch(tool_id):
            tool_id = self._new_tool_id()
        self._tool_ids.add(tool_id)
        return tool_id

    # --- the message -------------------------------------------------------------

    def _take_message(self, message: dict[str, Any], events: list[ModelEvent]) -> None:
        self._model = _text(message.get("model"))
        self._stop_reason = _text(message.get("stop_reason"))
        self._count(message.get("usage"))
        content = message.get("content")
        blocks = cast("list[object]", content) if isinstance(content, list) else []
        for index, data in enumerate(blocks):
            self._begin(index, _object(data), events)
            self._close(self._open.pop(index), events)

    def _finish(self, events: list[ModelEvent]) -> None:
        for index in sorted(self._open):
            self._close_unfinished(self._open.pop(index), events)
        if self._tool_is_broken:
            raise self._error(self._broken_tool_verdict())
        if self._skipped and not self._stop_reason:
            raise self._error(
                _Verdict("model_stream_malformed", "Its end cannot be read.")
            )
        self.complete = True
        events.append(
            ModelMessageStop(
                content=[self._content[ordinal] for ordinal in sorted(self._content)],
                stop_reason=self._final_stop_reason(),
                usage=msgspec.convert(self._usage, Usage),
                request_id=self.request_id,
                model=self._model,
            )
        )

    def _final_stop_reason(self) -> str:
        has_tools = any(
            isinstance(block, ToolUseBlock) for block in self._content.values()
        )
        if self._lenient and has_tools and self._stop_reason in _TOOL_STOP_REASONS:
            return "tool_use"
        return self._stop_reason or "end_turn"

    def _count(self, usage: object) -> None:
        """Take cumulative counts: a later one replaces, a missing one keeps."""
        counts = _object(usage)
        counts = {**_object(counts.get("server_tool_use")), **counts}
        for field in Usage.__struct_fields__:
            count = counts.get(field)
            if isinstance(count, int) and not isinstance(count, bool):
                self._usage[field] = count

    # --- what goes wrong ---------------------------------------------------------

    def _skip(self, data: bytes) -> None:
        """Leave out data that is no event; an unknown event may have any shape."""
        try:
            kind = _decode_tag(data).type
        except _DECODE_ERRORS:
            if data.strip() == b"[DONE]":
                return
        else:
            if isinstance(kind, str) and kind not in self._handlers:
                return
        for block in self._open.values():
            # It may have been a part of the input: a tool must not run on the rest.
            if block.kind == "tool_use":
                self._tool_is_broken = True
        self._skipped = True
        self._undecodable_left -= 1
        if self._undecodable_left < 0:
            raise self._error(
                _Verdict("model_stream_malformed", "Too many parts cannot be read.")
            )

    def _broken_tool_verdict(self) -> _Verdict:
        if self._stop_reason in {"max_tokens", "length"}:
            return _Verdict(
                "model_stream_truncated",
                "The answer reached its largest length inside a tool call, which "
                "was not run. Ask for less at once.",
                retryable=False,
            )
        return _Verdict(
            "model_stream_malformed",
            "The input of a tool call is not complete JSON, so it was not run.",
        )

    def _error(self, verdict: _Verdict) -> ModelError:
        return model_error(
            verdict.code,
            reason=verdict.reason,
            retryable=verdict.retryable,
            request_id=self.request_id,
        )


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _object(value: object) -> dict[str, Any]:
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}


def _strict_object(value: object) -> dict[str, Any] | None:
    """Return the JSON object that ``value`` is, or is the text of."""
    if value is None or value == "":
        return {}
    if isinstance(value, dict):
        return cast("dict[str, Any]", value)
    try:
        return _decode_object(value) if isinstance(value, str) else None
    except _DECODE_ERRORS:
        return None
