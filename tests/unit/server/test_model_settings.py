from __future__ import annotations

import asyncio
import math
from typing import TYPE_CHECKING, Any

import pytest
from traitlets import TraitError
from typing_extensions import override

from streamchat_nb.agent.agent import Agent, AgentEvent, Turn
from streamchat_nb.agent.model import ModelDescription
from streamchat_nb.errors import ModelError
from streamchat_nb.server.model_choices import ModelChoices
from streamchat_nb.server.model_settings import (
    checked_prices,
    checked_server_tools,
    checked_turn_limits,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from streamchat_nb.errors import StreamchatError


@pytest.mark.parametrize(
    ("limits", "fault"),
    [
        ({"stepps": 3}, "unknown stepps; known are steps"),
        ({"cost_usd": 0}, "cost_usd must be above 0"),
        ({"cost_usd": math.nan}, "cost_usd must be above 0"),
        ({"tokens": "many"}, "turn_limits"),
    ],
)
def test_limits_that_cannot_be_say_why(limits: dict[str, Any], fault: str) -> None:
    with pytest.raises(TraitError, match=fault):
        checked_turn_limits(limits)


def test_limits_from_a_command_line_are_texts() -> None:
    limits = checked_turn_limits({"cost_usd": "0.25", "steps": "3"})
    assert (limits.cost_usd, limits.steps, limits.tool_calls) == (0.25, 3, 50)


@pytest.mark.parametrize(
    ("price", "fault"),
    [
        ({"input": 1}, "missing required field"),
        ({"input": 1, "output": 2, "cache_reed": 1}, "unknown cache_reed"),
        ({"input": -1, "output": 2}, "input must be a price"),
        ({"input": math.inf, "output": 2}, "input must be a price"),
        ({"input": 1, "output": 2, "cache_read": -5}, "cache_read must be a price"),
        (3, "prices: 'm'"),
    ],
)
def test_prices_that_cannot_be_say_why(price: object, fault: str) -> None:
    with pytest.raises(TraitError, match=fault):
        checked_prices({"m": price})


@pytest.mark.parametrize("tool", ["web-search", 3, {"name": "x"}, {"type": "x_1"}])
def test_server_tools_that_cannot_be_say_why(tool: object) -> None:
    with pytest.raises(TraitError, match="server_tools"):
        checked_server_tools([tool])


class Listing(Agent):
    name = "assistant"
    model_name = "own"

    def __init__(self, *answers: list[ModelDescription] | StreamchatError) -> None:
        self.answers = list(answers)
        self.asked = 0

    @override
    async def run(self, turn: Turn) -> AsyncIterator[AgentEvent]:
        return
        yield

    @override
    async def models(self) -> list[ModelDescription]:
        self.asked += 1
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer


def test_models_are_those_of_the_endpoint_and_the_own_one() -> None:
    agent = Listing([ModelDescription(id="a", name="A", efforts=("low",))])

    async def twice() -> None:
        choices = ModelChoices()
        found = await choices.of(agent)
        assert [(m.id, m.default) for m in found.models] == [
            ("own", True),
            ("a", False),
        ]
        assert found.source == "endpoint"
        assert await choices.of(agent) is found

    asyncio.run(twice())
    assert agent.asked == 1


@pytest.mark.parametrize(
    ("code", "problem"),
    [("model_not_found", None), ("model_unreachable", "It is away.")],
)
def test_own_model_is_left_where_the_endpoint_lists_none(
    code: str, problem: str | None
) -> None:
    agent = Listing(ModelError("It is away.", code=code))
    found = asyncio.run(ModelChoices().of(agent))
    assert [m.id for m in found.models] == ["own"]
    assert (found.source, found.problem) == ("settings", problem)
