"""The client over networks that block, cut and fall silent, by each transport."""

from __future__ import annotations

import asyncio
import gc
import os
import random
import time
from typing import TYPE_CHECKING, Literal

import pytest

from streamchat_nb.client import (
    Client,
    ClientConversation,
    StateReplaced,
    back_off,
    socket_session,
    stream_session,
)
from streamchat_nb.client import connection as connection_module
from streamchat_nb.client.discovery import ServerAddress
from streamchat_nb.conversation.state import Fold
from streamchat_nb.errors import AuthenticationError, ConnectError, NotFound
from streamchat_nb.protocol.codec import encode
from streamchat_nb.protocol.commands import Cursor
from streamchat_nb.testing.fault_proxy import (
    FaultProxy,
    LineFault,
    RequestFaults,
    random_cuts,
)
from streamchat_nb.testing.server_process import ServerProcess, free_port

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from streamchat_nb.client.client import TransportChoice
    from streamchat_nb.testing.fault_proxy import ProxiedRequest

EACH: list[Literal["websocket", "sse", "rest"]] = ["websocket", "sse", "rest"]
# What takes a server of its own for each is tried by one in every run, and by the
# others where there is time.
ONE_AT_LEAST = [
    "rest",
    *(pytest.param(name, marks=pytest.mark.slow) for name in ("websocket", "sse")),
]
PACE = [
    "--StreamchatExtension.offline_pace_s=0.003",
    "--StreamchatExtension.drain_timeout_s=1",
]


@pytest.fixture
def proxy(server: ServerProcess) -> Iterator[FaultProxy]:
    with FaultProxy(server.port, silence_s=2) as proxy:
        yield proxy


@pytest.fixture
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Come back sooner than a server in use would like."""
    monkeypatch.setattr(back_off, "FIRST_S", 0.02)
    monkeypatch.setattr(back_off, "SOON_S", 0.1)
    monkeypatch.setattr(back_off, "MOST_S", 0.1)
    monkeypatch.setattr(connection_module, "RETRY_S", 0.05)
    monkeypatch.setattr(connection_module, "PROBE_S", 0.2)


def through(
    proxy: FaultProxy, server: ServerProcess, transport: TransportChoice = "auto"
) -> Client:
    url = f"http://127.0.0.1:{proxy.port}/"
    address = ServerAddress(url=url, token=server.address.token)
    return Client(address, transport=transport)


async def until(condition: Callable[[], bool], *, timeout_s: float = 20) -> None:
    async with asyncio.timeout(timeout_s):
        while not condition():
            await asyncio.sleep(0.02)


def cuts(seed: int) -> Callable[[ProxiedRequest], RequestFaults]:
    """Sockets and streams are cut, some pages, and some answers to sends are lost."""
    dice = random.Random(seed)  # noqa: S311 - the same on each run
    of_connections = random_cuts(seed, within_bytes=4_000, endings=("fin", "rst"))

    def choose(request: ProxiedRequest) -> RequestFaults:
        if request.kind != "other":
            return of_connections(request)
        is_news = "/events" in request.line or "/messages" in request.line
        if is_news and dice.random() < 0.4:
            bytes_ = dice.randrange(1_000)
            return RequestFaults(to_client=LineFault(cut_after_bytes=bytes_))
        return RequestFaults()

    return choose


@pytest.mark.usefixtures("_quick")
@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("transport", [*EACH, "auto"])
def test_cut_at_random_bytes_leaves_no_gap_and_no_repeat(
    server: ServerProcess, proxy: FaultProxy, transport: TransportChoice, seed: int
) -> None:
    questions = ["Who is Ada?", "/demo long 120", "What is 6*7?"]

    async def scenario() -> None:
        async with Client(server.address) as steady:
            conversation_id = (await steady.create()).id
            straight = steady.conversation(conversation_id)
            await straight.current()
            assert straight.cursor is not None
            client = through(proxy, server, transport)
            async with client:
                conversation = client.conversation(conversation_id)
                seen = asyncio.ensure_future(
                    folded(conversation, straight.cursor.log, len(questions))
                )
                await conversation.current()
                proxy.faults = cuts(seed)
                proxy.cut("rst")
                answers = [await conversation.ask(text) for text in questions]
                fold = await seen
                proxy.faults = None
            await until(lambda: straight.state.seq >= fold.seq)
            assert [answer.status for answer in answers] == ["completed"] * 3
            assert encode(fold.state) == encode(straight.state)
            asked = [m for m in straight.state.messages if m.role == "user"]
            assert [m.blocks[0].text for m in asked] == questions

    asyncio.run(asyncio.wait_for(scenario(), 90))
    assert proxy.cuts.total() >= 3


async def folded(conversation: ClientConversation, log: str, turns: int) -> Fold:
    """The fold of what an iterator gives, to the end of so many turns."""
    fold = Fold()
    async for item in conversation.events(since=Cursor(log=log, seq=0)):
        if isinstance(item, StateReplaced):
            assert item.state.seq >= fold.seq
            fold = Fold(item.state)
        else:
            assert item.seq > fold.seq
            fold.apply(item)
        ended = [turn for turn in fold.state.turns if turn.finished_ts is not None]
        if len(ended) == turns:
            return fold
    raise AssertionError


@pytest.mark.usefixtures("_quick")
def test_blocked_transports_are_left_and_found_again(
    server: ServerProcess, proxy: FaultProxy
) -> None:
    async def scenario() -> None:
        proxy.blocked = {"websocket"}
        async with through(proxy, server) as client:
            conversation = await client.create()
            assert client.transport == "sse"
            assert "WebSockets are blocked" in client.transport_reason
            assert (await conversation.ask("What is 6*7?")).status == "completed"
            proxy.blocked = {"websocket", "event-stream"}
            proxy.cut()
            await until(lambda: client.transport == "rest")
            assert "HTTP streams" in client.transport_reason
            assert (await conversation.ask("What is 6*7?")).status == "completed"
            turn = await conversation.send("/demo long 300")
            proxy.blocked = {"websocket"}
            await until(lambda: client.transport == "sse")
            proxy.blocked = set()
            await until(lambda: client.transport == "websocket")
            assert "blocked" not in client.transport_reason
            assert (await conversation.finished(turn)).status == "completed"
            assert (await conversation.ask("What is 6*7?")).status == "completed"
            assert len(conversation.state.turns) == 4

    asyncio.run(asyncio.wait_for(scenario(), 60))


def test_transport_that_was_asked_for_is_the_only_one(
    server: ServerProcess, proxy: FaultProxy
) -> None:
    async def scenario() -> None:
        proxy.blocked = {"websocket", "event-stream"}
        with pytest.raises(ConnectError, match="WebSockets are blocked"):
            async with through(proxy, server, "websocket"):
                pass
        async with through(proxy, server, "rest") as client:
            assert client.transport == "rest"

    asyncio.run(asyncio.wait_for(scenario(), 30))


@pytest.mark.usefixtures("_quick")
def test_socket_that_says_nothing_is_blocked_too(
    server: ServerProcess, proxy: FaultProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(socket_session, "HELLO_TIMEOUT_S", 0.5)
    monkeypatch.setattr(stream_session, "FIRST_ITEM_TIMEOUT_S", 0.5)
    silent = RequestFaults(to_client=LineFault(cut_after_bytes=0, ending="silence"))

    def choose(request: ProxiedRequest) -> RequestFaults:
        return RequestFaults() if request.kind == "other" else silent

    proxy.faults = choose

    async def scenario() -> None:
        async with through(proxy, server) as client:
            assert client.transport == "sse"  # nothing to follow yet
            assert "do not get through" in client.transport_reason
            conversation = await client.create()
            assert (await conversation.ask("What is 6*7?")).status == "completed"
            assert client.transport == "rest"

    asyncio.run(asyncio.wait_for(scenario(), 30))


@pytest.mark.usefixtures("_quick")
@pytest.mark.parametrize("transport", ["websocket", "sse"])
def test_connection_that_falls_silent_is_noticed(
    server: ServerProcess,
    proxy: FaultProxy,
    monkeypatch: pytest.MonkeyPatch,
    transport: TransportChoice,
) -> None:
    monkeypatch.setattr(socket_session, "MOST_SILENCE_S", 0.5)
    monkeypatch.setattr(socket_session, "PONG_TIMEOUT_S", 0.5)
    monkeypatch.setattr(stream_session, "SILENCE_TIMEOUT_S", 1.0)

    async def scenario() -> None:
        async with through(proxy, server, transport) as client:
            conversation = await client.create()
            turn = await conversation.send("/demo long 1000")
            await until(lambda: len(conversation.state.messages) > 1)
            proxy.cut("silence")
            before = conversation.state.seq
            await until(lambda: conversation.state.seq > before + 10, timeout_s=8)
            assert (await conversation.finished(turn)).status == "completed"

    asyncio.run(asyncio.wait_for(scenario(), 60))


@pytest.mark.usefixtures("_quick")
@pytest.mark.parametrize("transport", ONE_AT_LEAST)
def test_killed_server_gives_a_waiting_ask_its_interrupted_answer(
    transport: TransportChoice,
) -> None:
    async def scenario(server: ServerProcess) -> None:
        async with Client(server.address, transport=transport) as client:
            conversation = await client.create()
            asking = asyncio.ensure_future(conversation.ask("/demo long 5000"))
            await until(lambda: len(str(conversation.state)) > 3_000)
            seen = conversation.state.messages[-1].blocks[0].text
            server.kill()
            await asyncio.to_thread(server.start)
            answer = await asking
            assert answer.status == "interrupted"
            assert answer.text.startswith(seen)
            assert len(seen) > 500
            later = await conversation.ask("What is 6*7?")
            assert "42" in later.text

    with ServerProcess(PACE) as server:
        asyncio.run(asyncio.wait_for(scenario(server), 90))


@pytest.mark.usefixtures("_quick")
@pytest.mark.parametrize("transport", ONE_AT_LEAST)
def test_orderly_restart_is_survived_by_a_waiting_ask(
    transport: TransportChoice,
) -> None:
    async def scenario(server: ServerProcess) -> None:
        async with Client(server.address, transport=transport) as client:
            conversation = await client.create()
            asking = asyncio.ensure_future(conversation.ask("/demo long 200"))
            await until(lambda: len(conversation.state.messages) > 1)
            stopping = asyncio.ensure_future(asyncio.to_thread(server.stop))
            await asyncio.sleep(0.3)
            later = asyncio.ensure_future(conversation.ask("What is 6*7?"))
            await stopping
            await asyncio.to_thread(server.start)
            assert (await asking).status in ("completed", "interrupted")
            assert "42" in (await later).text
            asked = [m for m in conversation.state.messages if m.role == "user"]
            assert len(asked) == 2

    with ServerProcess(PACE) as server:
        asyncio.run(asyncio.wait_for(scenario(server), 90))


@pytest.mark.usefixtures("_quick")
@pytest.mark.parametrize("transport", ONE_AT_LEAST)
def test_refused_token_ends_the_client_and_a_deletion_its_conversation(
    transport: TransportChoice,
) -> None:
    async def scenario(server: ServerProcess) -> None:
        async with Client(server.address, transport=transport) as client:
            kept, lost = await client.create(), await client.create()
            await kept.current()
            await lost.current()
            waiting = asyncio.ensure_future(anext(lost.events()))
            await asyncio.sleep(0)
            await client.conversation(lost.id).delete()
            with pytest.raises(NotFound, match=r"deleted|no such"):
                await waiting
            assert (await kept.ask("What is 6*7?")).status == "completed"
            waiting = asyncio.ensure_future(kept.finished("t_none"))
            await asyncio.sleep(0)
            server.kill()
            server._token = "another"
            await asyncio.to_thread(server.start)
            with pytest.raises(AuthenticationError, match="refused the token"):
                await waiting
            with pytest.raises(AuthenticationError, match="refused the token"):
                await kept.send("hello")
            assert "refused the token" in client.transport_reason

    with ServerProcess(PACE) as server:
        asyncio.run(asyncio.wait_for(scenario(server), 60))


@pytest.mark.usefixtures("_quick")
def test_stream_outlives_short_tokens() -> None:
    async def scenario(server: ServerProcess) -> None:
        async with Client(server.address, transport="sse") as client:
            conversation = await client.create()
            before = time.monotonic()
            assert (await conversation.ask("/demo long 80")).status == "completed"
            assert time.monotonic() - before > 2

    arguments = [*PACE, "--StreamchatExtension.token_lifetime_s=2"]
    with ServerProcess(arguments) as server:
        asyncio.run(asyncio.wait_for(scenario(server), 60))


@pytest.mark.parametrize("transport", EACH)
def test_fifty_clients_leave_no_descriptor_and_no_task(
    server: ServerProcess, transport: TransportChoice
) -> None:
    async def cycle() -> None:
        async with Client(server.address, transport=transport) as client:
            conversation = await client.create()
            events = conversation.events()
            await conversation.send("hello")
            await anext(events)

    async def scenario() -> None:
        await cycle()
        await asyncio.sleep(0.1)
        gc.collect()
        descriptors, tasks = open_descriptors(), len(asyncio.all_tasks())
        for _ in range(50):
            await cycle()
        await asyncio.sleep(0.1)
        gc.collect()
        assert len(asyncio.all_tasks()) == tasks
        assert open_descriptors() <= descriptors

    asyncio.run(asyncio.wait_for(scenario(), 120))


def open_descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))  # noqa: PTH208 - no path is wanted


def test_server_that_is_not_there_is_named() -> None:
    async def scenario() -> None:
        url = f"http://127.0.0.1:{free_port()}/"
        for transport in EACH:
            address = ServerAddress(url=url, token="secret")
            with pytest.raises(ConnectError, match="is it running") as caught:
                async with Client(address, transport=transport):
                    pass
            assert url in caught.value.message
            assert "secret" not in str(caught.value)

    asyncio.run(scenario())
