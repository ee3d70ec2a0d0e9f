"""What models can and may cost, through a real server, by the Python client."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from streamchat_nb.client.client import Client
from streamchat_nb.errors import InvalidInput
from streamchat_nb.testing.fake_endpoint import running_fake_endpoint
from streamchat_nb.testing.server_process import ServerProcess
from tests.integration.server.wire import api

if TYPE_CHECKING:
    from collections.abc import Iterator


class Person(msgspec.Struct):
    name: str
    born: int


@pytest.fixture(scope="module")
def server() -> Iterator[ServerProcess]:
    with (
        running_fake_endpoint() as url,
        ServerProcess(
            [
                f"--StreamchatExtension.base_url={url}",
                "--StreamchatExtension.model=priced",
                "--StreamchatExtension.prices={'priced': {'input': 2, 'output': 10}}",
                "--StreamchatExtension.turn_limits={'conversation_tokens': 4000}",
                "--StreamchatExtension.offline_pace_s=0",
            ]
        ) as server,
    ):
        yield server


def test_answer_is_a_value_of_the_wanted_type(server: ServerProcess) -> None:
    async def run() -> None:
        async with Client(server.address) as client:
            conversation = await client.create()
            await conversation.configure(model="offline-demo")
            answer = await conversation.ask("Who was it?", output=Person)
            assert answer.output == Person(name="example", born=1)
            assert answer.cost is None, "nobody is billed for the demo"
            asked = conversation.state.messages[0]
            assert asked.output_schema is not None
            with pytest.raises(InvalidInput, match="output_schema is no JSON Schema"):
                await conversation.send("Who?", output_schema={"type": 5})

    asyncio.run(run())


def test_answer_has_a_cost_and_a_conversation_its_ceiling(
    server: ServerProcess,
) -> None:
    async def run() -> None:
        async with Client(server.address) as client:
            conversation = await client.create()
            first = await conversation.ask("2 + 2")
            assert first.status == "completed"
            assert first.usage is not None
            assert first.cost is not None
            assert 0 < first.cost < 0.05
            assert conversation.state.cost == pytest.approx(first.cost)
            answer = first
            for _ in range(20):
                answer = await conversation.ask("/demo long 300")
                if answer.error is not None:
                    break
            assert answer.error is not None
            assert answer.error.code == "budget_reached"
            assert "4,000 tokens for this conversation" in answer.error.message
            used: Any = conversation.state.usage
            assert used.input_tokens + used.output_tokens <= 4_000

    asyncio.run(run())


def test_models_can_be_listed_and_chosen(server: ServerProcess) -> None:
    async def run() -> None:
        listed = await api(server).request("GET", "models")
        assert [m["id"] for m in listed["models"] if m["default"]] == ["priced"]
        assert listed["source"] in ("endpoint", "settings")
        async with Client(server.address) as client:
            conversation = await client.create()
            await conversation.configure(effort="low", thinking=True)
            assert conversation.state.settings == {"effort": "low", "thinking": True}
            answer = await conversation.ask("2 + 2")
            assert answer.status == "completed"
            with pytest.raises(InvalidInput, match="effort"):
                await conversation.configure(effort="utmost")

    asyncio.run(run())
