from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING

from streamchat_nb.conversation import wake_ups
from streamchat_nb.conversation.wake_ups import WakeUps

if TYPE_CHECKING:
    import pytest


def test_many_readers_leave_the_loop_its_turns(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(wake_ups, "SLICE", 1)
    woken: list[int] = []

    async def scenario() -> None:
        wakes = WakeUps()
        wakes.add([partial(woken.append, number) for number in range(100)])
        wakes.run()
        turns = 0
        while wakes:
            await asyncio.sleep(0)
            turns += 1
        assert turns >= 99

    asyncio.run(scenario())
    assert woken == list(range(100))


def test_reader_that_waits_to_be_woken_is_woken_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(wake_ups, "SLICE", 1)
    woken: list[int] = []

    async def scenario() -> None:
        wakes = WakeUps()
        readers = [partial(woken.append, number) for number in range(3)]
        wakes.add(readers)
        wakes.run()
        wakes.add(readers)
        while wakes:
            await asyncio.sleep(0)

    asyncio.run(scenario())
    assert woken == [0, 1, 2, 0]


def test_reader_that_cannot_be_woken_keeps_nobody_from_it(
    caplog: pytest.LogCaptureFixture,
) -> None:
    woken: list[int] = []

    def fail() -> None:
        raise ValueError

    async def scenario() -> None:
        wakes = WakeUps()
        wakes.add([fail, partial(woken.append, 1)])
        wakes.run()

    asyncio.run(scenario())
    assert woken == [1]
    assert "could not be woken" in caplog.text
