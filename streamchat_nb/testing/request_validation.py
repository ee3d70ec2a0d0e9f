"""What the Messages API refuses: as strict as the real one where it matters."""

from __future__ import annotations

import re
from typing import Any, cast

__all__ = ["RequestRefused", "check_request"]

_FIELDS = frozenset(
    {
        "cache_control",
        "container",
        "max_tokens",
        "messages",
        "metadata",
        "model",
        "output_config",
        "service_tier",
        "stop_sequences",
        "stream",
        "system",
        "thinking",
        "tool_choice",
        "tools",
    }
)
_BLOCK_FIELDS: dict[str, frozenset[str]] = {
    "text": frozenset({"text", "citations"}),
    "image": frozenset({"source"}),
    "document": frozenset({"source", "title", "context", "citations"}),
    "thinking": frozenset({"thinking", "signature"}),
    "redacted_thinking": frozenset({"data"}),
    "tool_use": frozenset({"id", "name", "input", "caller"}),
    "tool_result": frozenset({"tool_use_id", "content", "is_error"}),
    "server_tool_use": frozenset({"id", "name", "input", "caller"}),
}
_USER_BLOCKS = frozenset({"text", "image", "document", "tool_result"})
_ID = re.compile(r"[A-Za-z0-9_-]{1,128}")
_TOOL_FIELDS = frozenset(
    {"name", "description", "input_schema", "type", "cache_control", "strict"}
)


class RequestRefused(Exception):
    """The request is not valid; the text is what the endpoint says."""


def check_request(body: object) -> dict[str, Any]:
    """Return the body of a request, if it is valid.

    Raises:
        RequestRefused: It is not.
    """
    request = _as_object(body, "body")
    for name in request.keys() - _FIELDS:
        raise RequestRefused(f"{name}: Extra inputs are not permitted")
    model = request.get("model")
    _need(isinstance(model, str) and model, "model: Field required")
    max_tokens = request.get("max_tokens")
    _need(
        isinstance(max_tokens, int) and max_tokens > 0,
        "max_tokens: Input should be greater than or equal to 1",
    )
    _need(
        isinstance(request.get("stream", False), bool),
        "stream: Input should be a valid boolean",
    )
    _check_system(request.get("system"))
    _check_tools(request)
    _check_messages(request.get("messages"))
    return request


def _check_system(system: object) -> None:
    if isinstance(system, str):
        _need(system, "system: text content blocks must be non-empty")
    elif system is not None:
        for number, block in enumerate(_as_list(system, "system")):
            text = _as_object(block, f"system.{number}").get("text")
            _need(text, f"system.{number}: text content blocks must be non-empty")


def _check_tools(request: dict[str, Any]) -> None:
    names: set[str] = set()
    for number, item in enumerate(_as_list(request.get("tools", []), "tools")):
        where = f"tools.{number}"
        tool = _as_object(item, where)
        for name in tool.keys() - _TOOL_FIELDS:
            raise RequestRefused(f"{where}.{name}: Extra inputs are not permitted")
        name = str(tool.get("name") or "")
        _need(_ID.fullmatch(name), f"{where}.name: String should match pattern")
        _need(name not in names, "tools: Tool names must be unique.")
        names.add(name)
        schema = _as_object(tool.get("input_schema"), f"{where}.input_schema")
        _need(
            schema.get("type") == "object",
            f"{where}.input_schema.type: Input should be 'object'",
        )
    if "tool_choice" in request:
        choice = _as_object(request["tool_choice"], "tool_choice")
        _need(names, "tool_choice may only be specified while providing `tools`.")
        _need(
            choice.get("type") in {"auto", "any", "none", "tool"},
            "tool_choice.type: Input should be 'auto', 'any', 'none' or 'tool'",
        )


def _check_messages(value: object) -> None:
    messages = _as_list(value, "messages")
    _need(messages, "messages: at least one message is required")
    used: set[str] = set()
    open_ids: list[str] = []
    role = ""
    for number, item in enumerate(messages):
        where = f"messages.{number}"
        message = _as_object(item, where)
        role = str(message.get("role"))
        for name in message.keys() - {"role", "content"}:
            raise RequestRefused(f"{where}.{name}: Extra inputs are not permitted")
        _need(
            role in {"user", "assistant"},
            f"{where}.role: Input should be 'user' or 'assistant'",
        )
        _need(number or role == "user", "messages: first message must use `user` role")
        blocks = _check_content(message.get("content"), role, where)
        _check_results(blocks, open_ids, where)
        open_ids = [block["id"] for block in blocks if block["type"] == "tool_use"]
        for id_ in open_ids:
            _need(id_ not in used, f"{where}: `tool_use` ids must be unique")
            used.add(id_)
    _need(
        role == "user",
        "This model does not support assistant message prefill. The conversation "
        "must end with a user message.",
    )


def _check_results(
    blocks: list[dict[str, Any]], open_ids: list[str], where: str
) -> None:
    """Check the answers to the tool calls of the message before."""
    results = [block for block in blocks if block["type"] == "tool_result"]
    answered = [block["tool_use_id"] for block in results]
    for id_ in answered:
        _need(
            id_ in open_ids and answered.count(id_) == 1,
            f"{where}: unexpected `tool_use_id` found in `tool_result` blocks: {id_}",
        )
    missing = [id_ for id_ in open_ids if id_ not in answered]
    _need(
        not missing,
        f"{where}: `tool_use` ids were found without `tool_result` blocks immediately "
        f"after: {', '.join(missing)}",
    )
    _need(
        blocks[: len(results)] == results,
        f"{where}: `tool_result` blocks must come first in the content",
    )


def _check_content(content: object, role: str, where: str) -> list[dict[str, Any]]:
    if isinstance(content, str):
        content = [{"type": "text", "text": content}]
    blocks = _as_list(content, f"{where}.content")
    _need(blocks, f"{where}: {role} messages must have non-empty content")
    checked: list[dict[str, Any]] = []
    for number, item in enumerate(blocks):
        place = f"{where}.content.{number}"
        block = _as_object(item, place)
        _check_block(block, role, place)
        checked.append(block)
    return checked


def _check_block(block: dict[str, Any], role: str, where: str) -> None:
    kind = str(block.get("type"))
    is_known = kind in _BLOCK_FIELDS or kind.endswith("_tool_result")
    of_role = (kind in _USER_BLOCKS) if role == "user" else kind != "tool_result"
    _need(
        is_known and of_role,
        f"{where}: Input tag '{kind}' does not match any of the expected tags",
    )
    fields = _BLOCK_FIELDS.get(kind, frozenset(block))
    for name in block.keys() - fields - {"type", "cache_control"}:
        raise RequestRefused(f"{where}.{kind}.{name}: Extra inputs are not permitted")
    if kind == "text":
        text = block.get("text")
        _need(
            isinstance(text, str) and text.strip(),
            f"{where}: text content blocks must contain non-whitespace text",
        )
    elif kind == "thinking":
        _need(block.get("signature"), f"{where}.thinking.signature: Field required")
    elif kind in {"tool_use", "server_tool_use"}:
        _need(
            _ID.fullmatch(str(block.get("id"))),
            f"{where}.{kind}.id: String should match pattern",
        )
        _need(block.get("name"), f"{where}.{kind}.name: Field required")
        _as_object(block.get("input"), f"{where}.{kind}.input")
    elif kind == "tool_result":
        _check_result(block, where)


def _check_result(block: dict[str, Any], where: str) -> None:
    _need(
        isinstance(block.get("tool_use_id"), str),
        f"{where}.tool_result.tool_use_id: Field required",
    )
    content = block.get("content")
    items = cast("list[Any]", content) if isinstance(content, list) else []
    for number, item in enumerate(items):
        place = f"{where}.tool_result.content.{number}"
        _check_block(_as_object(item, place), "user", place)
    _need(
        content not in (None, "", []) or not block.get("is_error"),
        f"{where}.tool_result: content cannot be empty if `is_error` is true",
    )


def _need(condition: object, message: str) -> None:
    if not condition:
        raise RequestRefused(message)


def _as_object(value: object, where: str) -> dict[str, Any]:
    _need(isinstance(value, dict), f"{where}: Input should be an object")
    return cast("dict[str, Any]", value)


def _as_list(value: object, where: str) -> list[Any]:
    _need(isinstance(value, list), f"{where}: Input should be a valid array")
    return cast("list[Any]", value)
