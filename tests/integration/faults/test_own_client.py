from __future__ import annotations

import asyncio

from streamchat_nb.client.client import Client, connect
from streamchat_nb.client.events import StateReplaced
from streamchat_nb.protocol.commands import Cursor
from streamchat_nb.protocol.events import TurnFinished
from tests.soak.real_server import real_server
from tests.soak.talk import Talk


def test_iterator_from_an_old_cursor_misses_nothing_while_an_answer_streams() -> None:
    async def scenario() -> None:
        with real_server(offline_pace_s=0.002) as server:
            url = f"http://127.0.0.1:{server.address.port}/"
            async with connect(url, server.address.token) as client:
                for _ in range(8):
                    await read_from_the_start(client, await Talk.begin(server))

    asyncio.run(scenario())


async def read_from_the_start(client: Client, talk: Talk) -> None:
    """Read a log from its start while it grows; nothing may be missing."""
    async with talk:
        await talk.send("/demo long 300")
        await talk.until(lambda: talk.head > 60)
        conversation = client.conversation(talk.conversation)
        await conversation.current()
        seq = 0
        async for event in conversation.events(since=Cursor(log=talk.log, seq=0)):
            assert not isinstance(event, StateReplaced)
            assert event.prev == seq
            seq = event.seq
            if isinstance(event, TurnFinished):
                return
