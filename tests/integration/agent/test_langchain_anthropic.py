"""LangChain's own model for Claude in a graph, over HTTP."""

from __future__ import annotations

import asyncio
import json
from importlib import import_module
from typing import TYPE_CHECKING, Any

import pytest
from aiohttp import web
from langchain_anthropic import ChatAnthropic
from langchain_core.tools import tool

from streamchat_nb.agent.any_agent import agent_of
from streamchat_nb.protocol import events as e
from streamchat_nb.protocol.content import ThinkingBlock, Usage
from streamchat_nb.testing.fake_endpoint import running_fake_endpoint
from tests.integration.agent.graph_conversation import Conversation, conversation

if TYPE_CHECKING:
    from collections.abc import Generator

create_agent: Any = import_module("langchain.agents").create_agent
Steps = list[tuple[str, dict[str, Any]]]


@tool
async def search_contacts(query: str) -> str:
    """Search for people."""
    return f"Found {query} Lovelace"


@pytest.fixture(scope="module")
def url() -> Generator[str]:
    with running_fake_endpoint() as address:
        yield address


def graph_at(url: str, **options: Any) -> Any:
    made: Any = ChatAnthropic
    model = made(
        model="claude-sonnet-5-5",
        base_url=url,
        api_key="none",
        max_tokens=2_000,
        max_retries=0,
        **options,
    )
    return create_agent(model, [search_contacts])


def texts(talk: Conversation) -> list[str]:
    return [
        "".join(b.text for b in m.blocks if b.kind == "text")
        for m in talk.state.messages
        if m.role == "assistant"
    ]


def test_tools_run_and_words_stream(url: str) -> None:
    async def scenario() -> None:
        async with conversation() as talk:
            agent = agent_of(graph_at(url))
            end = await talk.ask(agent, "Who is Ada?")
            assert end.status == "completed"
            (call,) = talk.state.tool_calls
            assert (call.name, call.output) == ("search_contacts", "Found Ada Lovelace")
            assert "Found Ada Lovelace" in texts(talk)[-1]
            deltas = [v.delta for v in talk.events if isinstance(v, e.BlockDelta)]
            assert len(deltas) > 10
            assert end.usage is not None
            assert (end.usage.output_tokens or 0) > 0
            # The whole history goes along, and the endpoint takes it.
            assert (await talk.ask(agent, "What is 6*7?")).status == "completed"
            assert "42" in texts(talk)[-1]

    asyncio.run(scenario())


@pytest.mark.parametrize("fault", ["/fault 529", "/demo error", "/fault reset"])
def test_what_the_endpoint_does_wrong_ends_the_turn(url: str, fault: str) -> None:
    async def scenario() -> None:
        async with conversation() as talk:
            agent = agent_of(graph_at(url))
            assert (await talk.ask(agent, fault)).status == "failed"
            assert (await talk.ask(agent, "What is 6*7?")).status == "completed"

    asyncio.run(scenario())


def block(index: int, kind: dict[str, Any], *deltas: dict[str, Any]) -> Steps:
    start = {"index": index, "content_block": kind}
    return [
        ("content_block_start", start),
        *(("content_block_delta", {"index": index, "delta": d}) for d in deltas),
        ("content_block_stop", {"index": index}),
    ]


def reply(stop_reason: str, *blocks: Steps) -> bytes:
    usage = {"input_tokens": 12, "cache_read_input_tokens": 5, "output_tokens": 1}
    message: dict[str, Any] = {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "claude-sonnet-5-5",
        "content": [],
        "stop_reason": None,
        "usage": usage,
    }
    steps: Steps = [("message_start", {"message": message})]
    for each in blocks:
        steps += each
    delta = {"stop_reason": stop_reason, "stop_sequence": None}
    told = {**usage, "output_tokens": 9}
    steps.append(("message_delta", {"delta": delta, "usage": told}))
    steps.append(("message_stop", {}))
    return b"".join(
        f"event: {name}\ndata: {json.dumps({'type': name, **data})}\n\n".encode()
        for name, data in steps
    )


THOUGHTS = block(
    0,
    {"type": "thinking", "thinking": "", "signature": ""},
    {"type": "thinking_delta", "thinking": "A name: "},
    {"type": "thinking_delta", "thinking": "search."},
    {"type": "signature_delta", "signature": "c2lnbmVk"},
)
SEARCH = block(
    1,
    {"type": "tool_use", "id": "toolu_1", "name": "search_contacts", "input": {}},
    {"type": "input_json_delta", "partial_json": '{"query": '},
    {"type": "input_json_delta", "partial_json": '"Ada"}'},
)
ANSWER = block(
    0,
    {"type": "text", "text": ""},
    {"type": "text_delta", "text": "It is "},
    {"type": "text_delta", "text": "Ada."},
)


def test_thinking_is_shown_apart_and_usage_is_counted() -> None:
    replies = [reply("tool_use", THOUGHTS, SEARCH), reply("end_turn", ANSWER)]
    asked: list[dict[str, Any]] = []

    async def answer(request: web.Request) -> web.Response:
        asked.append(await request.json())
        body = replies[len(asked) - 1]
        return web.Response(body=body, content_type="text/event-stream")

    async def scenario() -> None:
        app = web.Application()
        app.router.add_post("/v1/messages", answer)
        runner = web.AppRunner(app)
        await runner.setup()
        try:
            site = web.TCPSite(runner, "127.0.0.1", 0)
            await site.start()
            port = runner.addresses[0][1]
            thinking = {"type": "adaptive"}
            graph = graph_at(f"http://127.0.0.1:{port}", thinking=thinking)
            async with conversation() as talk:
                end = await talk.ask(agent_of(graph), "Who is Ada?")
                assert end.status == "completed"
                first = talk.state.messages[1]
                assert first.blocks[0].content == ThinkingBlock(
                    thinking="A name: search."
                )
                assert talk.state.tool_calls[0].input == {"query": "Ada"}
                assert texts(talk) == ["", "It is Ada."]
                assert end.usage == Usage(
                    input_tokens=24, output_tokens=18, cache_read_input_tokens=10
                )
        finally:
            await runner.cleanup()
        # The graph keeps the signature for the model, inside its own run.
        assert asked[1]["messages"][1]["content"][0]["signature"] == "c2lnbmVk"

    asyncio.run(scenario())
