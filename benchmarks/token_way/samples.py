"""A server extension that notes which layer of a token's way each thread works for.

For each few milliseconds of CPU time that the process has used, the kernel interrupts
it; then the CPU time of each thread since the last interruption is added to the layer
it is in. Time in which nothing runs counts nowhere. The sums are written to the file
that ``TOKEN_SAMPLES`` names, twice a second.

``benchmarks.token_profile`` starts it in a server like any other.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sys
import threading
import time
from collections import defaultdict
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from tornado.ioloop import PeriodicCallback

from benchmarks.token_way.layers import layer_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import CodeType, FrameType

__all__ = ["VARIABLE", "Sampler"]

VARIABLE = "TOKEN_SAMPLES"
INTERVAL_S = 0.001
"""Of CPU time; the kernel makes more of it where its own clock is slower."""
WRITE_EVERY_MS = 500.0
_CPU_TIME_OF_A_THREAD = 0b110
"""In a clock's number on Linux, below the thread's number: its scheduled CPU time."""


class Sampler:
    """Adds the CPU time of all threads to the layers they are in.

    Made and started on the main thread, where Python handles signals.

    Attributes:
        layers_s: CPU seconds by layer.
        samples: How many interruptions there were.
    """

    def __init__(self) -> None:
        self.layers_s: dict[str, float] = defaultdict(float)
        self.samples = 0
        self._threads_s: dict[int, float] = {}

    def start(self) -> None:
        """Begin; what came before counts nowhere."""
        self._threads_s = dict(_cpu_s_of_threads())
        signal.signal(signal.SIGPROF, self._interrupted)
        signal.siginterrupt(signal.SIGPROF, False)
        signal.setitimer(signal.ITIMER_PROF, INTERVAL_S, INTERVAL_S)

    def stop(self) -> None:
        """End."""
        signal.setitimer(signal.ITIMER_PROF, 0.0)

    def _interrupted(self, number: int, frame: FrameType | None) -> None:
        del number
        self.samples += 1
        frames = sys._current_frames()  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]
        if frame is not None:
            frames[threading.get_ident()] = frame
        for thread, cpu_s in _cpu_s_of_threads():
            used_s = cpu_s - self._threads_s.get(thread, cpu_s)
            self._threads_s[thread] = cpu_s
            if used_s > 0 and thread in frames:
                self.layers_s[_layer(_codes(frames[thread]))] += used_s


def _cpu_s_of_threads() -> Iterator[tuple[int, float]]:
    for thread in threading.enumerate():
        if thread.ident is not None and thread.native_id is not None:
            # Not time.pthread_getcpuclockid: it crashes where a thread has just ended.
            clock = ~thread.native_id << 3 | _CPU_TIME_OF_A_THREAD
            with contextlib.suppress(OSError):
                yield thread.ident, time.clock_gettime(clock)


def _codes(frame: FrameType | None) -> tuple[CodeType, ...]:
    codes: list[CodeType] = []
    while frame is not None:
        codes.append(frame.f_code)
        frame = frame.f_back
    return tuple(codes)


@lru_cache(maxsize=10_000)
def _layer(codes: tuple[CodeType, ...]) -> str:
    return layer_of((code.co_filename, code.co_name) for code in codes)


def _jupyter_server_extension_points() -> list[dict[str, str]]:  # pyright: ignore[reportUnusedFunction]
    return [{"module": __name__}]


def _load_jupyter_server_extension(app: object) -> None:  # pyright: ignore[reportUnusedFunction]
    """Sample from now on; Jupyter Server calls this on its main thread."""
    del app
    path = Path(os.environ[VARIABLE])
    sampler = Sampler()

    def write() -> None:
        whole = json.dumps({"samples": sampler.samples, "cpu_s": sampler.layers_s})
        beside = path.with_suffix(".new")
        beside.write_text(whole, encoding="utf-8")
        beside.replace(path)

    sampler.start()
    PeriodicCallback(write, WRITE_EVERY_MS).start()
