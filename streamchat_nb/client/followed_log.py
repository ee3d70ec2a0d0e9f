"""A conversation's log as a client follows it: its fold, and who relies on it."""

from __future__ import annotations

import asyncio
import contextlib
import weakref
from typing import TYPE_CHECKING, Protocol, TypeVar

from streamchat_nb.conversation.state import ConversationState, Fold, TurnState
from streamchat_nb.errors import ConnectError, NotFound, StreamchatError
from streamchat_nb.protocol.commands import Cursor

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Generator

    from streamchat_nb.protocol.events import Event, UnknownEvent
    from streamchat_nb.protocol.frames import Participant

__all__ = ["EventListener", "FollowedLog", "LogHost"]

Result = TypeVar("Result")

CURRENT_TIMEOUT_S = 30.0
MOST_GAPS = 3


class LogHost(Protocol):
    """What a log needs of its connection."""

    async def follow(self, log: FollowedLog) -> None:
        """See to it that its events are delivered."""
        ...


class EventListener(Protocol):
    """Who hears of every event."""

    def take(self, event: Event | UnknownEvent) -> None:
        """An event was applied."""
        ...

    def take_replacement(self) -> None:
        """The state was replaced."""
        ...

    def wake(self) -> None:
        """The log has failed."""
        ...


class FollowedLog:
    """A fold that goes on from its cursor whenever it is delivered.

    Args:
        id_: Id of the conversation.
        host: The connection that delivers it.

    Attributes:
        id: Id of the conversation.
        following: Held while it is being followed.
        participants: Who follows it now, as far as the server has said.
        failure: Why it cannot be followed any more, if so.
    """

    def __init__(self, id_: str, host: LogHost) -> None:
        self.id = id_
        self.following = asyncio.Lock()
        self.participants: list[Participant] = []
        self.failure: StreamchatError | None = None
        self._host = host
        self._fold = Fold()
        self._log: str | None = None
        self._gaps = 0
        self._live = asyncio.Event()
        self._changed = asyncio.Event()
        self._waiters = 0
        self._listeners: weakref.WeakSet[EventListener] = weakref.WeakSet()
        self._watchers: list[Callable[[Event | UnknownEvent | None], None]] = []

    @property
    def state(self) -> ConversationState:
        """The state as far as it was delivered. Read-only; it goes on changing."""
        return self._fold.state

    @property
    def seq(self) -> int:
        """The ``seq`` of the last event that was applied."""
        return self._fold.seq

    @property
    def cursor(self) -> Cursor | None:
        """Where it stands, or ``None`` before anything was delivered."""
        if self._log is None:
            return None
        return Cursor(log=self._log, seq=self._fold.seq)

    @property
    def since(self) -> Cursor | None:
        """From where to deliver; ``None`` once the cursor has led nowhere too often."""
        return None if self._gaps > MOST_GAPS else self.cursor

    @property
    def is_held(self) -> bool:
        """Whether somebody relies on its being delivered."""
        return (
            self._waiters > 0
            or len(self._listeners) > 0
            or any(turn.finished_ts is None for turn in self._fold.state.turns)
        )

    def turn(self, turn: str) -> TurnState | None:
        """Return a turn by id."""
        return self._fold.turn(turn)

    async def follow(self) -> None:
        """See to it that it is delivered; returns at once without a connection.

        Raises:
            StreamchatError: It, or the connection, has ended for good.
        """
        if self.failure is not None:
            raise self.failure
        await self._host.follow(self)
        if self.failure is not None:
            raise self.failure

    async def current(self) -> None:
        """Wait until everything up to now was delivered.

        Raises:
            ConnectError: Not within 30 s.
            StreamchatError: As ``follow``.
        """
        await self._delivered(self._live.wait)

    async def reached(self, cursor: Cursor) -> None:
        """Wait until what the server has told of by other means is here, too.

        Raises:
            ConnectError: Not within 30 s.
            StreamchatError: As ``follow``.
        """

        async def at_cursor() -> None:
            while self.failure is None and not self._is_at(cursor):
                self._changed.clear()
                await self._changed.wait()

        await self._delivered(at_cursor)

    async def until(self, found: Callable[[], Result | None]) -> Result:
        """Wait until the state gives something, as long as it takes. Cancel safe.

        Args:
            found: Looks at the state; ``None`` while it is not there. Quick.

        Raises:
            StreamchatError: As ``follow``.
        """
        with self._held():
            await self.follow()
            while (result := found()) is None:
                if self.failure is not None:
                    raise self.failure
                self._changed.clear()
                await self._changed.wait()
        return result

    async def _delivered(self, wait: Callable[[], Awaitable[object]]) -> None:
        """Follow, and wait for something that the server delivers."""
        with self._held():
            await self.follow()
            try:
                async with asyncio.timeout(CURRENT_TIMEOUT_S):
                    await wait()
            except TimeoutError:
                raise ConnectError(
                    "The server did not deliver the conversation in "
                    f"{CURRENT_TIMEOUT_S:g} s."
                ) from None
        if self.failure is not None:
            raise self.failure

    def _is_at(self, cursor: Cursor) -> bool:
        if self._log is None:
            return False
        return self._log != cursor.log or self._fold.seq >= cursor.seq

    async def finished(self, turn: str) -> TurnState:
        """Wait for the end of a turn.

        Raises:
            NotFound: The server has another log now, without this turn.
            StreamchatError: As ``follow``.
        """
        log = self._log
        with self._held():
            await self.follow()
            while True:
                state = self._fold.turn(turn)
                if state is not None and state.finished_ts is not None:
                    return state
                if self.failure is not None:
                    raise self.failure
                log = log or self._log
                if state is None and log != self._log:
                    raise NotFound("The server has lost this turn; send again.")
                self._changed.clear()
                await self._changed.wait()

    def listen(self, listener: EventListener) -> None:
        """Tell a listener of every event from now on, until it is forgotten."""
        self._listeners.add(listener)

    def watch(self, watcher: Callable[[Event | UnknownEvent | None], None]) -> None:
        """Call ``watcher`` after each event while it is delivered; holds nothing.

        ``None`` stands for a state that was replaced.
        """
        self._watchers.append(watcher)

    # from the connection

    def pause(self) -> None:
        """It is not delivered at present."""
        self._live.clear()
        self.participants = []

    def take_state(self, log: str, state: ConversationState) -> None:
        """Go on from a state; an older one of the same log changes nothing."""
        self._gaps = 0
        if log == self._log and state.seq < self._fold.seq:
            return
        is_first = self._log is None
        self._log = log
        self._fold = Fold(state)
        self._changed.set()
        if not is_first:
            for listener in self._listeners:
                listener.take_replacement()
        for watcher in self._watchers:
            watcher(None)

    def take_event(self, event: Event | UnknownEvent) -> bool:
        """Apply an event; returns whether it fitted (else follow again)."""
        if event.seq <= self._fold.seq:
            return True
        if event.prev != self._fold.seq:
            self._gaps += 1
            return False
        self._gaps = 0
        self._fold.apply(event)
        self._changed.set()
        for listener in self._listeners:
            listener.take(event)
        for watcher in self._watchers:
            watcher(event)
        return True

    def take_live(self, seq: int) -> None:
        """Everything up to here was delivered."""
        if self._fold.seq >= seq:
            self._live.set()

    def take_presence(self, participants: list[Participant]) -> None:
        """Who is there has changed."""
        self.participants = participants

    def take_failure(self, error: StreamchatError) -> None:
        """It, or the connection, ended for good; the first word counts."""
        if self.failure is None:
            self.failure = error
        self._live.set()
        self._changed.set()
        for listener in self._listeners:
            listener.wake()

    @contextlib.contextmanager
    def _held(self) -> Generator[None]:
        self._waiters += 1
        try:
            yield
        finally:
            self._waiters -= 1
