from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from streamchat_nb.agent.wait_limit import WaitLimit

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable


def run(test: Callable[[WaitLimit], Awaitable[None]], limit_s: float = 0.1) -> None:
    async def main() -> None:
        limit = WaitLimit(limit_s)
        try:
            await test(limit)
        finally:
            limit.close()
            limit.close()

    asyncio.run(main())


def test_limit_gives_the_result_of_a_short_wait() -> None:
    async def test(limit: WaitLimit) -> None:
        assert await limit.wait(asyncio.sleep(0, "done")) == "done"

    run(test)


def test_limit_hands_errors_on() -> None:
    async def fail() -> None:
        raise KeyError

    async def test(limit: WaitLimit) -> None:
        with pytest.raises(KeyError):
            await limit.wait(fail())

    run(test)


def test_limit_long_wait_is_a_timeout_and_is_cancelled() -> None:
    cancelled = False

    async def forever() -> None:
        nonlocal cancelled
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            cancelled = True
            raise

    async def test(limit: WaitLimit) -> None:
        with pytest.raises(TimeoutError):
            await limit.wait(forever())
        task = asyncio.current_task()
        assert task is not None
        assert not task.cancelling()

    run(test)
    assert cancelled


def test_limit_adds_waits_up() -> None:
    async def test(limit: WaitLimit) -> None:
        loop = asyncio.get_running_loop()
        began = loop.time()
        waits = 0

        async def wait_on() -> None:
            nonlocal waits
            while True:
                await limit.wait(asyncio.sleep(0.02))
                waits += 1

        with pytest.raises(TimeoutError):
            await wait_on()
        assert 1 <= waits <= 5
        assert loop.time() - began >= 0.1

    run(test)


def test_limit_after_reset_allows_the_whole_time() -> None:
    async def test(limit: WaitLimit) -> None:
        for _ in range(8):
            await limit.wait(asyncio.sleep(0.03))
            limit.reset()

    run(test)


def test_limit_time_between_waits_does_not_count() -> None:
    async def test(limit: WaitLimit) -> None:
        for _ in range(3):
            await asyncio.sleep(0.11)  # the timer fires here, and finds nobody waiting
            await limit.wait(asyncio.sleep(0))

    run(test)


def test_limit_used_up_ends_the_next_wait() -> None:
    async def test(limit: WaitLimit) -> None:
        with pytest.raises(TimeoutError):
            await limit.wait(asyncio.sleep(60))
        with pytest.raises(TimeoutError):
            await limit.wait(asyncio.sleep(60))

    run(test)


def test_limit_cancellation_from_outside_stays_one() -> None:
    async def test(limit: WaitLimit) -> None:
        task = asyncio.ensure_future(limit.wait(asyncio.sleep(60)))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    run(test)


def test_limit_cancellation_beside_the_timeout_wins() -> None:
    async def stubborn() -> None:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            task = asyncio.current_task()
            assert task is not None
            task.cancel()  # somebody else, in the same moment
            raise

    async def test(limit: WaitLimit) -> None:
        task = asyncio.ensure_future(limit.wait(stubborn()))
        with pytest.raises(asyncio.CancelledError):
            await task

    run(test)
