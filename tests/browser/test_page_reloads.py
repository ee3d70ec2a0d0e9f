from __future__ import annotations

import os

import pytest

from tests.soak.page_reloads import FAULT

SEED = int(os.environ.get("STREAMCHAT_FAULT_SEED", "1"))


@pytest.mark.timeout(600)
def test_nothing_is_lost_by_reloading_a_page() -> None:
    outcome = FAULT.happen(FAULT.in_ci, SEED)

    print(outcome)  # noqa: T201 - shown with a failure
    assert outcome.violations == []
    assert outcome.count >= FAULT.in_ci
