"""Messages of LangChain: made of a history, and read. Imports LangChain late."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, cast

from streamchat_nb.protocol.content import ToolUseBlock, Usage

if TYPE_CHECKING:
    from collections.abc import Iterator

    from langchain_core.messages import AIMessage, BaseMessage, ToolMessage

__all__ = [
    "calls_of",
    "messages_in",
    "messages_of",
    "said_in",
    "stop_reason_of",
    "usage_of",
]

_STOP_REASONS = {
    "stop": "end_turn",
    "length": "max_tokens",
    "tool_calls": "tool_use",
    "content_filter": "refusal",
}
_MOST_DEPTH = 4


def messages_of(history: list[dict[str, Any]]) -> list[BaseMessage]:
    """Return a repaired history as LangChain's messages.

    Thinking and a provider's own tools are left out: no other model takes them.

    Args:
        history: Messages in the shape of Anthropic's Messages API, oldest first.
    """
    from langchain_core.messages import AIMessage, HumanMessage

    messages: list[BaseMessage] = []
    names: dict[str, str] = {}
    for message in history:
        blocks = _blocks(message["content"])
        if message["role"] == "user":
            messages += [
                _tool_message(block, names)
                for block in blocks
                if block["type"] == "tool_result"
            ]
            content = [_shown(b) for b in blocks if b["type"] != "tool_result"]
            if content:
                messages.append(HumanMessage(content=_plain(content)))
            continue
        text = "\n\n".join(b["text"] for b in blocks if b["type"] == "text")
        calls = [b for b in blocks if b["type"] == "tool_use"]
        names |= {call["id"]: call["name"] for call in calls}
        if text or calls:
            messages.append(
                AIMessage(
                    content=text,
                    tool_calls=[
                        {"name": c["name"], "args": c["input"], "id": c["id"]}
                        for c in calls
                    ],
                )
            )
    return messages


def messages_in(value: object, depth: int = _MOST_DEPTH) -> Iterator[BaseMessage]:
    """Yield the messages in what a node gave, wherever in it they are."""
    from langchain_core.messages import BaseMessage

    if isinstance(value, BaseMessage):
        yield value
    elif depth > 0 and isinstance(value, dict):
        for item in cast("dict[object, object]", value).values():
            yield from messages_in(item, depth - 1)
    elif depth > 0 and isinstance(value, (list, tuple)):
        for item in cast("list[object]", value):
            yield from messages_in(item, depth - 1)
    elif depth > 0 and hasattr(value, "update") and hasattr(value, "goto"):
        yield from messages_in(cast("Any", value).update, depth - 1)


def said_in(message: AIMessage) -> list[tuple[str, str]]:
    """Return ``("text" | "thinking", words)`` of a message or a piece, in order."""
    if isinstance(message.content, str) and not message.additional_kwargs:
        return [("text", message.content)] if message.content else []
    said: list[tuple[str, str]] = []
    for block in cast("list[dict[str, Any]]", message.content_blocks):
        match block.get("type"):
            case "text":
                said.append(("text", block.get("text") or ""))
            case "reasoning":
                said.append(("thinking", block.get("reasoning") or ""))
            case "non_standard":
                words = cast("dict[str, Any]", block.get("value") or {}).get("thinking")
                said.append(("thinking", words if isinstance(words, str) else ""))
            case _:
                pass
    return [(kind, words) for kind, words in said if words]


def calls_of(message: AIMessage) -> list[ToolUseBlock]:
    """Return the tool calls of a whole message; a missing id becomes ``call``."""
    return [
        ToolUseBlock(id=call["id"] or "call", name=call["name"], input=call["args"])
        for call in message.tool_calls
    ]


def usage_of(message: AIMessage) -> Usage | None:
    """Return what a message used, as our usage: input without what the cache held."""
    counted = message.usage_metadata
    if counted is None:
        return None
    details = counted.get("input_token_details", {})
    read, created = details.get("cache_read"), details.get("cache_creation")
    whole = counted["input_tokens"]
    return Usage(
        input_tokens=max(0, whole - (read or 0) - (created or 0)),
        output_tokens=counted["output_tokens"],
        cache_creation_input_tokens=created,
        cache_read_input_tokens=read,
    )


def stop_reason_of(message: AIMessage) -> str:
    """Return why a message ended, in our words."""
    told = cast("dict[str, object]", message.response_metadata)
    reason = told.get("stop_reason") or told.get("finish_reason")
    if not isinstance(reason, str):
        return "end_turn"
    return _STOP_REASONS.get(reason.lower(), reason)


def _blocks(content: str | list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{"type": "text", "text": content}] if isinstance(content, str) else content


def _tool_message(block: dict[str, Any], names: dict[str, str]) -> ToolMessage:
    from langchain_core.messages import ToolMessage

    content = block.get("content") or ""
    if not isinstance(content, str):
        content = _plain([_shown(item) for item in content])
    return ToolMessage(
        content=content,
        tool_call_id=block["tool_use_id"],
        name=names.get(block["tool_use_id"]),
        status="error" if block.get("is_error") else "success",
    )


def _plain(content: list[dict[str, Any]]) -> Any:  # noqa: ANN401 - as LangChain takes it
    """Return text where there is nothing but text: every model takes that."""
    if all(block["type"] == "text" for block in content):
        return "\n\n".join(block["text"] for block in content)
    return content


def _shown(block: dict[str, Any]) -> dict[str, Any]:
    """Return a user's block as LangChain's standard content has it."""
    source = block.get("source", {})
    if block["type"] == "text":
        return {"type": "text", "text": block["text"]}
    if source.get("type") == "text":
        return {"type": "text", "text": source["data"]}
    if source.get("type") == "base64":
        kind = "image" if block["type"] == "image" else "file"
        media_type = source["media_type"]
        return {"type": kind, "base64": source["data"], "mime_type": media_type}
    return {"type": "text", "text": json.dumps(block, default=str)}
