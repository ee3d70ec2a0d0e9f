"""The lag of a loop, on one whose clock stands until it is told to go on."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from streamchat_nb.agent.loop_lag import INTERVAL_S, WEIGHT, LoopLag

if TYPE_CHECKING:
    from collections.abc import Callable


class StandingLoop:
    """An event loop as far as its lag goes."""

    def __init__(self) -> None:
        self.now = 100.0
        self.soon: list[Callable[[], None]] = []

    def time(self) -> float:
        return self.now

    def call_soon(self, callback: Callable[..., None], *arguments: Any) -> None:
        self.soon.append(lambda: callback(*arguments))

    def turn(self, *, after_s: float) -> None:
        """Run what waits, so much later."""
        self.now += after_s
        callbacks, self.soon = self.soon, []
        for callback in callbacks:
            callback()


@pytest.fixture
def loop(monkeypatch: pytest.MonkeyPatch) -> StandingLoop:
    standing = StandingLoop()
    monkeypatch.setattr(asyncio, "get_running_loop", lambda: standing)
    return standing


def test_lag_of_a_loop_that_was_not_looked_at_is_none(loop: StandingLoop) -> None:
    assert LoopLag().seconds() == 0
    assert len(loop.soon) == 1


def test_lag_is_the_mean_of_what_callbacks_waited(loop: StandingLoop) -> None:
    lag = LoopLag()
    expected = 0.0
    for waited_s in (0.02, 0.0, 0.5, 0.01):
        lag.seconds()
        loop.turn(after_s=waited_s)
        expected += WEIGHT * (waited_s - expected)
        loop.now += INTERVAL_S
        assert lag.seconds() == pytest.approx(expected)
        loop.turn(after_s=0.0)
        expected -= WEIGHT * expected
        loop.now += INTERVAL_S


def test_look_that_is_under_way_is_the_only_one(loop: StandingLoop) -> None:
    lag = LoopLag()
    for _ in range(100):
        lag.seconds()
        loop.now += INTERVAL_S
    assert len(loop.soon) == 1


def test_next_look_is_an_interval_later(loop: StandingLoop) -> None:
    lag = LoopLag()
    lag.seconds()
    loop.turn(after_s=0.001)
    loop.now += INTERVAL_S / 2
    lag.seconds()
    assert not loop.soon
    loop.now += INTERVAL_S
    lag.seconds()
    assert len(loop.soon) == 1
