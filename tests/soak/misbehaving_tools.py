"""Tools that hang, raise, flood, or give what nobody can use, at both ends.

Nine kinds, in turns in the server and in a kernel, there in turns on the main thread
and beside it. Each call has to have one end of the kind that it should have, its turn
has to end, and somebody else's conversation has to go on meanwhile. At the end neither
process may have grown by more than what one of them may hold for a moment.
"""

from __future__ import annotations

import asyncio
import itertools
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from streamchat_nb.protocol.events import ToolCompleted
from streamchat_nb.testing.history_check import check
from tests.soak.misbehaviour import EXPECTED, FUNCTIONS
from tests.soak.outcome import Fault, Outcome
from tests.soak.real_kernel import real_kernel
from tests.soak.real_server import real_server
from tests.soak.talk import Talk

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.soak.real_kernel import RealKernel
    from tests.soak.real_server import RealServer

__all__ = ["FAULT"]

MOST_IN_A_TALK = 27
PROMISED_PAUSE_S = 0.5
LONGEST_CALL_S = 15.0
MOST_GROWTH_BYTES = 200_000_000
MOST_EVENT_BYTES = 262_144
BETWEEN_S = 0.02
MOST_ASKED = 200
START_S = 60.0
LEAVES = "leaves"
PLACES = ("server_", "kernel_", "beside_")
ROUNDS_TO_LEAVE = 20

SET_UP = """
from streamchat_nb import Chat
from tests.soak import misbehaviour

chat = Chat({conversation!r}, notebook_tools=False)
for beside in (False, True):
    for function in (*misbehaviour.FUNCTIONS, misbehaviour.leaves):
        hangs = function is misbehaviour.hangs
        chat.tool(
            name=("beside_" if beside else "kernel_") + function.__name__,
            thread=beside,
            timeout_s=misbehaviour.TIMEOUT_S if hangs else 30.0,
        )(function)
"""


def run(count: int, seed: int) -> Outcome:
    """Call ``count`` functions that misbehave, the kinds in turns."""
    del seed  # nothing here is by chance
    return asyncio.run(_run(count))


async def _run(count: int) -> Outcome:
    with (
        real_server(
            offline_pace_s=0, tools=["tests.soak.misbehaviour:ON_SERVER"]
        ) as server,
        real_kernel(server.process) as kernel,
    ):
        trial = _Trial(server, kernel)
        is_there = asyncio.Event()
        bystander = asyncio.create_task(trial.stand_by(is_there))
        await asyncio.wait_for(is_there.wait(), START_S)
        names = _names()
        done = 0
        while done < count and not trial.violations:
            often = min(count - done, MOST_IN_A_TALK)
            await trial.talk(list(itertools.islice(names, often)))
            done += often
        bystander.cancel()
        await asyncio.wait({bystander})
        if not bystander.cancelled():
            bystander.result()
        trial.look_at_memory()
    pauses_ms = sorted(pause_s * 1_000 for pause_s in trial.pauses_s)
    median_ms = pauses_ms[len(pauses_ms) // 2]
    if median_ms > PROMISED_PAUSE_S * 1_000:
        trial.violations.append(f"half of the others' answers took {median_ms:.0f} ms")
    calls_s = sorted(trial.calls_s)
    return Outcome(
        fault=FAULT.name,
        count=done,
        violations=trial.violations,
        figures={
            "call p50": f"{calls_s[len(calls_s) // 2] * 1_000:.0f} ms",
            "longest": f"{calls_s[-1]:.1f} s",
            "other's answer p50": f"{median_ms:.0f} ms",
            "worst": f"{pauses_ms[-1]:.0f} ms",
            "server grew by": f"{trial.growth_bytes[0] / 1e6:.0f} MB",
            "kernel": f"{trial.growth_bytes[1] / 1e6:.0f} MB",
            **{status: str(often) for status, often in trial.statuses.items()},
        },
    )


def _names() -> Iterator[str]:
    """Yield names of tools without an end; early on one that ends its kernel."""
    for number in itertools.count():
        for position, function in enumerate(FUNCTIONS):
            yield PLACES[(number + position) % len(PLACES)] + function.__name__
        if number % ROUNDS_TO_LEAVE == 1:
            yield f"kernel_{LEAVES}"


class _Trial:
    """What is tried, and what came of it.

    Attributes:
        violations: What was wrong.
        statuses: How calls ended.
        calls_s: How long turns took, in seconds.
        pauses_s: How long somebody else waited for answers, in seconds.
        growth_bytes: By how much server and kernel grew after the first talk.
    """

    def __init__(self, server: RealServer, kernel: RealKernel) -> None:
        self.violations: list[str] = []
        self.statuses: Counter[str] = Counter()
        self.calls_s: list[float] = []
        self.pauses_s: list[float] = []
        self.growth_bytes = (0, 0)
        self._server = server
        self._kernel = kernel
        self._before: tuple[int, int] | None = None

    async def stand_by(self, is_there: asyncio.Event) -> None:
        """Ask in other conversations, again and again, until cancelled."""
        while True:
            async with await Talk.begin(self._server) as other:
                await other.ask("hello")  # a server's first answer takes longer
                is_there.set()
                await self._ask_on(other)

    async def _ask_on(self, other: Talk) -> None:
        for _ in range(MOST_ASKED):
            began = time.monotonic()
            finished = await other.ask("hello")
            self.pauses_s.append(time.monotonic() - began)
            if finished.status != "completed":
                self.violations.append(f"another's turn ended {finished.status}")
            await asyncio.sleep(BETWEEN_S)

    async def talk(self, names: list[str]) -> None:
        """Call tools in a conversation of their own, one after the other."""
        async with await Talk.begin(self._server) as talk:
            await asyncio.to_thread(self._set_up, talk)
            for name in names:
                await self._call(talk, name)
        self.violations += map(str, check(await talk.close_the_books()))
        if self._before is None:
            self._before = self._memory_bytes()

    def look_at_memory(self) -> None:
        """Compare what both processes hold with the time after the first talk."""
        now, before = self._memory_bytes(), self._before or (0, 0)
        self.growth_bytes = (now[0] - before[0], now[1] - before[1])
        self.violations += [
            f"a process grew by {growth / 1e6:.0f} MB"
            for growth in self.growth_bytes
            if growth > MOST_GROWTH_BYTES
        ]

    async def _call(self, talk: Talk, name: str) -> None:
        began = time.monotonic()
        finished = await talk.ask(f"call {name}")
        self.calls_s.append(time.monotonic() - began)
        ends = [
            event
            for event in talk.tool_events
            if isinstance(event, ToolCompleted) and event.turn == finished.turn
        ]
        self.statuses.update(end.status for end in ends)
        kind = name.partition("_")[2]
        how = [(end.status, end.output[:200]) for end in ends]
        if finished.status != "completed" or len(ends) != 1:
            self.violations.append(f"{name}: the turn {finished.status}, calls {how}")
        elif ends[0].status not in EXPECTED[kind]:
            self.violations.append(f"{name} ended {how[0]}")
        if self.calls_s[-1] > LONGEST_CALL_S:
            self.violations.append(f"{name} took {self.calls_s[-1]:.1f} s")
        if kind == LEAVES:
            await asyncio.to_thread(self._kernel.restart, now=True)
            await asyncio.to_thread(self._set_up, talk)

    def _set_up(self, talk: Talk) -> None:
        self._kernel.run(SET_UP.format(conversation=talk.conversation))

    def _memory_bytes(self) -> tuple[int, int]:
        return _resident(self._server.process.pid), _resident(self._kernel.pid)


def _resident(pid: int) -> int:
    """Return what a process holds in memory, in bytes."""
    for line in Path(f"/proc/{pid}/status").read_text("utf-8").splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1_024
    return 0


FAULT = Fault(name="misbehaving_tools", in_ci=10, in_soak=905, run=run)
