"""The faults that an SDK's own streaming lets through, one test for each of them.

Each goes through the SDK, the reader, the agent, the runner and the log, on a clock
that skips the waits.
"""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import httpx2
import pytest
from typing_extensions import override

from streamchat_nb.protocol import events as e
from streamchat_nb.protocol.content import TextBlock
from tests.property.agent.cut_answers import (
    SkippingLoop,
    bench,
    check_ends,
    check_failed,
    skipping_clock,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.property.agent.cut_answers import Outcome

Part = bytes | float | Exception
TOOL: dict[str, Any] = {
    "type": "tool_use",
    "id": "toolu_1",
    "name": "book",
    "input": {},
}
PINGS_PER_MINUTE = 12


def event(kind: str, **fields: object) -> bytes:
    return b"data: " + json.dumps({"type": kind, **fields}).encode() + b"\n\n"


def text(value: str, index: int = 0) -> bytes:
    return event("content_block_delta", index=index, delta={"text": value})


def stop(reason: str) -> bytes:
    return event("message_delta", delta={"stop_reason": reason}) + STOP


START = event("message_start", message={"model": "m-1"})
STOP = event("message_stop")
HELLO = START + text("Hello") + stop("end_turn")
TOOL_START = event("content_block_start", index=0, content_block=TOOL)


def tool_input(part: str) -> bytes:
    delta = {"type": "input_json_delta", "partial_json": part}
    return event("content_block_delta", index=0, delta=delta)


class Body(httpx2.AsyncByteStream):
    """Bytes, waits in seconds and faults, in order."""

    def __init__(self, *parts: Part) -> None:
        self._parts = parts

    @override
    async def __aiter__(self) -> AsyncIterator[bytes]:
        for part in self._parts:
            if isinstance(part, Exception):
                raise part
            if isinstance(part, bytes):
                yield part
            else:
                await asyncio.sleep(part)


def good(*parts: Part) -> httpx2.Response:
    headers = {"content-type": "text/event-stream"}
    return httpx2.Response(200, headers=headers, stream=Body(*parts))


def outcome(*answers: httpx2.Response, tries: int = 1) -> tuple[Outcome, float]:
    """Return what came of a turn on these answers, and how many seconds it took."""

    async def play() -> tuple[Outcome, float]:
        loop = asyncio.get_running_loop()
        async with bench(tries=tries) as runs:
            runs.transport.answers = list(answers)
            with skipping_clock(loop):
                began = loop.time()
                return await runs.run(frozenset({"book"})), loop.time() - began

    with asyncio.Runner(loop_factory=SkippingLoop) as runner:
        return runner.run(play())


def answer_of(turn: Outcome) -> str:
    """Return the text of the one answer of a turn that is completed."""
    check_ends(turn)
    assert turn.finished.status == "completed", turn.finished.error
    (message,) = [ev for ev in turn.events if isinstance(ev, e.MessageCompleted)]
    return "".join(b.text for b in message.content if isinstance(b, TextBlock))


@pytest.mark.parametrize(
    "begin",
    [
        START,
        START + text("Hel"),
        START + text("Hello") + event("message_delta", delta={"stop_reason": "x"}),
        START + TOOL_START,
        START + TOOL_START + tool_input('{"seats": 1'),
        START + TOOL_START + tool_input('{"seats": 1}'),
        START + TOOL_START + event("content_block_stop", index=0),
    ],
)
def test_stream_that_ends_cleanly_without_message_stop_is_no_success(
    begin: bytes,
) -> None:
    turn, _ = outcome(good(begin))
    check_failed(turn, {"model_stream_truncated"})


def test_event_error_within_http_200_is_typed_and_tried_again() -> None:
    error = {"type": "overloaded_error", "message": "Overloaded"}
    broken = START + b"event: error\n" + event("error", error=error)
    turn, _ = outcome(good(broken))
    check_failed(turn, {"model_overloaded"})
    turn, _ = outcome(good(broken), good(HELLO), tries=2)
    assert answer_of(turn) == "Hello"
    phases = [ev.phase for ev in turn.events if isinstance(ev, e.TurnStatus)]
    assert phases.count("retrying") == 1


@pytest.mark.parametrize(
    "fault",
    [
        httpx2.ReadError("reset"),
        httpx2.RemoteProtocolError("peer closed connection"),
        ConnectionResetError("reset"),
    ],
)
def test_network_fault_within_the_body_is_an_error_of_ours(fault: Exception) -> None:
    turn, _ = outcome(good(START + text("Hel"), fault))
    check_failed(turn, {"model_stream_truncated"})


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(HELLO, id="no event lines"),
        pytest.param(
            json.dumps(
                {
                    "type": "message",
                    "content": [{"type": "text", "text": "Hello"}],
                    "stop_reason": "end_turn",
                }
            ).encode(),
            id="JSON body though a stream was asked for",
        ),
        pytest.param(
            START
            + text("Hello")
            + event("message_delta", delta={"stop_reason": "x"})
            + STOP,
            id="missing usage",
        ),
        pytest.param(
            START + text("Hel", index=3) + text("lo", index=7) + stop("end_turn"),
            id="index gaps",
        ),
        pytest.param(HELLO + b"data: [DONE]\n\n", id="DONE after the end"),
        pytest.param(
            START + b"data: [DONE]\n\n" + text("Hello") + stop("end_turn"),
            id="DONE within",
        ),
        pytest.param(
            START + b'data: {"type": "content\n\n' + text("Hello") + stop("end_turn"),
            id="malformed data",
        ),
    ],
)
def test_stream_of_an_odd_form_is_an_answer_all_the_same(body: bytes) -> None:
    turn, _ = outcome(good(body))
    assert answer_of(turn) == "Hello"


def test_tool_input_cut_by_max_tokens_is_never_run() -> None:
    cut = START + TOOL_START + tool_input('{"seats": 1') + stop("max_tokens")
    whole = tool_input('{"seats": 1}') + event("content_block_stop", index=0)
    turn, _ = outcome(good(cut))
    check_failed(turn, {"model_stream_truncated"})
    closed = START + TOOL_START + whole + stop("max_tokens")
    turn, _ = outcome(good(closed))
    check_ends(turn)
    assert turn.calls == []
    ran, _ = outcome(good(START + TOOL_START + whole + stop("tool_use")), good(HELLO))
    assert ran.calls == [("book", {"seats": 1})]


def test_retry_after_of_a_day_waits_a_minute_and_says_so() -> None:
    body: dict[str, Any] = {"type": "error", "error": {"type": "rate_limit_error"}}
    busy = httpx2.Response(429, json=body, headers={"retry-after": "86400"})
    turn, took_s = outcome(busy, good(HELLO), tries=2)
    assert answer_of(turn) == "Hello"
    waits = [ev for ev in turn.events if isinstance(ev, e.TurnStatus)]
    assert [ev.retry_in_ms for ev in waits if ev.phase == "retrying"] == [60_000]
    assert 60 <= took_s < 70


def test_pings_do_not_keep_a_stalled_stream_alive() -> None:
    pings: list[Part] = [event("ping"), 60 / PINGS_PER_MINUTE]
    turn, took_s = outcome(good(START + text("Hel"), *pings * PINGS_PER_MINUTE * 5))
    check_failed(turn, {"model_stalled"})
    assert 60 <= took_s < 70


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (404, "model_not_found"),
        (429, "model_rate_limited"),
        (502, "model_server_error"),
        (503, "model_overloaded"),
    ],
)
def test_error_page_in_place_of_an_answer_is_an_error(status: int, code: str) -> None:
    page = httpx2.Response(status, html="<title>Bad gateway</title>")
    turn, _ = outcome(page)
    check_failed(turn, {code})
