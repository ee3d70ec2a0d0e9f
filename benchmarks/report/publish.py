"""Puts a record where people read it: a page, and its plots beside it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.report.page import page, read_reasons
from benchmarks.report.plots import overview, plots_of

if TYPE_CHECKING:
    from benchmarks.report.plots import Plot
    from benchmarks.report.record import Record

__all__ = ["IMAGES", "PAGE", "all_plots", "page_of", "publish", "publish_beside"]

_DOCS = Path(__file__).parents[2] / "docs"
PAGE = _DOCS / "reference" / "benchmarks.md"
IMAGES = _DOCS / "images" / "benchmarks"
_IMAGES_FROM_PAGE = "../images/benchmarks"


def all_plots(record: Record) -> list[Plot]:
    """Return the plots of a record, those that the page shows."""
    whole = overview(record)
    plots = [plot for group in record.groups for plot in plots_of(group)]
    return plots if whole is None else [whole, *plots]


def page_of(record: Record) -> str:
    """Return the page of the docs."""
    return page(record, read_reasons(), images=_IMAGES_FROM_PAGE)


def publish(record: Record) -> None:
    """Write the page and the plots of the docs; plots of before go."""
    for old in IMAGES.glob("*.svg"):
        old.unlink()
    _write_plots(record, IMAGES)
    PAGE.write_text(page_of(record), encoding="utf-8")


def publish_beside(record: Record, folder: Path) -> None:
    """Write a page and its plots into one folder."""
    _write_plots(record, folder)
    text = page(record, read_reasons(), images=".")
    (folder / "benchmarks.md").write_text(text, encoding="utf-8")


def _write_plots(record: Record, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for plot in all_plots(record):
        (folder / f"{plot.name}.svg").write_text(plot.svg, encoding="utf-8")
