from __future__ import annotations

import asyncio
from itertools import pairwise
from typing import TYPE_CHECKING

import msgspec

from streamchat_nb.client.client import Client
from streamchat_nb.protocol.events import BlockDelta, EventBase, TurnFinished
from streamchat_nb.protocol.short_deltas import FrameReader
from tests.integration.server.wire import (
    frame,
    new_conversation,
    open_socket,
    play,
    say,
    token_of,
    until,
)

if TYPE_CHECKING:
    import pytest
    from tornado.websocket import WebSocketClientConnection

    from streamchat_nb.protocol.events import Event
    from streamchat_nb.testing.server_process import ServerProcess

QUESTION = "/demo long 120"


async def follow(
    server: ServerProcess, id_: str, *, features: list[str] | None
) -> WebSocketClientConnection:
    """A socket that follows a conversation and has read all that there is."""
    socket = await open_socket(server)
    assert "short_deltas" in (await frame(socket) or {})["features"]
    asks = {} if features is None else {"features": features}
    await say(socket, type="authenticate", id=1, token=await token_of(server), **asks)
    # A fresh token takes nothing back.
    await say(socket, type="authenticate", id=2, token=await token_of(server))
    await say(socket, type="subscribe", id=3, conversation=id_)
    await until(socket, "live")
    return socket


async def answer(socket: WebSocketClientConnection) -> tuple[list[Event], int]:
    """The events up to the end of a turn, and how many of them came short."""
    frames, events, short = FrameReader(), list["Event"](), 0
    while not (events and isinstance(events[-1], TurnFinished)):
        async with asyncio.timeout(20):
            data = await socket.read_message()
        assert isinstance(data, str)
        short += data.startswith('"')
        value = frames.read(data.encode())
        if isinstance(value, EventBase):
            events.append(value)
    return events, short


def story(events: list[Event]) -> tuple[list[object], str]:
    """What happened, and what was written."""
    for before, event in pairwise(events):
        assert event.prev == before.seq
    whole: list[object] = [
        msgspec.structs.replace(event, prev=0)
        for event in events
        if not isinstance(event, BlockDelta)
    ]
    return whole, "".join(e.delta for e in events if isinstance(e, BlockDelta))


def test_only_who_asks_for_them_is_sent_short_deltas(server: ServerProcess) -> None:
    async def scenario() -> None:
        id_ = await new_conversation(server)
        asks = await follow(server, id_, features=["short_deltas", "of a later day"])
        plain = await follow(server, id_, features=None)
        await say(
            plain,
            type="send",
            id=4,
            conversation=id_,
            client_message_id="w1",
            content=[{"type": "text", "text": QUESTION}],
        )
        (events, short), (same, none) = await asyncio.gather(
            answer(asks), answer(plain)
        )
        assert none == 0
        deltas = [event for event in events if isinstance(event, BlockDelta)]
        assert len(deltas) / 2 < short < len(deltas)
        assert story(events) == story(same)

    play(scenario)


def test_our_client_asks_for_short_deltas(
    server: ServerProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = FrameReader.read
    came: list[bytes] = []

    def note(frames: FrameReader, data: bytes) -> object:
        came.append(data)
        return read(frames, data)

    monkeypatch.setattr(FrameReader, "read", note)

    async def scenario() -> None:
        async with Client(server.address, transport="websocket") as client:
            conversation = await client.create()
            events = conversation.events()
            turn = await conversation.send(QUESTION)
            text = ""
            async for event in events:
                if isinstance(event, BlockDelta):
                    text += event.delta
                elif isinstance(event, TurnFinished):
                    break
            state = await conversation.finished(turn)
            assert state.status == "completed"
            assert text == conversation.state.messages[-1].blocks[0].text
        assert sum(data.startswith(b'"') for data in came) > 20

    play(scenario)
