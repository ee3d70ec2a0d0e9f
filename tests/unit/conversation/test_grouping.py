from __future__ import annotations

import asyncio

import pytest

from streamchat_nb.conversation import grouping as grouping_module
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


def test_log_that_comes_alone_is_committed_at_once_and_what_follows_together(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(grouping_module, "ALONE_S", 60.0)

    async def scenario() -> None:
        commits: list[list[str]] = []
        grouping: Grouping[str] = Grouping(commits.append)
        for log in ("first", "a", "b", "a"):
            grouping.mark(log, readers=1, urgent=False)
        assert commits == [["first"]]
        assert list(grouping) == ["a", "b"]
        await asyncio.sleep(0)
        assert commits == [["first"], ["a", "b"]]
        assert not grouping

    asyncio.run(scenario())


def test_logs_that_come_apart_are_committed_at_once_each(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(grouping_module, "ALONE_S", 0.0)

    async def scenario() -> None:
        commits: list[list[str]] = []
        grouping: Grouping[str] = Grouping(commits.append)
        for log in ("a", "b", "a"):
            grouping.mark(log, readers=1, urgent=False)
        assert commits == [["a"], ["b"], ["a"]]
        # What is urgent seldom comes alone, and what comes meanwhile goes with it.
        grouping.mark("a", readers=1, urgent=True)
        grouping.mark("b", readers=1, urgent=False)
        assert commits[3:] == []
        await asyncio.sleep(0)
        assert commits[3:] == [["a", "b"]]

    asyncio.run(scenario())


def test_what_a_commit_brings_about_is_committed_after_it_also_where_it_fails(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(grouping_module, "ALONE_S", 0.0)

    async def scenario() -> None:
        commits: list[list[str]] = []

        def commit(logs: list[str]) -> None:
            commits.append(logs)
            if len(commits) == 1:
                grouping.mark("next", readers=1, urgent=False)
                assert commits == [["a"]]
                raise LookupError

        grouping: Grouping[str] = Grouping(commit)
        with pytest.raises(LookupError):
            grouping.mark("a", readers=1, urgent=False)
        await asyncio.sleep(0)
        assert commits == [["a"], ["next"]]
        grouping.mark("b", readers=1, urgent=False)
        assert commits[2:] == [["b"]]

    asyncio.run(scenario())


def test_logs_with_many_readers_wait_and_one_with_few_does_not() -> None:
    async def scenario() -> None:
        commits = Commits()
        grouping = commits.grouping
        grouping.mark("a", readers=1_000, urgent=False)
        grouping.mark("b", readers=1_000, urgent=False)
        grouping.mark("few", readers=1, urgent=False)
        assert list(grouping) == ["a", "b"]
        assert await commits.next() == ["few"]
        assert await commits.next() == ["a", "b"]

    asyncio.run(scenario())
