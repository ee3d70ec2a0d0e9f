"""An event loop on a thread of its own, for code that is not asynchronous."""

from __future__ import annotations

import asyncio
import concurrent.futures
import threading
import time
from typing import TYPE_CHECKING, TypeVar

from streamchat_nb.errors import ConnectError

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from streamchat_nb.client.main_thread import MainThread

__all__ = ["LoopThread"]

# A wait is cut into pieces of this, so that Ctrl-C is heard on every platform.
_PIECE_S = 0.1
_JOIN_TIMEOUT_S = 5.0
_END_TIMEOUT_S = 0.5

Result = TypeVar("Result")


class LoopThread:
    """A daemon thread that runs coroutines for other threads.

    Args:
        name: The thread's name.

    Attributes:
        main_thread: What the main thread runs while it waits here; ``None``: nothing.
    """

    main_thread: MainThread | None = None

    def __init__(self, name: str = "streamchat client") -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    @property
    def is_alive(self) -> bool:
        """Whether it runs, in this process."""
        return self._thread.is_alive()

    def wait(
        self, work: Coroutine[None, None, Result], *, timeout_s: float | None = None
    ) -> Result:
        """Run a coroutine there and wait for its result.

        An exception of this thread, such as ``KeyboardInterrupt``, cancels the
        coroutine and comes through.

        Raises:
            ConnectError: Not done within ``timeout_s`` (``timeout``); or the loop does
                not run, for example in a process that was forked from its own.
        """
        if not self.is_alive:
            work.close()
            raise ConnectError(
                "This client does not run any more; make a new one.", retryable=False
            )
        future = asyncio.run_coroutine_threadsafe(work, self._loop)
        deadline = None if timeout_s is None else time.monotonic() + timeout_s
        try:
            while not future.done():
                left_s = _PIECE_S if deadline is None else deadline - time.monotonic()
                if left_s <= 0:
                    raise ConnectError(
                        f"It was not done within {timeout_s:g} s; what the server has "
                        "of it goes on there.",
                        code="timeout",
                    )
                self._wait_a_piece(future, min(_PIECE_S, left_s))
            return future.result()
        finally:
            future.cancel()

    def _wait_a_piece(
        self, future: concurrent.futures.Future[Result], piece_s: float
    ) -> None:
        on_main = threading.current_thread() is threading.main_thread()
        if self.main_thread is not None and on_main:
            self.main_thread.serve(future, timeout_s=piece_s)
        else:
            concurrent.futures.wait({future}, timeout=piece_s)

    def call(self, function: Callable[[], Result]) -> Result:
        """Run a quick function there and return its result; also from there.

        Raises:
            ConnectError: As for ``wait``.
        """
        if threading.current_thread() is self._thread:
            return function()

        async def run() -> Result:
            return function()

        return self.wait(run())

    def submit(
        self, work: Coroutine[None, None, Result]
    ) -> concurrent.futures.Future[Result]:
        """Let a coroutine run there; cancelling the future cancels it."""
        return asyncio.run_coroutine_threadsafe(work, self._loop)

    def post(self, function: Callable[[], object]) -> bool:
        """Let a quick function run there soon, in order; from any thread.

        Returns:
            Whether the loop takes it: it does not once it was stopped.
        """
        try:
            self._loop.call_soon_threadsafe(function)
        except RuntimeError:
            return False
        return self.is_alive

    def stop(self) -> None:
        """End the loop and its thread. Idempotent."""
        if self.is_alive:
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(_JOIN_TIMEOUT_S)

    def _run(self) -> None:
        self._loop.run_forever()
        left = asyncio.all_tasks(self._loop)
        for task in left:
            task.cancel()
        if left:
            self._loop.run_until_complete(asyncio.wait(left, timeout=_END_TIMEOUT_S))
        self._loop.close()
