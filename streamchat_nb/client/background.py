"""A client on a thread of its own, for code that is not asynchronous.

A kernel's main thread runs cells; the client must go on meanwhile, so it lives on
its own thread and loop. All public methods may be called from any thread.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import threading
from typing import TYPE_CHECKING, TypeVar

from streamchat_nb.client.client import Client
from streamchat_nb.errors import ConnectError, StreamchatError

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from streamchat_nb.client.conversation import Answer, ClientConversation
    from streamchat_nb.client.discovery import ServerAddress
    from streamchat_nb.conversation.state import ConversationState
    from streamchat_nb.protocol.events import Event, UnknownEvent

__all__ = ["BackgroundClient", "FollowedConversation"]

OPEN_TIMEOUT_S = 30.0
MOST_FOLLOWED = 16
_POLL_S = 0.1

Result = TypeVar("Result")


class BackgroundClient:
    """One ``Client`` on its own daemon thread.

    Args:
        address: The server.
        name: Shown to others.
    """

    def __init__(self, address: ServerAddress, *, name: str = "") -> None:
        self.address = address
        self._name = name
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(
            target=self._loop.run_forever, name="streamchat client", daemon=True
        )
        self._thread.start()
        self._client: Client | None = None
        self._opening: asyncio.Lock | None = None
        self._followed: dict[str, ClientConversation] = {}

    @property
    def is_alive(self) -> bool:
        """Whether its thread runs, in this process."""
        return self._thread.is_alive()

    def submit(
        self, work: Coroutine[None, None, Result]
    ) -> concurrent.futures.Future[Result]:
        """Run a coroutine on the client's loop.

        Raises:
            ConnectError: The client was closed, or its thread stayed behind in the
                process that this one was forked from.
        """
        if not self.is_alive:
            work.close()
            raise ConnectError(
                "This client does not run any more; make a new one.", retryable=False
            )
        return asyncio.run_coroutine_threadsafe(work, self._loop)

    def wait(
        self, work: Coroutine[None, None, Result], *, timeout_s: float | None = None
    ) -> Result:
        """Run a coroutine on the client's loop and wait for its result.

        ``KeyboardInterrupt`` cancels the coroutine and comes through.

        Raises:
            ConnectError: Not done within ``timeout_s``.
        """
        future = self.submit(work)
        waited_s = 0.0
        while True:
            try:
                return future.result(timeout=_POLL_S)
            except concurrent.futures.TimeoutError:
                if future.done():
                    return future.result()
                waited_s += _POLL_S
                if timeout_s is not None and waited_s >= timeout_s:
                    future.cancel()
                    raise ConnectError(
                        f"The server did not answer within {timeout_s:g} s."
                    ) from None
            except BaseException:
                future.cancel()
                raise

    def follow(self, conversation: str | None) -> FollowedConversation:
        """Return a conversation that this client follows; a new one for ``None``.

        Raises:
            ConnectError: The server cannot be reached within 30 s.
            NotFound: There is no such conversation.
        """
        followed = self.wait(self._follow(conversation), timeout_s=OPEN_TIMEOUT_S)
        return FollowedConversation(self, followed)

    def close(self) -> None:
        """Close the socket and end the thread; turns go on. Idempotent."""
        if not self._thread.is_alive():
            return
        if self._client is not None:
            self.submit(self._client.close()).result(timeout=5)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(timeout=5)

    async def _follow(self, conversation: str | None) -> ClientConversation:
        if self._opening is None:
            self._opening = asyncio.Lock()
        async with self._opening:
            if self._client is None:
                client = Client(self.address, kind="kernel", name=self._name)
                try:
                    await client.open()
                except BaseException:
                    await client.close()
                    raise
                self._client = client
        followed = await self._client.conversation(conversation)
        self._followed.pop(followed.id, None)
        self._followed[followed.id] = followed
        await self._unfollow_oldest(self._client)
        return followed

    async def _unfollow_oldest(self, client: Client) -> None:
        """Keep to the bound, so that cells may be run again and again."""
        excess = len(self._followed) - MOST_FOLLOWED
        idle = [id_ for id_, known in self._followed.items() if not known.is_busy]
        for id_ in idle[: max(0, excess)]:
            del self._followed[id_]
            await client.unfollow(id_)


class FollowedConversation:
    """A conversation of a ``BackgroundClient``, for any thread.

    Args:
        background: Where it is followed.
        conversation: The conversation on the client's loop.
    """

    def __init__(
        self, background: BackgroundClient, conversation: ClientConversation
    ) -> None:
        self._background = background
        self._conversation = conversation

    @property
    def id(self) -> str:
        """Id of the conversation."""
        return self._conversation.id

    def ask(self, text: str, *, timeout_s: float | None = None) -> Answer:
        """Send a message and wait for its whole answer.

        ``KeyboardInterrupt`` (the kernel's stop button) ends the turn.

        Args:
            text: The message.
            timeout_s: Longest wait; the turn goes on at the server. ``None``: no limit.

        Raises:
            ConnectError: The answer is not there within ``timeout_s``.
            StreamchatError: The server refused it or cannot be reached.
        """
        return self._background.wait(self._ask(text, timeout_s))

    def state(self) -> ConversationState:
        """Return the state as far as it has been seen."""

        async def read() -> ConversationState:
            return self._conversation.state

        return self._background.wait(read(), timeout_s=OPEN_TIMEOUT_S)

    @property
    def is_over(self) -> bool:
        """Whether it has to be followed anew: it failed, or others took its place."""
        return self._conversation.failure is not None

    @property
    def seen(self) -> ConversationState:
        """The state, for a listener on the client's own thread."""
        return self._conversation.state

    def listen(self, listener: Callable[[Event | UnknownEvent], None]) -> None:
        """Call ``listener`` on the client's thread after each event, from now on."""

        async def forward() -> None:
            async for event in self._conversation.events():
                listener(event)

        self._background.submit(forward())

    async def _ask(self, text: str, timeout_s: float | None) -> Answer:
        turn: str | None = None
        try:
            async with asyncio.timeout(timeout_s):
                turn = await self._conversation.send(text)
                await self._conversation.finished(turn)
        except TimeoutError:
            raise ConnectError(
                f"The answer was not there within {timeout_s:g} s; what the server "
                "has of the message goes on there."
            ) from None
        except asyncio.CancelledError:
            if turn is not None:
                with contextlib.suppress(StreamchatError):
                    await asyncio.shield(self._conversation.cancel(turn))
            raise
        return self._conversation.answer(turn)
