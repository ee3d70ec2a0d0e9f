"""How long sockets rest, on a loop whose clock stands until it is told to go on."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from streamchat_nb.agent.read_pace import ReadPace

if TYPE_CHECKING:
    from collections.abc import Callable


class SlowLoop:
    """An event loop as far as a pace knows it: what is called soon waits for a turn."""

    def __init__(self) -> None:
        self.now = 100.0
        self._soon: list[tuple[Callable[..., None], tuple[Any, ...]]] = []

    def time(self) -> float:
        return self.now

    def call_soon(self, callback: Callable[..., None], *arguments: Any) -> None:
        self._soon.append((callback, arguments))

    @property
    def waiting(self) -> int:
        return len(self._soon)

    def turn(self, *, after_s: float) -> None:
        """Run what waits, so much later."""
        self.now += after_s
        callbacks, self._soon = self._soon, []
        for callback, arguments in callbacks:
            callback(*arguments)


@pytest.fixture
def loop(monkeypatch: pytest.MonkeyPatch) -> SlowLoop:
    slow = SlowLoop()
    monkeypatch.setattr(asyncio, "get_running_loop", lambda: slow)
    return slow


def lagging(pace: ReadPace, loop: SlowLoop, lag_s: float, times: int = 60) -> float:
    """Read as often, with a loop that lags as much; return the rest."""
    for _ in range(times):
        pace.rest_s()
        loop.turn(after_s=lag_s)
        loop.now += 0.02
    return pace.rest_s()


def test_socket_rests_not_at_all_while_the_loop_keeps_up(loop: SlowLoop) -> None:
    pace = ReadPace()

    assert pace.rest_s() == 0
    assert lagging(pace, loop, 0.0005) == 0


@pytest.mark.parametrize(
    ("lag_s", "rest_s"), [(0.006, 0.022), (0.02, 0.036), (0.034, 0.05), (3.0, 0.05)]
)
def test_socket_rests_16_to_50_ms_while_the_loop_lags(
    loop: SlowLoop, lag_s: float, rest_s: float
) -> None:
    assert lagging(ReadPace(), loop, lag_s) == pytest.approx(rest_s, abs=0.0005)


def test_one_late_turn_is_no_lag(loop: SlowLoop) -> None:
    assert lagging(ReadPace(), loop, 0.02, times=1) == 0


def test_rest_ends_when_the_loop_keeps_up_again(loop: SlowLoop) -> None:
    pace = ReadPace()
    assert lagging(pace, loop, 0.04) > 0

    assert lagging(pace, loop, 0.0, times=20) == 0


def test_lag_is_looked_at_once_in_10_ms_and_not_before_it_was_seen(
    loop: SlowLoop,
) -> None:
    pace = ReadPace()
    for _ in range(100):
        pace.rest_s()
        loop.now += 0.001
    assert loop.waiting == 1
    loop.turn(after_s=0.0)

    pace.rest_s()
    assert loop.waiting == 0
    loop.now += 0.011
    pace.rest_s()
    assert loop.waiting == 1
