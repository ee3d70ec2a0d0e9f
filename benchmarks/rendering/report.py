"""What was measured, as JSON and as a table."""

from __future__ import annotations

import json
import os
import platform
import sys
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from benchmarks.rendering.contenders import Streamed
    from benchmarks.rendering.texts import BenchText

__all__ = ["Row", "machine", "markdown", "row", "write"]

RESULTS = Path(__file__).parents[1] / "results"
LONGEST_GOAL_MS = 50.0


@dataclass(frozen=True, kw_only=True)
class Row:
    """Medians of one contender on one text.

    Attributes:
        contender: Who.
        text: What.
        runs: How many were measured.
        complete: All of the text came in each run.
        seconds: Until it did.
        total_ms: CPU time of the main thread.
        own_ms: Of this, what the text cost: without what the page costs while nothing
            happens, and without what any page costs for so many frames.
        own_runs_ms: The same of each run.
        ratio: ``own_ms``, as a multiple of this product's on the same text.
        longest_ms: CPU time of the longest task.
        longest_wall_ms: The longest task by the clock.
        script_style_layout_ms: CPU time without paint and the browser's own part.
        frames: How many were painted.
        layouts: How often the page was laid out.
        shift: What moved without being asked to, as a layout shift score.
        goal_ms: For ``own_ms``; ``None``: it is not ours to reach.
        met: Whether it and 50 ms for the longest task are.
    """

    contender: str
    text: str
    runs: int
    complete: bool
    seconds: float
    total_ms: float
    own_ms: float
    own_runs_ms: list[float]
    ratio: float | None
    longest_ms: float
    longest_wall_ms: float
    script_style_layout_ms: float
    frames: float
    layouts: float
    shift: float
    goal_ms: float | None
    met: bool | None


def row(
    contender: str,
    text: BenchText,
    streams: Sequence[Streamed],
    *,
    frame_ms: float,
    ours: Row | None,
) -> Row:
    """Sum up the runs of a contender on a text.

    Args:
        contender: Its name.
        text: What was streamed.
        streams: One for each run.
        frame_ms: What a frame costs by itself.
        ours: This product's row for the text; ``None`` for this product itself.
    """
    threads = [stream.main_thread for stream in streams]
    own_runs_ms = [round(_own_ms(stream, frame_ms), 1) for stream in streams]
    own_ms = median(own_runs_ms)
    longest_ms = median(thread.longest_ms for thread in threads)
    is_ours = ours is None
    return Row(
        contender=contender,
        text=text.name,
        runs=len(streams),
        complete=all(stream.complete for stream in streams),
        seconds=median(stream.seconds for stream in streams),
        total_ms=median(thread.total_ms for thread in threads),
        own_ms=round(own_ms, 1),
        own_runs_ms=own_runs_ms,
        ratio=None if is_ours else round(own_ms / max(ours.own_ms, 1.0), 1),
        longest_ms=longest_ms,
        longest_wall_ms=median(thread.longest_wall_ms for thread in threads),
        script_style_layout_ms=round(
            median(
                sum(thread.groups_ms.get(one, 0.0) for one in _OWN_GROUPS)
                for thread in threads
            ),
            1,
        ),
        frames=median(thread.frames for thread in threads),
        layouts=median(thread.layouts for thread in threads),
        shift=round(median(thread.shift for thread in threads), 4),
        goal_ms=text.goal_ms if is_ours else None,
        met=(own_ms <= text.goal_ms and longest_ms <= LONGEST_GOAL_MS)
        if is_ours
        else None,
    )


_OWN_GROUPS = ("script", "parse", "style", "layout")


def _own_ms(stream: Streamed, frame_ms: float) -> float:
    thread = stream.main_thread
    idle_ms = stream.idle_ms_per_s * stream.seconds
    return max(0.0, thread.total_ms - idle_ms - thread.frames * frame_ms)


def machine(browser: str) -> dict[str, Any]:
    """Where and how it was measured."""
    return {
        "benchmark": "browser_rendering",
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "command": " ".join(["python -m benchmarks.browser_rendering", *sys.argv[1:]]),
        "python": platform.python_version(),
        "browser": browser,
        "machine": platform.platform(),
        "processors": os.cpu_count(),
        "load_average_before": os.getloadavg(),
    }


_HEAD = (
    *("text", "chat", "complete", "seconds", "main thread ms", "own ms", "goal", "met"),
    *("ratio", "script + style + layout ms", "longest task ms", "by the clock"),
    *("frames", "layouts", "shift"),
)


def markdown(result: dict[str, Any], rows: Iterable[Row]) -> str:
    """Return the result as a page of Markdown."""
    load = ", ".join(f"{value:.1f}" for value in result["load_average_before"])
    lines = [
        "# Rendering in the browser",
        "",
        f"`{result['command']}`, {result['date']}, Chromium {result['browser']},",
        f"{result['processors']} processors, load before {load}. Medians.",
        f"A frame of any page costs {result['frame_ms']} ms here: *own* is the main",
        "thread's CPU time without that of frames and of idling.",
        "",
        f"| {' | '.join(_HEAD)} |",
        f"|{'---|' * len(_HEAD)}",
    ]
    lines += [f"| {' | '.join(_cells(one))} |" for one in rows]
    lines += ["", "| | figure | goal | met |", "|---|---|---|---|"]
    lines += [
        f"| {one['measured']} | {_figure(one)} | {_goal(one)} | {_yes(one['met'])} |"
        for one in result["further"]
    ]
    lines += [f"\nLeft out: {name}: {why}" for name, why in result["skipped"].items()]
    return "\n".join([*lines, ""])


def _cells(one: Row) -> list[str]:
    return [
        one.text,
        one.contender,
        _yes(one.complete),
        f"{one.seconds:.0f}",
        f"{one.total_ms:,.0f}",
        f"{one.own_ms:,.0f}",
        "" if one.goal_ms is None else f"{one.goal_ms:,.0f}",
        "" if one.met is None else _yes(one.met),
        "1" if one.ratio is None else f"{one.ratio:,.1f}",
        f"{one.script_style_layout_ms:,.0f}",
        f"{one.longest_ms:.0f}",
        f"{one.longest_wall_ms:.0f}",
        f"{one.frames:.0f}",
        f"{one.layouts:.0f}",
        f"{one.shift}",
    ]


def _yes(value: bool) -> str:
    return "yes" if value else "no"


def _figure(one: dict[str, Any]) -> str:
    hidden = {"measured", "met"}
    shown = {k: v for k, v in one.items() if k not in hidden and "goal" not in k}
    return ", ".join(f"{name} {value}" for name, value in shown.items())


def _goal(one: dict[str, Any]) -> str:
    return ", ".join(f"{value}" for name, value in one.items() if "goal" in name)


def write(result: dict[str, Any], rows: Sequence[Row]) -> str:
    """Write JSON and Markdown to ``benchmarks/results``; return the Markdown."""
    page = markdown(result, rows)
    RESULTS.mkdir(exist_ok=True)
    whole = {**result, "rows": [asdict(one) for one in rows]}
    path = RESULTS / "browser_rendering.json"
    path.write_text(json.dumps(whole, indent=1) + "\n", encoding="utf-8")
    path.with_suffix(".md").write_text(page, encoding="utf-8")
    return page
