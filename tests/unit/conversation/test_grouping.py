from __future__ import annotations

import asyncio

import pytest

from streamchat_nb.conversation.grouping import Grouping, grouping_delay_s


@pytest.mark.parametrize(
    ("readers", "expected"),
    [(1, 0.0), (250, 0.0), (251, 0.016), (1_000, 0.025), (9_000, 0.05)],
)
def test_grouping_waits_only_for_many_readers(readers: int, expected: float) -> None:
    assert grouping_delay_s(readers) == pytest.approx(expected)


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


def test_logs_with_many_readers_wait_and_one_with_few_does_not() -> None:
    async def scenario() -> None:
        commits = Commits()
        grouping = commits.grouping
        grouping.mark("a", readers=1_000, urgent=False)
        grouping.mark("b", readers=1_000, urgent=False)
        grouping.mark("few", readers=1, urgent=False)
        assert list(grouping) == ["few", "a", "b"]
        assert await commits.next() == ["few"]
        assert await commits.next() == ["a", "b"]

    asyncio.run(scenario())
