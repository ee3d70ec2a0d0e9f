from __future__ import annotations

from typing import Any

import pytest

from streamchat_nb.testing.request_validation import RequestRefused, check_request

Message = dict[str, Any]

USE: Message = {"type": "tool_use", "id": "t1", "name": "n", "input": {}}
RESULT: Message = {"type": "tool_result", "tool_use_id": "t1", "content": "r"}
TOOL: Message = {"name": "n", "description": "d", "input_schema": {"type": "object"}}
ASK: Message = {"role": "user", "content": "Hi"}


def user(*blocks: object) -> Message:
    return {"role": "user", "content": list(blocks)}


def assistant(*blocks: object) -> Message:
    return {"role": "assistant", "content": list(blocks)}


def text(value: str) -> Message:
    return {"type": "text", "text": value}


def request(*messages: object, **fields: object) -> dict[str, Any]:
    body = {"model": "m", "max_tokens": 1, "messages": list(messages) or [ASK]}
    return {**body, **fields}


@pytest.mark.parametrize(
    "body",
    [
        request(),
        request(stream=True, system="s", tools=[TOOL], tool_choice={"type": "none"}),
        request(system=[text("s")], cache_control={"type": "ephemeral"}, tools=[]),
        request(ASK, assistant(text("a")), ASK),
        request(ASK, ASK),
        request(ASK, assistant(text("a"), USE), user(RESULT, text("and?"))),
        request(ASK, assistant(USE), user({**RESULT, "content": [text("r")]})),
        request(
            ASK, assistant(USE), user({"type": "tool_result", "tool_use_id": "t1"})
        ),
        request(
            ASK,
            assistant(
                {"type": "thinking", "thinking": "", "signature": "s"},
                {"type": "redacted_thinking", "data": "x"},
                {"type": "server_tool_use", "id": "s", "name": "n", "input": {}},
                {"type": "web_search_tool_result", "tool_use_id": "s", "content": []},
                text("a"),
            ),
            user({"type": "image", "source": {}}),
        ),
    ],
)
def test_check_request_takes_valid_requests(body: dict[str, Any]) -> None:
    assert check_request(body) is body


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ([], "body: Input should be an object"),
        (request(temperature=1), "temperature: Extra inputs"),
        (request(top_p=1), "top_p: Extra inputs"),
        (request(model=""), "model: Field required"),
        (request(max_tokens=0), "max_tokens"),
        (request(max_tokens="1"), "max_tokens"),
        (request(stream="yes"), "stream: Input should be a valid boolean"),
        (request(system=""), "system: text content blocks must be non-empty"),
        (request(system=[text("")]), r"system.0: text content blocks"),
        (request(system=7), "system: Input should be a valid array"),
        (request(tools={}), "tools: Input should be a valid array"),
        (request(tools=[TOOL, TOOL]), "Tool names must be unique"),
        (request(tools=[{**TOOL, "name": "a b"}]), r"tools.0.name"),
        (request(tools=[{**TOOL, "timeout_s": 1}]), r"tools.0.timeout_s: Extra"),
        (
            request(tools=[{**TOOL, "input_schema": dict[str, Any]()}]),
            r"input_schema.type",
        ),
        (request(tool_choice={"type": "none"}), "only be specified while providing"),
        (request(tools=[TOOL], tool_choice={"type": "x"}), r"tool_choice.type"),
        (request(messages=[]), "at least one message"),
        (request(messages="Hi"), "messages: Input should be a valid array"),
        (request({**ASK, "id": "x"}), r"messages.0.id: Extra inputs"),
        (request({"role": "system", "content": "x"}), r"messages.0.role"),
        (request(assistant(text("a")), ASK), "first message must use `user`"),
        (request(ASK, assistant(text("a"))), "does not support assistant message pref"),
        (request(user()), "must have non-empty content"),
        (request({"role": "user", "content": ""}), "non-whitespace text"),
        (request(user(text(" \n"))), "non-whitespace text"),
        (request(user({"type": "text", "text": "a", "id": "b"})), r"text.id: Extra"),
        (request(user("a")), r"content.0: Input should be an object"),
        (request(user({"type": "provider", "data": {}})), "Input tag 'provider'"),
        (request(user(USE)), "Input tag 'tool_use'"),
        (request(ASK, assistant(RESULT), ASK), "Input tag 'tool_result'"),
        (request(ASK, assistant({"type": "thinking"}), ASK), r"signature: Field req"),
        (request(ASK, assistant({**USE, "id": "a b"}), ASK), r"tool_use.id"),
        (request(ASK, assistant({**USE, "name": ""}), ASK), r"tool_use.name"),
        (request(ASK, assistant({**USE, "input": "{}"}), ASK), r"tool_use.input"),
        (request(ASK, assistant(USE), ASK), "were found without `tool_result`"),
        (request(user(RESULT)), "unexpected `tool_use_id`"),
        (request(ASK, assistant(USE), user(RESULT, RESULT)), "unexpected `tool_use_id"),
        (request(ASK, assistant(USE), ASK, user(RESULT)), "were found without"),
        (request(ASK, assistant(USE), user(text("a"), RESULT)), "must come first"),
        (request(ASK, assistant(USE, USE), user(RESULT)), "ids must be unique"),
        (
            request(ASK, assistant(USE), user(RESULT), assistant(USE), user(RESULT)),
            "ids must be unique",
        ),
        (
            request(ASK, assistant(USE), user({"type": "tool_result"})),
            r"tool_use_id: Field required",
        ),
        (
            request(
                ASK, assistant(USE), user({**RESULT, "content": "", "is_error": True})
            ),
            "cannot be empty if `is_error`",
        ),
        (
            request(ASK, assistant(USE), user({**RESULT, "content": [text("")]})),
            "non-whitespace text",
        ),
    ],
)
def test_check_request_refuses_others(body: object, reason: str) -> None:
    with pytest.raises(RequestRefused, match=reason):
        check_request(body)
