"""What a page's main thread did, as the browser itself traced it."""

from __future__ import annotations

import contextlib
import json
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable

    from playwright.sync_api import Browser, Page

__all__ = ["MainThread", "Traced", "tracing"]

_TASK = "RunTask"
_CATEGORIES = [
    "-*",
    "devtools.timeline",
    "disabled-by-default-devtools.timeline",
    "loading",
    "__metadata",
]
_GROUPS = {
    "script": (
        *("EvaluateScript", "EventDispatch", "FireAnimationFrame", "FireIdleCallback"),
        *("FunctionCall", "MajorGC", "MinorGC", "RunMicrotasks", "TimerFire"),
        *("V8.GC_MC_BACKGROUND_MARKING", "v8.compile", "BlinkGC.AtomicPhase"),
    ),
    "parse": ("ParseHTML", "ParseAuthorStyleSheet"),
    "style": ("UpdateLayoutTree", "ScheduleStyleRecalculation", "InvalidateLayout"),
    "layout": ("Layout", "IntersectionObserverController::computeIntersections"),
    "paint": (
        *("Commit", "CompositeLayers", "HitTest", "Layerize", "Paint", "PrePaint"),
        *("UpdateLayer", "UpdateLayerTree", "PaintImage", "RasterTask"),
    ),
}
_GROUP_OF = {name: group for group, names in _GROUPS.items() for name in names}
_US_PER_MS = 1_000


@dataclass(frozen=True, kw_only=True)
class MainThread:
    """Milliseconds of one page's main thread.

    Attributes:
        total_ms: CPU time of all its tasks. Unlike time by the clock it does not grow
            when other programs want the processor.
        longest_ms: CPU time of the longest task.
        longest_wall_ms: Time by the clock of the task that took longest by it.
        groups_ms: CPU time by what it was for: script, parse, style, layout, paint,
            other.
        frames: How many were painted.
        layouts: How often the page was laid out.
        shift: Sum of the scores of what moved without being asked to.
    """

    total_ms: float
    longest_ms: float
    longest_wall_ms: float
    groups_ms: dict[str, float]
    frames: int
    layouts: int
    shift: float


class Traced:
    """Filled when ``tracing`` ends."""

    main_thread: MainThread


@contextlib.contextmanager
def tracing(browser: Browser, page: Page) -> Generator[Traced]:
    """Trace a page for the time of the block."""
    traced = Traced()
    browser.start_tracing(page=page, categories=_CATEGORIES)
    try:
        yield traced
    finally:
        trace = json.loads(browser.stop_tracing())
    traced.main_thread = read_trace(trace["traceEvents"])


def read_trace(events: Iterable[dict[str, Any]]) -> MainThread:
    """Sum up the main thread of a trace that painted most: the page's.

    The browser has others, for example for its own windows.
    """
    threads: dict[tuple[int, int], list[dict[str, Any]]] = defaultdict(list)
    names: dict[tuple[int, int], str] = {}
    shifts: dict[int, float] = defaultdict(float)
    for event in events:
        thread = (event["pid"], event["tid"])
        if event["name"] == "thread_name":
            names[thread] = event["args"]["name"]
        elif event["name"] == "LayoutShift":
            shifts[event["pid"]] += float(event["args"]["data"].get("score", 0.0))
        elif event.get("ph") == "X" and "dur" in event:
            threads[thread].append(event)
    mains = [thread for thread, name in names.items() if name == "CrRendererMain"]
    main = max(mains, key=lambda thread: _frames(threads[thread]))
    spans = threads[main]
    tasks = _tasks(spans)
    groups_us = _group(spans)
    return MainThread(
        total_ms=_ms(sum(map(_cpu_us, tasks))),
        longest_ms=_ms(max(map(_cpu_us, tasks), default=0)),
        longest_wall_ms=_ms(max((task["dur"] for task in tasks), default=0)),
        groups_ms={name: _ms(amount) for name, amount in sorted(groups_us.items())},
        frames=_frames(spans),
        layouts=sum(span["name"] == "Layout" for span in spans),
        shift=round(shifts[main[0]], 4),
    )


def _tasks(spans: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [span for span in spans if span["name"] == _TASK]


def _frames(spans: list[dict[str, Any]]) -> int:
    return sum(span["name"] == "Commit" for span in spans)


def _cpu_us(span: dict[str, Any]) -> float:
    return float(span.get("tdur", span["dur"]))


def _ms(amount_us: float) -> float:
    return round(amount_us / _US_PER_MS, 1)


def _group(spans: list[dict[str, Any]]) -> dict[str, float]:
    """Give each span's own time, without what is inside it, to what it was for.

    A span of no group counts for the group of the one around it.
    """
    groups_us: dict[str, float] = defaultdict(float)
    around: list[tuple[float, str]] = []
    for span in sorted(spans, key=lambda span: (span["ts"], -span["dur"])):
        while around and around[-1][0] <= span["ts"]:
            around.pop()
        outer = around[-1][1] if around else None
        group = _GROUP_OF.get(span["name"], outer or "other")
        if outer is not None:
            groups_us[outer] -= _cpu_us(span)
        if outer is not None or span["name"] == _TASK:
            groups_us[group] += _cpu_us(span)
            around.append((span["ts"] + span["dur"], group))
    return groups_us
