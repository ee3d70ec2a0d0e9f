from __future__ import annotations

import asyncio
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamchat_nb.agent.agent import TurnLimits
from streamchat_nb.agent.anthropic_agent import AnthropicAgent
from streamchat_nb.agent.budget import BYTES_PER_TOKEN, Budget, Spent
from streamchat_nb.agent.prices import Price, price_of
from streamchat_nb.agent.retry import RetryPolicy
from streamchat_nb.errors import ModelError, UsageError
from streamchat_nb.protocol.content import Usage
from streamchat_nb.protocol.events import MessageDiscarded
from streamchat_nb.testing.agent_run import AgentRun, run_agent
from streamchat_nb.testing.scripted_model import ScriptedModel, script, tool_use
from streamchat_nb.tools.decorator import tool

DEAR = Price(input=1_000, output=5_000)


@tool
async def look() -> str:
    """Look again."""
    return "nothing yet"


def run(model: ScriptedModel, *, price: Price | None = None, **ceilings: Any) -> Any:
    agent = AnthropicAgent(model, price=price)
    limits = TurnLimits(**ceilings)
    return asyncio.run(run_agent(agent, "Look.", tools=[look], limits=limits))


def looking(times: int, usage: Usage) -> list[Any]:
    calls = [script(tool_use("look", id_=f"c{n}"), usage=usage) for n in range(times)]
    return [*calls, script("Enough.", usage=usage)]


# --- prices ------------------------------------------------------------------------


def test_cost_counts_every_kind_of_token() -> None:
    price = Price(input=2, output=10, cache_write=2.5, cache_read=0.1)
    usage = Usage(
        input_tokens=1_000_000,
        output_tokens=100_000,
        cache_creation_input_tokens=200_000,
        cache_read_input_tokens=3_000_000,
        web_search_requests=2,
    )
    assert price.cost_usd(usage) == pytest.approx(2 + 1 + 0.5 + 0.3 + 0.02)


def test_cache_has_the_usual_prices_where_none_are_given() -> None:
    price = Price(input=2, output=10)
    written = Usage(cache_creation_input_tokens=1_000_000)
    read = Usage(cache_read_input_tokens=1_000_000)
    assert price.cost_usd(written) == pytest.approx(2.5)
    assert price.cost_usd(read) == pytest.approx(0.2)


def test_long_prompts_may_cost_more() -> None:
    price = price_of("claude-haiku-5-5", own={}, at_anthropic=True)
    assert price is not None
    short = price.cost_usd(Usage(input_tokens=100_000, output_tokens=1_000))
    long = price.cost_usd(Usage(input_tokens=100_001, output_tokens=1_000))
    assert long == pytest.approx(5 * short, rel=1e-4)


@pytest.mark.parametrize(
    ("model", "at_anthropic", "known"),
    [
        ("claude-sonnet-5-5", True, True),
        ("claude-sonnet-5-5-20260928", True, True),
        ("claude-sonnet-5-5", False, False),
        ("claude-sonnet-99", True, False),
        ("mine", False, True),
    ],
)
def test_price_is_known_for_anthropics_own_endpoint_and_what_was_told(
    model: str, at_anthropic: bool, known: bool
) -> None:
    found = price_of(model, own={"mine": DEAR}, at_anthropic=at_anthropic)
    assert (found is not None) is known


# --- ceilings ------------------------------------------------------------------------


@given(
    ceiling=st.integers(1, 100_000),
    requests=st.lists(
        st.tuples(st.integers(0, 60_000), st.integers(0, 5_000)), max_size=8
    ),
)
def test_no_request_that_has_room_passes_a_ceiling(
    ceiling: int, requests: list[tuple[int, int]]
) -> None:
    """With an endpoint that counts at most a token for each three bytes."""
    limits = TurnLimits(tokens=ceiling, cost_usd=ceiling / 1_000)
    budget = Budget(limits, Spent(), DEAR)
    used, cost_usd = 0, 0.0
    size = 0
    for grown, wanted in requests:
        size += grown
        room = budget.room(size)
        assert room is not None
        if room == 0:
            return
        output = min(room, wanted)
        usage = Usage(input_tokens=size // BYTES_PER_TOKEN, output_tokens=output)
        used += (usage.input_tokens or 0) + output
        cost_usd += budget.count(usage, input_bytes=size, output_bytes=0) or 0
        assert used <= ceiling
        assert cost_usd <= ceiling / 1_000 + 1e-9


def test_endpoint_that_counts_nothing_is_estimated() -> None:
    budget = Budget(TurnLimits(tokens=1_000), Spent(), None)
    budget.count(Usage(), input_bytes=900, output_bytes=300)
    assert budget.room(900) == 1_000 - 300 - 100 - 300


def test_what_was_counted_stays_where_the_rest_is_estimated() -> None:
    budget = Budget(TurnLimits(), Spent(), Price(input=1, output=1))
    usage = Usage(input_tokens=1_000, web_search_requests=5)
    assert budget.count(usage, input_bytes=9, output_bytes=3) == pytest.approx(
        0.051_001
    )


def test_try_that_broke_off_is_estimated() -> None:
    cut = ModelError("Cut.", code="model_stream_truncated", retryable=True)
    usage = Usage(input_tokens=1_000, output_tokens=100)
    model = ScriptedModel(
        [[*script("Half an ans", cut=True), cut], script("Whole.", usage=usage)]
    )
    agent = AnthropicAgent(
        model, price=DEAR, retry=RetryPolicy(first_wait_s=0.0, jitter=lambda: 0.0)
    )
    done = asyncio.run(run_agent(agent, "Look."))
    assert done.answer.status == "completed"
    assert done.answer.cost is not None
    assert done.answer.cost > 1.5
    (void,) = [e for e in done.events if isinstance(e, MessageDiscarded)]
    assert void.cost is not None


def test_what_the_conversation_used_counts() -> None:
    limits = TurnLimits(conversation_tokens=1_000, tokens=900)
    budget = Budget(limits, Spent(tokens=600), None)
    assert budget.room(0) == 400
    assert budget.nearest == "the ceiling of 1,000 tokens for this conversation"


def test_ceiling_in_money_needs_a_price() -> None:
    with pytest.raises(UsageError, match=r"Set StreamchatExtension\.prices"):
        Budget(TurnLimits(cost_usd=1), Spent(), None)
    assert Budget(TurnLimits(tokens=9), Spent(), None).room(0) == 9


def test_budget_is_open_only_without_a_ceiling() -> None:
    assert Budget(TurnLimits(), Spent(), None).is_open
    for limits in (TurnLimits(tokens=9), TurnLimits(conversation_cost_usd=1)):
        assert not Budget(limits, Spent(), DEAR).is_open


@pytest.mark.parametrize(
    ("limits", "usage", "are_needed"),
    [
        (TurnLimits(), Usage(input_tokens=5, output_tokens=1), False),
        (TurnLimits(), Usage(cache_read_input_tokens=5, output_tokens=0), False),
        (TurnLimits(), Usage(input_tokens=0, output_tokens=1), True),
        (TurnLimits(), Usage(input_tokens=5), True),
        (TurnLimits(tokens=9), Usage(input_tokens=5, output_tokens=1), True),
    ],
)
def test_sizes_are_needed_for_an_estimate(
    limits: TurnLimits, usage: Usage, *, are_needed: bool
) -> None:
    budget = Budget(limits, Spent(), DEAR)
    assert budget.needs_sizes(usage) is are_needed
    costs = [budget.count(usage, input_bytes=n, output_bytes=n) for n in (0, 900)]
    assert are_needed or costs[0] == costs[1]


# --- a turn under a ceiling --------------------------------------------------------


def test_answer_has_its_cost_and_tokens() -> None:
    usage = Usage(input_tokens=1_000, output_tokens=100)
    model = ScriptedModel(looking(1, usage))
    done: AgentRun = run(model, price=DEAR)
    assert done.answer.status == "completed"
    assert done.answer.cost == pytest.approx(2 * 1.5)
    assert done.state.cost == done.answer.cost
    assert done.state.usage == Usage(input_tokens=2_000, output_tokens=200)


def test_model_is_asked_for_a_last_answer_before_the_ceiling() -> None:
    usage = Usage(input_tokens=500, output_tokens=100)
    model = ScriptedModel([*looking(6, usage)[:3], script("So far: nothing.")])
    done: AgentRun = run(model, tokens=3_000)
    assert done.answer.status == "completed"
    assert done.answer.text == "So far: nothing."
    last = model.requests[-1]
    assert last.tool_choice == "none"
    assert "3,000 tokens for one answer is nearly reached" in str(last.messages[-1])
    assert last.max_tokens < 3_000 - 3 * 600


def test_turn_without_room_ends_and_says_which_ceiling() -> None:
    usage = Usage(input_tokens=900, output_tokens=90)
    model = ScriptedModel(looking(9, usage))
    price = Price(input=1_000, output=500)
    done: AgentRun = run(model, price=price, cost_usd=1.6)
    assert done.answer.status == "failed"
    assert done.answer.error is not None
    assert done.answer.error.code == "budget_reached"
    assert done.answer.error.message.startswith("The ceiling of $1.6 for one answer")
    assert done.answer.cost is not None
    assert done.answer.cost <= 1.6
    assert len(model.requests) == 1


def test_offline_model_costs_nothing_under_any_ceiling_in_money() -> None:
    model = ScriptedModel([script("Hello.")], offline=True)
    done: AgentRun = run(model, cost_usd=0.000_001)
    assert done.answer.status == "completed"
    assert done.answer.cost is None
