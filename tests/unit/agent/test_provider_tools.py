from __future__ import annotations

import asyncio
import json
import os
from pathlib import Path
from typing import Any

import httpx2
import pytest
from typing_extensions import override

from streamchat_nb.agent.anthropic_agent import AnthropicAgent
from streamchat_nb.agent.anthropic_model import AnthropicModel
from streamchat_nb.agent.provider_tools import ProviderTools
from streamchat_nb.protocol.content import ProviderBlock, TextBlock
from streamchat_nb.protocol.events import BlockCompleted, ToolCompleted, ToolRequested
from streamchat_nb.testing.agent_run import AgentRun, run_agent

CORPORA = Path(
    os.environ.get("STREAMCHAT_CORPORA")
    or Path(__file__).parents[4] / "shared" / "corpora"
)


class Recording(httpx2.AsyncBaseTransport):
    """Plays a recorded stream; once more as it is for each further request."""

    def __init__(self, name: str) -> None:
        path = CORPORA / "sse" / "vercel-ai" / f"anthropic-{name}.chunks.txt"
        if not path.exists():
            pytest.skip(f"no recorded streams in {CORPORA}; set STREAMCHAT_CORPORA")
        lines = path.read_bytes().splitlines()
        self.body = b"".join(b"data: " + line + b"\n\n" for line in lines if line)
        self.sent: list[dict[str, Any]] = []

    @override
    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        self.sent.append(json.loads(request.content))
        headers = {"content-type": "text/event-stream"}
        return httpx2.Response(
            200, headers=headers, stream=httpx2.ByteStream(self.body)
        )


def run(name: str, *tools: str) -> tuple[AgentRun, Recording]:
    recording = Recording(name)
    model = AnthropicModel(
        base_url="https://api.anthropic.com", api_key="k", transport=recording
    )

    async def ask() -> AgentRun:
        agent = AnthropicAgent(model, server_tools=tools)
        try:
            return await run_agent(agent, "What is new?")
        finally:
            await agent.close()

    return asyncio.run(ask()), recording


def test_search_is_told_as_a_tool_call_with_its_links() -> None:
    done, recording = run("web-search-tool.1", "web_search")
    assert done.answer.status == "completed"
    assert recording.sent[0]["tools"] == [
        {"type": "web_search_20250305", "name": "web_search", "max_uses": 5}
    ]
    (call,) = done.answer.tool_calls
    assert (call.name, call.where, call.status) == ("web_search", "provider", "ok")
    assert call.label.startswith("Searching the web for “tech news")
    assert call.input["query"].startswith("tech news")
    assert call.output is not None
    assert "https://" in call.output
    assert call.actions
    assert all(action.href for action in call.actions)
    assert done.answer.usage is not None
    assert done.answer.usage.web_search_requests == 1


def test_blocks_of_the_endpoint_go_back_to_it_as_they_came() -> None:
    done, _ = run("web-search-tool.1", "web_search")
    kinds = [block["type"] for block in done.history[-1]["content"]]
    assert kinds[:2] == ["server_tool_use", "web_search_tool_result"]
    result = done.history[-1]["content"][1]
    assert result["content"][0]["encrypted_content"]


def test_citations_stay_with_their_text() -> None:
    done, _ = run("web-search-tool.1", "web_search")
    cited = [
        block.content.citations
        for block in done.state.messages[-1].blocks
        if isinstance(block.content, TextBlock) and block.content.citations
    ]
    assert cited
    assert cited[0][0]["url"].startswith("http")
    assert cited[0][0]["cited_text"]


def test_fetched_page_and_run_code_say_what_came() -> None:
    fetched, _ = run("web-fetch-tool.1", "web_fetch")
    page = fetched.answer.tool_calls[0]
    assert (page.status, page.name) == ("ok", "web_fetch")
    assert page.output is not None
    assert page.input["url"] in page.output
    ran, _ = run("code-execution-20250825.1", "code_execution")
    assert ran.answer.tool_calls
    for call in ran.answer.tool_calls:
        assert call.status in ("ok", "error")
        assert call.risk == "exec"
        assert call.output


def block(data: dict[str, Any], *, message: str = "m1") -> BlockCompleted:
    content = ProviderBlock(data=data)
    return BlockCompleted(
        message=message, block="b0", kind="server_tool", content=content
    )


def use(id_: str = "s1", **input_: Any) -> dict[str, Any]:
    return {"type": "server_tool_use", "id": id_, "name": "web_search", "input": input_}


def test_result_may_come_in_a_later_message() -> None:
    tools = ProviderTools(output_limit_bytes=1_000)
    requested = tools.feed(block(use(query="q")))
    assert isinstance(requested[0], ToolRequested)
    result = {
        "type": "web_search_tool_result",
        "tool_use_id": "s1",
        "content": {"type": "web_search_tool_result_error", "error_code": "too_many"},
    }
    (end,) = tools.feed(block(result, message="m2"))
    assert isinstance(end, ToolCompleted)
    assert (end.status, end.output) == (
        "error",
        "The endpoint could not do it: too many.",
    )
    assert tools.feed(block(result, message="m3")) == []


def test_call_of_a_void_message_ends() -> None:
    tools = ProviderTools(output_limit_bytes=1_000)
    tools.feed(block(use()))
    tools.feed(block(use("s2"), message="m2"))
    (end,) = tools.discard("m1")
    assert isinstance(end, ToolCompleted)
    assert (end.tool_call, end.status) == ("s1", "cancelled")
    assert tools.discard("m1") == []


@pytest.mark.parametrize(
    "data",
    [
        {},
        {"type": "server_tool_use"},
        {"type": "server_tool_use", "id": "s", "name": None, "input": None},
        {"type": "web_search_tool_result", "tool_use_id": "unknown", "content": 3},
        {"type": "compaction", "content": "…"},
    ],
)
def test_odd_blocks_say_nothing(data: dict[str, Any]) -> None:
    tools = ProviderTools(output_limit_bytes=1_000)
    assert [e for e in tools.feed(block(data)) if isinstance(e, ToolCompleted)] == []


@pytest.mark.parametrize("content", [None, 3, [], [3], {"content": [1]}, {"url": 5}])
def test_odd_results_end_their_call(content: object) -> None:
    tools = ProviderTools(output_limit_bytes=1_000)
    tools.feed(block(use()))
    result = {"type": "x_tool_result", "tool_use_id": "s1", "content": content}
    (end,) = tools.feed(block(result))
    assert isinstance(end, ToolCompleted)
    assert end.output
