from __future__ import annotations

import asyncio

import pytest

from streamchat_nb.conversation.grouping import Grouping, grouping_delay_s


@pytest.mark.parametrize(
    ("lag_s", "readers", "expected"),
    [
        (0.0, 1, 0.0),
        (0.004, 250, 0.0),
        (0.005, 1, 0.016),
        (0.02, 1, 0.02),
        (0.0, 251, 0.016),
        (0.0, 1_000, 0.025),
        (0.0, 9_000, 0.05),
        (9, 1, 0.05),
    ],
)
def test_grouping_waits_only_under_load(
    lag_s: float, readers: int, expected: float
) -> None:
    assert grouping_delay_s(lag_s=lag_s, readers=readers) == pytest.approx(expected)


class Commits:
    """Groups logs, and gives what is to be committed, each time."""

    def __init__(self) -> None:
        self._due: asyncio.Queue[list[str]] = asyncio.Queue()
        self.grouping: Grouping[str] = Grouping(self._due.put_nowait)

    async def next(self) -> list[str]:
        return await asyncio.wait_for(self._due.get(), 5)


def test_log_that_waits_for_company_holds_up_no_urgent_one() -> None:
    async def scenario() -> None:
        commits = Commits()
        grouping = commits.grouping
        grouping.mark("waits", readers=1_000, urgent=False)
        grouping.mark("also", readers=1_000, urgent=False)
        grouping.mark("urgent", readers=1_000, urgent=True)
        assert await commits.next() == ["urgent"]
        assert list(grouping) == ["waits", "also"]
        grouping.mark("also", readers=1_000, urgent=True)
        assert await commits.next() == ["also"]
        assert await commits.next() == ["waits"]
        assert not grouping

    asyncio.run(scenario())


def test_logs_of_one_turn_of_the_loop_are_committed_together_in_the_next() -> None:
    async def scenario() -> None:
        commits = Commits()
        for log in ("a", "b", "a"):
            commits.grouping.mark(log, readers=1, urgent=False)
        assert list(commits.grouping) == ["a", "b"]
        assert await commits.next() == ["a", "b"]
        commits.grouping.mark("b", readers=1, urgent=True)
        assert await commits.next() == ["b"]

    asyncio.run(scenario())


def test_loop_that_lags_lets_logs_wait_and_one_that_keeps_up_does_not() -> None:
    async def scenario() -> None:
        commits = Commits()
        grouping = commits.grouping
        grouping._lag._mean_s = 1.0
        grouping.mark("a", readers=1, urgent=False)
        grouping.mark("b", readers=1, urgent=False)
        assert not grouping._due
        assert await commits.next() == ["a", "b"]
        grouping._lag._mean_s = 0.0
        grouping.mark("a", readers=1, urgent=False)
        assert await commits.next() == ["a"]

    asyncio.run(scenario())
