from __future__ import annotations

import asyncio
import gc
import weakref
from typing import TYPE_CHECKING

import pytest

from streamchat_nb.server import collector_rounds
from streamchat_nb.server.collector_rounds import LATEST, CollectorRounds

if TYPE_CHECKING:
    from collections.abc import Iterator


class Cycle:
    def __init__(self) -> None:
        self.itself = self


@pytest.fixture(autouse=True)
def collector_as_ever(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(collector_rounds, "LOOK_EACH_S", 0.01)
    thresholds = gc.get_threshold()
    gc.set_threshold(700, 10, 10)
    yield
    gc.set_threshold(*thresholds)


def old_cycle() -> weakref.ref[Cycle]:
    """Return one that only a full round finds, with such a round due."""
    cycle = Cycle()
    for _ in range(3):
        gc.collect(1)
    found = weakref.ref(cycle)
    del cycle
    for _ in range(12):
        gc.collect(1)
    assert found() is not None
    return found


def test_full_round_waits_for_a_calm_moment() -> None:
    async def scenario() -> None:
        is_calm = False
        rounds = CollectorRounds(lambda: is_calm)
        rounds.start()
        cycle = old_cycle()
        await asyncio.sleep(0.1)
        assert cycle() is not None
        is_calm = True
        async with asyncio.timeout(5):
            while cycle() is not None:
                await asyncio.sleep(0.01)
        rounds.stop()

    asyncio.run(scenario())


def test_calm_moment_without_garbage_to_look_for_is_left_alone() -> None:
    async def scenario() -> None:
        rounds = CollectorRounds(lambda: True)
        rounds.start()
        gc.collect()
        before = gc.get_stats()[2]["collections"]
        await asyncio.sleep(0.1)
        assert gc.get_stats()[2]["collections"] == before
        rounds.stop()

    asyncio.run(scenario())


def test_rounds_are_put_off_twentyfold_and_no_longer_than_it_runs() -> None:
    async def scenario() -> None:
        rounds = CollectorRounds(lambda: False)
        rounds.start()
        assert gc.get_threshold() == (700, 10, 10 * LATEST)
        rounds.stop()
        rounds.stop()
        assert gc.get_threshold() == (700, 10, 10)

    asyncio.run(scenario())


def test_collector_that_is_off_stays_off() -> None:
    async def scenario() -> None:
        gc.set_threshold(0, 10, 10)
        rounds = CollectorRounds(lambda: True)
        rounds.start()
        cycle = old_cycle()
        await asyncio.sleep(0.1)
        assert cycle() is not None
        rounds.stop()
        assert gc.get_threshold() == (0, 10, 10)

    asyncio.run(scenario())
