"""Exchanges as the lines of a file that people read and version control compares. Pure.

The first line says which format it is. Each exchange begins with the parts of its
request that no line before has (the system prompt, tools, messages), then comes the
request, which names its parts, then what the model said, then when::

    {"format":"streamchat-cassette","version":1}
    {"id":"0f3a…","line":"part","value":{"content":[…],"role":"user"}}
    {"line":"request","max_tokens":8192,"messages":["0f3a…"],"model":"…",…}
    {"index":0,"kind":"text","line":"block_start"}
    {"index":0,"kind":"text","line":"block_delta","pieces":["Hello ","there"]}
    {"content":{"text":"Hello there","type":"text"},"index":0,…}
    {"line":"message_stop","model":"…","stop_reason":"end_turn","usage":{…}}
    {"line":"timing","offsets_ms":[0,3,5,5,6]}

Keys are sorted, and nothing depends on the clock but the line ``timing``.
"""

from __future__ import annotations

from typing import (
    TYPE_CHECKING,
    Any,
    Literal,
    TypeAlias,
    TypeVar,
    assert_never,
    cast,
)

import msgspec
from msgspec import Struct

from streamchat_nb.agent.cassette_exchange import Exchange
from streamchat_nb.agent.cassette_request import CanonicalRequest, Part
from streamchat_nb.agent.model import (
    ModelBlockDelta,
    ModelBlockStart,
    ModelBlockStop,
    ModelMessageStop,
)
from streamchat_nb.agent.model_errors import model_error
from streamchat_nb.protocol.content import AssistantBlock, ErrorBody, Usage
from streamchat_nb.protocol.events import BlockKind  # noqa: TC001 - read by msgspec

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from streamchat_nb.agent.model import ModelEvent
    from streamchat_nb.errors import ModelError

__all__ = ["decode_exchanges", "encode_exchanges"]

_FORMAT = "streamchat-cassette"
_VERSION = 1
_NAME_CHARACTERS = 16
_encode = msgspec.json.Encoder(order="sorted").encode
_T = TypeVar("_T")


class _Header(Struct, frozen=True, kw_only=True):
    format: str
    version: int


class _Line(Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="line"):
    """Base of all lines after the first."""


class _Part(_Line, frozen=True, kw_only=True, tag="part"):
    id: str
    value: Any


class _Request(_Line, frozen=True, kw_only=True, tag="request"):
    model: str
    messages: list[str]
    max_tokens: int
    system: str | None = None
    tools: list[str] = []
    tool_choice: Literal["auto", "none"] = "auto"
    options: str | None = None


class _BlockStart(_Line, frozen=True, kw_only=True, tag="block_start"):
    index: int
    kind: BlockKind


class _BlockDelta(_Line, frozen=True, kw_only=True, tag="block_delta"):
    """Deltas of one block that came one after the other."""

    index: int
    kind: BlockKind
    pieces: list[str]


class _BlockStop(_Line, frozen=True, kw_only=True, tag="block_stop"):
    index: int
    kind: BlockKind
    content: AssistantBlock


class _MessageStop(_Line, frozen=True, kw_only=True, tag="message_stop"):
    """``content`` is there only where it is not that of the blocks, in their order."""

    stop_reason: str
    usage: Usage
    model: str = ""
    content: list[AssistantBlock] | None = None


class _Failure(_Line, frozen=True, kw_only=True, tag="error"):
    error: ErrorBody


class _Timing(_Line, frozen=True, kw_only=True, tag="timing"):
    offsets_ms: list[int]


_AnyLine: TypeAlias = (
    _Part
    | _Request
    | _BlockStart
    | _BlockDelta
    | _BlockStop
    | _MessageStop
    | _Failure
    | _Timing
)


# --- writing ---------------------------------------------------------------------


def encode_exchanges(exchanges: Iterable[Exchange]) -> bytes:
    """Return the file of some exchanges; the same for the same ones."""
    lines = [_encode(_Header(format=_FORMAT, version=_VERSION))]
    written: set[Part] = set()
    for exchange in exchanges:
        for part in exchange.request.parts():
            if part not in written:
                written.add(part)
                lines.append(_encode(_Part(id=_name(part), value=part.value)))
        lines.append(_encode(_request_line(exchange)))
        lines.extend(_encode(line) for line in _answer_lines(exchange.events))
        if exchange.failure is not None:
            lines.append(_encode(_Failure(error=exchange.failure)))
        lines.append(_encode(_Timing(offsets_ms=[*exchange.offsets_ms])))
    return b"\n".join(lines) + b"\n"


def _request_line(exchange: Exchange) -> _Request:
    request = exchange.request
    return _Request(
        model=exchange.model,
        messages=[_name(part) for part in request.messages],
        max_tokens=request.max_tokens,
        system=None if request.system is None else _name(request.system),
        tools=[_name(part) for part in request.tools],
        tool_choice=request.tool_choice,
        options=None if request.options is None else _name(request.options),
    )


def _name(part: Part) -> str:
    return part.id[:_NAME_CHARACTERS]


def _answer_lines(events: Iterable[ModelEvent]) -> Iterator[_AnyLine]:
    deltas: list[ModelBlockDelta] = []
    blocks: dict[int, AssistantBlock] = {}
    for event in events:
        if isinstance(event, ModelBlockDelta):
            if deltas and (deltas[0].index, deltas[0].kind) != (
                event.index,
                event.kind,
            ):
                yield _joined(deltas)
                deltas = []
            deltas.append(event)
            continue
        if deltas:
            yield _joined(deltas)
            deltas = []
        match event:
            case ModelBlockStart(index=index, kind=kind):
                yield _BlockStart(index=index, kind=kind)
            case ModelBlockStop(index=index, kind=kind, content=content):
                blocks[index] = content
                yield _BlockStop(index=index, kind=kind, content=content)
            case ModelMessageStop():
                yield _MessageStop(
                    stop_reason=event.stop_reason,
                    usage=event.usage,
                    model=event.model,
                    content=None
                    if event.content == _in_order(blocks)
                    else event.content,
                )
            case _:
                assert_never(event)
    if deltas:
        yield _joined(deltas)


def _joined(deltas: list[ModelBlockDelta]) -> _BlockDelta:
    first = deltas[0]
    pieces = [delta.text for delta in deltas]
    return _BlockDelta(index=first.index, kind=first.kind, pieces=pieces)


def _in_order(blocks: dict[int, AssistantBlock]) -> list[AssistantBlock]:
    return [blocks[index] for index in sorted(blocks)]


# --- reading ---------------------------------------------------------------------


def decode_exchanges(data: bytes) -> list[Exchange]:
    """Return the exchanges of a file, in their order.

    Hand-made changes are fine as long as they are of the format: the names of parts
    are only names, and timings may be missing.

    Raises:
        ModelError: ``model_cassette_invalid``: the file is not a cassette, or of a
            newer version, or a line is wrong; says which one.
    """
    lines = data.split(b"\n")
    header = _decode(lines[0], 1, _Header)
    if header.format != _FORMAT:
        raise _invalid(1, "it does not say that this is a cassette")
    if header.version != _VERSION:
        raise _invalid(1, f"version {header.version} needs a newer streamchat_nb")
    reader = _ExchangeReader()
    for number, line in enumerate(lines[1:], start=2):
        if line.strip():
            reader.take(number, _decode(line, number, cast("type[_AnyLine]", _AnyLine)))
    return reader.end()


class _ExchangeReader:
    """Puts lines together to exchanges."""

    def __init__(self) -> None:
        self._found: list[Exchange] = []
        self._parts: dict[str, Part] = {}
        self._answer: _Answer | None = None

    def take(self, number: int, line: _AnyLine) -> None:
        match line:
            case _Part():
                self._close()
                self._parts[line.id] = Part.of(line.value)
            case _Request():
                self._close()
                self._answer = _Answer(self._request(number, line), line.model)
            case _ if self._answer is None:
                raise _invalid(number, "it belongs to no request")
            case _:
                self._answer.take(line)

    def end(self) -> list[Exchange]:
        self._close()
        return self._found

    def _close(self) -> None:
        if self._answer is not None:
            self._found.append(self._answer.exchange())
            self._answer = None

    def _request(self, number: int, line: _Request) -> CanonicalRequest:
        try:
            request = CanonicalRequest(
                messages=tuple(self._parts[name] for name in line.messages),
                system=None if line.system is None else self._parts[line.system],
                tools=tuple(self._parts[name] for name in line.tools),
                max_tokens=line.max_tokens,
                tool_choice=line.tool_choice,
                options=None if line.options is None else self._parts[line.options],
            )
        except KeyError as error:
            raise _invalid(number, f"no line before has the part {error}") from None
        objects = (*request.messages, *request.tools)
        is_text = request.system is None or isinstance(request.system.value, str)
        if not is_text or not all(isinstance(part.value, dict) for part in objects):
            raise _invalid(number, "a part is of the wrong kind")
        return request


class _Answer:
    """The lines that follow a request."""

    def __init__(self, request: CanonicalRequest, model: str) -> None:
        self._request = request
        self._model = model
        self._events: list[ModelEvent] = []
        self._blocks: dict[int, AssistantBlock] = {}
        self._failure: ErrorBody | None = None
        self._offsets_ms: list[int] = []

    def take(
        self,
        line: _BlockStart
        | _BlockDelta
        | _BlockStop
        | _MessageStop
        | _Failure
        | _Timing,
    ) -> None:
        match line:
            case _BlockStart(index=index, kind=kind):
                self._events.append(ModelBlockStart(index=index, kind=kind))
            case _BlockDelta(index=index, kind=kind):
                self._events.extend(
                    ModelBlockDelta(index=index, kind=kind, text=text)
                    for text in line.pieces
                )
            case _BlockStop(index=index, kind=kind, content=content):
                self._blocks[index] = content
                self._events.append(
                    ModelBlockStop(index=index, kind=kind, content=content)
                )
            case _MessageStop():
                self._events.append(self._stop(line))
            case _Failure():
                self._failure = line.error
            case _Timing():
                self._offsets_ms = line.offsets_ms
            case _:
                assert_never(line)

    def exchange(self) -> Exchange:
        """Return what was read; without an end it counts as cut."""
        is_whole = bool(self._events) and isinstance(self._events[-1], ModelMessageStop)
        failure = self._failure
        if failure is None and not is_whole:
            cut = model_error("model_stream_truncated")
            failure = ErrorBody(code=cut.code, message=cut.message, retryable=True)
        count = len(self._events) + (failure is not None)
        last_ms = self._offsets_ms[-1] if self._offsets_ms else 0
        offsets_ms = [*self._offsets_ms, *[last_ms] * count][:count]
        return Exchange(
            request=self._request,
            model=self._model,
            events=tuple(self._events),
            offsets_ms=tuple(offsets_ms),
            failure=failure,
        )

    def _stop(self, line: _MessageStop) -> ModelMessageStop:
        content = line.content
        return ModelMessageStop(
            content=_in_order(self._blocks) if content is None else content,
            stop_reason=line.stop_reason,
            usage=line.usage,
            model=line.model,
        )


def _decode(line: bytes, number: int, kind: type[_T]) -> _T:
    try:
        return msgspec.json.decode(line, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise _invalid(number, str(error)) from None


def _invalid(number: int, reason: str) -> ModelError:
    return model_error("model_cassette_invalid", reason=f"Line {number}: {reason}.")
