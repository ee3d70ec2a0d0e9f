"""The gate: what fails a quick run, and what only gets said."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.report.comparison import compared
from benchmarks.report.gate import (
    DISTURBED_CORES,
    MARGIN,
    WIDEST,
    Baseline,
    Ratio,
    baseline_of,
    disturbed,
    in_words,
    judged,
    passes,
    ratios_of,
    read_baseline,
    write_baseline,
)
from benchmarks.report.record import read_record
from benchmarks.report.spread import Spread

RECORD = read_record(Path(__file__).parent / "recorded.json")
RATIOS = ratios_of(compared(RECORD.groups))


def baseline(*runs: list[Ratio]) -> Baseline:
    return baseline_of(runs, command="c", date="2026-11-22", machine={})


def scaled(ratios: list[Ratio], factor: float) -> list[Ratio]:
    return [
        replace(
            ratio,
            times=Spread(
                low=ratio.times.low * factor,
                median=ratio.times.median * factor,
                high=ratio.times.high * factor,
                repeats=ratio.times.repeats,
            ),
        )
        for ratio in ratios
    ]


def one(low: float, median: float, high: float, repeats: int = 3) -> list[Ratio]:
    times = Spread(low=low, median=median, high=high, repeats=repeats)
    return [Ratio(axis="capacity", peer="Tornado + SDK", times=times)]


def verdict(now: list[Ratio], *then: list[Ratio]) -> str:
    (judgement,) = judged(now, baseline(*then))
    return judgement.verdict


def test_ratios_to_all_contenders_that_were_measured() -> None:
    assert {(ratio.axis, ratio.peer) for ratio in RATIOS} == {
        ("token_p50", "Tornado + SDK"),
        ("token_p50", "raw upstream"),
        ("capacity", "Tornado + SDK"),
        ("capacity", "NestJS + Socket.IO"),
        ("disk_bytes", "jupyter-ai"),
    }


def test_run_against_itself_passes() -> None:
    judgements = judged(RATIOS, baseline(RATIOS))

    assert {judgement.verdict for judgement in judgements} == {"held"}
    assert passes(judgements)


def test_run_on_a_machine_three_times_slower_is_judged_the_same() -> None:
    slower = [
        replace(
            group,
            measurements=[
                replace(
                    measurement,
                    values=tuple(
                        value / 3 if measurement.axis == "capacity" else value * 3
                        for value in measurement.values
                    ),
                )
                for measurement in group.measurements
            ],
        )
        for group in RECORD.groups
    ]

    judgements = judged(ratios_of(compared(slower)), baseline(RATIOS))

    assert {judgement.verdict for judgement in judgements} == {"held"}


def test_ratio_wholly_below_the_baseline_and_its_margin_fails() -> None:
    judgements = judged(one(1.4, 1.5, 1.55), baseline(one(2.0, 2.1, 2.4)))

    assert [judgement.verdict for judgement in judgements] == ["regressed"]
    assert not passes(judgements)
    assert "regressed    capacity, against Tornado + SDK: 1.50" in in_words(judgements)


def test_ratio_that_others_disturbed_is_too_noisy_however_low() -> None:
    group = replace(RECORD.groups[0], load_during=2 * DISTURBED_CORES)
    axes = disturbed([group, *RECORD.groups[1:]])
    fallen = scaled(RATIOS, 0.5)

    judgements = judged(fallen, baseline(RATIOS), disturbed=axes)

    assert axes == {axis.name for axis in group.axes}
    assert disturbed(RECORD.groups) == set()
    assert {judgement.verdict for judgement in judgements} == {"too noisy"}
    assert not passes(judged(fallen, baseline(RATIOS)))


def test_ratio_below_the_baseline_within_the_margin_holds() -> None:
    low = 2.0 / MARGIN
    assert verdict(one(low, low, low), one(2.0, 2.1, 2.4)) == "held"


def test_ratio_partly_below_is_too_noisy_and_fails_nothing() -> None:
    judgements = judged(one(1.2, 1.4, 1.9), baseline(one(2.0, 2.1, 2.4)))

    assert [judgement.verdict for judgement in judgements] == ["too noisy"]
    assert passes(judgements)


def test_ratio_spread_too_widely_is_too_noisy_however_low() -> None:
    low = 0.1
    high = low * WIDEST * 1.01
    assert verdict(one(low, low, high), one(2.0, 2.1, 2.4)) == "too noisy"


def test_ratio_of_too_few_repeats_is_too_noisy() -> None:
    assert verdict(one(1.0, 1.0, 1.0, repeats=2), one(2.0, 2.1, 2.4)) == "too noisy"


def test_better_ratio_holds() -> None:
    assert verdict(one(5.0, 5.0, 50.0), one(2.0, 2.1, 2.4)) == "held"


def test_spread_of_the_runs_of_a_baseline_is_all_of_theirs() -> None:
    runs = (one(2.0, 2.1, 2.4), one(1.5, 1.9, 2.0))
    (ratio,) = baseline(*runs).ratios

    assert ratio.times == Spread(low=1.5, median=2.0, high=2.4, repeats=6)
    assert verdict(one(1.3, 1.3, 1.35), *runs) == "held"


def test_what_one_run_lacked_is_not_in_the_baseline() -> None:
    (kept,) = baseline(RATIOS, RATIOS[:1]).ratios

    assert (kept.axis, kept.peer) == (RATIOS[0].axis, RATIOS[0].peer)


def test_missing_ratio_is_said_and_fails_nothing() -> None:
    judgements = judged(RATIOS[1:], baseline(RATIOS))

    assert judgements[0].verdict == "not measured"
    assert passes(judgements)


def test_run_that_measured_nothing_of_the_baseline_fails() -> None:
    assert not passes(judged([], baseline(RATIOS)))


@pytest.mark.parametrize("factor", [0.5, 2.0])
def test_only_a_fall_fails(factor: float) -> None:
    judgements = judged(scaled(RATIOS, factor), baseline(RATIOS))

    # The one of a single repeat is no spread to judge by.
    fallen = [j for j in judgements if j.verdict == "regressed"]
    assert len(fallen) == (4 if factor < 1 else 0)
    assert passes(judgements) == (factor > 1)


def test_baseline_is_read_as_it_was_written(tmp_path: Path) -> None:
    written = baseline(RATIOS, RATIOS)
    write_baseline(written, tmp_path / "results" / "baseline.json")

    assert read_baseline(tmp_path / "results" / "baseline.json") == written
