"""How long sockets rest, on a loop whose clock stands until it is told to go on."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from functools import partial
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
        self.timers: list[Timer] = []

    def time(self) -> float:
        return self.now

    def call_soon(self, callback: Callable[..., None], *arguments: Any) -> None:
        self._soon.append((callback, arguments))

    def call_later(self, delay_s: float, callback: Callable[[], None]) -> Timer:
        timer = Timer(self.now + delay_s, callback)
        self.timers.append(timer)
        return timer

    @property
    def waiting(self) -> int:
        return len(self._soon)

    def turn(self, *, after_s: float) -> None:
        """Run what waits, so much later."""
        self.now += after_s
        callbacks, self._soon = self._soon, []
        for callback, arguments in callbacks:
            callback(*arguments)
        due = [timer for timer in self.timers if timer.when <= self.now]
        self.timers = [timer for timer in self.timers if timer.when > self.now]
        for timer in due:
            if not timer.is_cancelled:
                timer.callback()


@dataclass
class Timer:
    when: float
    callback: Callable[[], None]
    is_cancelled: bool = False

    def cancel(self) -> None:
        self.is_cancelled = True


@pytest.fixture
def loop(monkeypatch: pytest.MonkeyPatch) -> SlowLoop:
    slow = SlowLoop()
    monkeypatch.setattr(asyncio, "get_running_loop", lambda: slow)
    return slow


def lag(pace: ReadPace, loop: SlowLoop, lag_s: float, *, times: int = 60) -> None:
    """Read another socket as often, with a loop that lags as much; let it rest."""
    for _ in range(times):
        pace.rests(nothing)
        loop.turn(after_s=lag_s)
        loop.now += 0.02
    pace.forget(nothing)


def nothing() -> None:
    """Go on with nothing."""


def test_socket_rests_not_at_all_while_the_loop_keeps_up(loop: SlowLoop) -> None:
    pace = ReadPace()
    rested: list[str] = []

    def go_on() -> None:
        rested.append("a")

    assert not pace.rests(go_on)
    lag(pace, loop, 0.0005)
    assert not pace.rests(go_on)
    loop.turn(after_s=1.0)
    assert not rested


@pytest.mark.parametrize(
    ("lag_s", "rest_s"), [(0.006, 0.022), (0.02, 0.036), (0.034, 0.05), (3.0, 0.05)]
)
def test_sockets_rest_16_to_50_ms_while_the_loop_lags_and_go_on_together(
    loop: SlowLoop, lag_s: float, rest_s: float
) -> None:
    pace = ReadPace()
    lag(pace, loop, lag_s)
    rested: list[str] = []
    first, second = (partial(rested.append, name) for name in "ab")

    assert pace.rests(first)
    (timer,) = [timer for timer in loop.timers if not timer.is_cancelled]
    assert timer.when - loop.now == pytest.approx(rest_s, abs=0.0005)
    loop.turn(after_s=rest_s / 2)
    assert pace.rests(second)
    assert pace.rests(first)
    assert not rested
    loop.turn(after_s=rest_s / 2 + 0.001)

    assert rested == ["a", "b"]


def test_socket_that_is_closed_is_not_told_and_the_last_one_ends_the_timer(
    loop: SlowLoop,
) -> None:
    pace = ReadPace()
    lag(pace, loop, 0.02)
    rested: list[str] = []
    first, second = (partial(rested.append, name) for name in "ab")
    assert pace.rests(first)
    assert pace.rests(second)

    pace.forget(first)
    pace.forget(first)
    loop.turn(after_s=0.1)
    assert rested == ["b"]

    lag(pace, loop, 0.02)
    assert pace.rests(first)
    pace.forget(first)
    assert all(timer.is_cancelled for timer in loop.timers)


def test_hundred_sockets_go_on_a_few_in_each_turn_of_the_loop(loop: SlowLoop) -> None:
    pace = ReadPace()
    lag(pace, loop, 0.02)
    rested: list[int] = []
    sockets = [partial(rested.append, number) for number in range(100)]
    for socket in sockets:
        assert pace.rests(socket)

    loop.turn(after_s=0.1)
    assert rested == [*range(32)]
    pace.forget(sockets[40])
    for _ in range(3):
        loop.turn(after_s=0.0)
    assert rested == [number for number in range(100) if number != 40]
    assert loop.waiting == 0


def test_sockets_whose_rest_ends_meanwhile_go_on_after_those_before(
    loop: SlowLoop,
) -> None:
    pace = ReadPace()
    lag(pace, loop, 0.02)
    rested: list[int] = []
    sockets = [partial(rested.append, number) for number in range(80)]
    for socket in sockets[:40]:
        assert pace.rests(socket)
    loop.turn(after_s=0.1)
    for socket in sockets[40:]:
        assert pace.rests(socket)
    loop.timers[0].when = loop.now

    for _ in range(4):
        loop.turn(after_s=0.0)
    assert rested == [*range(80)]
    assert loop.waiting == 0


def test_one_late_turn_is_no_lag(loop: SlowLoop) -> None:
    pace = ReadPace()
    lag(pace, loop, 0.02, times=1)

    assert not pace.rests(nothing)


def test_who_rests_does_so_to_the_end_also_when_the_loop_keeps_up_again(
    loop: SlowLoop,
) -> None:
    pace = ReadPace()
    lag(pace, loop, 0.04)
    rested: list[str] = []
    go_on = partial(rested.append, "a")
    assert pace.rests(go_on)

    for _ in range(3):
        loop.turn(after_s=0.0)
        assert pace.rests(go_on)
    loop.turn(after_s=0.06)
    assert rested == ["a"]
    lag(pace, loop, 0.0)
    assert not pace.rests(go_on)


def test_lag_is_looked_at_once_in_10_ms_and_not_before_it_was_seen(
    loop: SlowLoop,
) -> None:
    pace = ReadPace()
    for _ in range(100):
        pace.rests(nothing)
        loop.now += 0.001
    assert loop.waiting == 1
    loop.turn(after_s=0.0)

    pace.rests(nothing)
    assert loop.waiting == 0
    loop.now += 0.011
    pace.rests(nothing)
    assert loop.waiting == 1
