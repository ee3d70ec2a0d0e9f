"""Agents of this process and of others, which answer at a real server."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from streamchat_nb.agent.function_agent import FunctionAgent, Status
from streamchat_nb.client.client import Client, connect
from streamchat_nb.client.kernel_tools import KernelTool
from streamchat_nb.client.main_thread import MainThread
from streamchat_nb.errors import InvalidInput, StreamchatError
from streamchat_nb.testing.fault_proxy import FaultProxy

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Coroutine

    from streamchat_nb.agent.function_agent import FunctionTurn
    from streamchat_nb.client.conversation import ClientConversation
    from streamchat_nb.testing.server_process import ServerProcess

SCRIPT = Path(__file__).with_name("lending_script.py")
stopped = threading.Event()
threads: set[str] = set()


async def echo(turn: FunctionTurn) -> AsyncIterator[str]:
    """Say again what was said."""
    threads.add(threading.current_thread().name)
    yield f"You said {turn.text}"


async def historian(turn: FunctionTurn) -> AsyncIterator[str]:
    """Tell who spoke, in order."""
    yield ", ".join(message["role"] for message in turn.history)


async def patient(turn: FunctionTurn) -> AsyncIterator[str]:
    """Say a word and wait until it is stopped."""
    yield f"Waiting for {turn.text}"
    try:
        await asyncio.sleep(3600)
    finally:
        stopped.set()


async def caller(turn: FunctionTurn) -> AsyncIterator[str]:
    """Call a tool and say what it gave."""
    result = await turn.call("erase", what=turn.text)
    yield f"{result.status}: {result.output}"


async def breaking(turn: FunctionTurn) -> AsyncIterator[str]:
    """Say a word and break."""
    yield "Half"
    raise ValueError(f"no {turn.text}")


async def chatty(turn: FunctionTurn) -> AsyncIterator[Any]:
    """Say very much in very small pieces."""
    for number in range(int(turn.text)):
        yield f"{number} "
        if number % 100 == 0:
            yield Status(label=f"At {number}")


def play(scenario: Callable[[Client], Coroutine[Any, Any, None]], server: Any) -> None:
    async def main() -> None:
        async with (
            asyncio.timeout(90),
            connect(server.address.url, server.address.token) as client,
        ):
            await scenario(client)

    asyncio.run(main())


async def lent(client: Client, *agents: object) -> ClientConversation:
    """A conversation that the first of these agents answers."""
    conversation = await client.create()
    names = await conversation.lend_agents(agents)
    await conversation.configure(agent=names[0])
    return conversation


async def until(found: Callable[[], object]) -> Any:
    async with asyncio.timeout(20):
        while not (value := found()):
            await asyncio.sleep(0.01)
    return value


def text_of(conversation: ClientConversation) -> str:
    return "".join(
        block.text
        for message in conversation.state.messages
        if message.role == "assistant"
        for block in message.blocks
    )


def test_function_answers_and_agents_take_turns(server: ServerProcess) -> None:
    async def scenario(client: Client) -> None:
        conversation = await lent(client, echo, historian)
        answer = await conversation.ask("hello")
        assert (answer.status, answer.text) == ("completed", "You said hello")
        assert threads == {"streamchat agents"}
        await conversation.configure(agent="historian")
        answer = await conversation.ask("and now?")
        assert answer.text == "user, assistant, user"
        await conversation.configure(agent=None)
        answer = await conversation.ask("What is 6*7?")
        assert "42" in answer.text
        agents = [turn.agent for turn in conversation.state.turns]
        assert agents == ["echo", "historian", "assistant"]
        # A message that waits is answered by who is chosen when its turn comes.
        await conversation.lend_agents([echo, patient])
        await conversation.configure(agent="patient")
        first = await conversation.send("it")
        second = await conversation.send("queued")
        await conversation.configure(agent="echo")
        await conversation.cancel(first)
        await conversation.finished(second)
        assert conversation.answer(second).text == "You said queued"

    play(scenario, server)


def test_cancel_reaches_the_agent_at_once(server: ServerProcess) -> None:
    async def scenario(client: Client) -> None:
        conversation = await lent(client, patient)
        stopped.clear()
        turn = await conversation.send("a bus")
        await until(lambda: "Waiting" in text_of(conversation))
        began = time.monotonic()
        await conversation.cancel(turn)
        await until(stopped.is_set)
        assert time.monotonic() - began < 2  # 0.2 s where nothing else runs
        assert (await conversation.finished(turn)).status == "cancelled"
        assert conversation.answer(turn).text == "Waiting for a bus"

    play(scenario, server)


def test_person_approves_and_denies_what_the_agent_wants(
    server: ServerProcess,
) -> None:
    erased: list[str] = []

    def erase(what: str) -> str:
        """Erase something.

        Args:
            what: What.
        """
        erased.append(what)
        return f"{what} is gone"

    async def scenario(client: Client) -> None:
        conversation = await lent(client, caller)
        tool: Any = KernelTool(
            erase, main_thread=MainThread(), risk="write", thread=True
        )
        await conversation.lend([tool])

        def asked() -> str | None:
            waiting = [
                call.approval.approval
                for call in conversation.state.tool_calls
                if call.approval and call.approval.decision is None
            ]
            return waiting[0] if waiting else None

        for decision, says in (
            ("denied", "denied: The user did not let erase run"),
            ("approved", "ok: disk is gone"),
        ):
            turn = await conversation.send("disk")
            approval = await until(asked)
            assert not erased
            await conversation.approve(approval, decision)  # pyright: ignore[reportArgumentType]
            await conversation.finished(turn)
            assert conversation.answer(turn).text.startswith(says)
        assert erased == ["disk"]
        assert [c.where for c in conversation.state.tool_calls] == ["kernel", "kernel"]

    play(scenario, server)


def test_what_goes_wrong_is_said_and_what_was_seen_is_kept(
    server: ServerProcess,
) -> None:
    async def scenario(client: Client) -> None:
        conversation = await lent(client, breaking)
        answer = await conversation.ask("luck")
        assert (answer.status, answer.text) == ("failed", "Half")
        assert answer.error is not None
        assert answer.error.message.endswith("stopped with ValueError: no luck")
        with pytest.raises(StreamchatError, match="call yours otherwise"):
            await conversation.lend_agents([FunctionAgent(echo, name="assistant")])
        with pytest.raises(InvalidInput, match="'breaking'"):
            await conversation.configure(agent="nobody")
        # Taken back, it is not chosen any more; another one is.
        await conversation.lend_agents([])
        with pytest.raises(InvalidInput, match="no agent 'breaking'"):
            await conversation.configure(agent="breaking")
        await conversation.configure(agent="assistant")
        assert "42" in (await conversation.ask("What is 6*7?")).text

    play(scenario, server)


def test_much_in_small_pieces_comes_whole_and_in_order(server: ServerProcess) -> None:
    async def scenario(client: Client) -> None:
        conversation = await lent(client, chatty)
        answer = await conversation.ask("3000")
        assert answer.text == "".join(f"{number} " for number in range(3000))
        assert client.transport == "websocket"

    play(scenario, server)


def test_cut_connection_neither_loses_nor_repeats(server: ServerProcess) -> None:
    go = threading.Event()

    async def steps(turn: FunctionTurn) -> AsyncIterator[str]:
        """Say something before a cut and something after it."""
        del turn
        yield "before "
        while not go.is_set():
            await asyncio.sleep(0.01)
        for number in range(50):
            yield f"{number} "

    async def scenario(client: Client) -> None:
        with FaultProxy(server.port) as proxy:
            url = f"http://127.0.0.1:{proxy.port}/"
            async with connect(url, server.address.token) as lender:
                conversation = await client.create()
                await lender.conversation(conversation.id).lend_agents([steps])
                await conversation.configure(agent="steps")
                turn = await conversation.send("go")
                await until(lambda: "before" in text_of(conversation))
                proxy.cut()
                go.set()
                await conversation.finished(turn)
        answer = conversation.answer(turn)
        assert answer.status == "completed"
        said = "".join(f"{number} " for number in range(50))
        assert answer.text == f"before {said}"

    play(scenario, server)


def test_killed_kernel_fails_its_turn_and_lends_again(server: ServerProcess) -> None:
    async def slow(turn: FunctionTurn) -> str:
        return f"Here again for {turn.text}"

    async def scenario(client: Client) -> None:
        conversation = await client.create()
        kernel = await asyncio.to_thread(_lend_elsewhere, server, conversation.id)
        try:
            await conversation.configure(agent="slow")
            turn = await conversation.send("wait")
            await until(lambda: "three" in text_of(conversation))
        finally:
            with kernel:
                kernel.kill()
        await conversation.finished(turn)
        answer = conversation.answer(turn)
        assert (answer.status, answer.text) == ("failed", "one two three ")
        assert answer.error is not None
        assert (answer.error.code, answer.error.retryable) == ("agent_lost", True)
        # Sent while nobody lends it, the next one waits a little; the cell runs again.
        turn = await conversation.send("you")
        await until(lambda: _label(conversation, turn).endswith("lends slow…"))
        await conversation.lend_agents([slow])
        await conversation.finished(turn)
        assert conversation.answer(turn).text == "Here again for you"

    play(scenario, server)


def _label(conversation: ClientConversation, turn: str) -> str:
    state = conversation.turn(turn)
    return "" if state is None else state.label


def _lend_elsewhere(
    server: ServerProcess, conversation: str
) -> subprocess.Popen[bytes]:
    """Lend an agent from a process of its own."""
    process = subprocess.Popen(
        [
            sys.executable,
            SCRIPT,
            server.address.url,
            server.address.token,
            conversation,
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == b"lent\n"
    return process
