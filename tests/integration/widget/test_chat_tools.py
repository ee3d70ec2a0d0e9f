"""``Chat`` in a real kernel: its functions and variables as tools of the agent."""

from __future__ import annotations

import asyncio
import contextlib
import os
import queue
import time
from typing import TYPE_CHECKING, Any

import pytest
from jupyter_client.manager import start_new_kernel

from streamchat_nb.client.client import connect

if TYPE_CHECKING:
    from collections.abc import Iterator

    from jupyter_client.blocking.client import BlockingKernelClient

    from streamchat_nb.conversation.state import ToolCallState
    from streamchat_nb.testing.server_process import ServerProcess

SET_UP = """
import time
import pandas
from streamchat_nb import Chat

frame = pandas.DataFrame({"city": ["Rome", "Oslo"], "people": [2.8, 0.7]})
ran = []

chat = Chat()

@chat.tool
def cities(least: float) -> pandas.DataFrame:
    '''List cities.

    Args:
        least: Least number of people, in millions.
    '''
    ran.append("cities")
    return frame[frame.people >= least]

@chat.tool(thread=True)
def beside() -> str:
    '''Run beside a cell.'''
    return "beside"

print(chat.conversation)
"""


class Kernel:
    """A kernel that knows the server by its connection file."""

    def __init__(self, server: ServerProcess) -> None:
        environment = {
            **os.environ,
            "STREAMCHAT_NB_CONNECTION": str(server.connection_file),
        }
        self.manager, client = start_new_kernel(
            kernel_name="python3", env=environment, startup_timeout=60
        )
        self.client: BlockingKernelClient = client

    def run(self, code: str) -> str:
        """Run a cell and return what it printed."""
        printed: list[str] = []

        def take(message: dict[str, Any]) -> None:
            content = message["content"]
            if message["msg_type"] == "stream":
                printed.append(content["text"])
            elif message["msg_type"] == "error":
                printed.append("\n".join(content["traceback"]))

        reply = self.client.execute_interactive(code, timeout=90, output_hook=take)
        assert reply["content"]["status"] == "ok", "".join(printed)
        return "".join(printed).strip()

    def published(self) -> set[str]:
        """The kinds of messages that nobody has taken yet."""
        kinds: set[str] = set()
        with contextlib.suppress(queue.Empty):
            while True:
                message: Any = self.client.get_iopub_msg(timeout=0.5)
                kinds.add(message["msg_type"])
        return kinds

    def stop(self) -> None:
        self.client.stop_channels()
        self.manager.shutdown_kernel(now=True)


@pytest.fixture
def kernel(server: ServerProcess) -> Iterator[Kernel]:
    kernel = Kernel(server)
    try:
        yield kernel
    finally:
        kernel.stop()


async def ask(
    server: ServerProcess, conversation: str, text: str, *, approve: bool = False
) -> list[ToolCallState]:
    """Ask from another seat; returns the calls of the turn."""
    async with connect(server.address.url, server.address.token) as client:
        seat = client.conversation(conversation)
        await seat.current()
        turn = await seat.send(text)
        finishing = asyncio.ensure_future(seat.finished(turn))
        while approve and not finishing.done():
            for call in seat.state.tool_calls:
                asked = call.approval
                if asked and not asked.decision and call.status == "requested":
                    await client._http.request(
                        "POST",
                        f"conversations/{conversation}/approvals/{asked.approval}",
                        {"decision": "approved"},
                    )
            await asyncio.sleep(0.05)
        async with asyncio.timeout(60):
            await finishing
        return [call for call in seat.state.tool_calls if call.turn == turn]


def test_functions_of_the_notebook_answer_idle_busy_and_inside_ask(
    server: ServerProcess, kernel: Kernel
) -> None:
    conversation = kernel.run(SET_UP)
    # Between cells, on the main thread: a table for people, text for the model.
    (call,) = asyncio.run(ask(server, conversation, 'call cities {"least": 1}'))
    assert call.status == "ok", call.output
    assert "Rome" in (call.output or "")
    assert "Oslo" not in (call.output or "")
    (table,) = call.display
    assert table.__struct_config__.tag == "table"
    # Inside ask, which pumps the main thread.
    text = kernel.run("print(chat.ask('call cities {\"least\": 2}').text)")
    assert "Rome" in text
    assert kernel.run("print(ran)") == "['cities', 'cities']"
    # Beside a cell that is busy; the other one waits until it is not.
    kernel.client.execute("time.sleep(4)")
    begun = time.monotonic()
    (call,) = asyncio.run(ask(server, conversation, "call beside"))
    assert call.output == "beside"
    assert time.monotonic() - begun < 4
    (call,) = asyncio.run(ask(server, conversation, 'call cities {"least": 0}'))
    assert call.status == "ok"
    assert "Oslo" in (call.output or "")


AGENT = """
import threading
from streamchat_nb import Chat

released = threading.Event()

async def notebook_agent(turn):
    '''Answer here.'''
    released.set()
    yield f"WORD {turn.text}, on {threading.current_thread().name}"

chat = Chat(agent=notebook_agent)
print(chat.conversation)
"""


def test_agent_of_the_notebook_answers_beside_a_busy_cell(
    server: ServerProcess, kernel: Kernel
) -> None:
    conversation = kernel.run(AGENT.replace("WORD", "Heard"))

    async def scenario() -> None:
        async with connect(server.address.url, server.address.token) as client:
            seat = client.conversation(conversation)
            # This cell ends when the agent has begun, and not before.
            kernel.client.execute("assert released.wait(60)")
            answer = await seat.ask("you")
            assert answer.text == "Heard you, on streamchat agents"
            # A cell that runs again takes the place of what it made.
            again = AGENT.replace("WORD", "Again")
            again = again.replace("Chat(agent", f"Chat({conversation!r}, agent")
            await asyncio.to_thread(kernel.run, again)
            assert (await seat.ask("you")).text.startswith("Again you")
            line = "%load_ext streamchat_nb\n%chat --agent assistant What is 6*7"
            await asyncio.to_thread(kernel.run, line)
            async with asyncio.timeout(30):
                while len(seat.state.turns) < 3:
                    await asyncio.sleep(0.05)
            agents = [turn.agent for turn in seat.state.turns]
            assert agents == ["notebook_agent", "notebook_agent", "assistant"]

    asyncio.run(scenario())


def test_notebook_tools_ask_before_they_show_data_or_run_code(
    server: ServerProcess, kernel: Kernel
) -> None:
    conversation = kernel.run(SET_UP)
    (call,) = asyncio.run(ask(server, conversation, "call list_variables"))
    assert "frame" in (call.output or "")
    asking = 'call preview_data_frame {"name": "frame"}'
    (call,) = asyncio.run(ask(server, conversation, asking, approve=True))
    assert (call.status, call.approval is not None) == ("ok", True)
    assert "Oslo" in (call.output or "")
    kernel.run("17")
    kernel.published()
    asking = 'call run_python {"code": "print(1 + 1)\\nframe.shape"}'
    (call,) = asyncio.run(ask(server, conversation, asking, approve=True))
    assert call.risk == "exec"
    assert call.output == "2\n[2,2]"
    asking = 'call run_python {"code": "1 / 0"}'
    (call,) = asyncio.run(ask(server, conversation, asking, approve=True))
    assert call.status == "error"
    assert call.output == "ZeroDivisionError: division by zero"
    # Nothing of it is put under a cell, and the cells' last value is theirs.
    assert kernel.published() & {"execute_result", "error", "display_data"} == set()
    assert kernel.run("print(_)") == "17"
    # The user's own cells see what it did.
    asking = 'call run_python {"code": "answer = 42"}'
    asyncio.run(ask(server, conversation, asking, approve=True))
    assert kernel.run("print(answer)") == "42"


def test_dead_kernel_ends_its_call_and_a_new_one_takes_over(
    server: ServerProcess, kernel: Kernel
) -> None:
    conversation = kernel.run(SET_UP)

    async def scenario() -> None:
        asking = asyncio.ensure_future(
            ask(
                server,
                conversation,
                'call run_python {"code": "time.sleep(60)"}',
                approve=True,
            )
        )
        async with connect(server.address.url, server.address.token) as client:
            seat = client.conversation(conversation)
            await seat.current()
            while not any(c.status == "running" for c in seat.state.tool_calls):
                await asyncio.sleep(0.05)
            await asyncio.sleep(0.5)
            begun = time.monotonic()
            kernel.manager.shutdown_kernel(now=True)
            (call,) = await asking
        assert time.monotonic() - begun < 7
        assert call.status == "unknown"

    asyncio.run(scenario())
    other = Kernel(server)
    try:
        other.run(SET_UP.replace("Chat()", f"Chat({conversation!r})"))
        (call,) = asyncio.run(ask(server, conversation, 'call cities {"least": 0}'))
        assert call.status == "ok"
    finally:
        other.stop()
