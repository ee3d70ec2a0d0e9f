from __future__ import annotations

import asyncio
import gc
import time
from typing import TYPE_CHECKING, Any

import pytest

from streamchat_nb.client.client import Client, connect
from streamchat_nb.client.discovery import ServerAddress
from streamchat_nb.client.events import StateReplaced
from streamchat_nb.client.http import HttpApi
from streamchat_nb.errors import (
    AuthenticationError,
    ConnectError,
    NotFound,
    TooLarge,
    UsageError,
)
from streamchat_nb.protocol.codec import encode
from streamchat_nb.protocol.events import BlockDelta, TurnFinished
from streamchat_nb.testing.server_process import ServerProcess, free_port
from streamchat_nb.widget.chat import Chat

if TYPE_CHECKING:
    from streamchat_nb.protocol.events import Event, UnknownEvent


def test_ask_gives_text_tool_calls_actions_and_usage(server: ServerProcess) -> None:
    async def scenario() -> None:
        async with connect(server.address.url, server.address.token) as client:
            conversation = await client.create()
            answer = await conversation.ask("Who is Ada?")
            assert answer.status == "completed"
            assert "Ada Lovelace" in str(answer)
            assert [call.name for call in answer.tool_calls] == ["search_contacts"]
            assert answer.actions
            assert answer.usage is not None
            assert answer.model == "offline-demo"

    asyncio.run(scenario())


def test_events_come_in_order_as_typed_values(server: ServerProcess) -> None:
    async def scenario() -> None:
        async with Client(server.address) as client:
            conversation = await client.create()
            events = conversation.events()
            turn = await conversation.send("/demo long 50")
            seen: list[Event | UnknownEvent] = []
            async for event in events:
                assert not isinstance(event, StateReplaced)
                seen.append(event)
                if isinstance(event, TurnFinished) and event.turn == turn:
                    break
            numbers = [event.seq for event in seen]
            assert numbers == sorted(set(numbers))
            assert sum(isinstance(event, BlockDelta) for event in seen) > 20

    asyncio.run(scenario())


def test_two_clients_end_in_the_same_state(server: ServerProcess) -> None:
    async def scenario() -> None:
        async with Client(server.address) as one, Client(server.address) as two:
            mine = await one.create()
            theirs = two.conversation(mine.id)
            turn = await mine.send("Who is Grace?")
            await asyncio.gather(mine.finished(turn), theirs.finished(turn))
            assert encode(mine.state) == encode(theirs.state)

    asyncio.run(scenario())


def test_killed_server_comes_back_and_nothing_seen_is_lost() -> None:
    async def scenario(server: ServerProcess) -> None:
        async with Client(server.address) as client:
            conversation = await client.create()
            turn = await conversation.send("/demo long 5000")
            events = conversation.events()
            for _ in range(30):
                await anext(events)
            seen = conversation.state.messages[-1].blocks[0].text
            server.kill()
            await asyncio.to_thread(server.start)
            async with asyncio.timeout(30):
                end = await conversation.finished(turn)
            assert end.status == "interrupted"
            answer = conversation.state.messages[-1]
            assert answer.status == "partial"
            assert answer.blocks[0].text.startswith(seen)
            async with asyncio.timeout(30):
                later = await conversation.ask("What is 6*7?")
            assert "42" in later.text

    with ServerProcess(["--StreamchatExtension.offline_pace_s=0.005"]) as server:
        asyncio.run(scenario(server))


def test_conversation_goes_on_after_an_orderly_restart() -> None:
    async def scenario(server: ServerProcess) -> None:
        async with Client(server.address) as client:
            conversation = await client.create()
            deleted = await client.create()
            waiting = asyncio.ensure_future(anext(deleted.events()))
            turn = await conversation.send("/demo long 5000")
            await asyncio.sleep(0.2)
            await asyncio.to_thread(server.stop)
            assert (await conversation.finished(turn)).status == "interrupted"
            await asyncio.to_thread(server.start)
            await deleted.delete()
            async with asyncio.timeout(30):
                answer = await conversation.ask("What is 6*7?")
                assert "42" in answer.text
                with pytest.raises(NotFound):
                    await waiting

    arguments = [
        "--StreamchatExtension.offline_pace_s=0.005",
        "--StreamchatExtension.drain_timeout_s=1",
    ]
    with ServerProcess(arguments) as server:
        asyncio.run(scenario(server))


def test_deleted_conversation_does_not_keep_the_others_from_coming_back() -> None:
    async def scenario(server: ServerProcess) -> None:
        async with Client(server.address) as client:
            lost = await client.create()
            waiting = asyncio.ensure_future(anext(lost.events()))
            await asyncio.sleep(0)
            server.kill()
            await asyncio.to_thread(server.start)
            async with asyncio.timeout(30):
                with pytest.raises(NotFound):
                    await waiting
                fresh = await client.create()
                assert (await fresh.ask("hello")).status == "completed"

    arguments = ["--StreamchatExtension.store_path=memory"]
    with ServerProcess(arguments) as server:
        asyncio.run(scenario(server))


def test_one_socket_too_many_becomes_a_stream() -> None:
    async def scenario(server: ServerProcess) -> None:
        async with Client(server.address), Client(server.address) as another:
            assert another.transport == "sse"
            assert "429" in another.transport_reason
            alone = Client(server.address, transport="websocket")
            with pytest.raises(ConnectError, match="429"):
                await alone.open()
            await alone.close()

    limits = "--StreamchatExtension.limits={'sockets_per_user': 1}"
    with ServerProcess([limits]) as server:
        asyncio.run(scenario(server))


def test_message_over_a_frame_is_refused_and_the_chat_goes_on(
    server: ServerProcess,
) -> None:
    async def scenario() -> None:
        async with Client(server.address) as client, asyncio.timeout(20):
            conversation = await client.create()
            with pytest.raises(TooLarge):
                await conversation.send("x" * 300_000)
            assert (await conversation.ask("hello")).status == "completed"

    asyncio.run(scenario())


def test_closed_client_releases_who_waits(server: ServerProcess) -> None:
    async def scenario() -> None:
        async with Client(server.address) as client:
            conversation = await client.create()
            end = asyncio.ensure_future(conversation.finished("t_none"))
            event = asyncio.ensure_future(anext(conversation.events()))
            await asyncio.sleep(0)
        with pytest.raises(ConnectError, match="closed"):
            await asyncio.wait_for(end, 5)
        with pytest.raises(ConnectError, match="closed"):
            await asyncio.wait_for(event, 5)

    asyncio.run(scenario())


def test_message_sent_while_the_server_restarts_arrives_once() -> None:
    async def scenario(server: ServerProcess) -> None:
        async with Client(server.address) as client:
            conversation = await client.create()
            server.kill()
            asking = asyncio.ensure_future(conversation.ask("hello"))
            await asyncio.sleep(0.2)
            await asyncio.to_thread(server.start)
            async with asyncio.timeout(90):
                answer = await asking
            assert answer.status == "completed"
            users = [m for m in conversation.state.messages if m.role == "user"]
            assert len(users) == 1

    with ServerProcess(["--StreamchatExtension.offline_pace_s=0"]) as server:
        asyncio.run(scenario(server))


def test_socket_token_is_used_again_and_renewed_where_it_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[str] = []
    request = HttpApi.request

    async def noted(self: HttpApi, method: str, path: str, *rest: Any) -> Any:
        asked.append(path)
        return await request(self, method, path, *rest)

    async def restart(server: ServerProcess, *, without_key: bool) -> None:
        server.kill()
        if without_key:
            (key,) = server.home.rglob("*.sqlite3.key")
            key.unlink()
        await asyncio.to_thread(server.start)

    async def scenario(server: ServerProcess) -> None:
        async with Client(server.address, transport="websocket") as client:
            conversation = await client.create()
            for without_key, tokens in ((False, 1), (True, 2)):
                await restart(server, without_key=without_key)
                async with asyncio.timeout(30):
                    assert "42" in (await conversation.ask("What is 6*7?")).text
                assert asked.count("token") == tokens

    monkeypatch.setattr(HttpApi, "request", noted)
    with ServerProcess(["--StreamchatExtension.offline_pace_s=0"]) as server:
        asyncio.run(scenario(server))


def test_clear_errors_for_what_cannot_be(server: ServerProcess) -> None:
    async def scenario() -> None:
        with pytest.raises(ConnectError, match="is it running"):
            await Client(
                ServerAddress(url=f"http://127.0.0.1:{free_port()}/", token="x")
            ).open()
        with pytest.raises(AuthenticationError, match="refused the token"):
            await Client(ServerAddress(url=server.address.url, token="wrong")).open()
        async with Client(server.address) as client:
            with pytest.raises(NotFound):
                await client.conversation("c_none").current()
            with pytest.raises(UsageError, match="id"):
                client.conversation("../c")
            conversation = await client.create()
            with pytest.raises(TooLarge) as caught:
                await conversation.send("x" * 70_000)
            assert caught.value.details == {"message_bytes": 65_536}
            with pytest.raises(NotFound):
                await conversation.cancel("t_none")

    asyncio.run(scenario())


def test_cell_run_again_and_again_still_asks(
    server: ServerProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("streamchat_nb.client.connection.MOST_FOLLOWED", 4)
    address = server.address
    chats = [Chat(url=address.url, token=address.token) for _ in range(12)]
    assert chats[-1].ask("What is 6*7?", timeout_s=30).status == "completed"
    # The first one is not delivered any more, and is again when it is asked.
    assert chats[0].ask("What is 6*7?", timeout_s=30).status == "completed"
    assert [message.role for message in chats[0].messages] == ["user", "assistant"]
    deadline = time.monotonic() + 10
    while not chats[0].last_answer and time.monotonic() < deadline:
        time.sleep(0.02)
    assert "42" in chats[0].last_answer["text"]


def test_client_paces_itself_below_the_flood_limit(server: ServerProcess) -> None:
    async def scenario() -> None:
        async with Client(server.address) as client:
            conversation = await client.create()
            before = time.monotonic()
            for _ in range(70):
                with pytest.raises(NotFound):
                    await conversation.cancel("t_none")
            assert time.monotonic() - before > 5
            assert (await conversation.ask("What is 6*7?")).status == "completed"

    asyncio.run(scenario())


def test_conversation_that_was_forgotten_is_found_again(
    server: ServerProcess,
) -> None:
    async def scenario() -> None:
        async with Client(server.address) as client:
            id_ = (await client.create()).id
            for number in (1, 2, 3):
                conversation = client.conversation(id_)
                await conversation.ask("What is 6*7?")
                assert len(conversation.state.turns) == number
                del conversation
                gc.collect()

    asyncio.run(asyncio.wait_for(scenario(), 30))


def test_client_that_was_not_opened_says_so(server: ServerProcess) -> None:
    async def scenario() -> None:
        client = Client(server.address)
        with pytest.raises(UsageError, match="Open the client"):
            await client.conversation("c_1").send("hello")
        with pytest.raises(UsageError, match="Open the client"):
            await client.conversation("c_1").cancel("t_1")
        assert client.transport is None
        await client.close()

    asyncio.run(scenario())
