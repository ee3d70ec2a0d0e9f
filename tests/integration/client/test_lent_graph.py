"""A LangGraph graph of this process, which answers at a real server."""

from __future__ import annotations

import asyncio
from importlib import import_module
from typing import TYPE_CHECKING, Any

from langchain_core.language_models.fake_chat_models import FakeMessagesListChatModel
from langchain_core.messages import AIMessage
from langchain_core.tools import tool
from typing_extensions import override

from streamchat_nb.client.client import connect

if TYPE_CHECKING:
    from streamchat_nb.client.conversation import ClientConversation
    from streamchat_nb.testing.server_process import ServerProcess

create_agent: Any = import_module("langchain.agents").create_agent
middleware: Any = import_module("langchain.agents.middleware")
InMemorySaver: Any = import_module("langgraph.checkpoint.memory").InMemorySaver


class Model(FakeMessagesListChatModel):
    @override
    def bind_tools(self, *_args: Any, **_options: Any) -> Any:
        return self


@tool
async def erase(what: str) -> str:
    """Erase something."""
    return f"{what} is gone"


def erasing(number: int, what: str) -> AIMessage:
    call = {"name": "erase", "args": {"what": what}, "id": f"c{number}"}
    return AIMessage("", tool_calls=[call])


async def asked(conversation: ClientConversation, *, but: set[str]) -> str:
    async with asyncio.timeout(30):
        while True:
            for call in conversation.state.tool_calls:
                if call.approval and call.approval.approval not in but:
                    but.add(call.approval.approval)
                    return call.approval.approval
            await asyncio.sleep(0.01)


def test_graph_answers_asks_and_is_stopped_at_a_real_server(
    server: ServerProcess,
) -> None:
    model = Model(
        responses=[
            erasing(1, "disk"),
            AIMessage("Done."),
            erasing(2, "all"),
            AIMessage("On."),
        ]
    )
    graph = create_agent(
        model,
        [erase],
        middleware=[middleware.HumanInTheLoopMiddleware(interrupt_on={"erase": True})],
        checkpointer=InMemorySaver(),
        name="eraser",
    )

    async def scenario() -> None:
        address = server.address
        async with asyncio.timeout(90), connect(address.url, address.token) as client:
            conversation = await client.create()
            await conversation.lend_agents([graph])
            await conversation.configure(agent="eraser")
            seen: set[str] = set()
            turn = await conversation.send("Erase the disk")
            approval = await asked(conversation, but=seen)
            await conversation.approve(approval, edited_input={"what": "tape"})
            await conversation.finished(turn)
            answer = conversation.answer(turn)
            assert (answer.status, answer.text) == ("completed", "Done.")
            assert "tape is gone" in (answer.tool_calls[0].output or "")

            turn = await conversation.send("Erase all")
            await asked(conversation, but=seen)
            await conversation.cancel(turn)
            assert (await conversation.finished(turn)).status == "cancelled"
            # The graph's memory, too, goes on; then the built-in agent takes over.
            assert (await conversation.ask("Go on")).text == "On."
            await conversation.configure(agent=None)
            assert "42" in (await conversation.ask("What is 6*7?")).text
            calls = conversation.state.tool_calls
            assert [call.status for call in calls] == ["ok", "cancelled"]

    asyncio.run(scenario())
