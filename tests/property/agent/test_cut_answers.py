"""Recorded answers, cut anywhere and ended anyhow: never whole, and no tool runs.

The bytes go the way of a real answer: HTTP client, SDK, reader, agent, runner, log.
"""

from __future__ import annotations

import asyncio
import random
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import settings

from streamchat_nb.agent.accumulator import MessageAccumulator
from streamchat_nb.agent.message_reader import MessageReader
from streamchat_nb.agent.model import ModelMessageStop
from streamchat_nb.protocol import events as e
from streamchat_nb.protocol.content import ToolUseBlock
from tests.property.agent.cut_answers import (
    ENDINGS,
    ERROR_BODY,
    WHOLE_BODY,
    SkippingLoop,
    bench,
    check_ends,
    check_failed,
    skipping_clock,
    tools_in,
)
from tests.property.agent.recorded_streams import (
    RECORDED,
    each_recording,
    end_of_content,
    end_of_message,
    end_of_silence,
    event_boundaries,
    recording,
)

if TYPE_CHECKING:
    from collections.abc import Coroutine, Iterable, Iterator

    from tests.property.agent.cut_answers import Bench

CODES = {
    "end": {"model_stream_truncated", "model_stream_malformed"},
    "reset": {"model_stream_truncated", "model_stream_malformed"},
    "stall": {"model_stalled", "model_stream_malformed"},
    "page": {"model_stream_truncated", "model_stream_malformed"},
    "json": {"model_stream_truncated", "model_stream_malformed", "model_server_error"},
}
DONE = (
    b'data: {"type":"content_block_delta","index":0,"delta":{"text":"Done."}}\n\n'
    b'data: {"type":"message_delta","delta":{"stop_reason":"end_turn"}}\n\n'
    b'data: {"type":"message_stop"}\n\n'
)
MOST_REQUESTS = 10
EXAMPLES_OF_A_SOAK = 1_000


class Benches:
    """Benches on one loop, each made when it is first used: that takes a while."""

    def __init__(self, runner: asyncio.Runner) -> None:
        self._runner = runner
        self._made: dict[tuple[bool, int], Bench] = {}
        self._open = AsyncExitStack()

    def of(self, *, lenient: bool = False, tries: int = 1) -> Bench:
        key = (lenient, tries)
        if key not in self._made:
            new = bench(lenient=lenient, tries=tries)
            self._made[key] = self._runner.run(self._open.enter_async_context(new))
        return self._made[key]

    def play(self, scenario: Coroutine[Any, Any, None]) -> None:
        with skipping_clock(self._runner.get_loop()):
            self._runner.run(scenario)

    def close(self) -> None:
        self._runner.run(self._open.aclose())


@pytest.fixture(scope="module")
def benches() -> Iterator[Benches]:
    with asyncio.Runner(loop_factory=SkippingLoop) as runner:
        made = Benches(runner)
        yield made
        made.close()


def edges(stream: bytes, end: int) -> list[int]:
    return [0, *(edge for edge in event_boundaries(stream) if edge < end)]


def some_cuts(stream: bytes, end: int, *, most: int, seed: str) -> list[int]:
    """Return lengths below ``end``: between events, and anywhere, by turns."""
    chance = random.Random(seed)  # noqa: S311 - the same cuts in every run
    between = edges(stream, end)
    return [
        chance.randrange(end) if number % 2 else chance.choice(between)
        for number in range(most)
    ]


def all_cuts(stream: bytes, end: int, *, seed: str) -> list[int]:
    """Return each length that ends between two events, and 2,000 others."""
    chance = random.Random(seed)  # noqa: S311 - the same cuts in every run
    return [*edges(stream, end), *(chance.randrange(end) for _ in range(2_000))]


async def cut_everywhere(runs: Bench, stream: bytes, cuts: Iterable[int]) -> None:
    tools = tools_in(stream)
    silent_until = end_of_silence(stream)
    for number, cut in enumerate(cuts):
        is_begun = cut >= silent_until and number % 4 < 2
        body = WHOLE_BODY if is_begun else ERROR_BODY
        for ending in ENDINGS:
            runs.transport.answer(stream[:cut], ending=ending, body=body)
            outcome = await runs.run(tools)
            try:
                check_failed(outcome, CODES[ending])
            except AssertionError as error:
                error.add_note(f"{cut} bytes, then {ending}: {outcome.finished}")
                raise


@each_recording
def test_cut_answer_fails_once_and_runs_nothing(name: str, benches: Benches) -> None:
    stream = recording(name)
    end = end_of_message(stream)
    if settings().max_examples > EXAMPLES_OF_A_SOAK:
        cuts = all_cuts(stream, end, seed=name)
    else:
        cuts = some_cuts(stream, end, most=4, seed=name)
    benches.play(cut_everywhere(benches.of(), stream, cuts))


@each_recording
def test_cut_answer_of_a_lenient_endpoint_fails_before_its_stop_reason(
    name: str, benches: Benches
) -> None:
    stream = recording(name)
    cuts = some_cuts(stream, end_of_content(stream), most=1, seed=name)
    benches.play(cut_everywhere(benches.of(lenient=True), stream, cuts))


def whole_calls(stream: bytes) -> list[tuple[str, dict[str, Any]]] | None:
    """Return the calls of a whole stream, ``None`` where it is none."""
    reader = MessageReader(MessageAccumulator())
    try:
        last = reader.feed(stream)[-1]
        reader.check()
    except Exception:  # noqa: BLE001 - it is told by the tests of streams
        return None
    if not isinstance(last, ModelMessageStop):
        return None
    if last.stop_reason != "tool_use":
        return []
    return [(b.name, b.input) for b in last.content if isinstance(b, ToolUseBlock)]


@each_recording
def test_second_try_after_a_cut_runs_only_whole_calls(
    name: str, benches: Benches
) -> None:
    stream = recording(name)
    calls = whole_calls(stream)
    if calls is None:
        return

    runs = benches.of(tries=2)

    async def scenario() -> None:
        for cut in some_cuts(stream, end_of_message(stream), most=1, seed=name):
            again = [stream] + [DONE] * MOST_REQUESTS
            # Another answer has other ids.
            first = stream[:cut].replace(b"toolu_", b"toolv_")
            runs.transport.answer(first, *again)
            outcome = await runs.run(tools_in(stream))
            check_ends(outcome)
            assert outcome.finished.status == "completed"
            assert sorted(map(str, outcome.calls)) == sorted(map(str, calls))
            gone = [ev for ev in outcome.events if isinstance(ev, e.MessageDiscarded)]
            assert len(gone) <= 1

    benches.play(scenario())


def test_all_recordings_are_cut() -> None:
    recording(min(RECORDED, default="none"))
    with_calls = [n for n, stream in RECORDED.items() if whole_calls(stream)]
    assert len(RECORDED) >= 66
    assert len(with_calls) >= 5
