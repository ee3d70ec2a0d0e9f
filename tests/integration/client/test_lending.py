"""Functions of this process as tools of a conversation, over a real server."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

import pytest

from streamchat_nb.client.client import connect
from streamchat_nb.client.kernel_tools import KernelTool
from streamchat_nb.client.main_thread import MainThread
from streamchat_nb.errors import StreamchatError
from streamchat_nb.testing.fault_proxy import FaultProxy

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from streamchat_nb.testing.server_process import ServerProcess

ran: list[str] = []


def double(number: int) -> int:
    """Double a number.

    Args:
        number: The number.
    """
    ran.append("double")
    return 2 * number


async def nap(seconds: float) -> str:
    """Sleep.

    Args:
        seconds: How long.
    """
    ran.append("nap")
    await asyncio.sleep(seconds)
    ran.append("woke")
    return "slept well"


def tools() -> list[Any]:
    main_thread = MainThread()
    functions: list[Callable[..., Any]] = [double, nap]
    return [
        KernelTool(function, main_thread=main_thread, thread=True)
        for function in functions
    ]


def play(scenario: Callable[[], Coroutine[Any, Any, None]]) -> None:
    async def main() -> None:
        ran.clear()
        async with asyncio.timeout(60):
            await scenario()

    asyncio.run(main())


def test_lent_function_answers_the_agent(server: ServerProcess) -> None:
    async def scenario() -> None:
        async with connect(server.address.url, server.address.token) as client:
            conversation = await client.create()
            await conversation.lend(tools())
            answer = await conversation.ask('call double {"number": 21}')
            assert "42" in answer.text
            assert [call.status for call in answer.tool_calls] == ["ok"]
            answer = await conversation.ask('call double {"number": "x"}')
            assert answer.tool_calls[0].status == "error"
            assert ran == ["double"]
            await conversation.lend([])
            answer = await conversation.ask('call double {"number": 1}')
            assert "no tool `double`" in answer.text

    play(scenario)


def test_server_refuses_what_it_cannot_take(server: ServerProcess) -> None:
    def search_contacts() -> str:
        """Search."""
        return ""

    async def scenario() -> None:
        async with connect(server.address.url, server.address.token) as client:
            conversation = await client.create()
            with pytest.raises(StreamchatError, match="call yours otherwise"):
                await conversation.lend(
                    [KernelTool(search_contacts, main_thread=MainThread())]
                )

    play(scenario)


def test_cut_connection_runs_nothing_twice(server: ServerProcess) -> None:
    async def scenario() -> None:
        with FaultProxy(server.port) as proxy:
            url = f"http://127.0.0.1:{proxy.port}/"
            async with connect(url, server.address.token) as client:
                conversation = await client.create()
                await conversation.lend(tools())
                asking = asyncio.ensure_future(
                    conversation.ask('call nap {"seconds": 1.5}')
                )
                while "nap" not in ran:
                    await asyncio.sleep(0.01)
                proxy.cut()
                answer = await asking
        assert "slept well" in answer.text
        assert ran == ["nap", "woke"]

    play(scenario)


def test_many_quick_calls_do_not_wait_for_the_limit_of_frames(
    server: ServerProcess,
) -> None:
    async def scenario() -> None:
        async with connect(server.address.url, server.address.token) as client:
            conversation = await client.create()
            await conversation.lend(tools())
            calls = " and ".join(
                f'double {{"number": {number}}}' for number in range(10)
            )
            for _ in range(5):  # 100 frames, where 60 in 10 s are let through
                answer = await conversation.ask(f"call {calls}")
                assert len(answer.tool_calls) == 10
            assert client.transport == "websocket"
        assert len(ran) == 50

    play(scenario)


def test_cancelled_turn_stops_the_function(server: ServerProcess) -> None:
    async def scenario() -> None:
        async with connect(server.address.url, server.address.token) as client:
            conversation = await client.create()
            await conversation.lend(tools())
            turn = await conversation.send('call nap {"seconds": 30}')
            while "nap" not in ran:
                await asyncio.sleep(0.01)
            begun = time.monotonic()
            await conversation.cancel(turn)
            assert (await conversation.finished(turn)).status == "cancelled"
            assert time.monotonic() - begun < 3
            await asyncio.sleep(0.3)
            assert ran == ["nap"]

    play(scenario)


def test_client_that_leaves_in_the_middle_ends_its_call(
    server: ServerProcess,
) -> None:
    async def scenario() -> None:
        async with connect(server.address.url, server.address.token) as asker:
            conversation = await asker.create()
            async with connect(server.address.url, server.address.token) as kernel:
                lending = kernel.conversation(conversation.id)
                await lending.lend(tools())
                turn = await conversation.send('call nap {"seconds": 30}')
                while "nap" not in ran:
                    await asyncio.sleep(0.01)
            async with asyncio.timeout(6):
                await conversation.finished(turn)
            answer = conversation.answer(turn)
            assert answer.status == "completed"
            assert answer.tool_calls[0].status == "unknown"

    play(scenario)
