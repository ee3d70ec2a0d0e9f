"""Running functions on a notebook's main thread, when it is free.

A notebook's objects live on the main thread: cells run there, and so must the
functions that touch what cells made. It is free between cells, and while a cell waits
in ``pump`` for something of ours.
"""

from __future__ import annotations

import _thread
import concurrent.futures
import contextlib
import queue
import signal
import sys
import threading
import time
import weakref
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Generator

__all__ = ["MainThread", "MainThreadWork", "notebook_loop"]

_PIECE_S = 0.1

Result = TypeVar("Result")


def notebook_loop() -> asyncio.AbstractEventLoop | None:
    """Return the loop of this kernel's main thread; ``None`` outside a kernel."""
    if "IPython" not in sys.modules:
        return None
    from IPython.core.getipython import get_ipython  # noqa: PLC0415 - heavy

    kernel = getattr(get_ipython(), "kernel", None)
    return getattr(getattr(kernel, "io_loop", None), "asyncio_loop", None)


class MainThreadWork(concurrent.futures.Future[Any]):
    """A function that is to run on the main thread; a future of its result.

    Args:
        function: The function.
        begun: Called on the main thread when it begins.

    Attributes:
        is_stopped: Whether it was interrupted because nobody waits for it any more.
    """

    def __init__(
        self, function: Callable[[], object], begun: Callable[[], None]
    ) -> None:
        super().__init__()
        self.function = function
        self.begun = begun
        self.is_stopped = False

    @property
    def was_interrupted(self) -> bool:
        """Whether the person at the notebook interrupted it."""
        is_over = self.done() and not self.cancelled()
        interrupted = is_over and isinstance(self.exception(), KeyboardInterrupt)
        return interrupted and not self.is_stopped


class MainThread:
    """Runs work on the main thread, one piece after the other.

    Args:
        loop: The main thread's event loop, where it has one that runs between cells.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop | None = None) -> None:
        self._loop = loop
        # ``None`` only wakes who waits in ``serve``; it may come too late for that.
        self._waiting: queue.SimpleQueue[MainThreadWork | None] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._current: MainThreadWork | None = None
        self._awaited: weakref.WeakSet[concurrent.futures.Future[Any]] = (
            weakref.WeakSet()
        )

    @property
    def runs_between_cells(self) -> bool:
        """Whether work runs by itself; else only while somebody pumps."""
        return self._loop is not None and not self._loop.is_closed()

    def submit(
        self, function: Callable[[], object], begun: Callable[[], None]
    ) -> MainThreadWork:
        """Let a function run when the main thread is free; from any thread.

        Args:
            function: The function.
            begun: Called on the main thread when it begins.
        """
        work = MainThreadWork(function, begun)
        self._waiting.put(work)
        if self._loop is not None:
            with contextlib.suppress(RuntimeError):  # the kernel shuts down
                self._loop.call_soon_threadsafe(self._run_next)
        return work

    def interrupt(self, work: MainThreadWork) -> None:
        """Stop work: never begun if it waits, by ``KeyboardInterrupt`` if it runs."""
        if work.cancel():
            return
        with self._lock:
            if self._current is work:
                work.is_stopped = True
                _interrupt_main_thread()

    def pump(
        self, future: concurrent.futures.Future[Result], *, timeout_s: float | None
    ) -> Result:
        """Run work on this thread, the main one, until a future is done.

        An exception of this thread, such as ``KeyboardInterrupt``, comes through.

        Args:
            future: What is waited for.
            timeout_s: Longest wait; no limit when ``None``.

        Raises:
            TimeoutError: It was not done in time.
        """
        deadline = None if timeout_s is None else time.monotonic() + timeout_s
        while not future.done():
            left_s = _PIECE_S if deadline is None else deadline - time.monotonic()
            if left_s <= 0:
                raise TimeoutError
            self.serve(future, timeout_s=min(_PIECE_S, left_s))
        return future.result()

    def serve(
        self, future: concurrent.futures.Future[Any], *, timeout_s: float
    ) -> None:
        """Run what waits, for a moment, or until a future is done.

        Args:
            future: What is waited for.
            timeout_s: Longest wait for work.

        Raises:
            KeyboardInterrupt: What ran was interrupted, and so is who waits here.
        """
        if future not in self._awaited:
            self._awaited.add(future)
            future.add_done_callback(lambda _: self._waiting.put(None))
        with contextlib.suppress(queue.Empty):
            work = self._waiting.get(timeout=timeout_s)
            if work is not None:
                self._run(work)
                if work.was_interrupted:
                    raise KeyboardInterrupt

    def _run_next(self) -> None:
        """Run one piece of work, if any waits."""
        with contextlib.suppress(queue.Empty):
            while (work := self._waiting.get_nowait()) is None:
                pass
            self._run(work)

    def _run(self, work: MainThreadWork) -> None:
        if not work.set_running_or_notify_cancel():
            return
        try:
            with self._lock:
                self._current = work
            try:
                work.begun()
                with _interruptible():
                    result = work.function()
            finally:
                with self._lock:
                    self._current = None
        except BaseException as error:  # noqa: BLE001 - it belongs to who waits
            work.set_exception(error)
        else:
            work.set_result(result)


@contextlib.contextmanager
def _interruptible() -> Generator[None]:
    """Let an interrupt raise ``KeyboardInterrupt``: kernels ignore it between cells."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _interrupt_main_thread() -> None:
    """Interrupt the main thread, also out of a call that waits."""
    ident = threading.main_thread().ident
    if hasattr(signal, "pthread_kill") and ident is not None:
        signal.pthread_kill(ident, signal.SIGINT)
    else:  # Windows
        _thread.interrupt_main()
