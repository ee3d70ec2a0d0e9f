"""Plots: sound SVG, all of it inside the picture, for light and for dark."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

import pytest

from benchmarks.report.charts import Bar, Goal, Line, Look, bar_chart, line_chart
from benchmarks.report.publish import all_plots
from benchmarks.report.record import read_record
from benchmarks.report.svg import Scale, linear_ticks, log_ticks, short

if TYPE_CHECKING:
    from benchmarks.report.plots import Plot

PLOTS = all_plots(read_record(Path(__file__).parent / "recorded.json"))
SVG = "{http://www.w3.org/2000/svg}"
COORDINATES = {
    "width": ("x", "x1", "x2"),
    "height": ("y", "y1", "y2"),
}


def test_each_group_with_something_to_draw_has_its_plots() -> None:
    assert [plot.name for plot in PLOTS] == [
        "overview",
        "token_p50",
        "growth-curve",
        "disk_bytes",
    ]


@pytest.mark.parametrize("plot", PLOTS, ids=lambda plot: plot.name)
def test_plot_is_sound_and_lies_inside_its_picture(plot: Plot) -> None:
    root = ET.fromstring(plot.svg)  # noqa: S314 - our own
    for size, names in COORDINATES.items():
        most = float(root.attrib[size])
        for element in root.iter():
            for name in names:
                assert 0 <= float(element.get(name, 0)) <= most, element.attrib
    for line in root.iter(f"{SVG}polyline"):
        points = [point.split(",") for point in line.attrib["points"].split()]
        assert all(0 <= float(x) <= float(root.attrib["width"]) for x, _ in points)
        assert all(0 <= float(y) <= float(root.attrib["height"]) for _, y in points)


@pytest.mark.parametrize("plot", PLOTS, ids=lambda plot: plot.name)
def test_plot_is_described_and_has_colours_for_dark(plot: Plot) -> None:
    root = ET.fromstring(plot.svg)  # noqa: S314 - our own
    title, description = root.find(f"{SVG}title"), root.find(f"{SVG}desc")
    assert title is not None
    assert title.text == plot.title
    assert description is not None
    assert description.text
    assert "prefers-color-scheme: dark" in plot.svg


def test_names_are_escaped() -> None:
    line = Line(name='<a> & "b"', look=Look("c0"), xs=[0, 1], ys=[1, 2])

    svg = line_chart([line], title="<t>", x_title="x & y", y_title="z")

    root = ET.fromstring(svg)  # noqa: S314 - our own
    assert '<a> & "b"' in [text.text for text in root.iter(f"{SVG}text")]


def test_bar_is_as_long_as_its_value() -> None:
    bars = [
        Bar(name=name, look=Look("c0"), value=value, low=value, high=value)
        for name, value in (("one", 10.0), ("two", 20.0))
    ]

    svg = bar_chart(bars, title="t", subtitle="s", goals=[Goal(name="goal", value=5)])

    lengths = [
        float(found) for found in re.findall(r'width="([\d.]+)" height="18', svg)
    ]
    assert lengths[1] == pytest.approx(2 * lengths[0], rel=0.01)
    assert 'class="goal"' in svg


def test_bars_with_an_origin_begin_there_to_either_side() -> None:
    bars = [
        Bar(name=name, look=Look("c0"), value=value, low=value, high=value)
        for name, value in (("behind", 0.5), ("ahead", 4.0))
    ]

    svg = bar_chart(
        bars,
        title="t",
        subtitle="s",
        goals=[Goal(name="even", value=1.0, label="as good")],
        origin=1.0,
    )

    root = ET.fromstring(svg)  # noqa: S314 - our own
    behind, ahead = (
        (float(bar.attrib["x"]), float(bar.attrib["width"]))
        for bar in root.iter(f"{SVG}rect")
    )
    assert sum(behind) == pytest.approx(ahead[0], abs=0.2)
    assert ahead[1] == pytest.approx(2 * behind[1], rel=0.02)
    assert "as good" in [text.text for text in root.iter(f"{SVG}text")]


def test_shortest_bar_by_a_logarithm_can_be_seen() -> None:
    bars = [
        Bar(name=f"{value}", look=Look("c0"), value=value, low=value, high=value)
        for value in (64.0, 13_000.0)
    ]

    svg = bar_chart(bars, title="t", subtitle="s", is_log=True)

    root = ET.fromstring(svg)  # noqa: S314 - our own
    assert all(float(bar.attrib["width"]) > 40 for bar in root.iter(f"{SVG}rect"))


def test_scale_goes_by_the_logarithm_only_where_values_are_far_apart() -> None:
    near = Scale.around([10, 20], start=0, end=100, is_log=True)
    far = Scale.around([1, 1_000], start=0, end=100, is_log=True)
    zero = Scale.around([0, 1_000], start=0, end=100, is_log=True)

    assert (near.is_log, far.is_log, zero.is_log) == (False, True, False)
    assert near.low == 0
    assert far(1_000) > far(100) > far(10) > far(1) >= 0


def test_scale_of_nothing_but_zeros_has_room() -> None:
    scale = Scale.around([0, 0], start=0, end=100, is_log=False)

    assert scale(0) == 0
    assert scale.ticks


@pytest.mark.parametrize(
    ("low", "high", "ticks"),
    [
        (0, 10, [0, 2, 4, 6, 8, 10]),
        (0, 0.3, [0, 0.1, 0.2, 0.3]),
        (0, 47_000, [0, 10_000, 20_000, 30_000, 40_000]),
    ],
)
def test_linear_ticks_are_round(low: float, high: float, ticks: list[float]) -> None:
    assert linear_ticks(low, high) == ticks


@pytest.mark.parametrize(
    ("low", "high", "ticks"),
    [
        (0.9, 11, [1, 2, 5, 10]),
        (0.9, 1_200, [1, 3, 10, 30, 100, 300, 1_000]),
        (0.9, 110_000, [1, 10, 100, 1_000, 10_000, 100_000]),
    ],
)
def test_log_ticks_are_few(low: float, high: float, ticks: list[float]) -> None:
    assert log_ticks(low, high) == ticks


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (0.0, "0"),
        (0.29, "0.29"),
        (0.0123, "0.0123"),
        (2.0, "2"),
        (2.416, "2.42"),
        (35.04, "35"),
        (35.26, "35.3"),
        (99.96, "100"),
        (45_210.4, "45,210"),
    ],
)
def test_numbers_are_shown_with_three_digits(value: float, words: str) -> None:
    assert short(value) == words
