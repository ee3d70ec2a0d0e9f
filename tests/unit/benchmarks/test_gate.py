"""The gate: what fails a quick run, and what only gets said."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import msgspec
import pytest

from benchmarks.report.comparison import compared
from benchmarks.report.gate import (
    COUNTED,
    DISTURBED_CORES,
    ITSELF,
    MARGINS,
    NOISIEST,
    WIDEST,
    Baseline,
    Ratio,
    baseline_of,
    disturbed,
    in_words,
    judged,
    margin_of,
    passes,
    ratios_of,
    read_baseline,
    write_baseline,
)
from benchmarks.report.record import read_record
from benchmarks.report.spread import Spread
from benchmarks.suite import axis_modules

QUICK_RUNS = Path(__file__).parent / "quick_runs.json"
RECORD = read_record(Path(__file__).parent / "recorded.json")
RATIOS = ratios_of(compared(RECORD.groups))
AXIS = "token_cpu"
MARGIN = MARGINS[AXIS]


class QuickRuns(msgspec.Struct, frozen=True):
    baseline: list[Ratio]
    runs: dict[str, list[Ratio]]


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
    return [Ratio(axis=AXIS, peer="Tornado + SDK", times=times)]


def counted(value: float) -> list[Ratio]:
    times = Spread(low=value, median=value, high=value, repeats=1)
    return [Ratio(axis="wire_bytes", peer=ITSELF, times=times)]


def verdict(
    now: list[Ratio], *then: list[Ratio], disturbed: tuple[str, ...] = ()
) -> str:
    (judgement,) = judged(now, baseline(*then), disturbed=disturbed)
    return judgement.verdict


def test_ratios_to_all_contenders_that_were_measured() -> None:
    assert {(ratio.axis, ratio.peer) for ratio in RATIOS} == {
        ("token_p50", "Tornado + SDK"),
        ("token_p50", "raw upstream"),
        ("capacity", "Tornado + SDK"),
        ("capacity", "NestJS + Socket.IO"),
        ("disk_bytes", ITSELF),
    }


def test_what_is_counted_is_told_as_it_was_counted() -> None:
    (ratio,) = [one for one in RATIOS if one.axis == "disk_bytes"]

    assert ratio.times == Spread(low=900.0, median=900.0, high=900.0, repeats=1)


def test_axes_with_a_margin_are_there() -> None:
    names = {axis.name for module in axis_modules().values() for axis in module.AXES}

    assert {*COUNTED, *MARGINS} <= names
    assert all(
        axis.less_is_better
        for module in axis_modules().values()
        for axis in module.AXES
        if axis.name in COUNTED
    )


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
                        if measurement.axis not in COUNTED
                    ),
                )
                for measurement in group.measurements
            ],
        )
        for group in RECORD.groups
    ]

    judgements = judged(ratios_of(compared(slower)), baseline(RATIOS))

    timed = [judgement for judgement in judgements if judgement.axis not in COUNTED]
    assert {judgement.verdict for judgement in timed} == {"held"}
    assert passes(judgements)


def test_ratio_below_the_noise_of_the_baseline_and_its_margin_fails() -> None:
    judgements = judged(one(1.2, 1.3, 1.5), baseline(one(2.0, 2.1, 2.4)))

    assert [judgement.verdict for judgement in judgements] == ["regressed"]
    assert not passes(judgements)
    assert "regressed    token_cpu, against Tornado + SDK: 1.30x [1.20 to 1.50]" in (
        in_words(judgements)
    )


def test_margin_is_wider_where_others_kept_the_machine_busy() -> None:
    group = replace(RECORD.groups[0], load_during=2 * DISTURBED_CORES)
    floor = 2.0 / MARGIN
    now, then = one(floor * 0.95, floor * 0.95, floor), one(2.0, 2.1, 2.4)

    assert disturbed([group, *RECORD.groups[1:]]) == {axis.name for axis in group.axes}
    assert disturbed(RECORD.groups) == set()
    assert verdict(now, then) == "regressed"
    assert verdict(now, then, disturbed=(AXIS,)) == "held"


@pytest.mark.parametrize("axis", MARGINS)
def test_work_that_costs_twice_as_much_fails_on_a_busy_machine_too(axis: str) -> None:
    assert margin_of(axis, is_disturbed=True) * NOISIEST < 2


def test_outlier_of_the_baseline_does_not_let_everything_pass() -> None:
    then = one(0.4, 2.0, 2.2)

    assert verdict(one(0.9, 1.0, 1.1), then) == "regressed"
    assert verdict(one(1.5, 1.6, 1.7), then) == "held"


def test_ratio_below_the_baseline_within_the_margin_holds() -> None:
    low = 2.0 / MARGIN
    assert verdict(one(low, low, low), one(2.0, 2.1, 2.4)) == "held"


def test_ratio_partly_as_good_as_before_is_too_noisy_and_fails_nothing() -> None:
    judgements = judged(one(1.1, 1.2, 2.2), baseline(one(2.0, 2.1, 2.4)))

    assert [judgement.verdict for judgement in judgements] == ["too noisy"]
    assert passes(judgements)


@pytest.mark.parametrize(
    ("value", "outcome"), [(50.0, "held"), (120.0, "held"), (130.0, "regressed")]
)
def test_count_is_held_to_that_of_the_baseline(value: float, outcome: str) -> None:
    assert verdict(counted(value), counted(90.0), counted(100.0)) == outcome


def test_count_of_a_busy_machine_is_held_as_well() -> None:
    now = counted(200.0)
    assert verdict(now, counted(100.0), disturbed=("wire_bytes",)) == "regressed"


def test_peer_that_the_baseline_lacks_is_said_and_fails_nothing() -> None:
    judgements = judged(one(0.1, 0.1, 0.1), baseline(counted(1.0)))

    assert [judgement.verdict for judgement in judgements] == ["not measured", "new"]
    assert "against Tornado + SDK: 0.10x; the baseline has none" in in_words(judgements)
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
    assert verdict(one(1.3, 1.3, 1.35), runs[0]) == "regressed"


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
    timed = [ratio for ratio in RATIOS if ratio.axis not in COUNTED]
    judgements = judged(scaled(timed, factor), baseline(timed))

    fallen = [j for j in judgements if j.verdict == "regressed"]
    assert len(fallen) == (4 if factor < 1 else 0)
    assert passes(judgements) == (factor > 1)


# Recorded on two processors, while others kept more than one of them busy; in two of
# the runs the product was slowed down on purpose.
@pytest.mark.parametrize(
    ("run", "fallen"),
    [
        ("as it was, beside one core of others' work", set[str]()),
        ("as it was, beside one core and a half", set[str]()),
        ("0.3 ms of CPU time more for each token", {"token_cpu"}),
        ("1 ms of sleep more for each token", {"token_p50"}),
    ],
)
def test_recorded_run_fails_only_where_it_was_slowed_down(
    run: str, fallen: set[str]
) -> None:
    quick = msgspec.json.decode(QUICK_RUNS.read_bytes(), type=QuickRuns)
    axes = {ratio.axis for ratio in quick.baseline}

    judgements = judged(quick.runs[run], baseline(quick.baseline), disturbed=axes)

    assert {j.axis for j in judgements if j.verdict == "regressed"} == fallen
    assert passes(judgements) == (not fallen)


def test_baseline_is_read_as_it_was_written(tmp_path: Path) -> None:
    written = baseline(RATIOS, RATIOS)
    write_baseline(written, tmp_path / "results" / "baseline.json")

    assert read_baseline(tmp_path / "results" / "baseline.json") == written
