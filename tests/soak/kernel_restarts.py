"""Kernels that are killed, or restarted as from a menu, while they run functions.

A function says in a file under which lease it runs, and then takes its time. However
the kernel ends, the call has to end within 5 s with a result that is an error, no call
may run twice, and the chat has to go on, with the next kernel's functions.
"""

from __future__ import annotations

import asyncio
import itertools
import random
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from streamchat_nb.protocol.events import ToolCompleted, ToolStarted
from streamchat_nb.testing.history_check import check
from tests.soak.outcome import Fault, Outcome
from tests.soak.real_kernel import real_kernel
from tests.soak.real_server import real_server
from tests.soak.talk import Talk

if TYPE_CHECKING:
    from pathlib import Path

    from tests.soak.real_kernel import RealKernel
    from tests.soak.real_server import RealServer

__all__ = ["FAULT"]

Seen = TypeVar("Seen", ToolStarted, ToolCompleted)

KERNELS = 2
PROMISED_S = 5.0
TAKES_S = 4.0
LATEST_END_S = 0.3
MOST_IN_A_TALK = 10
WAYS = (
    (True, "on_main_thread"),
    (False, "beside"),
    (True, "again"),
    (False, "on_main_thread"),
    (True, "beside"),
    (False, "again"),
)
"""Whether the kernel is killed or asked, and the function that it runs."""

SET_UP = """
import time
from streamchat_nb import Chat
from streamchat_nb.tools.tool import ToolContext

chat = Chat({conversation!r}, notebook_tools=False)

def note(context):
    with open({path!r}, "a") as file:
        print(context.tool_call, context.lease, file=file)
    time.sleep({takes_s})
    return "the whole of it"

@chat.tool
def on_main_thread(context: ToolContext) -> str:
    '''Take some time.'''
    return note(context)

@chat.tool(thread=True)
def beside(context: ToolContext) -> str:
    '''Take some time.'''
    return note(context)

@chat.tool(thread=True, idempotent=True)
def again(context: ToolContext) -> str:
    '''Take some time; twice does no harm.'''
    return note(context)

@chat.tool
def quick() -> str:
    '''Take no time.'''
    return "quick as ever"
"""


def run(count: int, seed: int) -> Outcome:
    """End a kernel ``count`` times while it runs, or is to run, a function."""
    return asyncio.run(_run(count, seed))


async def _run(count: int, seed: int) -> Outcome:
    ends: list[_End] = []
    violations: list[str] = []

    async def end_again_and_again(server: RealServer, number: int) -> None:
        dice = random.Random(seed + number)  # noqa: S311 - the same on each run
        share = count // KERNELS + (number < count % KERNELS)
        ways = itertools.cycle(WAYS[3 * number :] + WAYS[: 3 * number])
        with real_kernel(server.process) as kernel:
            while share and not violations:
                often = min(share, MOST_IN_A_TALK)
                share -= often
                trial = await _Trial.begin(server, kernel)
                async with trial.talk:
                    for kill, function in itertools.islice(ways, often):
                        end = await trial.end_once(dice, function, kill=kill)
                        ends.append(end)
                violations.extend(await trial.violations())

    with real_server(offline_pace_s=0) as server:
        async with asyncio.TaskGroup() as group:
            for number in range(KERNELS):
                group.create_task(end_again_and_again(server, number))
    violations += [f"a call ended {end.how}" for end in ends if not end.is_clean]
    delays_s = sorted(end.delay_s for end in ends)
    if delays_s[-1] > PROMISED_S:
        violations.append(f"a call ended {delays_s[-1]:.2f} s after its kernel")
    figures = {
        "kernel's end to call's end p50": f"{delays_s[len(delays_s) // 2]:.2f} s",
        "worst": f"{delays_s[-1]:.2f} s",
        **{how: str(often) for how, often in Counter(e.how for e in ends).items()},
    }
    return Outcome(
        fault=FAULT.name, count=len(ends), violations=violations, figures=figures
    )


@dataclass(frozen=True, kw_only=True)
class _End:
    """How a call ended whose kernel did.

    Attributes:
        delay_s: How long after its kernel's end, in seconds.
        how: The call's status, and that of its turn where that is not completed.
        is_clean: Whether that may be.
    """

    delay_s: float
    how: str
    is_clean: bool


class _Trial:
    """One conversation, and a kernel that lends functions to it."""

    def __init__(self, talk: Talk, kernel: RealKernel, path: Path) -> None:
        self.talk = talk
        self._kernel = kernel
        self._path = path
        self._may_run_twice: set[str] = set()
        self._found: list[str] = []

    @classmethod
    async def begin(cls, server: RealServer, kernel: RealKernel) -> _Trial:
        """Make a conversation and lend it the kernel's functions."""
        talk = await Talk.begin(server)
        path = server.process.home / f"runs-{talk.conversation}"
        path.touch()
        trial = cls(talk, kernel, path)
        await asyncio.to_thread(trial._set_up)
        return trial

    def _set_up(self) -> None:
        self._kernel.run(
            SET_UP.format(
                conversation=self.talk.conversation,
                path=str(self._path),
                takes_s=TAKES_S,
            )
        )

    async def end_once(self, dice: random.Random, function: str, *, kill: bool) -> _End:
        """End the kernel while it has a call, and go on with the next kernel."""
        turn = await self.talk.send(f"call {function}")
        await self.talk.until(lambda: bool(self._of(turn, ToolStarted)))
        await asyncio.sleep(dice.uniform(0, LATEST_END_S))
        gone_at = await asyncio.to_thread(self._next_kernel, kill=kill)
        await self.talk.until(lambda: turn in self.talk.finished)
        (ended,) = self._of(turn, ToolCompleted)
        if function == "again":
            self._may_run_twice.add(ended.tool_call)
        is_whole = ended.status == "ok"
        # It had its time: before the kernel ended, or once more in the next one.
        may_be_whole = ended.ts / 1_000 < gone_at or function == "again"
        status = self.talk.finished[turn].status
        later = await self.talk.ask("call quick")
        (quick,) = self._of(later.turn, ToolCompleted)
        if later.status != "completed" or quick.output != "quick as ever":
            self._found.append(f"afterwards: {later.status}, {quick.output}")
        return _End(
            delay_s=0.0 if is_whole else max(0.0, ended.ts / 1_000 - gone_at),
            how=ended.status if status == "completed" else f"in a turn {status}",
            is_clean=status == "completed"
            and (may_be_whole if is_whole else ended.status in ("unknown", "error")),
        )

    async def violations(self) -> list[str]:
        """Return what was wrong, once the talk is over."""
        runs = [line.split() for line in self._path.read_text().splitlines()]
        calls = Counter(call for call, _ in runs if call not in self._may_run_twice)
        leases = Counter(lease for _, lease in runs)
        return [
            *self._found,
            *map(str, check(await self.talk.close_the_books())),
            *(f"call {call} ran twice" for call, often in calls.items() if often > 1),
            *(f"{lease} ran twice" for lease, often in leases.items() if often > 1),
        ]

    def _next_kernel(self, *, kill: bool) -> float:
        """End the kernel, start the next one; return when the first one was gone."""
        if kill:
            gone_at = self._kernel.kill()
            self._kernel.restart(now=True)
        else:
            gone_at = self._kernel.restart(now=False)
        self._set_up()
        return gone_at

    def _of(self, turn: str | None, kind: type[Seen]) -> list[Seen]:
        seen = self.talk.tool_events
        return [
            event for event in seen if isinstance(event, kind) and event.turn == turn
        ]


FAULT = Fault(name="kernel_restarts", in_ci=4, in_soak=100, run=run)
