"""Making any history one that an endpoint accepts, and one that fits.

A conversation must never be stuck for good because of what once went wrong in it:
``repair`` is applied before every request. It is pure and idempotent.
"""

from __future__ import annotations

import re
from itertools import count
from typing import Any, cast

import msgspec

__all__ = ["INTERRUPTED", "own_id", "repair", "size_bytes", "trim"]

INTERRUPTED = "The call was interrupted; it may have run."
"""The result of a tool call whose own result is not known."""

_GO_ON = "Continue."
_CUT_OFF = "[Earlier messages are left out here.]"
_OUTPUT_REMOVED = "[This tool output was left out to save space.]"
_MOST_ID_CHARACTERS = 64
# An image is at most about 1,600 tokens, of four bytes each.
_PICTURE_COST = " " * 6_400
_BASE64 = b'"type":"base64"'
_NOT_IN_IDS = re.compile(r"[^A-Za-z0-9_-]")

_Message = dict[str, Any]
_Block = dict[str, Any]
_THINKING = frozenset({"thinking", "redacted_thinking"})
_FIELDS = ("role", "content")
_USER_BLOCKS = frozenset({"text", "image", "document", "tool_result"})


def repair(history: list[_Message]) -> list[_Message]:
    """Return a history that keeps all rules of the Messages API.

    The first message is the user's, roles alternate, and the last one is the user's.
    No message is empty, no text is blank, no thinking is unsigned or last in its
    message. Each tool use has one id of its own and one result, first in the message
    that follows, in the order of the uses; results of nothing are gone. A
    provider's own tool use has its result in the same message, or is gone.

    Args:
        history: Messages with a ``role`` and a ``content``, text or blocks; not
            changed.
    """
    return list(history) if _is_plain(history) else _repaired(history)


def _is_plain(history: list[_Message]) -> bool:
    """Say whether all is right as it is: nothing but words, by turns."""
    # For all of a history, before each request: no call that can be spared.
    role = "assistant"
    for message in history:
        role = "user" if role == "assistant" else "assistant"
        content: list[_Block] | str | None = message.get("content")
        if (
            message.get("role") != role
            or len(message) != len(_FIELDS)
            or not content
            or not isinstance(content, list)
        ):
            return False
        for block in content:
            if block.get("type") != "text" or "tool_use_id" in block:
                return False
            if not str(block.get("text", "")).strip():
                return False
    return role == "user"


def _repaired(history: list[_Message]) -> list[_Message]:
    merged = _merged(
        [
            {"role": message["role"], "content": _kept(message)}
            for message in history
            if message.get("role") in ("user", "assistant")
        ]
    )
    for message in merged:
        if message["role"] == "assistant":
            message["content"] = _closed(message["content"])
    paired = _paired(_merged(merged))
    if paired and paired[0]["role"] == "assistant":
        paired.insert(0, _said(_CUT_OFF))
    if paired and paired[-1]["role"] == "assistant":
        paired.append(_said(_GO_ON))
    return paired


def trim(history: list[_Message], *, budget_bytes: int) -> list[_Message]:
    """Return a repaired history that fits, coarsely, the newest part whole.

    First old tool outputs go, then the oldest messages, in steps of half the budget:
    the start of the history then stays the same for many requests, which is what a
    cache of prompts needs. The last message in the user's own words and what follows
    it stay, but for their old tool outputs, also where they alone are too large.

    Args:
        history: A repaired history; not changed.
        budget_bytes: Largest size as JSON, UTF-8; above 1.
    """
    over = size_bytes(history) - budget_bytes
    if over <= 0:
        return history
    step = budget_bytes // 2
    excess = -(-over // step) * step
    trimmed = list(history)
    for index, message in enumerate(history[:-1]):
        if excess <= 0:
            return trimmed
        trimmed[index] = _without_outputs(message)
        excess -= size_bytes(message) - size_bytes(trimmed[index])
    questions = [i for i, message in enumerate(trimmed) if _is_question(message)]
    while len(questions) > 1 and excess > 0:
        first, following, *_ = questions
        excess -= size_bytes(trimmed[first:following])
        del questions[0]
    if questions[0] == 0:
        return trimmed
    return repair([_said(_CUT_OFF), *trimmed[questions[0] :]])


def own_id(old: str, taken: set[str]) -> str:
    """Return an id for a tool use: ``old`` where endpoints take it and it is free.

    Args:
        old: What the model called it; some endpoints start anew in every message.
        taken: Ids used before in the conversation; not changed.
    """
    plain = _NOT_IN_IDS.sub("_", old)[:_MOST_ID_CHARACTERS] or "call"
    if plain not in taken:
        return plain
    # The number goes where it cannot be cut off again.
    stem = plain[: _MOST_ID_CHARACTERS - 8]
    return next(other for n in count(2) if (other := f"{stem}-{n}") not in taken)


def _kept(message: _Message) -> list[_Block]:
    content = message.get("content")
    if isinstance(content, str):
        content = [{"type": "text", "text": content}]
    is_user = message["role"] == "user"
    return [block for block in content or () if _is_kept(block, is_user=is_user)]


def _is_kept(block: _Block, *, is_user: bool) -> bool:
    kind = block.get("type")
    if kind == "text":
        return bool(str(block.get("text", "")).strip())
    if is_user:
        return kind in _USER_BLOCKS
    return kind != "tool_result" and (
        kind != "thinking" or bool(block.get("signature"))
    )


def _merged(messages: list[_Message]) -> list[_Message]:
    """Join neighbours of one role; drop empty messages."""
    merged: list[_Message] = []
    for message in messages:
        if not message["content"]:
            continue
        if merged and merged[-1]["role"] == message["role"]:
            merged[-1]["content"] = merged[-1]["content"] + message["content"]
        else:
            merged.append(dict(message))
    return merged


def _closed(content: list[_Block]) -> list[_Block]:
    """Drop a provider's tool uses without results, the reverse, and a last thought."""
    if all(b.get("type") == "text" and "tool_use_id" not in b for b in content):
        return content
    uses = {b.get("id") for b in content if _is_provider_use(b)}
    results = {b.get("tool_use_id") for b in content if "tool_use_id" in b}
    closed = [
        block
        for block in content
        if not (_is_provider_use(block) and block.get("id") not in results)
        and not ("tool_use_id" in block and block["tool_use_id"] not in uses)
    ]
    while closed and closed[-1].get("type") in _THINKING:
        closed.pop()
    return closed


def _is_provider_use(block: _Block) -> bool:
    kind = str(block.get("type", ""))
    return kind.endswith("_tool_use")


def _paired(messages: list[_Message]) -> list[_Message]:
    """Give each tool use its own id and its result, and each result its use."""
    paired: list[_Message] = []
    taken: set[str] = set()
    asked: list[tuple[object, str]] = []
    for message in messages:
        content: list[_Block] = message["content"]
        if message["role"] == "assistant":
            content, asked = _with_own_ids(content, taken)
        else:
            content = _answered(content, asked)
            asked = []
        paired.append({"role": message["role"], "content": content})
    if asked:
        paired.append({"role": "user", "content": _answered([], asked)})
    return _merged(paired)


def _with_own_ids(
    content: list[_Block], taken: set[str]
) -> tuple[list[_Block], list[tuple[object, str]]]:
    """Return the blocks, and the old and new id of each tool use among them."""
    blocks: list[_Block] = []
    asked: list[tuple[object, str]] = []
    for block in content:
        if block.get("type") != "tool_use":
            blocks.append(block)
            continue
        old = block.get("id")
        new = own_id(str(old or ""), taken)
        taken.add(new)
        asked.append((old, new))
        whole: _Block = {} if isinstance(block.get("input"), dict) else {"input": {}}
        blocks.append({**block, **whole, "id": new})
    return blocks, asked


def _answered(content: list[_Block], asked: list[tuple[object, str]]) -> list[_Block]:
    """Return a user's blocks with exactly the results that were asked for, first."""
    given = [block for block in content if block.get("type") == "tool_result"]
    results: list[_Block] = []
    for old, new in asked:
        found = next((b for b in given if b.get("tool_use_id") == old), None)
        if found is not None:
            given.remove(found)
            results.append({**found, "tool_use_id": new, **_something_in(found)})
        else:
            results.append(
                {
                    "type": "tool_result",
                    "tool_use_id": new,
                    "content": INTERRUPTED,
                    "is_error": True,
                }
            )
    return results + [b for b in content if b.get("type") != "tool_result"]


def _something_in(result: _Block) -> _Block:
    return {"content": result.get("content") or "(no output)"}


def _without_outputs(message: _Message) -> _Message:
    return {
        "role": message["role"],
        "content": [
            {**block, "content": _OUTPUT_REMOVED}
            if block.get("type") == "tool_result"
            and size_bytes(block.get("content")) > size_bytes(_OUTPUT_REMOVED)
            else block
            for block in message["content"]
        ],
    }


def _is_question(message: _Message) -> bool:
    return message["role"] == "user" and any(
        block.get("type") != "tool_result" for block in message["content"]
    )


def _said(text: str) -> _Message:
    return {"role": "user", "content": [{"type": "text", "text": text}]}


def size_bytes(value: object) -> int:
    """Return the size as JSON; an image or a PDF counts as what it costs a model."""
    encoded = msgspec.json.encode(value)
    if _BASE64 not in encoded:  # as nearly always; within a text its quotes are escaped
        return len(encoded)
    return len(msgspec.json.encode(_without_bytes(value)))


def _without_bytes(value: object) -> object:
    if isinstance(value, list):
        return [_without_bytes(item) for item in cast("list[object]", value)]
    if not isinstance(value, dict):
        return value
    fields = cast("dict[str, object]", value)
    if fields.get("type") == "base64":
        return {**fields, "data": _PICTURE_COST}
    nested = {"content", "source"} & fields.keys()
    return {**fields, **{key: _without_bytes(fields[key]) for key in nested}}
