from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from tests.soak.faults import FAULTS
from tests.soak.outcome import Fault, Outcome

if TYPE_CHECKING:
    from collections.abc import Callable

SEED = int(os.environ.get("STREAMCHAT_FAULT_SEED", "1"))


@pytest.mark.parametrize(
    "fault",
    [fault for fault in FAULTS if not fault.needs_browser],
    ids=lambda fault: fault.name.replace(" ", "_"),
)
def test_nothing_is_lost_under(fault: Fault) -> None:
    outcome = fault.happen(fault.in_ci, SEED)

    print(outcome)  # noqa: T201 - shown with a failure
    assert outcome.violations == []
    assert outcome.count >= fault.in_ci


def fault_that(run: Callable[[int, int], Outcome]) -> Fault:
    return Fault(name="a fault", in_ci=2, in_soak=3, run=run)


def test_fault_that_breaks_off_is_a_violation() -> None:
    def run(_count: int, _seed: int) -> Outcome:
        raise TimeoutError("no answer")

    outcome = fault_that(run).happen(2, SEED)

    assert outcome.violations == ["it broke off: TimeoutError: no answer"]


def test_fault_that_ends_early_is_a_violation() -> None:
    outcome = fault_that(
        lambda _count, _seed: Outcome(fault="a fault", count=1)
    ).happen(2, SEED)

    assert outcome.violations == ["it happened 1 times in place of 2"]
