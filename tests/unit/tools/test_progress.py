from __future__ import annotations

import asyncio
import threading
from itertools import pairwise
from typing import TYPE_CHECKING

from streamchat_nb.tools.progress import ProgressReports

if TYPE_CHECKING:
    from collections.abc import Callable

Report = tuple[str, float | None]


def into(seen: list[Report]) -> Callable[[str, float | None], None]:
    return lambda text, fraction: seen.append((text, fraction))


def test_first_report_comes_at_once_and_the_last_always() -> None:
    async def main() -> list[Report]:
        seen: list[Report] = []
        reports = ProgressReports(into(seen), interval_s=60)
        reports.report("first", 0.1)
        await asyncio.sleep(0)
        assert seen == [("first", 0.1)]
        for number in range(1_000):
            reports.report(f"{number}", None)
        reports.report("nearly", 0.9)
        reports.report("last", None)
        await asyncio.sleep(0.01)
        reports.close()
        return seen

    assert asyncio.run(main()) == [("first", 0.1), ("last", 0.9)]


def test_reports_are_spaced() -> None:
    async def main() -> list[float]:
        loop = asyncio.get_running_loop()
        times: list[float] = []
        reports = ProgressReports(
            lambda _t, _f: times.append(loop.time()), interval_s=0.02
        )
        until = loop.time() + 0.2
        while loop.time() < until:
            reports.report("on", None)
            await asyncio.sleep(0.001)
        reports.close()
        return times

    times = asyncio.run(main())
    gaps = [b - a for a, b in pairwise(times)][:-1]
    assert len(times) >= 3
    assert min(gaps) >= 0.019


def test_reports_from_many_threads_arrive_on_the_loop() -> None:
    async def main() -> tuple[set[int], list[Report]]:
        loop_threads: set[int] = set()
        seen: list[Report] = []

        def deliver(text: str, fraction: float | None) -> None:
            loop_threads.add(threading.get_ident())
            seen.append((text, fraction))

        reports = ProgressReports(deliver, interval_s=0.001)

        def work(name: int) -> None:
            for number in range(200):
                reports.report(f"{name}.{number}", number / 200)

        await asyncio.gather(*(asyncio.to_thread(work, name) for name in range(4)))
        reports.report("end", 1.0)
        reports.close()
        return loop_threads, seen

    loop_threads, seen = asyncio.run(main())
    assert loop_threads == {threading.get_ident()}
    assert seen[-1] == ("end", 1.0)


def test_reports_after_the_close_go_nowhere() -> None:
    async def main() -> list[Report]:
        seen: list[Report] = []
        reports = ProgressReports(into(seen))
        reports.report("one", None)
        reports.close()
        reports.close()
        reports.report("late", None)
        await asyncio.sleep(0.01)
        return seen

    assert asyncio.run(main()) == [("one", None)]


def test_reports_after_the_loop_has_ended_are_harmless() -> None:
    seen: list[Report] = []

    async def main() -> ProgressReports:
        return ProgressReports(into(seen))

    reports = asyncio.run(main())
    reports.report("nobody looks", None)
    reports.report("still nobody", None)
    reports.close()
    assert seen == []


def test_reports_carry_text_that_utf8_can() -> None:
    async def main() -> list[Report]:
        seen: list[Report] = []
        reports = ProgressReports(into(seen))
        reports.report("half \udfff", None)
        reports.close()
        return seen

    assert asyncio.run(main()) == [("half ?", None)]
