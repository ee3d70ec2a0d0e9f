from __future__ import annotations

import asyncio
from contextlib import aclosing
from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

import pytest
from typing_extensions import override

from streamchat_nb.agent.cassette import CassetteModel
from streamchat_nb.agent.model import (
    ModelBlockDelta,
    ModelEvent,
    ModelMessageStop,
    ModelRequest,
)
from streamchat_nb.errors import ModelError, UsageError
from streamchat_nb.testing.scripted_model import ScriptedModel, script

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator
    from pathlib import Path

ASK = ModelRequest(messages=[{"role": "user", "content": "Who is Ada?"}])
OTHER = ModelRequest(messages=[{"role": "user", "content": "Who was Ada?"}])
BUSY = ModelError("Busy.", code="model_overloaded", retryable=True, retry_after_ms=5)
NO_KEY = ModelError("No key.", code="model_credential_missing")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "chat.jsonl"


def cassette(inner: ScriptedModel | None, path: Path, **options: Any) -> CassetteModel:
    options.setdefault("environment", {})
    return CassetteModel(inner, path, **options)


def stream(model: CassetteModel, request: ModelRequest) -> AsyncGenerator[ModelEvent]:
    return cast("AsyncGenerator[ModelEvent]", model.stream(request))


async def collect(
    model: CassetteModel, request: ModelRequest, found: list[ModelEvent] | None = None
) -> list[ModelEvent]:
    events: list[ModelEvent] = [] if found is None else found
    async with aclosing(stream(model, request)) as answer:
        async for event in answer:
            events.append(event)  # noqa: PERF401 (what came before a failure counts)
    return events


def ask(model: CassetteModel, request: ModelRequest = ASK) -> list[ModelEvent]:
    return asyncio.run(collect(model, request))


def failure_of(
    model: CassetteModel, request: ModelRequest = ASK
) -> tuple[ModelError, list[ModelEvent]]:
    events: list[ModelEvent] = []
    with pytest.raises(ModelError) as caught:
        asyncio.run(collect(model, request, events))
    return caught.value, events


def test_recorded_answer_plays_without_the_model(path: Path) -> None:
    inner = ScriptedModel([script("A mathematician.")], name="claude")
    assert ask(cassette(inner, path)) == script("A mathematician.")
    player = cassette(None, path, mode="replay")
    assert (player.name, player.offline) == ("claude", False)
    assert ask(player) == script("A mathematician.")


def test_auto_asks_the_model_only_for_what_is_missing(path: Path) -> None:
    inner = ScriptedModel([script("A mathematician.")])
    model = cassette(inner, path)
    for _ in range(3):
        ask(model)
    assert len(inner.requests) == 1
    fresh = ScriptedModel([script("A countess.")])
    model = cassette(fresh, path)
    assert ask(model) == script("A mathematician.")
    assert ask(model, OTHER) == script("A countess.")
    assert fresh.requests == [OTHER]


@pytest.mark.parametrize("value", ["true", "1", "yes", "woodpecker"])
def test_auto_never_records_in_ci(path: Path, value: str) -> None:
    inner = ScriptedModel([script("Hello")])
    failure, _ = failure_of(cassette(inner, path, environment={"CI": value}))
    assert failure.code == "model_cassette_mismatch"
    assert "CI is set" in failure.message
    assert inner.requests == []
    assert not path.exists()
    assert ask(cassette(inner, path, environment={"CI": "false"})) == script("Hello")


def test_record_asks_again_and_replaces(path: Path) -> None:
    ask(cassette(ScriptedModel([script("old"), script("kept")]), path))
    ask(cassette(ScriptedModel([script("kept")]), path), OTHER)
    recorder = cassette(
        ScriptedModel([script("one"), script("two")]),
        path,
        mode="record",
        environment={"CI": "true"},
    )
    assert [ask(recorder), ask(recorder)] == [script("one"), script("two")]
    player = cassette(None, path, mode="replay")
    played = [ask(player) for _ in range(4)]
    assert played == [script(text) for text in ("one", "two", "one", "two")]
    assert ask(player, OTHER) == script("kept")


def test_model_of_another_name_has_no_answer(path: Path) -> None:
    ask(cassette(ScriptedModel([script("Hello")], name="claude-4"), path))
    failure, _ = failure_of(cassette(None, path, name="claude-5"))
    assert "-model: claude-4\n+model: claude-5\n" in failure.message
    assert ask(cassette(None, path, name="claude-4")) == script("Hello")


def test_changed_request_is_an_error_with_a_diff(path: Path) -> None:
    ask(cassette(ScriptedModel([script("Hello")]), path))
    failure, events = failure_of(cassette(None, path, mode="replay"), OTHER)
    assert events == []
    assert (failure.code, failure.retryable) == ("model_cassette_mismatch", False)
    assert failure.details == {"cassette": "chat.jsonl"}
    assert failure.message == (
        "The cassette has no answer to this request. It was not recorded: the mode is "
        'replay. Record it with cassette_mode="record" and a credential, where CI is '
        "not set. What differs from the nearest one in chat.jsonl:\n"
        "--- recorded\n"
        "+++ asked\n"
        " system: \n"
        "-messages[0].content: Who is Ada?\n"
        "+messages[0].content: Who was Ada?\n"
        " messages[0].role: user\n"
        "Where a part of it differs in every run, name its pattern by ignore."
    )


def test_cassette_that_is_not_there_is_the_same_error(path: Path) -> None:
    failure, _ = failure_of(cassette(None, path, how_to_record="Press the button."))
    assert failure.code == "model_cassette_mismatch"
    assert failure.message.endswith("Press the button. chat.jsonl holds nothing yet.")
    assert "there is no credential" in failure.message


def test_failure_is_recorded_and_the_next_try_after_it(path: Path) -> None:
    cut = script("Half an answer", cut=True)
    inner = ScriptedModel([[*cut, BUSY], script("Whole")])
    model = cassette(inner, path)
    assert failure_of(model)[0] is BUSY
    assert ask(model) == script("Whole")
    player = cassette(None, path, mode="replay")
    failure, events = failure_of(player)
    assert events == cut
    assert (failure.message, failure.code) == ("Busy.", "model_overloaded")
    assert (failure.retryable, failure.retry_after_ms) == (True, 5)
    assert ask(player) == script("Whole")


def test_auto_asks_again_where_only_a_failure_was_recorded(path: Path) -> None:
    failure_of(cassette(ScriptedModel([[BUSY]]), path))
    later = cassette(ScriptedModel([script("Whole")]), path)
    assert failure_of(later)[0].code == "model_overloaded"
    assert ask(later) == script("Whole")
    player = cassette(None, path)
    for _ in range(2):
        assert failure_of(player)[0].code == "model_overloaded"
        assert ask(player) == script("Whole")


def test_stream_without_an_end_is_recorded_as_cut(path: Path) -> None:
    cut = script("Half an answer", cut=True)
    first, _ = failure_of(cassette(ScriptedModel([cut]), path))
    failure, events = failure_of(cassette(None, path))
    assert (first.code, failure.code) == ("model_stream_truncated",) * 2
    assert events == cut


@pytest.mark.parametrize("mode", ["auto", "record"])
def test_missing_credential_is_not_recorded(path: Path, mode: str) -> None:
    failure, _ = failure_of(cassette(ScriptedModel([[NO_KEY]]), path, mode=mode))
    if mode == "auto":
        assert failure.code == "model_cassette_mismatch"
        assert "No key." in failure.message
    else:
        assert failure is NO_KEY
    assert not path.exists()


def test_error_that_is_none_of_a_model_is_not_recorded(path: Path) -> None:
    with pytest.raises(ZeroDivisionError):
        ask(cassette(ScriptedModel([[ZeroDivisionError()]]), path))
    assert not path.exists()


def test_stream_that_is_closed_early_is_not_recorded(path: Path) -> None:
    inner = ScriptedModel([script("one two three")])

    async def read_one() -> None:
        async with aclosing(stream(cassette(inner, path), ASK)) as answer:
            async for event in answer:
                if isinstance(event, ModelBlockDelta):
                    break

    asyncio.run(read_one())
    assert inner.open_streams == 0
    assert not path.exists()


def test_stream_that_is_cancelled_is_not_recorded(path: Path) -> None:
    async def cancel() -> None:
        waiting = asyncio.Event()

        async def gate() -> None:
            waiting.set()
            await asyncio.Event().wait()

        inner = ScriptedModel([[*script("one", cut=True), gate]])
        task = asyncio.ensure_future(collect(cassette(inner, path), ASK))
        await asyncio.wait_for(waiting.wait(), 10)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert inner.open_streams == 0

    asyncio.run(cancel())
    assert not path.exists()


def test_reader_that_leaves_at_the_last_event_has_it_recorded(path: Path) -> None:
    async def read_to_the_stop() -> None:
        model = cassette(ScriptedModel([script("Hello")]), path)
        async with aclosing(stream(model, ASK)) as answer:
            async for event in answer:
                if isinstance(event, ModelMessageStop):
                    return

    asyncio.run(read_to_the_stop())
    assert ask(cassette(None, path)) == script("Hello")


class Clock:
    """Time that passes only when somebody sleeps, or when told to."""

    def __init__(self) -> None:
        self.now = 50.0

    def __call__(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.now += seconds
        await asyncio.sleep(0)


@pytest.mark.parametrize("timing", ["recorded", "instant"])
def test_answer_plays_at_its_pace_or_at_once(path: Path, timing: str) -> None:
    clock = Clock()
    options: dict[str, Any] = {"monotonic": clock, "sleep": clock.sleep}

    async def wait() -> None:
        clock.now += 0.25

    steps = [step for event in script("a b", cut=True) for step in (wait, event)]
    inner = ScriptedModel([[*steps, wait, BUSY]])
    failure_of(cassette(inner, path, **options))

    async def arrivals() -> list[float]:
        started = clock.now
        model = cassette(None, path, timing=timing, **options)
        found: list[float] = []
        try:
            async for _ in stream(model, ASK):
                found.append(clock.now - started)  # noqa: PERF401 (before a failure)
        except ModelError:
            found.append(clock.now - started)
        return found

    expected = [0.25, 0.5, 0.75, 1.0, 1.25] if timing == "recorded" else [0.0] * 5
    assert asyncio.run(arrivals()) == pytest.approx(expected)


def test_parallel_conversations_play_whatever_the_order(path: Path) -> None:
    requests = [
        replace(ASK, messages=[{"role": "user", "content": f"Question {n}"}])
        for n in range(20)
    ]
    answers = [script(f"Answer {n}") for n in range(20)]

    async def all_at_once(
        model: CassetteModel, asked: list[ModelRequest]
    ) -> list[list[ModelEvent]]:
        return await asyncio.gather(*(collect(model, each) for each in asked))

    by_text = {str(r.messages): a for r, a in zip(requests, answers, strict=True)}

    class Answering(ScriptedModel):
        @override
        async def stream(self, request: ModelRequest) -> AsyncIterator[ModelEvent]:
            for event in by_text[str(request.messages)]:
                await asyncio.sleep(0)
                yield event

    recorded = asyncio.run(all_at_once(cassette(Answering([]), path), requests))
    assert recorded == answers
    player = cassette(None, path, mode="replay")
    played = asyncio.run(all_at_once(player, requests[::-1]))
    assert played == answers[::-1]


def test_two_models_with_one_file_lose_nothing(path: Path) -> None:
    one = cassette(ScriptedModel([script("1")]), path, mode="record")
    other = cassette(ScriptedModel([script("2")]), path, mode="record")
    ask(one)
    ask(other, OTHER)
    player = cassette(None, path)
    assert [ask(player), ask(player, OTHER)] == [script("1"), script("2")]


def test_file_that_cannot_be_written_is_told_before_the_model_is_asked(
    tmp_path: Path,
) -> None:
    (tmp_path / "file").write_text("", "utf-8")
    inner = ScriptedModel([script("Hello")])
    failure, _ = failure_of(cassette(inner, tmp_path / "file" / "chat.jsonl"))
    assert failure.code in ("model_cassette_unwritable", "model_cassette_invalid")
    assert inner.requests == []


def test_file_that_is_no_cassette_is_told(path: Path) -> None:
    path.write_text("[]\n", "utf-8")
    model = cassette(ScriptedModel([script("Hello")]), path)
    assert failure_of(model)[0].code == "model_cassette_invalid"
    with pytest.raises(ModelError, match="cannot be read"):
        asyncio.run(model.warm())
    assert cassette(None, path).name == "cassette"


class Warming(ScriptedModel):
    """Counts how often it was warmed up, and cannot be."""

    warmed = 0

    @override
    async def warm(self) -> None:
        self.warmed += 1
        raise NO_KEY

    @override
    def secrets(self) -> tuple[str, ...]:
        return ("canary-0123456789",)


def test_model_is_warmed_up_only_where_it_will_be_asked(path: Path) -> None:
    inner = Warming([script("Hello")])
    asyncio.run(cassette(inner, path).warm())
    asyncio.run(cassette(inner, path, mode="replay").warm())
    asyncio.run(cassette(inner, path, environment={"CI": "1"}).warm())
    assert inner.warmed == 1
    with pytest.raises(ModelError, match="No key"):
        asyncio.run(cassette(inner, path, mode="record").warm())
    model = cassette(inner, path)
    ask(model)
    asyncio.run(cassette(inner, path).warm())
    assert inner.warmed == 2
    assert model.secrets() == ("canary-0123456789",)
    asyncio.run(model.close())
    assert inner.closed
    assert cassette(None, path).secrets() == ()
    asyncio.run(cassette(None, path).close())


def test_arguments_that_cannot_be_used_are_refused(path: Path) -> None:
    with pytest.raises(UsageError, match="auto, record or replay"):
        cassette(None, path, mode="rewind")
    with pytest.raises(UsageError, match="instant or recorded"):
        cassette(None, path, timing="slow")
    with pytest.raises(UsageError, match="takes a model"):
        cassette(None, path, mode="record")
