"""Endpoints that depart from Anthropic's own: whole turns, by real HTTP."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from streamchat_nb.agent.anthropic_model import AnthropicModel, EndpointProfile
from streamchat_nb.testing.agent_run import run_agent
from streamchat_nb.testing.fake_endpoint import FakeEndpoint
from streamchat_nb.testing.quirks import PLAIN, QUIRKS, Quirk
from streamchat_nb.tools.contacts import search_contacts
from tests.integration.agent.test_fake_endpoint_in_process import serving

if TYPE_CHECKING:
    from streamchat_nb.testing.agent_run import AgentRun

PIXEL = (
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJ"
    "RU5ErkJggg=="
)
IMAGE = {"type": "base64", "media_type": "image/png", "data": PIXEL}
ASKED: list[dict[str, Any]] = [
    {
        "role": "user",
        "content": [
            {"type": "image", "source": IMAGE},
            {"type": "text", "text": "Who is Ada?"},
        ],
    }
]


def ask(quirk: Quirk, profile: EndpointProfile | None = None) -> AgentRun:
    async def run() -> AgentRun:
        async with serving(FakeEndpoint(quirk=quirk)) as url:
            model = AnthropicModel("m", base_url=url, api_key="k", profile=profile)
            try:
                return await run_agent(model, ASKED, tools=[search_contacts])
            finally:
                await model.close()

    return asyncio.run(run())


def told(run: AgentRun) -> tuple[Any, ...]:
    calls = [(c.name, c.input, c.status, c.output) for c in run.answer.tool_calls]
    return run.answer.status, run.answer.text, calls


@pytest.fixture(scope="module")
def plain() -> tuple[Any, ...]:
    status, text, calls = told(ask(PLAIN))
    assert status == "completed"
    assert "Ada" in text
    assert calls[0][0] == "search_contacts"
    return status, text, calls


@pytest.mark.parametrize("name", QUIRKS)
def test_endpoint_with_a_quirk_gives_the_same_answer(
    name: str, plain: tuple[Any, ...]
) -> None:
    assert told(ask(QUIRKS[name])) == plain


def test_refused_caching_is_left_out_where_it_was_expected(
    plain: tuple[Any, ...],
) -> None:
    expecting = EndpointProfile(caching=True)
    assert told(ask(QUIRKS["refuses caching"], expecting)) == plain
