"""A fast fake Messages API, a process of its own.

What it shall answer rides in the last user message, so that it passes through any
contender: ``bench rate=80 deltas=160``. Further words may follow: ``wait_ms=200`` lets
the first delta wait, ``plain=1`` streams words in place of time stamps.

Each delta is a packet of its own and holds the microseconds of the monotonic clock
just before it was written: ``~123456789~``. A rate of 0 means as fast as they are
taken. ``POST /bench/finish`` lets all paced answers end at once, so that what one load
has asked for is over when the next one begins.

    python -m benchmarks.rig.messages_api --port 9100
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import gc
import json
import re
import time
from collections import deque
from itertools import cycle, islice
from typing import Any, Final, cast

from typing_extensions import override

__all__ = ["WORDS", "Answer", "MessagesApi", "question"]

TICK_S = 0.001
LATEST_S = 0.05
"""What an answer is behind by more than this is never caught up with."""
BLAST = 64
"""Deltas in one write, where the rate is 0."""
BACKLOG = 4096
LARGEST_REQUEST_BYTES = 64 * 1024 * 1024
_CONTROL = re.compile(rb"bench((?: \w+=[0-9.]+)+)")
_LENGTH = re.compile(rb"\ncontent-length: *(\d+)", re.IGNORECASE)
WORDS = (
    b"Rivers",
    b" carry",
    b" stone",
    b" to th",
    b"e sea.",
    b" Tides",
    b" take ",
    b"them. ",
)
"""Plain deltas; 6 bytes each, so that 2,000 are 12 kB."""


def question(*, rate_per_s: float, deltas: int, plain: bool = False) -> str:
    """Return a user's message that asks for an answer of this kind."""
    more = " plain=1" if plain else ""
    return f"bench rate={rate_per_s:g} deltas={deltas}{more}"


def _chunk(data: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data)


def _event(name: str, **fields: object) -> bytes:
    data = json.dumps({"type": name, **fields}, separators=(",", ":"))
    return _chunk(f"event: {name}\ndata: {data}\n\n".encode())


_HEAD: Final = (
    b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\n"
    b"cache-control: no-cache\r\nrequest-id: req_bench\r\n"
    b"transfer-encoding: chunked\r\n\r\n"
)
_BEGIN: Final = (
    _event(
        "message_start",
        message={
            "id": "msg_bench",
            "type": "message",
            "role": "assistant",
            "model": "claude-fake",
            "content": [],
            "stop_reason": None,
            "stop_sequence": None,
            "usage": {"input_tokens": 25, "output_tokens": 1},
        },
    )
    + _event("content_block_start", index=0, content_block={"type": "text", "text": ""})
    + _event("ping")
)
_DELTA: Final = (
    b"event: content_block_delta\ndata: "
    b'{"type":"content_block_delta","index":0,'
    b'"delta":{"type":"text_delta","text":"%s"}}\n\n'
)
_OK: Final = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"
_NOT_FOUND: Final = b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n"


def _end(deltas: int) -> bytes:
    reason = {"stop_reason": "end_turn", "stop_sequence": None}
    return (
        _event("content_block_stop", index=0)
        + _event("message_delta", delta=reason, usage={"output_tokens": deltas})
        + _event("message_stop")
        + b"0\r\n\r\n"
    )


class Answer:
    """One streamed answer: writes delta after delta when it is told to."""

    def __init__(
        self, transport: asyncio.Transport, *, deltas: int, plain: bool
    ) -> None:
        self.due_s = 0.0
        self.is_closed = False
        self._transport = transport
        self._deltas = self._left = deltas
        self._words = cycle(WORDS) if plain else None

    def begin(self) -> None:
        """Write what comes before the first delta."""
        self._transport.write(_HEAD + _BEGIN)

    def step(self, deltas: int = 1) -> bool:
        """Write the next deltas in one packet; return whether there are more."""
        deltas = min(deltas, self._left)
        if self._words is None:
            stamp = b"~%d~" % (time.monotonic_ns() // 1000)
            self._transport.write(_chunk(_DELTA % stamp) * deltas)
        else:
            words = islice(self._words, deltas)
            self._transport.write(b"".join(_chunk(_DELTA % word) for word in words))
        self._left -= deltas
        if self._left <= 0:
            self._transport.write(_end(self._deltas))
            self.is_closed = True
        return not self.is_closed

    def finish(self) -> None:
        """Write the end, whatever is left."""
        if not self.is_closed:
            self._transport.write(_end(self._deltas - self._left))
            self.is_closed = True


class Pacer:
    """Steps all answers of one rate, in turn: the one that is due first is first."""

    def __init__(self, loop: asyncio.AbstractEventLoop, rate_per_s: float) -> None:
        self._loop = loop
        self._gap_s = 1.0 / rate_per_s
        self._answers: deque[Answer] = deque()
        self._timer: asyncio.TimerHandle | None = None

    def add(self, answer: Answer) -> None:
        """Step an answer from now on, a gap after its first delta."""
        answer.due_s = time.monotonic() + self._gap_s  # later than all others
        self._answers.append(answer)
        if self._timer is None:
            self._timer = self._loop.call_later(TICK_S, self._tick)

    def finish(self) -> None:
        """Let all answers end now."""
        for answer in self._answers:
            answer.finish()
        self._answers.clear()

    def _tick(self) -> None:
        answers = self._answers
        for _ in range(len(answers)):
            now_s = time.monotonic()
            answer = answers[0]
            if answer.due_s > now_s:
                break
            answers.popleft()
            if not answer.is_closed and answer.step():
                answer.due_s = max(answer.due_s, now_s - LATEST_S) + self._gap_s
                answers.append(answer)
        self._timer = self._loop.call_later(TICK_S, self._tick) if answers else None


class MessagesApi(asyncio.Protocol):
    """One connection: HTTP/1.1 with keep-alive, a request at a time.

    Args:
        pacers: Those of all connections, by their rates.
    """

    def __init__(self, pacers: dict[float, Pacer]) -> None:
        self._pacers = pacers
        self._loop = asyncio.get_running_loop()
        self._unread = b""
        self._answer: Answer | None = None
        self._is_full = False
        self._is_paced = True

    @override
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        if self._answer is not None:
            self._answer.is_closed = True

    @override
    def pause_writing(self) -> None:
        self._is_full = True

    @override
    def resume_writing(self) -> None:
        self._is_full = False
        if not self._is_paced:
            self._blast()

    @override
    def data_received(self, data: bytes) -> None:
        self._unread += data
        while (end := self._unread.find(b"\r\n\r\n")) >= 0:
            head = self._unread[:end]
            found = _LENGTH.search(head)
            length = int(found[1]) if found else 0
            if length > LARGEST_REQUEST_BYTES:
                self._transport.abort()
                return
            if len(self._unread) < end + 4 + length:
                return
            body = self._unread[end + 4 : end + 4 + length]
            self._unread = self._unread[end + 4 + length :]
            self._respond(head, body)

    def _respond(self, head: bytes, body: bytes) -> None:
        if head.startswith(b"POST /bench/finish"):
            for pacer in self._pacers.values():
                pacer.finish()
            self._transport.write(_OK)
            return
        found = _CONTROL.findall(body)
        if not head.startswith(b"POST /v1/messages") or not found:
            self._transport.write(_NOT_FOUND)
            return
        pairs = (pair.split(b"=") for pair in found[-1].split())
        control = {name.decode(): float(value) for name, value in pairs}
        answer = self._answer = Answer(
            self._transport,
            deltas=int(control.get("deltas", 100)),
            plain=bool(control.get("plain", 0)),
        )
        answer.begin()
        wait_s = control.get("wait_ms", 0.0) / 1000
        if wait_s:
            self._loop.call_later(wait_s, self._run, answer, control.get("rate", 80.0))
        else:
            self._run(answer, control.get("rate", 80.0))

    def _run(self, answer: Answer, rate_per_s: float) -> None:
        self._is_paced = rate_per_s > 0
        if not self._is_paced:
            self._blast()
        elif not answer.is_closed and answer.step():
            pacer = self._pacers.get(rate_per_s)
            if pacer is None:
                pacer = self._pacers[rate_per_s] = Pacer(self._loop, rate_per_s)
            pacer.add(answer)

    def _blast(self) -> None:
        """Write while there is room; other connections have a turn in between."""
        answer = self._answer
        if answer is None or answer.is_closed or self._is_full:
            return
        if answer.step(BLAST):
            self._loop.call_soon(self._blast)


async def serve(port: int) -> None:
    """Serve on 127.0.0.1 until cancelled."""
    loop = asyncio.get_running_loop()
    pacers: dict[float, Pacer] = {}
    server: Any = await loop.create_server(
        lambda: MessagesApi(pacers), "127.0.0.1", port, backlog=BACKLOG
    )
    await server.serve_forever()


def main() -> None:
    """Serve until the process is ended."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    arguments = parser.parse_args()
    gc.freeze()
    gc.disable()  # nothing here has cycles that grow, and a pause would be measured
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(serve(arguments.port))


if __name__ == "__main__":
    main()
