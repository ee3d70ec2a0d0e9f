"""What readers see of a server that is told to stop; tests/soak has the rest."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from typing import TYPE_CHECKING

from streamchat_nb.testing.server_process import ServerProcess
from tests.integration.server.wire import (
    authenticated,
    close_code,
    fetch,
    frame,
    new_conversation,
    play,
    say,
    sse_events,
    until,
)

if TYPE_CHECKING:
    from tornado.httpclient import HTTPResponse
    from tornado.websocket import WebSocketClientConnection

PACE = "--StreamchatExtension.offline_pace_s=0.02"
MODEL = "--StreamchatExtension.model=offline-demo"


def server_that_waits(drain_timeout_s: float) -> ServerProcess:
    drain = f"--StreamchatExtension.drain_timeout_s={drain_timeout_s}"
    return ServerProcess([drain, PACE, MODEL])


async def ask(
    server: ServerProcess, text: str
) -> tuple[str, WebSocketClientConnection]:
    """Ask, and follow the answer until it has begun."""
    id_ = await new_conversation(server)
    socket = await authenticated(server)
    await say(socket, type="subscribe", id=2, conversation=id_)
    await until(socket, "live")
    await say(
        socket,
        type="send",
        id=3,
        conversation=id_,
        client_message_id="w1",
        content=[{"type": "text", "text": text}],
    )
    # The first answer of a new server waits for the model's SDK to be imported.
    while (await frame(socket, timeout_s=50.0) or {})["type"] != "block.delta":
        pass
    return id_, socket


def read_stream(server: ServerProcess, id_: str) -> asyncio.Future[HTTPResponse]:
    path = f"conversations/{id_}/events"
    return asyncio.ensure_future(
        fetch(server, "GET", path, headers={"Accept": "text/event-stream"})
    )


def test_running_answer_ends_and_every_reader_is_told_to_come_back() -> None:
    async def scenario(server: ServerProcess) -> None:
        id_, socket = await ask(server, "/demo long 20")
        reading = read_stream(server, id_)
        await asyncio.sleep(0.2)
        os.kill(server.pid, signal.SIGTERM)
        end = (await until(socket, "turn.finished"))[-1]
        assert end["status"] == "completed"
        assert (await until(socket, "going_away"))[-1]["retry_after_ms"] > 0
        assert await close_code(socket) == 1012
        response = await reading
        assert response.code == 200
        names = [event for _, event, _ in sse_events(response.body)]
        assert names[-1] == "going_away"
        assert "turn.finished" in names

    with server_that_waits(20) as server:
        play(lambda: scenario(server))


def test_server_that_is_to_wait_for_nobody_interrupts_and_says_so() -> None:
    async def scenario(server: ServerProcess) -> None:
        _, socket = await ask(server, "/demo long 20000")
        begun = time.monotonic()
        os.kill(server.pid, signal.SIGTERM)
        end = (await until(socket, "turn.finished"))[-1]
        assert end["status"] == "interrupted"
        await until(socket, "going_away")
        assert await close_code(socket) == 1012
        assert time.monotonic() - begun < 8

    with server_that_waits(0) as server:
        play(lambda: scenario(server))


def test_second_signal_ends_the_wait() -> None:
    async def scenario(server: ServerProcess) -> None:
        _, socket = await ask(server, "/demo long 20000")
        os.kill(server.pid, signal.SIGTERM)
        await until(socket, "block.delta")
        await asyncio.sleep(0.5)
        begun = time.monotonic()
        os.kill(server.pid, signal.SIGTERM)
        end = (await until(socket, "turn.finished"))[-1]
        assert end["status"] == "interrupted"
        assert await close_code(socket) == 1012
        assert time.monotonic() - begun < 8

    with server_that_waits(300) as server:
        play(lambda: scenario(server))


def test_message_that_comes_too_late_is_refused_for_a_while() -> None:
    async def scenario(server: ServerProcess) -> None:
        id_, socket = await ask(server, "/demo long 20000")
        os.kill(server.pid, signal.SIGTERM)
        await asyncio.sleep(0.3)
        await say(
            socket,
            type="send",
            id=4,
            conversation=id_,
            client_message_id="w2",
            content=[{"type": "text", "text": "and this?"}],
        )
        error = (await until(socket, "error"))[-1]
        assert (error["re"], error["code"]) == (4, "unavailable")
        assert error["retry_after_ms"] > 0

    with server_that_waits(2) as server:
        play(lambda: scenario(server))
