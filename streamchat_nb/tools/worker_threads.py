"""Threads for synchronous tools: few, lazy, and never in the way of an exit."""

from __future__ import annotations

import asyncio
import queue
import threading
from concurrent.futures import Future
from contextvars import copy_context
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["WorkerThreads"]

ResultT = TypeVar("ResultT")


class WorkerThreads:
    """A bounded pool of daemon threads.

    Not ``ThreadPoolExecutor``: that one waits for its threads when the interpreter
    exits, so a single tool that hangs would keep a server from stopping.

    Args:
        most: Threads at once. Work beyond that waits for a free one; what is
            cancelled while it waits never runs. A thread whose work was cancelled and
            goes on all the same is left to it, and another one takes its place.
        idle_s: Seconds without work after which a thread ends.
        most_left: Threads left to their work, at most; beyond that they count.
    """

    def __init__(
        self, most: int, *, idle_s: float = 30.0, most_left: int = 256
    ) -> None:
        self._most = most
        self._most_left = most_left
        self._left = 0
        self._idle_s = idle_s
        self._lock = threading.Lock()
        self._work: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._threads = 0
        self._idle = 0
        self._pending = 0

    @property
    def threads(self) -> int:
        """How many threads there are now."""
        with self._lock:
            return self._threads

    async def run(self, function: Callable[[], ResultT]) -> ResultT:
        """Call ``function`` on a thread, in a copy of this context.

        Cancellation: work that has not begun is dropped; work that has goes on, and
        its result goes nowhere.

        Raises:
            BaseException: Whatever ``function`` raised.
        """
        future: Future[ResultT] = Future()
        context = copy_context()
        self._submit(lambda: _fulfil(future, context.run, function))
        try:
            return await asyncio.wrap_future(future)
        except asyncio.CancelledError:
            if future.running():
                self._leave(future)
            raise

    def _leave(self, future: Future[ResultT]) -> None:
        """Count the thread of some work no more, until the work ends."""

        def back(_: Future[ResultT]) -> None:
            with self._lock:
                self._left -= 1

        with self._lock:
            if self._left >= self._most_left:
                return
            self._left += 1
            self._start_if_needed()
        future.add_done_callback(back)

    def _submit(self, work: Callable[[], None]) -> None:
        with self._lock:
            self._pending += 1
            self._work.put(work)
            self._start_if_needed()

    def _start_if_needed(self) -> None:
        """Start a thread if work waits for one and there may be one; with the lock."""
        if self._pending <= self._idle or self._threads - self._left >= self._most:
            return
        self._threads += 1
        threading.Thread(
            target=self._serve, name="streamchat tool", daemon=True
        ).start()

    def _serve(self) -> None:
        while (work := self._next()) is not None:
            work()
            del work  # or an idle thread would keep the last call's values alive

    def _next(self) -> Callable[[], None] | None:
        """Return the next work, ``None`` when this thread is to end."""
        with self._lock:
            self._idle += 1
        work = self._take(wait_s=self._idle_s)
        with self._lock:
            self._idle -= 1
            # What came at the last moment counted on this thread.
            work = work or self._take(wait_s=0)
            if work is None:
                self._threads -= 1
            else:
                self._pending -= 1
        return work

    def _take(self, *, wait_s: float) -> Callable[[], None] | None:
        try:
            return self._work.get(block=wait_s > 0, timeout=wait_s)
        except queue.Empty:
            return None


def _fulfil(
    future: Future[ResultT],
    run: Callable[[Callable[[], ResultT]], ResultT],
    function: Callable[[], ResultT],
) -> None:
    if not future.set_running_or_notify_cancel():
        return
    try:
        result = run(function)
    except StopIteration as error:
        # A future that carries one would break the coroutine that awaits it.
        future.set_exception(RuntimeError(f"StopIteration: {error}"))
    except BaseException as error:  # noqa: BLE001 (it is raised where it is awaited)
        future.set_exception(error)
    else:
        future.set_result(result)
