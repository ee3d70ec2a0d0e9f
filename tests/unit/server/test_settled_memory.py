from __future__ import annotations

import gc
from typing import TYPE_CHECKING

import pytest

from streamchat_nb.server.settled_memory import settle_memory

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(autouse=True)
def nothing_settled() -> Iterator[None]:
    gc.unfreeze()
    yield
    gc.unfreeze()


def test_collector_passes_over_what_was_there_and_finds_what_comes() -> None:
    before = gc.get_freeze_count()
    settle_memory()
    settled = gc.get_freeze_count()
    assert settled > before + 10_000
    cycle: list[object] = []
    cycle.append(cycle)
    del cycle
    assert gc.collect() >= 1


def test_second_call_does_nothing() -> None:
    settle_memory()
    settled = gc.get_freeze_count()
    new: list[list[int]] = [[] for _ in range(1_000)]
    settle_memory()
    assert gc.get_freeze_count() <= settled
    assert len(new) == 1_000
