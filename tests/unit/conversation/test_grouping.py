from __future__ import annotations

import asyncio

import pytest

from streamchat_nb.conversation.grouping import Grouping, grouping_delay_s


@pytest.mark.parametrize(
    ("lag_s", "readers", "expected"),
    [
        (0.0, 1, 0.0),
        (0.004, 250, 0.0),
        (0.005, 1, 0.02),
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


def test_log_that_waits_for_company_holds_up_no_urgent_one() -> None:
    async def scenario() -> None:
        grouping: Grouping[str] = Grouping()
        grouping.mark("waits", readers=1_000, urgent=False)
        grouping.mark("also", readers=1_000, urgent=False)
        grouping.mark("urgent", readers=1_000, urgent=True)
        assert await grouping.take() == ["urgent"]
        assert list(grouping) == ["waits", "also"]
        grouping.mark("also", readers=1_000, urgent=True)
        assert await grouping.take() == ["also"]
        assert await asyncio.wait_for(grouping.take(), 5) == ["waits"]
        assert not grouping

    asyncio.run(scenario())


def test_loop_that_lags_lets_logs_wait_and_one_that_keeps_up_does_not() -> None:
    async def scenario() -> None:
        grouping: Grouping[str] = Grouping()
        grouping._lag_s = 1.0
        grouping.mark("a", readers=1, urgent=False)
        grouping.mark("b", readers=1, urgent=False)
        assert not grouping._due
        assert await asyncio.wait_for(grouping.take(), 5) == ["a", "b"]
        grouping._lag_s = 0.0
        grouping.mark("a", readers=1, urgent=False)
        assert await grouping.take() == ["a"]

    asyncio.run(scenario())


def test_lag_is_what_the_loop_takes_for_what_is_before() -> None:
    async def scenario() -> None:
        grouping: Grouping[str] = Grouping()
        loop = asyncio.get_running_loop()
        for _ in range(5):
            grouping._measured_s = 0.0
            grouping.mark("a", readers=1, urgent=True)
            # A turn of the loop that takes 20 ms, by a clock that we do not wait for.
            busy_until = loop.time() + 0.02
            await grouping.take()
            while loop.time() < busy_until:
                pass
            await asyncio.sleep(0)
        assert grouping._lag_s > 0.005

    asyncio.run(asyncio.wait_for(scenario(), 20))
