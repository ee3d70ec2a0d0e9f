"""What a record says: medians, ratios, goals, reasons, pages."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.report.comparison import Comparison, compared
from benchmarks.report.page import (
    BUSY_CORES,
    NO_REASON,
    page,
    read_reasons,
    score,
    summary,
)
from benchmarks.report.publish import all_plots, publish_beside
from benchmarks.report.record import Record, amended, read_record, thinned, write
from benchmarks.report.spread import quantile_points, spread_of, times_better
from benchmarks.rig.measurement import Measurement

RECORDED = Path(__file__).parent / "recorded.json"


@pytest.fixture
def record() -> Record:
    return read_record(RECORDED)


@pytest.fixture
def comparisons(record: Record) -> dict[str, Comparison]:
    return {one.axis.name: one for one in compared(record.groups)}


def test_ratio_compares_repeats_that_were_side_by_side() -> None:
    # The machine was three times slower in the second repeat, for both.
    times = times_better((1.0, 3.0, 1.0), (2.0, 6.0, 2.0), less_is_better=True)

    assert times is not None
    assert (times.low, times.median, times.high) == (2.0, 2.0, 2.0)


def test_ratio_is_above_one_where_more_is_better_and_ours_is_more() -> None:
    times = times_better((30.0,), (10.0,), less_is_better=False)

    assert times is not None
    assert times.median == 3.0


def test_ratio_of_unequal_repeats_compares_each_with_each() -> None:
    times = times_better((1.0, 2.0), (4.0,), less_is_better=True)

    assert times is not None
    assert (times.low, times.high, times.repeats) == (2.0, 4.0, 1)


@pytest.mark.parametrize(("ours", "theirs"), [((0.0,), (1.0,)), ((), (1.0,))])
def test_no_ratio_where_there_is_no_number(
    ours: tuple[float, ...], theirs: tuple[float, ...]
) -> None:
    assert times_better(ours, theirs, less_is_better=True) is None


def test_width_of_a_spread_from_nothing_is_infinite() -> None:
    assert spread_of((0.0, 1.0)).width == float("inf")


def test_distribution_of_many_samples_keeps_its_ends_and_its_middle() -> None:
    points = quantile_points([float(number) for number in range(10_001)])

    assert len(points) == 201
    assert (points[0], points[100], points[-1]) == (0.0, 5_000.0, 10_000.0)


def test_limits_are_no_peers(comparisons: dict[str, Comparison]) -> None:
    comparison = comparisons["token_p50"]

    assert comparison.standings[0].contender == "raw upstream"
    assert comparison.best_peer is not None
    assert comparison.best_peer.contender == "Tornado + SDK"
    assert comparison.is_ahead


def test_best_peer_is_the_one_with_the_best_median(
    comparisons: dict[str, Comparison],
) -> None:
    comparison = comparisons["capacity"]

    assert [one.contender for one in comparison.standings] == [
        "NestJS + Socket.IO",
        "streamchat_nb",
        "Tornado + SDK",
    ]
    assert comparison.is_ahead is False
    assert comparison.is_short


def test_goals_are_reached_by_the_median(comparisons: dict[str, Comparison]) -> None:
    comparison = comparisons["token_p50"]

    assert comparison.reaches(comparison.axis.ahead) is True
    assert comparison.reaches(comparison.axis.moonshot) is False
    assert comparison.reaches(None) is None


def test_axis_that_reaches_all_it_has_is_not_short(
    comparisons: dict[str, Comparison],
) -> None:
    assert not comparisons["growth"].is_short
    assert not comparisons["disk_bytes"].is_short


def test_summary_has_a_row_for_each_axis(record: Record) -> None:
    rows = summary(record.groups).splitlines()

    assert len(rows) == 2 + 4
    assert rows[2] == (
        "| Added per token, p50 (ms) | 0.42 | 0.84 (Tornado + SDK) "
        "| ahead: 2 × [2–2.2] | < 0.5: met | < 0.3: not met |"  # noqa: RUF001
    )
    assert "(NestJS + Socket.IO) | **behind**: 0.974 " in rows[3]
    assert rows[3].endswith("| > 25,000: not met | > 45,000: not met |")


def test_score_counts_what_could_be_told(record: Record) -> None:
    assert score(record.groups) == (
        "Ahead of the best peer on 2 of 3 axes that have one; "
        "3 of 4 goals and 0 of 2 moonshots are met."
        "\n\nBehind the best peer: Capacity."
    )


def test_page_gives_the_reason_for_what_is_short(record: Record) -> None:
    text = page(record, {"capacity": "Measured: the store."}, images="images")

    assert "- **Capacity**: Measured: the store." in text
    assert f"- **Added per token, p50**: {NO_REASON}" in text
    assert "**Bytes on disk**:" not in text


def test_page_says_what_failed_and_what_was_left_out(record: Record) -> None:
    text = page(record, {}, images="images")

    assert "Node ws: it closed all sockets." in text
    assert "Left out: jupyter_server + SDK: its package is not installed." in text
    assert "It failed: RigError: the server did not start" in text
    assert "| with set_nodelay |" in text
    assert "| a limit, no peer |" in text


def test_page_warns_of_groups_that_others_disturbed(record: Record) -> None:
    first, *others = record.groups
    busy = replace(first, load_during=2 * BUSY_CORES)
    warning = "**The machine was busy**"

    text = page(replace(record, groups=[busy, *others]), {}, images="images")

    assert warning not in page(record, {}, images="images")
    assert text.count(warning) == 1
    assert text.index(warning) < text.index(f"## {others[0].title}")


def test_tables_have_equally_many_cells_in_all_rows(record: Record) -> None:
    text = page(record, {}, images="images")
    tables = [part for part in text.split("\n\n") if part.startswith("|")]

    assert len(tables) == 1 + 1 + 4 + 1
    for table in tables:
        assert len({line.count("|") for line in table.splitlines()}) == 1, table


def test_page_beside_a_record_shows_all_its_plots(
    record: Record, tmp_path: Path
) -> None:
    publish_beside(record, tmp_path)

    text = (tmp_path / "benchmarks.md").read_text(encoding="utf-8")
    written = {path.name for path in tmp_path.glob("*.svg")}
    assert written == {f"{plot.name}.svg" for plot in all_plots(record)}
    assert all(f"](./{name})" in text for name in written)


def test_record_is_read_as_it_was_written(record: Record, tmp_path: Path) -> None:
    write(record, tmp_path / "results" / "record.json")

    path = tmp_path / "results" / "record.json"
    assert read_record(path) == record
    assert path.read_bytes() == RECORDED.read_bytes()


def test_amended_record_has_the_new_groups_and_keeps_the_others(
    record: Record,
) -> None:
    group = replace(record.groups[1], date="2026-11-23T00:00:00+00:00")
    new = replace(record, groups=[group], versions={"tornado": "7"})

    both = amended(record, new)

    assert {one.name: one.date[:10] for one in both.groups} == {
        "latency": "2026-11-22",
        "growth": "2026-11-23",
        "disk_bytes": "2026-11-22",
        "reconnects": "2026-11-22",
    }
    assert both.versions == {"Python": "3.11.9", "tornado": "7"}


def test_group_that_failed_takes_the_place_of_none_that_did_not(
    record: Record,
) -> None:
    good = replace(record, groups=[one for one in record.groups if not one.failure])
    failed = [replace(one, failure="it fell") for one in good.groups]
    bad = replace(good, groups=failed)

    assert amended(good, bad) == good
    assert amended(bad, good) == good


def test_distributions_are_thinned_and_other_details_kept() -> None:
    samples = [float(number) for number in range(5_000)]
    one = Measurement(
        axis="a",
        contender="c",
        values=(1.0,),
        detail={"samples": samples, "curve_x": samples, "note": "n"},
    )

    (thin,) = thinned([one])

    assert thin.detail["samples"] == quantile_points(samples)
    assert thin.detail["curve_x"] == samples
    assert thin.detail["note"] == "n"


def test_reasons_are_joined_to_one_line(tmp_path: Path) -> None:
    path = tmp_path / "reasons.toml"
    path.write_text('capacity = """\nOne\nline."""\n', encoding="utf-8")

    assert read_reasons(path) == {"capacity": "One line."}
