"""The schedule: its order, its sum, and what is said on the way."""

from __future__ import annotations

from benchmarks.schedule import (
    COSTS,
    MOST_S,
    REPEATS,
    Progress,
    expected_s,
    in_order,
    longest_s,
)
from benchmarks.suite import axis_modules


def test_run_of_everything_has_its_time() -> None:
    assert expected_s(COSTS, REPEATS) <= MOST_S


def test_each_module_of_axes_is_in_the_schedule() -> None:
    assert list(axis_modules()) == list(COSTS)


def test_cheap_axes_are_repeated_as_often_as_asked() -> None:
    assert expected_s(["latency"], 3) > expected_s(["latency"], 1)


def test_unknown_modules_come_last() -> None:
    names = in_order(["zebra", "capacity", "latency"])

    assert names == ["latency", "capacity", "zebra"]
    assert expected_s(["zebra"], 1) > 0


def test_module_is_given_up_long_after_it_was_expected() -> None:
    assert all(longest_s(name, 3) >= 3 * expected_s([name], 3) for name in COSTS)
    assert longest_s("zebra", 1) >= 300


def test_progress_says_how_much_is_left_at_the_pace_so_far() -> None:
    names = ["latency", "fan_out"]
    first_s, second_s = (expected_s([name], 3) for name in names)
    progress = Progress(names, 3)

    said = [
        progress.begins("latency"),
        progress.ended("latency", 2 * first_s, "done"),
        progress.begins("fan_out"),
        progress.ended("fan_out", 90.4, "it failed"),
    ]

    left = f"{2 * second_s / 60:.0f} min"
    assert said == [
        f"latency … (1 of 2, about {first_s / 60:.0f} min)",
        f"latency: done in {2 * first_s:.0f} s; about {left} left",
        f"fan_out … (2 of 2, about {left})",
        "fan_out: it failed in 90 s",
    ]
