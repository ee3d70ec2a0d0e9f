"""Turns that are cancelled at every kind of moment, once or twice, by id old or new.

The model is an endpoint over HTTP that refuses requests as the real one does: a history
that a cancel left invalid makes the next turn fail. Each cancelled turn has to end
once, within 200 ms as the log tells it, and what was written has to stay.
"""

from __future__ import annotations

import asyncio
import random
import time
from typing import TYPE_CHECKING

from streamchat_nb.protocol.codec import decode_frame
from streamchat_nb.protocol.content import TextBlock
from streamchat_nb.protocol.events import (
    BlockDelta,
    MessageCompleted,
    ToolStarted,
)
from streamchat_nb.protocol.frames import Ack, ErrorFrame
from streamchat_nb.testing.fake_endpoint import running_fake_endpoint
from streamchat_nb.testing.history_check import check
from tests.soak.outcome import Fault, Outcome
from tests.soak.raw_client import open_socket
from tests.soak.real_server import real_server
from tests.soak.talk import Talk

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from streamchat_nb.testing.history import History
    from tests.soak.raw_client import Line
    from tests.soak.real_server import RealServer

__all__ = ["FAULT", "run"]

CONVERSATIONS = 3
RACES_EACH = 20
PROMISED_MS = 200
PACE_S = 0.002
TOOL_DELAY_S = 0.15
LONG_FOR_S = 0.6
ANSWER_S = 20.0
TOOL_QUESTION = "Who is Ada Lovelace?"
QUESTIONS = (TOOL_QUESTION, "/demo long 150", "show everything")


def run(count: int, seed: int, *, bug: str = "") -> Outcome:
    """Cancel turns ``count`` times, with a bug in the server if one is named."""
    return asyncio.run(_run(count, seed, bug))


async def _run(count: int, seed: int, bug: str) -> Outcome:
    races = _Races(count)
    with (
        running_fake_endpoint(pace_s=PACE_S) as endpoint,
        real_server(
            bug=bug,
            environment={"ANTHROPIC_API_KEY": "a-key"},
            model="a-model",
            base_url=endpoint,
            tool_delay_s=TOOL_DELAY_S,
        ) as server,
    ):
        async with asyncio.TaskGroup() as group:
            for number in range(CONVERSATIONS):
                dice = random.Random(seed + number)  # noqa: S311 - the same each time
                group.create_task(races.run_some(server, dice))
    taken_ms = sorted(races.taken_ms)
    p50_ms, p99_ms = (taken_ms[len(taken_ms) * part // 100] for part in (50, 99))
    # Not the worst ones: a machine that is busy elsewhere may stand still for a moment.
    if p50_ms > PROMISED_MS:
        races.violations.append(f"half of the cancels took {p50_ms:.0f} ms or more")
    figures = {
        "cancelled": str(len(taken_ms)),
        "with text": str(races.partial),
        "p50": f"{p50_ms:.0f} ms",
        "p99": f"{p99_ms:.0f} ms",
        "worst": f"{taken_ms[-1]:.0f} ms",
    }
    return Outcome(
        fault=FAULT.name,
        count=races.done,
        violations=races.violations,
        figures=figures,
    )


class _Races:
    """All races of a run, and what came of them.

    Attributes:
        done: How many there were.
        partial: How many messages were ended in the middle of their text.
        taken_ms: From each cancel to the end of its turn in the log.
        violations: What was wrong.
    """

    def __init__(self, count: int) -> None:
        self.done = 0
        self.partial = 0
        self.taken_ms: list[float] = []
        self.violations: list[str] = []
        self._count = count

    async def run_some(self, server: RealServer, dice: random.Random) -> None:
        """Race in one conversation after the other until there are enough."""
        while self.done < self._count and not self.violations:
            talk = await Talk.begin(server)
            async with talk:
                line = await open_socket(server.address, talk.token)
                try:
                    race = _Race(talk, line, dice)
                    for _ in range(RACES_EACH):
                        await dice.choice(race.ways)()
                        self.done += 1
                    last = await talk.ask("What is 6*7?")
                finally:
                    line.close()
            if last.status != "completed":
                race.faults.append(f"the last turn ended {last.status}")
            history = await talk.close_the_books()
            self.taken_ms += race.taken_ms
            self.violations += race.faults
            self.violations += map(str, check(history))
            self.violations += _lost_texts(history)
            self.partial += sum(
                isinstance(event, MessageCompleted) and event.partial
                for event in history.events
            )


class _Race:
    """The races of one conversation.

    Attributes:
        taken_ms: As in ``_Races``.
        faults: What was wrong.
        ways: How to race.
    """

    def __init__(self, talk: Talk, line: Line, dice: random.Random) -> None:
        self.taken_ms: list[float] = []
        self.faults: list[str] = []
        self.ways: list[Callable[[], Coroutine[None, None, None]]] = [
            self.cancel_at_once,
            self.cancel_at_any_moment,
            self.cancel_at_any_moment,
            self.cancel_twice,
            self.cancel_while_a_tool_runs,
            self.cancel_at_the_end,
            self.cancel_what_waits,
            self.cancel_a_turn_that_is_over,
        ]
        self._talk = talk
        self._line = line
        self._dice = dice
        self._last_id = 0

    async def cancel_at_once(self) -> None:
        await self._cancel(await self._ask())

    async def cancel_at_any_moment(self) -> None:
        turn = await self._ask()
        await asyncio.sleep(self._dice.uniform(0, LONG_FOR_S))
        await self._cancel(turn)

    async def cancel_twice(self) -> None:
        turn = await self._ask()
        await asyncio.sleep(self._dice.uniform(0, LONG_FOR_S / 2))
        await self._cancel(turn, times=2)

    async def cancel_while_a_tool_runs(self) -> None:
        turn = await self._talk.send(TOOL_QUESTION)
        await self._seen(turn, ToolStarted)
        await asyncio.sleep(self._dice.uniform(0, TOOL_DELAY_S))
        await self._cancel(turn)

    async def cancel_at_the_end(self) -> None:
        turn = await self._talk.send("What is 2+3?")
        await self._seen(turn, MessageCompleted)
        await self._cancel(turn)

    async def cancel_what_waits(self) -> None:
        running = await self._ask()
        waiting = await self._ask()
        await self._cancel(waiting)
        if self._talk.finished[waiting].status != "cancelled":
            self.faults.append("a turn that waited was cancelled and ran")
        await self._cancel(running)

    async def cancel_a_turn_that_is_over(self) -> None:
        over = (await self._talk.ask("What is 1+1?")).turn
        turn = await self._ask()
        await asyncio.sleep(self._dice.uniform(0, LONG_FOR_S / 4))
        await self._say_cancel(str(over))
        await self._talk.until(lambda: turn in self._talk.finished)
        status = self._talk.finished[turn].status
        if status != "completed":
            self.faults.append(f"a turn ended {status} when another was cancelled")

    async def _ask(self) -> str:
        return await self._talk.send(self._dice.choice(QUESTIONS))

    async def _seen(
        self, turn: str, type_: type[ToolStarted | MessageCompleted]
    ) -> None:
        """Wait until the witness has seen an event of a turn, or its end."""
        seat = self._talk.history.seat("the witness")
        await self._talk.until(
            lambda: (
                turn in self._talk.finished
                or any(
                    isinstance(received, type_) and received.turn == turn
                    for received in reversed(seat.connections[-1].received[-200:])
                )
            )
        )

    async def _cancel(self, turn: str, *, times: int = 1) -> None:
        asked_ms = time.time() * 1_000
        await self._say_cancel(turn, times=times)
        await self._talk.until(lambda: turn in self._talk.finished)
        end = self._talk.finished[turn]
        if end.status == "cancelled":
            self.taken_ms.append(end.ts - asked_ms)
        elif end.status != "completed":
            self.faults.append(f"a cancelled turn ended {end.status}: {end.error}")

    async def _say_cancel(self, turn: str, *, times: int = 1) -> None:
        """Send a cancel, or several at once, and read the answers."""
        waiting: set[object] = set()
        for _ in range(times):
            self._last_id += 1
            waiting.add(self._last_id)
            self._line.say(
                type="cancel",
                id=self._last_id,
                conversation=self._talk.conversation,
                turn=turn,
            )
        async with asyncio.timeout(ANSWER_S):
            while waiting:
                answer = decode_frame(await self._line.message())
                if isinstance(answer, ErrorFrame):
                    self.faults.append(f"a cancel was refused: {answer.code}")
                if isinstance(answer, Ack | ErrorFrame):
                    waiting.discard(answer.re)


def _lost_texts(history: History) -> list[str]:
    """Return which messages ended early without a text of theirs that was seen."""
    lost: list[str] = []
    seen: dict[str, dict[str, str]] = {}
    for event in history.seat("the witness").connections[0].received:
        match event:
            case BlockDelta(kind="text"):
                texts = seen.setdefault(event.message, {})
                texts[event.block] = texts.get(event.block, "") + event.delta
            case MessageCompleted(partial=True):
                kept = [b.text for b in event.content if isinstance(b, TextBlock)]
                texts = seen.get(event.message, {}).values()
                if any(text.strip() and text not in kept for text in texts):
                    lost.append(f"event {event.seq} does not keep what was seen")
            case _:
                pass
    return lost


FAULT = Fault(name="cancel_races", in_ci=200, in_soak=2_000, run=run)
