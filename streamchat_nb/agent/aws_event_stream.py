"""Amazon's framing of a stream, undone: what Bedrock's older API sends. Pure.

Each message is a prelude (its length, the length of its headers, a checksum), the
headers, a payload and a checksum. The payload of a part of an answer is JSON with the
event of the Messages API in base64.
"""

from __future__ import annotations

import base64
import struct
import zlib
from typing import TYPE_CHECKING, Any

import msgspec

from streamchat_nb.agent.model_errors import model_error

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from streamchat_nb.errors import ModelError

__all__ = ["AWS_EVENT_STREAM", "AwsEventStream", "server_sent"]

AWS_EVENT_STREAM = "application/vnd.amazon.eventstream"
"""The content type of such a response."""

_PRELUDE = struct.Struct(">III")
_CHECKSUM = struct.Struct(">I")
_MOST_BYTES = 16 * 1024 * 1024
_TEXT_HEADER = 7
# How many bytes a header's value has, by its type; texts and bytes say it themselves.
_VALUE_BYTES = {0: 0, 1: 0, 2: 1, 3: 2, 4: 4, 5: 8, 8: 8, 9: 16}
_ERROR_TYPES = {
    "accessDeniedException": "permission_error",
    "internalServerException": "api_error",
    "modelTimeoutException": "timeout_error",
    "serviceUnavailableException": "overloaded_error",
    "throttlingException": "rate_limit_error",
    "validationException": "invalid_request_error",
}


class AwsEventStream:
    """Takes the bytes of a response in any chunks, gives server-sent events."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, chunk: bytes) -> bytes:
        """Take the next bytes; return the events that are whole by now.

        Raises:
            ModelError: ``model_stream_malformed``, this is no such stream.
        """
        self._buffer += chunk
        events = bytearray()
        while len(self._buffer) >= _PRELUDE.size:
            length, headers_length, checksum = _PRELUDE.unpack_from(self._buffer)
            if (
                zlib.crc32(self._buffer[: _PRELUDE.size - _CHECKSUM.size]) != checksum
                or not _PRELUDE.size + headers_length < length <= _MOST_BYTES
            ):
                raise _malformed()
            if len(self._buffer) < length:
                break
            message = bytes(self._buffer[:length])
            del self._buffer[:length]
            events += _event_of(message, headers_length)
        return bytes(events)


async def server_sent(chunks: AsyncGenerator[bytes]) -> AsyncGenerator[bytes]:
    """Yield a response's chunks as server-sent events.

    Raises:
        ModelError: As ``AwsEventStream.feed``.
    """
    stream = AwsEventStream()
    async for chunk in chunks:
        events = stream.feed(chunk)
        if events:
            yield events


def _event_of(message: bytes, headers_length: int) -> bytes:
    body, (checksum,) = message[:-4], _CHECKSUM.unpack(message[-4:])
    if zlib.crc32(body) != checksum:
        raise _malformed()
    headers_end = _PRELUDE.size + headers_length
    headers = _headers_of(body[_PRELUDE.size : headers_end])
    try:
        payload = msgspec.json.decode(body[headers_end:], type=dict[str, Any])
        if headers.get(":message-type", "event") == "event":
            part = payload.get("bytes")
            data = base64.b64decode(part, validate=True) if part else b""
        else:
            data = msgspec.json.encode(_error_of(headers, payload))
    except (msgspec.DecodeError, UnicodeDecodeError, ValueError, TypeError):
        raise _malformed() from None
    return b"data: " + data + b"\n\n" if data else b""


def _error_of(headers: dict[str, str], payload: dict[str, Any]) -> dict[str, Any]:
    kind = _ERROR_TYPES.get(headers.get(":exception-type", ""), "api_error")
    said = {"type": kind, "message": payload.get("message")}
    return {"type": "error", "error": said}


def _headers_of(data: bytes) -> dict[str, str]:
    """Return the headers that are texts."""
    headers: dict[str, str] = {}
    place = 0
    try:
        while place < len(data):
            name_end = place + 1 + data[place]
            name = data[place + 1 : name_end].decode()
            kind = data[name_end]
            place = name_end + 1
            if kind in _VALUE_BYTES:
                place += _VALUE_BYTES[kind]
                continue
            (length,) = struct.unpack_from(">H", data, place)
            value = data[place + 2 : place + 2 + length]
            place += 2 + length
            if kind == _TEXT_HEADER:
                headers[name] = value.decode()
    except (IndexError, struct.error, UnicodeDecodeError):
        raise _malformed() from None
    return headers


def _malformed() -> ModelError:
    return model_error("model_stream_malformed", reason="Its framing is broken.")
