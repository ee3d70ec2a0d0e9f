"""Several conversations at once, with readers, while a store has its troubles."""

from __future__ import annotations

import asyncio
import itertools
import random
import time
from collections import Counter
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from streamchat_nb.errors import StoreError
from tests.soak.turns import follow, open_log, play_turn

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable

    from streamchat_nb.conversation.log import ConversationLog, LogWriter
    from streamchat_nb.conversation.store import StoredEvent
    from tests.soak.witness import Witness

__all__ = ["Bustle", "bustle", "until"]

END_S = 20.0


class Bustle:
    """Turns that are played one after the other in each of some conversations.

    Attributes:
        turns: How many were played to their end.
        refusals: How many messages were refused, by the error's code.
        violations: What went wrong, in words.
    """

    def __init__(self, writer: LogWriter, witness: Witness) -> None:
        self.turns = 0
        self.refusals: Counter[str] = Counter()
        self.violations: list[str] = []
        self._writer = writer
        self._witness = witness
        self._is_over = False

    def end(self) -> None:
        """Begin no more turns."""
        self._is_over = True

    async def play(self, log: ConversationLog, dice: random.Random) -> None:
        """Play turns until the end; a refused message is sent again."""
        for number in itertools.count():
            if self._is_over:
                return
            try:
                seq = await play_turn(log, f"{log.head}.{number}", dice)
            except StoreError as error:
                self.refusals[error.code] += 1
                if not (error.retryable and error.message):
                    self.violations.append(f"a message was refused with {error!r}")
                    return
                await asyncio.sleep(0.01)
                continue
            self._witness.was_acked(log.id, seq)
            record = await self._writer.store.get(log.id)
            if record is None or record.head < seq:
                self.violations.append(f"{log.id}: event {seq} was acked and not kept")
            self.turns += 1
            await asyncio.sleep(0.002)

    def show(self, conversation: str, event: StoredEvent) -> None:
        """Note what a reader was shown."""
        self._witness.saw(conversation, event.seq, event.data)


@asynccontextmanager
async def bustle(
    writer: LogWriter, witness: Witness, *, seed: int, conversations: int = 2
) -> AsyncGenerator[Bustle]:
    """Play turns with readers meanwhile; at the end each turn comes to its own.

    Raises:
        TimeoutError: A turn did not come to its end.
    """
    scene = Bustle(writer, witness)
    readers: list[asyncio.Task[None]] = []
    players: list[asyncio.Task[None]] = []
    try:
        for number in range(conversations):
            log = await open_log(writer, f"c{number}")
            readers.append(asyncio.create_task(follow(log, scene.show)))
            dice = random.Random(seed + number)  # noqa: S311 - the same on each run
            players.append(asyncio.create_task(scene.play(log, dice)))
        yield scene
        scene.end()
        async with asyncio.timeout(END_S):
            await asyncio.gather(*players)
    finally:
        for task in (*readers, *players):
            task.cancel()
        ends = await asyncio.gather(*readers, *players, return_exceptions=True)
        scene.violations += [
            f"a reader or a turn broke off: {end!r}"
            for end in ends
            if isinstance(end, Exception)
        ]


async def until(holds: Callable[[], bool], what: str) -> None:
    """Wait until something holds.

    Raises:
        TimeoutError: It did not within 20 s.
    """
    deadline = time.monotonic() + END_S
    while not holds():
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what} did not happen within {END_S:.0f} s")
        await asyncio.sleep(0.002)
