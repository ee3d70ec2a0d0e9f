from __future__ import annotations

import asyncio
import threading
import time
from contextvars import ContextVar
from typing import TYPE_CHECKING

import pytest
from typing_extensions import override

from streamchat_nb.tools.worker_threads import WorkerThreads

if TYPE_CHECKING:
    from collections.abc import Callable

VARIABLE: ContextVar[str] = ContextVar("VARIABLE", default="unset")


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline, "it did not happen within 10 s"
        time.sleep(0.001)


def test_run_is_on_another_thread_in_a_copy_of_the_context() -> None:
    async def main() -> tuple[str, bool]:
        VARIABLE.set("here")

        def work() -> tuple[str, bool]:
            seen = VARIABLE.get()
            VARIABLE.set("there")
            return seen, threading.current_thread() is threading.main_thread()

        result = await WorkerThreads(2).run(work)
        assert VARIABLE.get() == "here"
        return result

    assert asyncio.run(main()) == ("here", False)


def test_run_raises_what_the_function_raised() -> None:
    def work() -> None:
        raise LookupError("no such book")

    with pytest.raises(LookupError, match="no such book"):
        asyncio.run(WorkerThreads(1).run(work))


def test_run_survives_stop_iteration() -> None:
    def work() -> None:
        next(iter(()))

    with pytest.raises(RuntimeError, match="StopIteration"):
        asyncio.run(WorkerThreads(1).run(work))


def test_threads_are_daemons() -> None:
    daemon = asyncio.run(
        WorkerThreads(1).run(lambda: threading.current_thread().daemon)
    )
    assert daemon


def test_work_beyond_the_bound_waits() -> None:
    threads = WorkerThreads(2)
    running, most, lock = 0, 0, threading.Lock()

    def work() -> None:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        time.sleep(0.002)
        with lock:
            running -= 1

    async def main() -> None:
        await asyncio.gather(*(threads.run(work) for _ in range(20)))

    asyncio.run(main())
    assert most == 2
    assert threads.threads == 2


def test_an_idle_thread_serves_again() -> None:
    threads = WorkerThreads(8)

    async def main() -> set[int]:
        return {await threads.run(threading.get_ident) for _ in range(5)}

    # A thread that just answered may not be back yet: two at most.
    assert len(asyncio.run(main())) <= 2


def test_idle_threads_end_and_new_ones_begin() -> None:
    threads = WorkerThreads(1, idle_s=0.01)
    assert asyncio.run(threads.run(lambda: 1)) == 1
    wait_until(lambda: threads.threads == 0)
    assert asyncio.run(threads.run(lambda: 2)) == 2


def test_work_cancelled_while_it_waits_never_runs() -> None:
    threads = WorkerThreads(1)
    gate = threading.Event()
    ran: list[str] = []

    async def main() -> None:
        first = asyncio.create_task(threads.run(lambda: gate.wait(10)))
        second = asyncio.create_task(threads.run(lambda: ran.append("second")))
        await asyncio.sleep(0)
        second.cancel()
        await asyncio.wait({second})
        gate.set()
        await first
        await threads.run(lambda: ran.append("third"))

    asyncio.run(main())
    assert ran == ["third"]


def test_work_cancelled_while_it_runs_is_not_waited_for() -> None:
    threads = WorkerThreads(1)
    gate, begun, ended = threading.Event(), threading.Event(), threading.Event()

    def work() -> None:
        begun.set()
        gate.wait(10)
        ended.set()

    async def main() -> None:
        task = asyncio.create_task(threads.run(work))
        await asyncio.to_thread(begun.wait, 10)
        task.cancel()
        await asyncio.wait({task}, timeout=1)
        assert task.cancelled()

    asyncio.run(main())
    gate.set()
    assert ended.wait(10)
    wait_until(lambda: threads.threads == 1)


def test_work_that_comes_as_a_thread_gives_up_is_done() -> None:
    class GivingUp(WorkerThreads):
        gave_up = threading.Event()
        go_on = threading.Event()

        @override
        def _take(self, *, wait_s: float) -> Callable[[], None] | None:
            work = super()._take(wait_s=wait_s)
            if work is None and wait_s > 0:
                self.gave_up.set()
                self.go_on.wait(10)
            return work

    threads = GivingUp(4, idle_s=0.01)

    async def main() -> int:
        await threads.run(lambda: 1)
        await asyncio.to_thread(threads.gave_up.wait, 10)
        late = asyncio.create_task(threads.run(lambda: 2))
        await asyncio.sleep(0)
        threads.go_on.set()
        return await asyncio.wait_for(late, 10)

    assert asyncio.run(main()) == 2


def test_many_short_bursts_lose_nothing() -> None:
    """Threads end and begin all the time: no work may fall between the two."""
    threads = WorkerThreads(3, idle_s=0.0005)

    async def main() -> int:
        done = 0
        for burst in range(150):
            results = await asyncio.wait_for(
                asyncio.gather(*(threads.run(lambda: 1) for _ in range(burst % 4))), 10
            )
            done += sum(results)
            await asyncio.sleep(0.0005 * (burst % 3))
        return done

    assert asyncio.run(main()) == sum(burst % 4 for burst in range(150))


def test_work_that_hangs_when_it_is_cancelled_takes_no_place() -> None:
    threads = WorkerThreads(1, most_left=2)
    ends = threading.Event()

    async def main() -> list[str]:
        for _ in range(2):
            hanging = asyncio.ensure_future(threads.run(ends.wait))
            waiting = asyncio.ensure_future(threads.run(lambda: "waited"))
            await asyncio.sleep(0.05)
            assert not waiting.done()
            hanging.cancel()
            assert await asyncio.wait_for(waiting, 5) == "waited"
        hanging = asyncio.ensure_future(threads.run(ends.wait))
        await asyncio.sleep(0.05)
        hanging.cancel()
        waiting = asyncio.ensure_future(threads.run(lambda: "waited"))
        await asyncio.sleep(0.05)
        assert not waiting.done()  # there are two already
        ends.set()
        return [await asyncio.wait_for(waiting, 5)]

    assert asyncio.run(main()) == ["waited"]
