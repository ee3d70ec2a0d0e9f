"""The pages on speed are what the benchmarks wrote, and owe no reason."""

from __future__ import annotations

from benchmarks.report.comparison import compared
from benchmarks.report.page import read_reasons
from benchmarks.report.publish import IMAGES, PAGE, all_plots, page_of
from benchmarks.report.record import read_record
from benchmarks.report.token_table import EXPLANATION, filled, read_profile
from benchmarks.suite import axis_modules


def test_page_is_as_the_record_writes_it() -> None:
    assert PAGE.read_text(encoding="utf-8") == page_of(read_record())


def test_plots_are_as_the_record_draws_them() -> None:
    drawn = {f"{plot.name}.svg": plot.svg for plot in all_plots(read_record())}
    kept = {path.name: path.read_text(encoding="utf-8") for path in IMAGES.iterdir()}

    assert kept == drawn


def test_each_axis_that_is_short_has_its_reason() -> None:
    short = {one.axis.name for one in compared(read_record().groups) if one.is_short}

    assert short - set(read_reasons()) == set()


def test_reasons_are_for_axes_that_there_are() -> None:
    names = {axis.name for module in axis_modules().values() for axis in module.AXES}

    assert set(read_reasons()) - names == set()


def test_names_of_axes_are_unique() -> None:
    names = [axis.name for module in axis_modules().values() for axis in module.AXES]

    assert len(names) == len(set(names))


def test_profile_of_a_token_is_as_it_was_measured() -> None:
    page = EXPLANATION.read_text(encoding="utf-8")

    assert filled(page, read_profile()) == page
