from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from typing_extensions import override

from streamchat_nb.agent.agent import Agent, Turn, TurnLimits
from streamchat_nb.agent.anthropic_agent import AnthropicAgent
from streamchat_nb.agent.offline_model import OfflineModel
from streamchat_nb.errors import UsageError
from streamchat_nb.protocol.events import BlockDelta, ToolApprovalRequested, TurnStatus
from streamchat_nb.testing.agent_run import AgentRun, run_agent
from streamchat_nb.testing.fixtures import AgentRunner, cassette_path, scripted_model
from streamchat_nb.testing.request_validation import check_request
from streamchat_nb.testing.scripted_model import ScriptedModel, tool_use
from streamchat_nb.tools.decorator import tool

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from streamchat_nb.agent.agent import AgentEvent


def double(number: int) -> int:
    """Double a number."""
    return 2 * number


@tool(risk="write")
def save(text: str) -> str:
    """Save a text."""
    return f"saved {text}"


def run(*arguments: Any, **options: Any) -> AgentRun:
    return asyncio.run(run_agent(*arguments, **options))


def test_run_tells_events_state_and_answer() -> None:
    model = scripted_model(tool_use("double", {"number": 4}), "It is 8.")
    found = run(AnthropicAgent(model), "Double 4", tools=[double])
    assert (found.answer.text, found.answer.status) == ("It is 8.", "completed")
    assert [call.output for call in found.answer.tool_calls] == ["8"]
    assert [message.role for message in found.state.messages] == [
        *("user", "assistant", "assistant"),
    ]
    deltas = [event.delta for event in found.events if isinstance(event, BlockDelta)]
    assert "".join(deltas).endswith("It is 8.")


def test_next_turn_goes_on_from_the_history() -> None:
    model = scripted_model(tool_use("double", {"number": 4}), "It is 8.", "16.")
    first = run(model, "Double 4", tools=[double])
    again = {"role": "user", "content": "And again"}
    second = run(model, [*first.history, again], tools=[double])
    assert second.answer.text == "16."
    roles = [message["role"] for message in model.requests[-1].messages]
    assert roles == ["user", "assistant", "user", "assistant", "user"]
    last = model.requests[-1].messages[-1]["content"]
    assert last == [{"type": "text", "text": "And again"}]
    for history in (first.history, second.history):
        messages = [*history, again]
        check_request({"model": "m", "max_tokens": 1, "messages": messages})
    assert second.history[: len(first.history)] == first.history


@pytest.mark.parametrize("approve", [True, False, None])
def test_calls_that_ask_first_are_answered(*, approve: bool | None) -> None:
    model = scripted_model(tool_use("save", {"text": "it"}), "Done.")
    found = run(model, "Save it", tools=[save], approve=approve)
    (call,) = found.answer.tool_calls
    assert call.status == ("ok" if approve else "denied")
    if approve is not None:
        assert call.approval is not None
        assert call.approval.decision == ("approved" if approve else "denied")


def test_function_decides_about_each_call() -> None:
    asked: list[ToolApprovalRequested] = []

    def approve(request: ToolApprovalRequested) -> bool:
        asked.append(request)
        return request.tool_call == "b"

    calls = [tool_use("save", {"text": id_}, id_=id_) for id_ in ("a", "b")]
    found = run(scripted_model(calls, "Done."), "Save", tools=[save], approve=approve)
    assert [call.status for call in found.answer.tool_calls] == ["denied", "ok"]
    assert [request.risk for request in asked] == ["write", "write"]


def test_failure_is_in_the_answer() -> None:
    found = run(scripted_model(ZeroDivisionError("secret")), "Hello")
    assert found.answer.status == "failed"
    assert found.answer.error is not None
    assert found.answer.error.code == "agent_failed"


def test_limits_are_kept() -> None:
    model = scripted_model(tool_use("double", {"number": 1}), "That is all.")
    found = run(model, "Go", tools=[double], limits=TurnLimits(steps=1))
    assert found.answer.text == "That is all."
    assert model.requests[-1].tool_choice == "none"


class Silent(Agent):
    name = "silent"
    stopped = False

    @override
    async def run(self, turn: Turn) -> AsyncIterator[AgentEvent]:
        yield TurnStatus(phase="thinking", label="…")
        try:
            await asyncio.Event().wait()
        finally:
            self.stopped = True


def test_agent_that_does_not_answer_is_ended() -> None:
    agent = Silent()
    with pytest.raises(TimeoutError, match=r"within 0\.05 s"):
        run(agent, "Hello", timeout_s=0.05)
    assert agent.stopped


@pytest.mark.parametrize("asked", [[], [{"role": "assistant", "content": "Hi"}]])
def test_there_must_be_something_to_answer(asked: list[dict[str, Any]]) -> None:
    with pytest.raises(UsageError, match="must be the user's"):
        run(scripted_model("Hello"), asked)


def test_runner_keeps_one_loop_and_closes_the_agents() -> None:
    scripted, offline = scripted_model("One", "Two"), OfflineModel(pace_s=0)
    runner = AgentRunner()
    texts = [
        runner(model, "hello").answer.text for model in (scripted, offline, scripted)
    ]
    assert (texts[0], texts[2]) == ("One", "Two")
    assert not scripted.closed
    runner.close()
    runner.close()
    assert scripted.closed


def test_runner_in_a_coroutine_says_what_to_do() -> None:
    async def test() -> None:
        AgentRunner()(scripted_model("Hello"), "Hello")

    with pytest.raises(UsageError, match="await streamchat_nb"):
        asyncio.run(test())


def test_scripted_answers_come_in_every_form() -> None:
    model = scripted_model(
        "a", ["b", tool_use("f")], tool_use("f"), KeyError(), name="x"
    )
    assert isinstance(model, ScriptedModel)
    assert model.name == "x"
    assert run(model, "Hello").answer.text == "a"


def test_cassette_is_named_like_its_test(tmp_path: Path) -> None:
    file = tmp_path / "test_shop.py"

    def name(test: str) -> str:
        path = cassette_path(file, test)
        assert path.parent == tmp_path / "cassettes" / "test_shop"
        return path.name

    assert name("test_price") == "test_price.jsonl"
    assert name("TestShop::test_price[eur]") == "TestShop.test_price[eur].jsonl"
    odd = [name(f"test_price[{text}]") for text in ("a/b", "a b", "a:b", "é" * 300)]
    assert len(set(odd)) == 4
    assert all(len(text) < 130 and text.isascii() for text in odd)
