"""What users' type checkers see of the public names; ``make types`` checks it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, assert_type

import pytest

import streamchat_nb
from streamchat_nb import Answer, StreamchatError, ToolContext, ToolResult, tool
from streamchat_nb.protocol.content import Action, ErrorBody, Usage
from streamchat_nb.widget.chat import ChatMessage

if TYPE_CHECKING:
    from streamchat_nb import Chat
    from streamchat_nb.client.client import Client


@tool
def add(first: int, second: int = 0) -> int:
    """Add two numbers."""
    return first + second


@tool(name="shout_it", timeout_s=5.0)
async def shout(text: str, context: ToolContext) -> ToolResult:
    """Write a text in capitals."""
    context.progress("shouting", 0.5)
    return ToolResult(output=text.upper())


def test_version_is_text() -> None:
    assert_type(streamchat_nb.__version__, str)
    assert streamchat_nb.__version__


def test_tool_called_as_a_function_keeps_its_types() -> None:
    assert assert_type(add(1, second=2), int) == 3


def test_tool_called_with_the_wrong_type_is_seen() -> None:
    with pytest.raises(TypeError):
        add("one")  # pyright: ignore[reportArgumentType] - this is the expectation


def test_tool_made_with_options_keeps_its_types() -> None:
    reports: list[tuple[str, float | None]] = []
    context = ToolContext(
        conversation="c",
        turn="t",
        tool_call="u",
        report=lambda text, fraction: reports.append((text, fraction)),
        is_cancelled=lambda: False,
    )

    result = assert_type(asyncio.run(shout("hello", context)), ToolResult)

    assert assert_type(result.output, str) == "HELLO"
    assert not assert_type(context.cancelled, bool)
    assert reports == [("shouting", 0.5)]


def test_error_tells_its_code() -> None:
    error = StreamchatError("It broke.")

    assert_type(error.code, str)
    assert assert_type(error.message, str) == "It broke."


def expect_types_of_chat(chat: Chat) -> None:
    """Expect what a notebook works with; nothing runs."""
    assert_type(chat.conversation, str)
    assert_type(chat.status, str)
    assert_type(chat.messages, list[ChatMessage])
    assert_type(chat.messages[0].text, str)
    assert_type(chat.ask("Who is Ada?", timeout_s=5), Answer)


def expect_types_of_an_answer(answer: Answer) -> None:
    """Expect what a script reads from an answer; nothing runs."""
    assert_type(answer.text, str)
    assert_type(answer.actions, list[Action])
    assert_type(answer.usage, Usage | None)
    assert_type(answer.error, ErrorBody | None)


async def expect_types_of_a_client(client: Client) -> None:
    """Expect what another tool works with; nothing runs."""
    conversation = await client.create()
    assert_type(await conversation.ask("Who is Ada?"), Answer)
    assert_type(await conversation.send("Who is Ada?"), str)
