from __future__ import annotations

import asyncio
import itertools
import socket
from typing import NoReturn

import pytest

from streamchat_nb.agent.model import (
    ModelBlockDelta,
    ModelEvent,
    ModelMessageStop,
    ModelRequest,
)
from streamchat_nb.agent.offline_model import (
    OFFLINE_MODEL_NAME,
    PACE_VARIABLE,
    OfflineModel,
)
from streamchat_nb.agent.offline_rules import BANNER
from streamchat_nb.errors import ModelError, UsageError


def ask(text: str, model: OfflineModel) -> list[ModelEvent]:
    request = ModelRequest(messages=[{"role": "user", "content": text}])

    async def collect() -> list[ModelEvent]:
        try:
            return [event async for event in model.stream(request)]
        finally:
            await model.close()

    return asyncio.run(collect())


def test_offline_model_says_what_it_is() -> None:
    model = OfflineModel()
    assert (model.name, model.offline) == (OFFLINE_MODEL_NAME, True)
    assert OFFLINE_MODEL_NAME == "offline-demo"


def test_offline_model_answers_through_the_sdk() -> None:
    events = ask("hello", OfflineModel(pace_s=0))
    stop = events[-1]
    assert isinstance(stop, ModelMessageStop)
    text = "".join(e.text for e in events if isinstance(e, ModelBlockDelta))
    assert text.startswith(f"{BANNER}\n\nHello!")
    assert stop.model == OFFLINE_MODEL_NAME
    assert stop.request_id


def test_offline_model_gives_the_same_events_each_time() -> None:
    first, second = (ask("show a table", OfflineModel(pace_s=0)) for _ in range(2))
    assert first == second


def test_offline_model_opens_no_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_arguments: object) -> NoReturn:
        pytest.fail("it tried to connect")

    monkeypatch.setenv("ANTHROPIC_BASE_URL", "http://127.0.0.1:9")
    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(asyncio.BaseEventLoop, "create_connection", refuse)
    assert ask("hello", OfflineModel(pace_s=0))


@pytest.mark.parametrize(
    ("what", "code"),
    [
        ("error", "model_overloaded"),
        ("cut", "model_stream_truncated"),
        ("badjson", "model_stream_malformed"),
        ("stall", "model_stalled"),
    ],
)
def test_offline_model_demo_faults_are_real_errors(what: str, code: str) -> None:
    model = OfflineModel(pace_s=0, no_progress_timeout_s=0.5)
    with pytest.raises(ModelError) as caught:
        ask(f"/demo {what}", model)
    assert caught.value.code == code


def test_offline_model_paces_its_words() -> None:
    async def between_words() -> list[float]:
        loop = asyncio.get_running_loop()
        model = OfflineModel(pace_s=0.02)
        request = ModelRequest(messages=[{"role": "user", "content": "/demo long 3"}])
        times = [
            loop.time()
            async for event in model.stream(request)
            if isinstance(event, ModelBlockDelta)
        ]
        await model.close()
        return [after - before for before, after in itertools.pairwise(times)]

    waits = asyncio.run(between_words())
    assert len(waits) > 10
    assert min(waits) > 0.01


def test_offline_model_without_pace_lets_others_run() -> None:
    async def count() -> int:
        turns = 0

        async def spin() -> None:
            nonlocal turns
            while True:
                turns += 1
                await asyncio.sleep(0)

        other = asyncio.create_task(spin())
        model = OfflineModel(pace_s=0)
        await model.warm()
        request = ModelRequest(messages=[{"role": "user", "content": "/demo long 100"}])
        turns = 0
        async for _ in model.stream(request):
            pass
        other.cancel()
        await model.close()
        return turns

    assert asyncio.run(count()) > 100


def test_offline_model_pace_comes_from_the_environment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv(PACE_VARIABLE, " 0 ")
    assert ask("hello", OfflineModel())
    monkeypatch.setenv(PACE_VARIABLE, "")
    OfflineModel()


@pytest.mark.parametrize("pace", ["fast", "-1", "nan", "11"])
def test_offline_model_unusable_pace_is_refused(
    pace: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(PACE_VARIABLE, pace)
    with pytest.raises(UsageError, match=PACE_VARIABLE):
        OfflineModel()
    assert OfflineModel(pace_s=0)
