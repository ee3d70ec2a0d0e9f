from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from typing_extensions import override

from streamchat_nb.agent.agent import Agent, AgentEvent, Turn
from streamchat_nb.agent.anthropic_agent import AnthropicAgent
from streamchat_nb.agent.function_agent import FunctionAgent, FunctionTurn
from streamchat_nb.protocol.content import TextBlock, Usage
from streamchat_nb.testing.agent_run import AgentRun, run_agent
from streamchat_nb.testing.request_validation import check_request
from streamchat_nb.testing.scripted_model import ScriptedModel, script, tool_use
from streamchat_nb.tools.decorator import tool

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {"born": {"type": "integer"}},
    "required": ["born"],
}


@tool
async def look() -> str:
    """Look."""
    return "1815"


def run(*scripts: Any) -> tuple[AgentRun, ScriptedModel]:
    model = ScriptedModel(scripts)
    agent = AnthropicAgent(model, system="Be brief.")
    run_ = run_agent(agent, "When?", tools=[look], output_schema=SCHEMA)
    return asyncio.run(run_), model


def test_shape_is_asked_for_in_words_and_by_the_endpoint() -> None:
    done, model = run(script('{"born": 1815}'))
    assert done.answer.text == '{"born": 1815}'
    (request,) = model.requests
    assert request.output_schema == SCHEMA
    assert request.system.startswith("Be brief.\n\n")
    assert '"born"' in request.system


@pytest.mark.parametrize(
    "text", ['```json\n{"born": 1815}\n```', ' \n{"born": 1815}\n', '{"born": 1815}']
)
def test_fence_and_blanks_around_it_are_taken_off(text: str) -> None:
    done, _ = run(script(text))
    assert done.answer.text == '{"born": 1815}'
    assert done.answer.status == "completed"


def test_tools_run_before_it() -> None:
    done, _ = run(script("I look.", tool_use("look")), script('{"born": 1815}'))
    assert [call.status for call in done.answer.tool_calls] == ["ok"]
    assert done.answer.text == '{"born": 1815}'


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("She was born in 1815.", "not one JSON object"),
        ("[1815]", "no object"),
        ('{"born": "long ago"}', "is not of type 'integer'"),
        ("{}", "'born' is a required property"),
    ],
)
def test_another_shape_is_sent_back_with_what_is_wrong(text: str, fault: str) -> None:
    usage = Usage(output_tokens=10)
    done, model = run(script(text, usage=usage), script('{"born": 1815}', usage=usage))
    assert done.answer.status == "completed"
    assert done.answer.text == '{"born": 1815}'
    assert fault in str(model.requests[1].messages[-1])
    check_request(
        {"model": "m", "max_tokens": 9, "messages": model.requests[1].messages}
    )
    void = [m for m in done.state.messages if m.status == "discarded"]
    assert len(void) == 1
    assert fault in (void[0].discard_reason or "")
    assert done.answer.usage == Usage(output_tokens=20), "what was void is paid for"


def test_model_that_never_gives_it_fails_the_turn() -> None:
    done, model = run(*[script("Long ago.")] * 3)
    assert len(model.requests) == 3
    assert done.answer.status == "failed"
    assert done.answer.error is not None
    assert done.answer.error.code == "output_invalid"


def test_answer_that_was_cut_is_left_as_it_is() -> None:
    done, model = run(script('{"bor', stop_reason="max_tokens"))
    assert len(model.requests) == 1
    assert done.answer.text == '{"bor'
    last = done.state.messages[-1]
    assert last.stop_reason == "max_tokens"
    assert isinstance(last.blocks[0].content, TextBlock)


def test_agent_that_answers_in_prose_says_so() -> None:
    class Poet(Agent):
        name = "poet"

        @override
        async def run(self, turn: Turn) -> AsyncIterator[AgentEvent]:
            raise AssertionError("it is not asked")
            yield

    done = asyncio.run(run_agent(Poet(), "When?", output_schema=SCHEMA))
    assert done.answer.error is not None
    assert done.answer.error.code == "output_unsupported"


def test_function_is_told_the_shape() -> None:
    async def oracle(turn: FunctionTurn) -> AsyncIterator[str]:
        assert turn.output_schema == SCHEMA
        yield '{"born": 1815}'

    done = asyncio.run(run_agent(FunctionAgent(oracle), "When?", output_schema=SCHEMA))
    assert done.answer.text == '{"born": 1815}'
