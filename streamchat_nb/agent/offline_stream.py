"""A planned reply as the bytes of the Messages API. Pure."""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterator

    from streamchat_nb.agent.offline_rules import Reply

__all__ = ["error_body", "reply_frames", "reply_message", "request_digest"]

_STALL_PING_S = 0.2
_STALL_LONGEST_S = 600.0
_INPUT_PART_CHARACTERS = 12
# A model takes its time before the first word, and people should see that it does.
_THINKING_WORDS = 12
_LONGEST_THINKING_S = 0.6


def request_digest(request: dict[str, Any]) -> str:
    """Return 24 hexadecimal digits that stand for a request's model and messages."""
    asked = [request.get("model"), request.get("messages")]
    data = msgspec.json.encode(asked, order="deterministic")
    return hashlib.sha256(data).hexdigest()[:24]


def error_body(error_type: str, message: str, request_id: str) -> dict[str, Any]:
    """Return an error in the shape of the Messages API."""
    return {
        "type": "error",
        "error": {"type": error_type, "message": message},
        "request_id": request_id,
    }


def reply_message(reply: Reply, request: dict[str, Any]) -> dict[str, Any]:
    """Return a reply as one message, as a request without ``stream`` gets it."""
    digest = request_digest(request)
    blocks: list[dict[str, Any]] = [{"type": "text", "text": reply.text}]
    for number, call in enumerate(reply.calls):
        blocks.append(_call_block(digest, number, call.name, call.input))
    return {
        **_empty_message(request, digest),
        "content": blocks,
        "stop_reason": reply.stop_reason,
        "usage": {**_input_usage(request), "output_tokens": len(_words(reply.text))},
    }


def reply_frames(
    reply: Reply, request: dict[str, Any], *, pace_s: float
) -> Iterator[tuple[float, bytes]]:
    """Yield a reply as server-sent events.

    Args:
        reply: What to say.
        request: What it answers.
        pace_s: Seconds before each part of text, where the reply has no own pace.
            Before the first one it waits twelve times as long, at most 0.6 s.

    Yields:
        ``(seconds to wait before, bytes of one event)``. A reply that stalls goes on
        with pings for ten minutes.
    """
    digest = request_digest(request)
    pace_s = pace_s if reply.pace_s is None else reply.pace_s
    start = {**_empty_message(request, digest), "usage": _input_usage(request)}
    thinking_s = min(_LONGEST_THINKING_S, _THINKING_WORDS * pace_s)
    yield thinking_s, _event("message_start", message=start)
    yield 0.0, _event("ping")
    yield from _text_frames(reply, pace_s)
    if reply.fault is not None:
        yield from _fault_frames(reply.fault.kind, digest)
        return
    yield 0.0, _event("content_block_stop", index=0)
    for number, call in enumerate(reply.calls):
        block = _call_block(digest, number, call.name, {})
        yield from _call_frames(number + 1, block, call.input, pace_s)
    usage = {"output_tokens": len(_words(reply.text)) + 20 * len(reply.calls)}
    delta = {"stop_reason": reply.stop_reason, "stop_sequence": None}
    yield 0.0, _event("message_delta", delta=delta, usage=usage)
    yield 0.0, _event("message_stop")


def _text_frames(reply: Reply, pace_s: float) -> Iterator[tuple[float, bytes]]:
    block = {"type": "text", "text": ""}
    yield 0.0, _event("content_block_start", index=0, content_block=block)
    for word in _words(reply.text):
        delta = {"type": "text_delta", "text": word}
        yield pace_s, _event("content_block_delta", index=0, delta=delta)


def _call_frames(
    index: int, block: dict[str, Any], input_: dict[str, Any] | str, pace_s: float
) -> Iterator[tuple[float, bytes]]:
    text = input_ if isinstance(input_, str) else msgspec.json.encode(input_).decode()
    yield 0.0, _event("content_block_start", index=index, content_block=block)
    for start in range(0, len(text), _INPUT_PART_CHARACTERS):
        part = text[start : start + _INPUT_PART_CHARACTERS]
        delta = {"type": "input_json_delta", "partial_json": part}
        yield pace_s, _event("content_block_delta", index=index, delta=delta)
    yield 0.0, _event("content_block_stop", index=index)


def _fault_frames(kind: str, digest: str) -> Iterator[tuple[float, bytes]]:
    if kind == "error":
        body = error_body(
            "overloaded_error", "Overloaded (a demonstration).", f"req_{digest}"
        )
        yield 0.0, b"event: error\ndata: " + msgspec.json.encode(body) + b"\n\n"
    elif kind == "stall":
        for _ in range(round(_STALL_LONGEST_S / _STALL_PING_S)):
            yield _STALL_PING_S, _event("ping")


def _event(name: str, **fields: object) -> bytes:
    data = msgspec.json.encode({"type": name, **fields})
    return b"event: " + name.encode() + b"\ndata: " + data + b"\n\n"


def _words(text: str) -> list[str]:
    """Cut a text into words with the white space after them."""
    return re.findall(r"\S+\s*|\s+", text)


def _empty_message(request: dict[str, Any], digest: str) -> dict[str, Any]:
    return {
        "id": f"msg_{digest}",
        "type": "message",
        "role": "assistant",
        "model": request.get("model"),
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
    }


def _input_usage(request: dict[str, Any]) -> dict[str, int]:
    """Return a count of input tokens that is as good as four characters each."""
    characters = len(msgspec.json.encode(request.get("messages")))
    return {"input_tokens": characters // 4, "output_tokens": 1}


def _call_block(
    digest: str, number: int, name: str, input_: dict[str, Any] | str
) -> dict[str, Any]:
    tool_id = f"toolu_{digest}_{number}"
    return {"type": "tool_use", "id": tool_id, "name": name, "input": input_}
