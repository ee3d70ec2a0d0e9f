"""Agents by name: where they come from, who is kept, what another one is told."""

from __future__ import annotations

import asyncio
import sys
import threading
from dataclasses import replace
from types import ModuleType
from typing import TYPE_CHECKING, Any

import pytest
from typing_extensions import override

from streamchat_nb.agent.agent import Agent
from streamchat_nb.agent.anthropic_agent import AnthropicAgent
from streamchat_nb.conversation.memory import MemoryStore
from streamchat_nb.errors import InvalidInput, UsageError
from streamchat_nb.protocol.content import ProviderBlock, TextBlock, ThinkingBlock
from streamchat_nb.server import agents as agents_module
from streamchat_nb.server.agents import AgentChoice, Agents
from streamchat_nb.server.service import Service
from streamchat_nb.server.settings import Settings
from streamchat_nb.server.wiring import agent_names, make_agent
from streamchat_nb.testing.request_validation import check_request
from streamchat_nb.testing.scripted_model import ScriptedModel, script, tool_use
from streamchat_nb.tools.decorator import tool
from streamchat_nb.tools.registry import ToolSet
from tests.unit.server.echo_service import ADA, EchoAgent, ended, send

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

END_S = 30.0


async def says(turn: Any) -> AsyncIterator[str]:
    """Say something."""
    yield turn.text


@pytest.fixture
def module(monkeypatch: pytest.MonkeyPatch) -> str:
    made: Any = ModuleType("agent_samples")
    made.says = says
    made.Echo = EchoAgent
    made.echo = EchoAgent()
    made.make = lambda: says
    made.fails = lambda: 1 / 0
    made.number = 7
    monkeypatch.setitem(sys.modules, "agent_samples", made)
    monkeypatch.delenv("ANTHROPIC_API_KEY", raising=False)
    monkeypatch.delenv("ANTHROPIC_AUTH_TOKEN", raising=False)
    return "agent_samples"


@pytest.mark.parametrize("place", ["says", "Echo", "echo", "make"])
def test_agent_is_loaded_from_what_it_is_or_what_makes_it(
    module: str, place: str
) -> None:
    settings = Settings(agents={"mine": f"{module}:{place}"})
    agent = make_agent(settings, AgentChoice(agent="mine"))
    assert isinstance(agent, Agent)
    assert agent.name == "mine"
    assert agent_names(settings) == ["assistant", "mine"]


@pytest.mark.parametrize(
    ("place", "why"),
    [
        ("fails", "ZeroDivisionError"),
        ("number", r"\(int\) is no agent"),
        ("nothing", "AttributeError"),
    ],
)
def test_agent_that_cannot_be_loaded_says_which_and_why(
    module: str, place: str, why: str
) -> None:
    settings = Settings(agents={"mine": f"{module}:{place}"})
    with pytest.raises(UsageError, match=why) as refused:
        make_agent(settings, AgentChoice(agent="mine"))
    assert refused.value.message.startswith("StreamchatExtension.agents['mine'] = ")


def test_default_is_the_built_in_one_a_name_or_what_takes_its_place(
    module: str,
) -> None:
    plain = Settings(agents={"mine": f"{module}:says"}, model="offline-demo")
    assert make_agent(plain, AgentChoice()).name == "assistant"
    named = replace(plain, agent="mine")
    assert make_agent(named, AgentChoice()).name == "mine"
    assert make_agent(named, AgentChoice(agent="assistant")).name == "assistant"
    replaced = replace(plain, agent=f"{module}:Echo")
    assert make_agent(replaced, AgentChoice()).name == "echo"
    assert agent_names(replaced) == ["mine"]
    with pytest.raises(InvalidInput, match="there is 'mine'"):
        make_agent(replaced, AgentChoice(agent="assistant"))
    with pytest.raises(UsageError, match="'assistant', 'mine'"):
        make_agent(replace(plain, agent="other"), AgentChoice())


class Closing(Agent):
    def __init__(self, name: str) -> None:
        self.name = name
        self.closed = False

    @override
    async def run(self, turn: Any) -> AsyncIterator[Any]:
        return
        yield

    @override
    async def close(self) -> None:
        self.closed = True


def test_agents_of_old_choices_are_closed_and_named_ones_stay(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def scenario() -> None:
        made: dict[AgentChoice, Closing] = {}

        def make(choice: AgentChoice) -> Closing:
            made[choice] = Closing(choice.agent or "assistant")
            return made[choice]

        agents = Agents(make, lambda: ["other"])
        default = await agents.open()
        assert await agents.get(AgentChoice(agent="assistant")) is default
        other = await agents.get(AgentChoice(agent="other", model="passed over"))
        choices = [AgentChoice(model=f"m{number}") for number in range(4)]
        for choice in choices:
            await agents.get(choice)
        await agents.close_unused({id(made[choices[0]])})
        closed = [choice for choice in made if made[choice].closed]
        assert closed == choices[1:]  # the first one answers now
        assert other is made[AgentChoice(agent="other")]
        await agents.close()
        assert all(agent.closed for agent in made.values())

    monkeypatch.setattr(agents_module, "MOST_AGENTS", 2)
    asyncio.run(scenario())


def test_agent_that_is_slow_to_make_is_made_once_and_keeps_no_other_waiting() -> None:
    slow = AgentChoice(agent="slow")
    finish = threading.Event()
    made: list[AgentChoice] = []

    def make(choice: AgentChoice) -> Closing:
        made.append(choice)
        if choice == slow:
            assert finish.wait(END_S)
        return Closing(choice.agent or "assistant")

    async def scenario() -> None:
        agents = Agents(make, lambda: ["slow", "other"])
        default = await agents.open()
        waiting = [asyncio.ensure_future(agents.get(slow)) for _ in range(3)]
        try:
            async with asyncio.timeout(END_S):
                while slow not in made:
                    await asyncio.sleep(0.001)
                assert await agents.get(AgentChoice()) is default
                assert (await agents.get(AgentChoice(agent="other"))).name == "other"
                assert not any(task.done() for task in waiting)
        finally:
            finish.set()
        assert len(set(await asyncio.gather(*waiting))) == 1
        assert made.count(slow) == 1

    asyncio.run(scenario())


def test_agents_may_be_closed_by_two_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    closed: list[str | None] = []

    class Slow(Closing):
        def __init__(self, choice: AgentChoice) -> None:
            super().__init__("assistant")
            self.model = choice.model

        @override
        async def close(self) -> None:
            await asyncio.sleep(0)
            closed.append(self.model)

    async def scenario() -> None:
        agents = Agents(Slow)
        await agents.open()
        for number in range(4):
            await agents.get(AgentChoice(model=f"m{number}"))
        await asyncio.gather(agents.close_unused(set()), agents.close_unused(set()))
        assert closed == ["m0", "m1", "m2"]

    monkeypatch.setattr(agents_module, "MOST_AGENTS", 2)
    asyncio.run(scenario())


def test_conversations_that_are_made_with_many_models_keep_few_agents(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made: list[Closing] = []

    def make(_: AgentChoice) -> Closing:
        made.append(Closing("assistant"))
        return made[-1]

    async def scenario() -> None:
        service = Service(
            Settings(),
            store=MemoryStore(),
            make_agent=make,
            make_tools=lambda: ToolSet([]),
        )
        await service.start()
        try:
            for number in range(4):
                await service.create(ADA, choice=AgentChoice(model=f"m{number}"))
            closed = [agent.closed for agent in made]
        finally:
            await service.stop()
        assert closed == [False, True, True, True, False]

    async def main() -> None:
        async with asyncio.timeout(END_S):
            await scenario()

    monkeypatch.setattr(agents_module, "MOST_AGENTS", 2)
    asyncio.run(main())


@tool
def look() -> str:
    """Look around."""
    return "a table"


def test_history_that_changes_hands_is_valid_for_everyone() -> None:
    search: dict[str, Any] = {
        "type": "server_tool_use",
        "id": "s1",
        "name": "web_search",
        "input": {},
    }
    found: dict[str, Any] = {
        "type": "web_search_tool_result",
        "tool_use_id": "s1",
        "content": [],
    }
    thinker = ScriptedModel(
        [
            script(
                ThinkingBlock(thinking="hm", signature="mine"),
                tool_use("look", id_="toolu_1"),
            ),
            script(
                ThinkingBlock(thinking="so", signature="mine"),
                ProviderBlock(data=search),
                ProviderBlock(data=found),
                TextBlock(text="A table."),
            ),
            script("Yes."),
        ],
        name="thinker",
    )
    other = ScriptedModel(
        [script(tool_use("look", id_="toolu_1")), script("A table, too.")], name="other"
    )
    models = {"assistant": thinker, "other": other}

    def make(choice: AgentChoice) -> Agent:
        name = choice.agent or "assistant"
        return AnthropicAgent(models[name], name=name)

    async def scenario() -> None:
        service = Service(
            Settings(),
            store=MemoryStore(),
            make_agent=make,
            make_tools=lambda: ToolSet([look]),
            agent_names=lambda: ["other"],
        )
        await service.start()
        try:
            log = await service.create(ADA)
            for name in ("assistant", "other", "assistant"):
                await service.configure(ADA, log.id, {"agent": name})
                id_ = f"w{len(log.state.turns)}"
                receipt = await send(service, log, f"{name}?", id_=id_)
                turn = await ended(log, receipt.turn)
                assert turn.status == "completed", turn.error
            agents = [(turn.agent, turn.model) for turn in log.state.turns]
            assert agents[::2] == [("assistant", "thinker")] * 2
            assert agents[1] == ("other", "other")
        finally:
            await service.stop()

    async def main() -> None:
        async with asyncio.timeout(30):
            await scenario()

    asyncio.run(main())
    for model in models.values():
        for request in model.requests:
            check_request(
                {
                    "model": model.name,
                    "max_tokens": 1,
                    "messages": request.messages,
                    "tools": request.tools,
                }
            )

    def kinds(request: Any) -> list[str]:
        return [
            block["type"]
            for message in request.messages
            if message["role"] == "assistant"
            for block in message["content"]
        ]

    # To another one go the words and the calls; back home everything is there again.
    assert kinds(other.requests[0]) == ["tool_use", "text"]
    assert kinds(thinker.requests[2]) == [
        *("thinking", "tool_use", "thinking"),
        *("server_tool_use", "web_search_tool_result", "text"),
        *("tool_use", "text"),
    ]
    ids = [
        block["id"]
        for message in thinker.requests[2].messages
        for block in message["content"]
        if block["type"] == "tool_use"
    ]
    assert len(set(ids)) == 2
