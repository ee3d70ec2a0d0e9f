"""Readers that stop to read, among many who read on.

Five hundred seats follow one conversation while three answers stream. In the second
one a tenth of them ask for the whole conversation again and again and read nothing;
what the others notice of it is measured against the first and the third.
"""

from __future__ import annotations

import asyncio
import os
import random
import tempfile
from pathlib import Path

from streamchat_nb.testing.server_process import ServerProcess
from tests.soak.outcome import Fault, Outcome
from tests.soak.raw_client import Address, call, chat_token
from tests.soak.raw_seat import RawSeat, open_seat

__all__ = ["FAULT", "run"]

STALLED_AT_ONCE = 50
SEATS_PER_STALLED = 10
FILLINGS = 40
FILLING_CHARACTERS = 100_000
PACE_S = 0.2
CALM_DELTAS = 30
STALLED_DELTAS = 90
SNAPSHOTS_ASKED = 20
CUT_WITHIN_S = 25.0
MOST_RATIO = 2.0
MOST_MEBIBYTES = 1.25
MEBIBYTE = 1_048_576

AGENT = f'''
import asyncio
from streamchat_nb.agent.agent import Agent
from streamchat_nb.protocol.content import Author, TextBlock
from streamchat_nb.protocol.events import (
    BlockDelta, BlockStarted, MessageCompleted, MessageCreated,
)


class Streamer(Agent):
    """`fill`: a long answer at once. `stream N`: N pieces, one each {PACE_S} s."""

    name = "streamer"
    model_name = "streamer"

    async def run(self, turn):
        words = turn.history[-1]["content"][-1]["text"].split()
        message = turn.new_message_id()
        author = Author(id="streamer", name="Streamer", kind="agent")
        yield MessageCreated(message=message, role="assistant", author=author)
        text = "x" * {FILLING_CHARACTERS}
        if words[0] == "stream":
            text = ""
            yield BlockStarted(message=message, block="b0", kind="text")
            for number in range(int(words[1])):
                await asyncio.sleep({PACE_S})
                delta = f"{{number}} ".ljust(200, ".")
                text += delta
                yield BlockDelta(
                    message=message, block="b0", kind="text", delta=delta
                )
        yield MessageCompleted(message=message, content=[TextBlock(text=text)])
'''


def run(count: int, seed: int) -> Outcome:
    """Let ``count`` readers stall, 50 of 500 at a time."""
    folder = tempfile.TemporaryDirectory(prefix="streamchat-soak-")
    (Path(folder.name) / "soak_streamer.py").write_text(AGENT)
    limits = {"sockets_per_user": 5_000, "pending_sockets_per_address": 5_000}
    arguments = [
        "--StreamchatExtension.agent=soak_streamer:Streamer",
        f"--StreamchatExtension.limits={limits}",
    ]
    path = os.pathsep.join([folder.name, os.environ.get("PYTHONPATH", "")])
    rounds = [_Round() for _ in range(-(-count // STALLED_AT_ONCE))]
    with (
        folder,
        ServerProcess(arguments, environment={"PYTHONPATH": path}) as server,
    ):
        for number, one in enumerate(rounds):
            chance = random.Random(seed + number)  # noqa: S311 - repeatable
            asyncio.run(one.play(server, chance))
    ratio = max(one.ratio for one in rounds)
    grown = max(one.mebibytes_per_stalled for one in rounds)
    return Outcome(
        fault=FAULT.name,
        count=sum(one.cut for one in rounds),
        violations=[words for one in rounds for words in one.violations],
        figures={
            "p99": " / ".join(
                f"{one.calm_p99_ms:.0f}→{one.stalled_p99_ms:.0f} ms" for one in rounds
            ),
            "ratio": f"{ratio:.2f}",
            "memory": f"{grown:.2f} MiB per stalled reader",
        },
    )


class _Round:
    """Three answers, the second one with stalled readers."""

    def __init__(self) -> None:
        self.violations: list[str] = []
        self.cut = 0
        self.calm_p99_ms = 0.0
        self.stalled_p99_ms = 0.0
        self.mebibytes_per_stalled = 0.0

    @property
    def ratio(self) -> float:
        return self.stalled_p99_ms / max(self.calm_p99_ms, 0.001)

    async def play(self, server: ServerProcess, chance: random.Random) -> None:
        async with asyncio.timeout(240):
            await self._play(server, chance)
        if self.ratio > MOST_RATIO:
            self.violations.append(
                f"the others' p99 went from {self.calm_p99_ms:.0f} ms to "
                f"{self.stalled_p99_ms:.0f} ms"
            )
        if self.mebibytes_per_stalled > MOST_MEBIBYTES:
            self.violations.append(
                f"memory grew by {self.mebibytes_per_stalled:.2f} MiB for each "
                "stalled reader"
            )

    async def _play(self, server: ServerProcess, chance: random.Random) -> None:
        address = Address(port=server.port, token=server.address.token)
        token = await chat_token(address)
        _, created = await call(address, "POST", "conversations", {})
        conversation = created["id"]
        path = f"conversations/{conversation}/messages"
        for _ in range(FILLINGS):
            await call(address, "POST", path, {"text": "fill"})
        stalled, others = await _take_seats(address, token, conversation)
        seats = [*stalled, *others]

        calm = await _stream(address, path, CALM_DELTAS)
        await _finished(seats, calm, CALM_DELTAS)
        calm_ms = _take_latencies(others)
        before = _resident_bytes(server.pid)
        watching = asyncio.ensure_future(_most_resident_bytes(server.pid))
        busy = await _stream(address, path, STALLED_DELTAS)
        for seat in stalled:
            await asyncio.sleep(chance.uniform(0.0, 0.04))
            seat.stop_reading()
            for id_ in range(10, 10 + SNAPSHOTS_ASKED):
                seat.subscribe(id_, conversation, resume=False)
        await _finished(others, busy, STALLED_DELTAS)
        self.stalled_p99_ms = _p99(_take_latencies(others))
        watching.cancel()
        most = await watching
        self.mebibytes_per_stalled = (most - before) / len(stalled) / MEBIBYTE

        cursors = [(seat.log, seat.cursor) for seat in stalled]
        seen = ["".join(seat.deltas.get(busy, [])) for seat in stalled]
        await self._expect_cut(stalled)
        resumed = await self._resume(address, token, conversation, cursors)
        self._check(calm, CALM_DELTAS, seats)
        self._check(busy, STALLED_DELTAS, others)
        for text, new in zip(seen, resumed, strict=True):
            if text + "".join(new.deltas.get(busy, [])) != _text(STALLED_DELTAS):
                self.violations.append("a stalled reader's answer has a hole")
        again = await _stream(address, path, CALM_DELTAS)
        await _finished([*others, *resumed], again, CALM_DELTAS)
        self.calm_p99_ms = _p99(calm_ms + _take_latencies(others))
        self._check(again, CALM_DELTAS, [*others, *resumed])
        heads = {seat.cursor for seat in [*others, *resumed]}
        if len(heads) > 1:
            self.violations.append(f"seats ended at {sorted(heads)}")
        for seat in [*seats, *resumed]:
            seat.close()
        await asyncio.sleep(0.1)

    async def _expect_cut(self, stalled: list[RawSeat]) -> None:
        """What came into the buffers is read; then the connection must be gone."""
        for seat in stalled:
            seat.read_on()
        waits = [asyncio.ensure_future(seat.lost.wait()) for seat in stalled]
        cut, waiting = await asyncio.wait(waits, timeout=CUT_WITHIN_S)
        self.cut += len(cut)
        for wait in waiting:
            wait.cancel()
            self.violations.append("a stalled reader was not cut off")

    async def _resume(
        self,
        address: Address,
        token: str,
        conversation: str,
        cursors: list[tuple[str, int]],
    ) -> list[RawSeat]:
        seats: list[RawSeat] = []
        for number, (log, cursor) in enumerate(cursors):
            seat = await open_seat(address, token, f"c{number}")
            seat.log, seat.cursor = log, cursor
            is_live = seat.expect("live")
            seat.subscribe(2, conversation)
            begun = await seat.next("subscribed")
            if begun.mode != "replay":
                self.violations.append(f"resumed by {begun.mode}, not by its cursor")
            await is_live
            seats.append(seat)
        return seats

    def _check(self, turn: str, deltas: int, seats: list[RawSeat]) -> None:
        for seat in seats:
            self.violations += seat.violations
            seat.violations = []
            if "".join(seat.deltas.get(turn, [])) != _text(deltas):
                self.violations.append("a seat saw another text than was written")
            if seat.ends.get(turn) != "completed":
                self.violations.append(f"a seat saw the end {seat.ends.get(turn)}")


async def _take_seats(
    address: Address, token: str, conversation: str
) -> tuple[list[RawSeat], list[RawSeat]]:
    """Open all seats at the head; those that will stall first."""
    first = await open_seat(address, token, "first")
    is_live = first.expect("live")
    first.subscribe(2, conversation)
    log = (await first.next("subscribed")).log
    head = (await is_live).seq
    first.close()
    seats: list[RawSeat] = []
    numbers = range(STALLED_AT_ONCE * SEATS_PER_STALLED)
    for batch in _batches(numbers, 20):
        opened = await asyncio.gather(
            *(
                open_seat(address, token, f"c{n}", small_buffer=n < STALLED_AT_ONCE)
                for n in batch
            )
        )
        for seat in opened:
            seat.log, seat.cursor = log, head
            seat.subscribe(2, conversation)
        await asyncio.gather(*(seat.next("live") for seat in opened))
        seats += opened
    await asyncio.sleep(2.0)  # until everybody was told who is there
    return seats[:STALLED_AT_ONCE], seats[STALLED_AT_ONCE:]


def _batches(numbers: range, size: int) -> list[range]:
    return [numbers[start : start + size] for start in range(0, len(numbers), size)]


async def _stream(address: Address, path: str, deltas: int) -> str:
    """Begin an answer of so many pieces; return its turn."""
    body = {"text": f"stream {deltas}"}
    _, receipt = await call(address, "POST", path, body, "Prefer: respond-async")
    return receipt["turn"]


async def _finished(seats: list[RawSeat], turn: str, deltas: int) -> None:
    async with asyncio.timeout(deltas * PACE_S * 2 + 30):
        for seat in seats:
            while turn not in seat.ends:
                await asyncio.sleep(0.05)


def _text(deltas: int) -> str:
    return "".join(f"{number} ".ljust(200, ".") for number in range(deltas))


def _take_latencies(seats: list[RawSeat]) -> list[float]:
    """Return what was measured so far, and begin anew."""
    latencies_ms = [ms for seat in seats for ms in seat.latencies_ms]
    for seat in seats:
        seat.latencies_ms.clear()
    return latencies_ms


def _p99(values: list[float]) -> float:
    return sorted(values)[int(len(values) * 0.99)]


def _resident_bytes(pid: int) -> int:
    pages = Path(f"/proc/{pid}/statm").read_text().split()[1]
    return int(pages) * os.sysconf("SC_PAGE_SIZE")


async def _most_resident_bytes(pid: int) -> int:
    """Watch until cancelled; return the most that was seen."""
    most = 0
    try:
        while True:
            most = max(most, _resident_bytes(pid))
            await asyncio.sleep(0.1)
    except asyncio.CancelledError:
        return most


FAULT = Fault(name="stalled_readers", in_ci=50, in_soak=150, run=run)
