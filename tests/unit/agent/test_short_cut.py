from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from streamchat_nb.agent.anthropic_model import AnthropicModel
from streamchat_nb.agent.model import (
    ModelBlockDelta,
    ModelEvent,
    ModelMessageStop,
    ModelRequest,
)
from streamchat_nb.errors import ModelError

ASK = ModelRequest(messages=[{"role": "user", "content": "Hi"}])
HEAD = (
    b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
    b"Transfer-Encoding: chunked\r\n\r\n"
)
START = b'{"type":"message_start","message":{"model":"m","usage":{"input_tokens":1}}}'
BEGIN = b'{"type":"content_block_start","index":0,"content_block":{"type":"text"}}'
STOP = b'{"type":"content_block_stop","index":0}'
END = b'{"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{}}'
LAST = b'{"type":"message_stop"}'
WORDS = [f"word {number} " for number in range(20)]
END_S = 20.0

Send = Callable[..., Awaitable[None]]


def text(word: str) -> bytes:
    return (
        b'{"type":"content_block_delta","index":0,"delta":'
        b'{"type":"text_delta","text":"%s"}}' % word.encode()
    )


class Seen:
    """What came of an answer, in its order.

    Args:
        refuses: Say of the deltas which of them are not taken.
    """

    def __init__(self, refuses: Callable[[int], bool] = lambda _: False) -> None:
        self.events: list[ModelEvent] = []
        self.shown = 0
        self.came = asyncio.Event()
        self._refuses = refuses

    def show(self, delta: ModelBlockDelta) -> bool:
        if self._refuses(len(self.events)):
            return False
        self.shown += 1
        self.take(delta)
        return True

    def take(self, event: ModelEvent) -> None:
        self.events.append(event)
        self.came.set()

    async def until(self, end: str) -> None:
        while not self.text.endswith(end):
            self.came.clear()
            await self.came.wait()

    @property
    def text(self) -> str:
        deltas = [e.text for e in self.events if isinstance(e, ModelBlockDelta)]
        return "".join(deltas)


def play(
    answer: Callable[[Send, Seen], Awaitable[None]],
    seen: Seen,
    *,
    no_progress_timeout_s: float = 10.0,
) -> None:
    """Ask a model that answers so, and see what comes."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async def send(*parts: bytes) -> None:
            events = b"".join(b"data: %s\n\n" % part for part in parts)
            writer.write(b"%x\r\n%s\r\n" % (len(events), events))
            await writer.drain()

        try:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(HEAD)
            await answer(send, seen)
        finally:
            writer.close()

    async def ask(url: str) -> None:
        model = AnthropicModel(
            "m", base_url=url, no_progress_timeout_s=no_progress_timeout_s
        )
        await model.warm()  # it imports the SDK, which takes its time
        try:
            async with asyncio.timeout(END_S):
                async for event in model.stream_showing(ASK, seen.show):
                    seen.take(event)
        finally:
            await model.close()

    async def run() -> None:
        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        async with server:
            host, port = server.sockets[0].getsockname()
            await ask(f"http://{host}:{port}")

    asyncio.run(run())


async def word_by_word(send: Send, seen: Seen) -> None:
    """Answer, each word after the one before it has been seen."""
    await send(START, BEGIN)
    for word in WORDS:
        await send(text(word))
        await seen.until(word)
    await send(STOP, END)
    await send(LAST)


@pytest.mark.parametrize(
    ("taken_of_three", "least_shown"),
    [(3, len(WORDS) - 1), (2, len(WORDS) // 2), (0, 0)],
)
def test_deltas_come_in_order_whoever_takes_them(
    taken_of_three: int, least_shown: int
) -> None:
    seen = Seen(lambda position: position % 3 >= taken_of_three)
    play(word_by_word, seen)
    assert seen.text == "".join(WORDS)
    assert isinstance(seen.events[-1], ModelMessageStop)
    assert least_shown <= seen.shown < len(WORDS)


def test_fault_after_shown_deltas_is_raised() -> None:
    async def answer(send: Send, seen: Seen) -> None:
        await send(START, BEGIN, text("a"))
        await seen.until("a")
        await send(text("b"))
        await seen.until("b")
        await send(text("c"), b'{"type":"error","error":{"type":"overloaded_error"}}')
        await asyncio.sleep(END_S)

    seen = Seen()
    with pytest.raises(ModelError) as caught:
        play(answer, seen)
    assert caught.value.code == "model_overloaded"
    assert seen.text == "abc"


def test_shown_deltas_are_progress_and_silence_after_them_is_none() -> None:
    async def answer(send: Send, _: Seen) -> None:
        await send(START, BEGIN, text("a"))
        for _number in range(4):
            await asyncio.sleep(0.3)
            await send(text("b"))
        await asyncio.sleep(END_S)

    seen = Seen()
    with pytest.raises(ModelError) as caught:
        play(answer, seen, no_progress_timeout_s=0.8)
    assert caught.value.code == "model_stalled"
    assert seen.text == "abbbb"


def test_error_of_who_shows_is_raised_where_the_answer_is_read() -> None:
    def refuses(position: int) -> bool:
        raise KeyError(position)

    with pytest.raises(KeyError):
        play(word_by_word, Seen(refuses))
