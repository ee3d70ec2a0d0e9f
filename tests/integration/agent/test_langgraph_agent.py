"""LangGraph's own graphs, LangChain's own fake models: nothing of theirs is faked."""

from __future__ import annotations

import asyncio
from importlib import import_module
from typing import TYPE_CHECKING, Annotated, Any, TypedDict, cast

import pytest
from langchain.agents.middleware import HumanInTheLoopMiddleware
from langchain.agents.structured_output import ToolStrategy
from langchain_core.language_models.fake_chat_models import (
    FakeMessagesListChatModel,
    GenericFakeChatModel,
)
from langchain_core.messages import AIMessage, ToolMessage
from langchain_core.tools import tool
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.config import get_stream_writer
from langgraph.types import interrupt
from pydantic import BaseModel
from typing_extensions import override

from streamchat_nb.agent.agent import TurnLimits
from streamchat_nb.agent.answer_parts import Status
from streamchat_nb.agent.anthropic_agent import AnthropicAgent
from streamchat_nb.agent.any_agent import agent_of
from streamchat_nb.agent.langgraph_agent import LangGraphAgent
from streamchat_nb.errors import UsageError
from streamchat_nb.protocol import events as e
from streamchat_nb.protocol.content import Action, Usage
from streamchat_nb.testing.scripted_model import ScriptedModel, script
from streamchat_nb.tools.tool import ToolResult
from tests.integration.agent.graph_conversation import Conversation, conversation

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from streamchat_nb.agent.agent import AgentEvent

# Their types are not all known.
create_agent: Any = import_module("langchain.agents").create_agent
graphs: Any = import_module("langgraph.graph")
StateGraph, START = graphs.StateGraph, graphs.START
LINK = Action(kind="link", label="More", href="https://example.org/")
ADD_1 = ("add", {"a": 1, "b": 2}, "c1")
ADD_2 = ("add", {"a": 5, "b": 2}, "c2")
BROKEN: tuple[str, dict[str, Any], str] = ("broken", {}, "c2")


class State(TypedDict):
    messages: Annotated[list[Any], graphs.add_messages]


class Model(FakeMessagesListChatModel):
    """LangChain's fake model, which may be given tools."""

    @override
    def bind_tools(self, *_args: Any, **_options: Any) -> Any:
        return self


class Streaming(GenericFakeChatModel):
    """LangChain's fake model that streams words."""

    @override
    def bind_tools(self, *_args: Any, **_options: Any) -> Any:
        return self


@tool
async def add(a: int, b: int) -> int:
    """Add two numbers."""
    get_stream_writer()({"message": "adding", "progress": 0.5})
    return a + b


@tool
async def broken() -> str:
    """Fail."""
    for _ in range(5):  # after the others
        await asyncio.sleep(0)
    raise LookupError("no such thing")


@tool(response_format="content_and_artifact")
async def linked() -> tuple[str, ToolResult]:
    """Give a link."""
    return "Here it is.", ToolResult(output="Here it is.", actions=(LINK,))


def asks(*calls: tuple[str, dict[str, Any], str], text: str = "") -> AIMessage:
    return AIMessage(
        content=text,
        tool_calls=[{"name": n, "args": a, "id": i} for n, a, i in calls],
        usage_metadata={
            "input_tokens": 10,
            "output_tokens": 3,
            "total_tokens": 13,
            "input_token_details": {"cache_read": 4},
        },
    )


def says(*answers: AIMessage | str) -> Model:
    return Model(
        responses=[a if isinstance(a, AIMessage) else AIMessage(a) for a in answers]
    )


def in_conversation(play: Callable[[Conversation], Awaitable[None]]) -> Conversation:
    async def scenario() -> Conversation:
        async with conversation() as talk:
            await play(talk)
            return talk

    return asyncio.run(scenario())


def one_turn(graph: Any, **options: Any) -> tuple[Conversation, e.TurnFinished]:
    ends: list[e.TurnFinished] = []

    async def play(talk: Conversation) -> None:
        ends.append(await talk.ask(agent_of(graph), **options))

    return in_conversation(play), ends[0]


def of(talk: Conversation, *kinds: type[AgentEvent]) -> list[Any]:
    return [event for event in talk.events if isinstance(event, kinds)]


def texts(talk: Conversation) -> list[str]:
    """What is on the screen of the agent, message by message."""
    return [
        "".join(b.text for b in m.blocks if b.kind == "text")
        for m in talk.state.messages
        if m.role == "assistant" and m.status != "discarded"
    ]


async def memory_of(graph: Any, thread: str = "c_1") -> list[Any]:
    state = await graph.aget_state({"configurable": {"thread_id": thread}})
    return state.values.get("messages", [])


def assert_paired(messages: list[Any]) -> None:
    """Every call is followed by its result, as models want it."""
    for place, message in enumerate(messages):
        calls = [call["id"] for call in getattr(message, "tool_calls", [])]
        results = messages[place + 1 : place + 1 + len(calls)]
        assert all(isinstance(result, ToolMessage) for result in results), messages
        assert sorted(r.tool_call_id for r in results) == sorted(calls)


def approve(_request: e.ToolApprovalRequested) -> dict[str, Any]:
    return {"decision": "approved"}


def test_tools_start_report_and_end_and_the_answer_follows() -> None:
    graph = create_agent(says(asks(ADD_1, text="I add."), "It is 3."), [add])
    talk, end = one_turn(graph)
    assert (end.status, end.stop_reason) == ("completed", "end_turn")
    assert texts(talk) == ["I add.", "It is 3."]
    (call,) = talk.state.tool_calls
    assert (call.name, call.input, call.output) == ("add", ADD_1[1], "3")
    assert call.started_ts is not None
    (news,) = of(talk, e.ToolProgress)
    assert (news.message, news.fraction) == ("adding", 0.5)
    assert end.usage == Usage(
        input_tokens=6, output_tokens=3, cache_read_input_tokens=4
    )
    order = [type(event) for event in talk.events]
    assert order.index(e.MessageCompleted) < order.index(e.ToolRequested)
    assert order.index(e.ToolStarted) < order.index(e.ToolProgress)


def test_words_are_shown_as_they_come_and_once() -> None:
    model = Streaming(messages=iter([AIMessage("one two three")]))
    talk, _ = one_turn(create_agent(model, []))
    assert [d.delta for d in of(talk, e.BlockDelta)] == [
        "one",
        " ",
        "two",
        " ",
        "three",
    ]
    assert texts(talk) == ["one two three"]


def test_a_tool_that_raises_ends_its_call_and_leaves_a_memory_that_goes_on() -> None:
    model = says(asks(ADD_1, BROKEN), "Again.")
    graph = create_agent(model, [add, broken], checkpointer=InMemorySaver())

    async def play(talk: Conversation) -> None:
        end = await talk.ask(agent_of(graph))
        assert end.status == "failed"
        assert end.error is not None
        assert "LookupError" in end.error.message
        first, second = talk.state.tool_calls
        assert (first.status, first.output) == ("ok", "3")
        assert (second.status, second.output) == ("error", "LookupError: no such thing")
        assert_paired(await memory_of(graph))
        assert (await talk.ask(agent_of(graph), "Again")).status == "completed"
        memory = await memory_of(graph)
        assert_paired(memory)
        assert [m.type for m in memory] == [
            "human",
            "ai",
            "tool",
            "tool",
            "human",
            "ai",
        ]

    in_conversation(play)


def hitl(*, remembers: bool = True, **options: Any) -> Any:
    return create_agent(
        says(asks(ADD_1, ADD_2, text="May I?"), "Done.", "On."),
        [add],
        middleware=[HumanInTheLoopMiddleware(interrupt_on={"add": True}, **options)],
        checkpointer=InMemorySaver() if remembers else None,
    )


@pytest.mark.parametrize(
    "options", [{}, {"remembers": False}, {"interrupt_mode": "per_call"}]
)
def test_decisions_reach_the_graph_in_order(options: dict[str, Any]) -> None:
    def answer(request: e.ToolApprovalRequested) -> dict[str, Any]:
        if request.tool_call == "c1":
            edited = {"a": 20, "b": 20}
            return {"decision": "approved", "edited_input": edited}
        return {"decision": "denied", "reason": "Too large."}

    talk, end = one_turn(hitl(**options), answer=answer)
    assert end.status == "completed"
    first, second = talk.state.tool_calls
    assert first.status == "ok"
    assert "40" in (first.output or "")
    assert second.status == "denied"
    assert "Too large." in (second.output or "")
    assert texts(talk) == ["May I?", "Done."]


def test_where_nobody_can_be_asked_nothing_runs() -> None:
    talk, end = one_turn(hitl())
    assert end.status == "completed"
    assert [call.status for call in talk.state.tool_calls] == ["denied", "denied"]
    assert not of(talk, e.ToolApprovalRequested, e.ToolStarted)


class Asking(State):
    answer: str


def asking_graph() -> Any:
    def ask(_state: Asking) -> dict[str, Any]:
        return {"answer": str(interrupt({"question": "Which colour?"}))}

    def tell(state: Asking) -> dict[str, Any]:
        return {"messages": [AIMessage(f"You chose {state['answer']}.")]}

    graph = StateGraph(Asking)
    graph.add_node("ask", ask)
    graph.add_node("tell", tell)
    graph.add_edge(START, "ask")
    graph.add_edge("ask", "tell")
    return graph.compile()


@pytest.mark.parametrize(
    ("said", "text"),
    [
        ({"decision": "approved"}, "You chose True."),
        ({"decision": "denied"}, "You chose False."),
        (
            {
                "decision": "approved",
                "edited_input": {"question": "Which colour?", "answer": "red"},
            },
            "You chose red.",
        ),
    ],
)
def test_a_plain_interrupt_is_a_question(said: dict[str, Any], text: str) -> None:
    def answer(_request: e.ToolApprovalRequested) -> dict[str, Any]:
        return said

    talk, end = one_turn(asking_graph(), answer=answer)
    assert end.status == "completed"
    assert talk.state.tool_calls[0].name == "ask_user"
    assert of(talk, e.ToolApprovalRequested)[0].prompt == "Which colour?"
    assert texts(talk)[-1] == text


def test_cancelled_anywhere_all_has_one_end_and_the_memory_goes_on() -> None:
    """At each event of a turn with tools and approvals, up to the answer's last."""
    talk, _ = one_turn(hitl(), answer=approve)
    most = len(talk.events)
    assert most > 25
    for number in range(most):
        graph = hitl()

        async def play(
            talk: Conversation, graph: Any = graph, at: int = number
        ) -> None:
            end = await talk.ask(agent_of(graph), answer=approve, cancel_at=at)
            assert end.status == "cancelled" or at > most - 4
            assert_paired(await memory_of(graph))
            if at % 5 == 0:
                end = await talk.ask(agent_of(graph), "On", answer=approve)
                assert end.status == "completed"
                assert_paired(await memory_of(graph))

        in_conversation(play)


def test_cancelled_while_a_person_is_asked() -> None:
    graph = hitl()

    async def play(talk: Conversation) -> None:
        end = await talk.ask(agent_of(graph), answer=lambda _request: None)
        assert end.status == "cancelled"
        assert [call.status for call in talk.state.tool_calls] == ["cancelled"] * 2
        memory = await memory_of(graph)
        assert [message.type for message in memory] == ["human", "ai", "tool", "tool"]

    in_conversation(play)


def test_what_goes_on_inside_a_tool_is_its_news_and_counts() -> None:
    inner = create_agent(says(asks(ADD_1, text="inside"), "inner 3"), [add])

    @tool
    async def research(question: str) -> str:
        """Ask another agent."""
        given = {"messages": [{"role": "user", "content": question}]}
        return str((await inner.ainvoke(given))["messages"][-1].text)

    model = says(asks(("research", {"question": "?"}, "c1")), "outer 3")
    talk, end = one_turn(create_agent(model, [research]))
    assert texts(talk) == ["", "outer 3"]
    assert [call.name for call in talk.state.tool_calls] == ["research"]
    assert "Using add…" in [news.message for news in of(talk, e.ToolProgress)]
    assert end.usage == Usage(
        input_tokens=12, output_tokens=6, cache_read_input_tokens=8
    )


def test_a_subgraph_speaks_once_and_steps_on_the_way_are_no_answer() -> None:
    inner = create_agent(says(asks(ADD_1), "It is 3."), [add], name="inner")

    async def route(_state: State) -> dict[str, Any]:
        model = Streaming(messages=iter([AIMessage("route: inner")]))
        await model.ainvoke("Where to?")
        return {}

    async def draft(_state: State) -> dict[str, Any]:
        said = await Streaming(messages=iter([AIMessage("Good bye")])).ainvoke("?")
        return {"messages": [AIMessage(said.content)]}  # its own, with another id

    graph = StateGraph(State)
    graph.add_node("route", route)
    graph.add_node("inner", inner)
    graph.add_node("draft", draft)
    graph.add_edge(START, "route")
    graph.add_edge("route", "inner")
    graph.add_edge("inner", "draft")
    talk, end = one_turn(graph.compile())
    assert end.status == "completed"
    assert texts(talk) == ["", "It is 3.", "Good bye"]
    (discarded,) = of(talk, e.MessageDiscarded)
    assert "on the way" in discarded.reason
    assert "route: inner" not in str(talk.history)


def test_links_and_status_come_from_tools_and_nodes() -> None:
    def node(_state: State) -> dict[str, Any]:
        write = get_stream_writer()
        write(Status("Looking around…"))
        write("Looking closer…")
        write({"unknown": 1})
        write(Action(kind="button", label="Again", send="Again"))
        return {}

    graph = StateGraph(State)
    graph.add_node("node", node)
    model = says(asks(("linked", {}, "c1")), "There.")
    graph.add_node("agent", create_agent(model, [linked]))
    graph.add_edge(START, "node")
    graph.add_edge("node", "agent")
    talk, _ = one_turn(graph.compile())
    labels = [status.label for status in of(talk, e.TurnStatus)]
    assert {"Looking around…", "Looking closer…"} <= set(labels)
    shown = talk.state.messages[-1].actions
    assert [action.label for action in shown] == ["Again", "More"]


class Weather(BaseModel):
    degrees: int


def test_a_structured_response_is_the_answer() -> None:
    model = says(asks(("Weather", {"degrees": 21}, "c1")))
    graph = create_agent(model, [], response_format=ToolStrategy(Weather))
    talk, end = one_turn(graph)
    assert end.status == "completed"
    assert texts(talk)[-1] == '{"degrees":21}'


class Question(TypedDict):
    question: str
    answer: str


def structured_graph() -> Any:
    graph = StateGraph(Question)

    def node(state: Question) -> dict[str, Any]:
        return {"answer": state["question"].upper()}

    graph.add_node("node", node)
    graph.add_edge(START, "node")
    return graph.compile()


def test_another_state_is_refused_with_what_to_do() -> None:
    message = r"has no messages; it has question, answer\. .*to_input="
    with pytest.raises(UsageError, match=message):
        agent_of(structured_graph())
    agent = LangGraphAgent(
        structured_graph(),
        to_input=lambda messages: {"question": messages[-1].text},
        to_text=lambda state: state["answer"],
    )
    talk, end = one_turn(agent, text="hello")
    assert end.status == "completed"
    assert texts(talk) == ["HELLO"]


def test_a_graph_that_says_nothing_is_told_what_to_do() -> None:
    graph = StateGraph(State)

    def node(_state: State) -> dict[str, Any]:
        return {}

    graph.add_node("node", node)
    graph.add_edge(START, "node")
    _, end = one_turn(graph.compile())
    assert end.status == "failed"
    assert end.error is not None
    assert "AIMessage" in end.error.message


@pytest.mark.parametrize(
    ("limits", "words"),
    [
        (TurnLimits(tool_calls=1), "limit of 1 tool calls"),
        (TurnLimits(steps=1), "limit of 1 steps"),
        (TurnLimits(output_tokens=3), "limit of 3 tokens"),
        (TurnLimits(tokens=13), "limit of 13 tokens for one answer"),
        (TurnLimits(conversation_tokens=13), "limit of 13 tokens for this conver"),
    ],
)
def test_a_turn_stops_at_its_limits(limits: TurnLimits, words: str) -> None:
    graph = create_agent(
        says(asks(ADD_1, ADD_2), "Never said."), [add], checkpointer=InMemorySaver()
    )

    async def play(talk: Conversation) -> None:
        end = await talk.ask(agent_of(graph), limits=limits)
        assert end.status == "completed"
        assert words in texts(talk)[-1]
        assert [call.status for call in talk.state.tool_calls] == ["error", "error"]
        assert_paired(await memory_of(graph))

    in_conversation(play)


def test_a_ceiling_in_money_that_cannot_be_held_is_refused() -> None:
    graph = create_agent(says("Never said."), [])
    _, end = one_turn(graph, limits=TurnLimits(cost_usd=1.0))
    assert end.status == "failed"
    assert end.error is not None
    assert "ceiling in tokens instead" in end.error.message


def test_a_turn_has_a_time_limit() -> None:
    async def forever(_state: State) -> dict[str, Any]:
        await asyncio.Event().wait()
        return {}

    graph = StateGraph(State)
    graph.add_node("node", forever)
    graph.add_edge(START, "node")
    _, end = one_turn(graph.compile(), limits=TurnLimits(wall_clock_s=0.1))
    assert end.status == "failed"
    assert end.error is not None
    assert end.error.code == "agent_timeout"


def test_a_newer_message_ends_the_turn_after_its_tools() -> None:
    graph = create_agent(
        says(asks(ADD_1), "Never said."), [add], checkpointer=InMemorySaver()
    )

    async def play(talk: Conversation) -> None:
        end = await talk.ask(agent_of(graph), is_superseded=lambda: True)
        assert end.status == "completed"
        assert talk.state.tool_calls[0].output == "3"
        assert texts(talk) == [""]
        assert [m.type for m in await memory_of(graph)] == ["human", "ai", "tool"]

    in_conversation(play)


def test_the_conversation_goes_on_with_any_agent() -> None:
    """With memory only what is new is sent; what other agents said is caught up."""
    calls = asks(ADD_1, text="I add.")
    graph = create_agent(
        says(calls, "3.", "Second.", "Third."), [add], checkpointer=InMemorySaver()
    )
    forgetful = create_agent(says("Without memory."), [add])
    built_in = ScriptedModel([script("Built in.")], repeat_last=True)

    async def play(talk: Conversation) -> None:
        await talk.ask(AnthropicAgent(built_in), "one")
        await talk.ask(agent_of(graph), "two")
        await talk.ask(agent_of(graph), "three")
        await talk.ask(AnthropicAgent(built_in), "four")
        await talk.ask(agent_of(graph), "five")
        memory = await memory_of(graph)
        assert_paired(memory)
        said = [str(m.text) for m in memory if m.type == "human"]
        assert said == ["one", "two", "three", "four", "five"]
        assert [str(m.text) for m in memory][-4:-1] == ["four", "Built in.", "five"]
        await talk.ask(agent_of(forgetful), "six")
        await talk.ask(AnthropicAgent(built_in), "seven")

    talk = in_conversation(play)
    assert texts(talk)[-1] == "Built in."
    last = cast("Any", built_in.requests[-1].messages)
    assert last[-1]["content"][0]["text"] == "seven"
    assert any(b.get("type") == "tool_result" for m in last for b in m["content"])


def test_another_branch_is_remembered_apart_and_begins_with_all_before_it() -> None:
    graph = create_agent(
        says("One.", "Two.", "Instead.", "Three.", "On."), checkpointer=InMemorySaver()
    )

    def asked_of(memory: list[Any]) -> list[str]:
        return [str(m.text) for m in memory if m.type == "human"]

    async def play(talk: Conversation) -> None:
        await talk.ask(agent_of(graph), "one")
        first = talk.state.tip
        await talk.ask(agent_of(graph), "two")
        second = talk.state.tip
        await talk.ask(agent_of(graph), "two, in short", parent=first)
        branch = f"c_1:{talk.state.tip}"
        await talk.ask(agent_of(graph), "after it")
        await talk.ask(agent_of(graph), "three", parent=second)

        assert asked_of(await memory_of(graph)) == ["one", "two", "three"]
        memory = await memory_of(graph, branch)
        assert asked_of(memory) == ["one", "two, in short", "after it"]
        assert [str(m.text) for m in memory][1] == "One."

    assert texts(in_conversation(play))[-1] == "On."
