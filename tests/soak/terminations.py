"""Servers that are told to stop while something runs, reads nothing or hangs."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import signal
import sqlite3
import tempfile
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from streamchat_nb.conversation.sqlite_queries import read_events
from streamchat_nb.protocol.codec import decode_event
from streamchat_nb.protocol.events import TurnFinished
from streamchat_nb.testing.server_process import ServerProcess
from tests.soak.outcome import Fault, Outcome
from tests.soak.raw_client import Address, call, chat_token
from tests.soak.raw_seat import RawSeat, open_seat

if TYPE_CHECKING:
    from collections.abc import Generator

__all__ = ["FAULT", "run"]

PATIENT_S = 5.0
IMPATIENT_S = 1.0
EXIT_WITHIN_S = 12.0
BEGIN_WITHIN_S = 30.0
RESTART = 1012
FILLING_CHARACTERS = 3_000_000
LIMITS = {"message_bytes": 4_000_000, "frame_bytes": 5_000_000}
STORE = "data/streamchat_nb/conversations.sqlite3"

MODULE = '''
import asyncio
import time

from streamchat_nb import tool
from streamchat_nb.agent.agent import Agent
from streamchat_nb.protocol.content import Author
from streamchat_nb.protocol.events import MessageCreated


@tool
def stuck() -> str:
    """Never return."""
    time.sleep(3600)
    return ""


class Deaf(Agent):
    """Never ends, whatever it is told."""

    name = "deaf"
    model_name = "deaf"

    async def run(self, turn):
        author = Author(id="deaf", name="Deaf", kind="agent")
        message = turn.new_message_id()
        yield MessageCreated(message=message, role="assistant", author=author)
        while True:
            try:
                await asyncio.sleep(3600)
            except asyncio.CancelledError:
                pass
'''


@dataclass(frozen=True, kw_only=True)
class _Kind:
    """What is under way when the signal comes, and how it must end.

    Attributes:
        text: What was asked.
        status: How the turn must end; ``None`` for a store that cannot be written.
        arguments: More arguments of the server.
        begun: The event with which it is under way.
        stalls: Whether a reader has stopped to read.
    """

    text: str
    status: str | None
    arguments: tuple[str, ...] = ()
    begun: str = "block.delta"
    stalls: bool = False

    @property
    def drain_s(self) -> float:
        """How long the server waits; a turn that never ends needs no long wait."""
        return PATIENT_S if self.status == "completed" else IMPATIENT_S


_TOOL = "--StreamchatExtension.tools=soak_termination:stuck"
_AGENT = "--StreamchatExtension.agent=soak_termination:Deaf"
KINDS = {
    "short answer": _Kind(text="/demo long 30", status="completed"),
    "long answer": _Kind(text="/demo long 5000", status="interrupted"),
    "tool on a thread": _Kind(
        text="call stuck {}",
        status="interrupted",
        arguments=(_TOOL,),
        begun="tool.started",
    ),
    "deaf agent": _Kind(
        text="hello",
        status="interrupted",
        arguments=(_AGENT,),
        begun="turn.started",
    ),
    "stalled reader": _Kind(text="/demo long 30", status="completed", stalls=True),
    "locked store": _Kind(text="/demo long 5000", status=None),
}


def run(count: int, seed: int) -> Outcome:
    """Terminate ``count`` servers, each kind of work in turn."""
    chance = random.Random(seed)  # noqa: S311 - repeatable
    violations: list[str] = []
    seconds: dict[str, float] = {}
    done: Counter[str] = Counter()
    with tempfile.TemporaryDirectory(prefix="streamchat-soak-") as folder:
        (Path(folder) / "soak_termination.py").write_text(MODULE)
        for number in range(count):
            name = list(KINDS)[number % len(KINDS)]
            termination = _Termination(KINDS[name], delay_s=chance.uniform(0.0, 0.4))
            termination.play(folder)
            violations += [f"{name}: {words}" for words in termination.violations]
            seconds[name] = max(seconds.get(name, 0.0), termination.exit_s)
            done[name] += 1
    return Outcome(
        fault=FAULT.name,
        count=done.total(),
        violations=violations,
        figures={f"exit, {name}": f"{most:.1f} s" for name, most in seconds.items()},
    )


class _Termination:
    """One server that is told to stop."""

    def __init__(self, kind: _Kind, *, delay_s: float) -> None:
        self.violations: list[str] = []
        self.exit_s = 0.0
        self._kind = kind
        self._delay_s = delay_s

    def play(self, folder: str) -> None:
        path = os.pathsep.join([folder, os.environ.get("PYTHONPATH", "")])
        arguments = [
            f"--StreamchatExtension.drain_timeout_s={self._kind.drain_s}",
            "--StreamchatExtension.offline_pace_s=0.02",
            f"--StreamchatExtension.limits={LIMITS}",
            "--StreamchatExtension.model=offline-demo",
            *self._kind.arguments,
        ]
        with ServerProcess(arguments, environment={"PYTHONPATH": path}) as server:
            conversation, turn = asyncio.run(self._end(server))
            self._check_store(server, conversation, turn)

    async def _end(self, server: ServerProcess) -> tuple[str, str]:
        address = Address(port=server.port, token=server.address.token)
        token = await chat_token(address)
        _, created = await call(address, "POST", "conversations", {})
        conversation = created["id"]
        path = f"conversations/{conversation}/messages"
        if self._kind.stalls:
            await call(address, "POST", path, {"text": "x" * FILLING_CHARACTERS})
        seat, silent = [await open_seat(address, token, name) for name in ("a", "b")]
        seen: list[str] = []
        seat.listen = lambda value: seen.append(value.type)
        is_live = seat.expect("live")
        seat.subscribe(2, conversation)
        await is_live
        body = {"text": self._kind.text}
        begun = seat.expect(self._kind.begun)
        _, receipt = await call(address, "POST", path, body, "Prefer: respond-async")
        await asyncio.wait_for(begun, BEGIN_WITHIN_S)
        others = [silent]
        if self._kind.stalls:
            others.append(await _stall(address, token, conversation))
        await asyncio.sleep(self._delay_s)
        with contextlib.ExitStack() as held:
            if self._kind.status is None:
                held.enter_context(_store_held(server.home / STORE))
            await self._terminate(server, seat, conversation)
        self._check_seat(seat, seen, receipt["turn"])
        for each in (seat, *others):
            each.close()
        return conversation, receipt["turn"]

    async def _terminate(
        self, server: ServerProcess, seat: RawSeat, conversation: str
    ) -> None:
        begun = time.monotonic()
        os.kill(server.pid, signal.SIGTERM)
        await asyncio.sleep(0.3)
        refused = seat.expect("error")
        seat.say(
            type="send",
            id=9,
            conversation=conversation,
            client_message_id="late",
            content=[{"type": "text", "text": "late"}],
        )
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(EXIT_WITHIN_S):
                while not _has_ended(server.pid):
                    await asyncio.sleep(0.02)
        self.exit_s = time.monotonic() - begun
        server.kill()
        if self._kind.status == "interrupted" and self.exit_s < self._kind.drain_s:
            self.violations.append(f"the turn had only {self.exit_s:.1f} s to end")
        if self.exit_s >= EXIT_WITHIN_S:
            self.violations.append(f"still there after {EXIT_WITHIN_S} s")
        code = (await refused).code if refused.done() else "nothing"
        if code != "unavailable":
            self.violations.append(f"a late message was answered by {code}")

    def _check_seat(self, seat: RawSeat, seen: list[str], turn: str) -> None:
        self.violations += seat.violations
        if seat.close_code != RESTART:
            self.violations.append(f"the reader was closed with {seat.close_code}")
        if "going_away" not in seen:
            self.violations.append("the reader was not told to come back")
        if self._kind.status and seat.ends.get(turn) != self._kind.status:
            self.violations.append(f"the reader saw the end {seat.ends.get(turn)}")

    def _check_store(self, server: ServerProcess, conversation: str, turn: str) -> None:
        if self._kind.status is None:
            # What could not be written is made up for by the next start.
            server.start()
            ends = asyncio.run(_ends_by_state(server, conversation, turn))
        else:
            ends = _ends_by_store(server.home / STORE, conversation, turn)
        if ends != [self._kind.status or "interrupted"]:
            self.violations.append(f"the log says of the turn: {ends}")


def _has_ended(pid: int) -> bool:
    """Whether a child process has ended; it may not have been waited for yet."""
    status = Path(f"/proc/{pid}/stat").read_text()
    return status.rpartition(")")[2].split()[0] == "Z"


def _ends_by_store(path: Path, conversation: str, turn: str) -> list[str]:
    with contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as store:
        stored = read_events(store, conversation, 0, 10**9, 10**12, ())
    events = [decode_event(event.data) for event in stored]
    return [
        event.status
        for event in events
        if isinstance(event, TurnFinished) and event.turn == turn
    ]


async def _ends_by_state(
    server: ServerProcess, conversation: str, turn: str
) -> list[str]:
    address = Address(port=server.port, token=server.address.token)
    _, answer = await call(address, "GET", f"conversations/{conversation}")
    return [t["status"] for t in answer["state"]["turns"] if t["turn"] == turn]


async def _stall(address: Address, token: str, conversation: str) -> RawSeat:
    """Ask for more than fits into the buffers, and read nothing of it."""
    stalled = await open_seat(address, token, "stalled", small_buffer=True)
    stalled.stop_reading()
    for id_ in range(2, 12):
        stalled.subscribe(id_, conversation, resume=False)
    return stalled


@contextlib.contextmanager
def _store_held(path: Path) -> Generator[None]:
    """Be the program that has the store's write lock."""
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as store:
        store.execute("BEGIN IMMEDIATE")
        yield


FAULT = Fault(name="terminations", in_ci=6, in_soak=100, run=run)
