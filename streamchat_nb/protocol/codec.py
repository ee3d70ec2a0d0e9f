"""Bytes to values and back: the only place that knows the wire is JSON."""

from __future__ import annotations

import re
from functools import cache
from typing import Any

import msgspec

from streamchat_nb.errors import BadFrame, TooLarge
from streamchat_nb.protocol.commands import Command
from streamchat_nb.protocol.events import Event, UnknownEvent
from streamchat_nb.protocol.frames import Frame

__all__ = [
    "carriable",
    "decode_command",
    "decode_event",
    "decode_frame",
    "encode",
    "nesting_depth",
    "public_reason",
]

encode = msgspec.json.Encoder().encode
"""Encode any protocol value as compact UTF-8 JSON."""

# Possessive, and an unterminated string runs to the end: linear on any input.
_STRING_OR_BRACKET = re.compile(rb'"(?:[^"\\]|\\.)*+"?|[\[\]{}]', re.DOTALL)
_event_decoder = msgspec.json.Decoder(Event)
_unknown_event_decoder = msgspec.json.Decoder(UnknownEvent)


# Made at first use: a server that nobody has connected to needs neither, and servers
# decode no frames, clients no commands. Each takes milliseconds to make.
@cache
def _command_decoder() -> msgspec.json.Decoder[Command]:
    return msgspec.json.Decoder(Command)


@cache
def _frame_decoder() -> msgspec.json.Decoder[Frame]:
    return msgspec.json.Decoder(Frame)


class _Tagged(msgspec.Struct):
    type: str = ""


_tag_decoder = msgspec.json.Decoder(_Tagged)
_EVENT_TYPES = frozenset(
    str(variant.__struct_config__.tag) for variant in Event.__args__
)


def carriable(event: Event) -> Event:
    """Return an event that can be encoded: UTF-8 carries no lone surrogates.

    Models and tools produce them (half an emoji at the end of a chunk); each becomes
    a replacement character, and the two halves of one character that stand side by
    side become that character.

    Raises:
        TypeError: A value in it is not JSON.
    """
    try:
        encode(event)
    except UnicodeEncodeError:
        return msgspec.convert(_mended(msgspec.to_builtins(event)), type=type(event))
    return event


def _mended(value: Any) -> Any:  # noqa: ANN401 - any JSON
    match value:
        case str():
            return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
        case list():
            return [_mended(item) for item in value]  # pyright: ignore[reportUnknownVariableType]
        case dict():
            return {_mended(key): _mended(item) for key, item in value.items()}  # pyright: ignore[reportUnknownVariableType]
        case _:
            return value


def nesting_depth(data: bytes, *, limit: int) -> int:
    """Return how deep the JSON in ``data`` nests, at most ``limit + 1``.

    Brackets inside strings do not count. Linear in ``len(data)``.
    """
    if data.count(b"[") + data.count(b"{") <= limit:
        return min(limit, 1)
    depth = deepest = 0
    for match in _STRING_OR_BRACKET.finditer(data):
        token = match[0]
        if token in (b"[", b"{"):
            depth += 1
            deepest = max(deepest, depth)
            if deepest > limit:
                break
        elif token in (b"]", b"}"):
            depth -= 1
    return deepest


def decode_command(data: bytes, *, depth_limit: int = 32) -> Command:
    """Decode one command from a client.

    Args:
        data: UTF-8 JSON, one object.
        depth_limit: Deepest nesting accepted.

    Raises:
        TooLarge: It nests deeper than ``depth_limit``.
        BadFrame: Not JSON, not a command, or a field has the wrong shape. The
            message names the field and never repeats what was sent.
    """
    if nesting_depth(data, limit=depth_limit) > depth_limit:
        raise TooLarge(
            f"The frame nests deeper than {depth_limit} levels.",
            details={"json_depth": depth_limit},
        )
    try:
        return _command_decoder().decode(data)
    except msgspec.ValidationError as error:
        raise BadFrame(
            f"The frame is not a valid command: {public_reason(error)}"
        ) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise BadFrame("The frame is not a JSON object in UTF-8.") from None


def decode_event(data: bytes) -> Event | UnknownEvent:
    """Decode one durable event; an unknown type becomes an ``UnknownEvent``.

    Raises:
        BadFrame: Not an event of any version.
    """
    try:
        return _event_decoder.decode(data)
    except msgspec.ValidationError:
        try:
            unknown = _unknown_event_decoder.decode(data)
        except (msgspec.DecodeError, UnicodeDecodeError):
            raise BadFrame("The data is not an event.") from None
        if unknown.type in _EVENT_TYPES:
            raise BadFrame(f"A {unknown.type} event has a wrong field.") from None
        return unknown
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise BadFrame("The data is not JSON in UTF-8.") from None


def decode_frame(data: bytes) -> Frame | Event | UnknownEvent:
    """Decode what a server sends to a connection: a frame or an event.

    Raises:
        BadFrame: Neither of them.
    """
    try:
        tag = _tag_decoder.decode(data).type
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise BadFrame("The server sent something that is not JSON.") from None
    if tag in _FRAME_TYPES:
        try:
            return _frame_decoder().decode(data)
        except msgspec.DecodeError as error:
            raise BadFrame(f"A {tag} frame is not valid: {error}") from None
    return decode_event(data)


_FRAME_TYPES = frozenset(
    str(variant.__struct_config__.tag) for variant in Frame.__args__
)


def public_reason(error: msgspec.ValidationError) -> str:
    """Return msgspec's reason without any value of the caller in it."""
    reason = str(error)
    if reason.startswith("Invalid value") or "Invalid enum value" in reason:
        _, _, path = reason.rpartition(" - at ")
        return f"unknown value{' at ' + path if path else ''}."
    return f"{reason}."
