"""What the browser measured, along the axes of the other benchmarks."""

from __future__ import annotations

from typing import Any

from benchmarks.axes.rendering import AXES, measurements_of
from benchmarks.rendering.report import Row
from benchmarks.rig.contenders import OURS

# As benchmarks.browser_rendering gave them on 22 November 2026.
RESULT: dict[str, Any] = {
    "versions": {OURS: "0.1.0", "ipywidgets.HTML": "8.1.9"},
    "skipped": {"jupyter-ai": "it cannot be installed here"},
    "further": [
        {"measured": "cost of a token", "ratio": 0.62, "met": True},
        {"measured": "first paint", "painted_ms": 5447.6, "met": False},
        {"measured": "bytes", "bytes": 145_066, "met": True},
    ],
}


def row(contender: str, own_runs_ms: list[float], *, complete: bool = True) -> Row:
    return Row(
        contender=contender,
        text="20 kB document",
        runs=len(own_runs_ms),
        complete=complete,
        seconds=70.0,
        total_ms=908.0,
        own_ms=own_runs_ms[0],
        own_runs_ms=own_runs_ms,
        ratio=None,
        longest_ms=38.0,
        longest_wall_ms=38.0,
        script_style_layout_ms=492.0,
        frames=69.0,
        layouts=84.0,
        shift=0.043,
        goal_ms=150.0,
        met=False,
    )


def test_rows_further_figures_and_who_was_left_out_are_measurements() -> None:
    rows = [row(OURS, [794.0, 801.5]), row("ipywidgets.HTML", [11_742.0])]

    found = measurements_of(RESULT, rows, 0.1)

    assert [(one.axis, one.contender, one.values) for one in found] == [
        ("render_20_kb_document", OURS, (794.0, 801.5)),
        ("render_20_kb_document", "ipywidgets.HTML", (11_742.0,)),
        ("render_late_token", OURS, (0.62,)),
        ("render_first_paint", OURS, (5447.6,)),
        ("widget_bundle", OURS, (145.066,)),
        ("render_20_kb_document", "jupyter-ai", ()),
    ]
    assert found[-1].detail == {"failure": "it cannot be installed here"}
    assert found[1].detail["version"] == "8.1.9"
    assert {one.axis for one in found} <= {axis.name for axis in AXES}


def test_rival_that_was_given_up_is_said_to_be() -> None:
    (one, *_) = measurements_of(
        RESULT, [row("ipywidgets.HTML", [9_000.0], complete=False)], 0.1
    )

    assert one.detail["note"] == "given up after 70 s; not all of it came"
