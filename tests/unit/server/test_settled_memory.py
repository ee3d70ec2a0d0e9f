from __future__ import annotations

import gc
from typing import TYPE_CHECKING

import pytest

from streamchat_nb.server.settled_memory import settled_memory

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(autouse=True)
def nothing_settled() -> Iterator[None]:
    gc.unfreeze()
    yield
    gc.unfreeze()


def test_collector_passes_over_what_was_there_and_finds_what_comes() -> None:
    before = gc.get_freeze_count()
    with settled_memory():
        settled = gc.get_freeze_count()
    assert settled > before + 10_000
    cycle: list[object] = []
    cycle.append(cycle)
    del cycle
    assert gc.collect() >= 1


def test_what_came_within_is_passed_over_as_well() -> None:
    with settled_memory():
        settled = gc.get_freeze_count()
        new: list[list[int]] = [[] for _ in range(1_000)]
    assert gc.get_freeze_count() > settled + len(new) - 100


def test_second_block_does_nothing() -> None:
    with settled_memory():
        pass
    settled = gc.get_freeze_count()
    new: list[list[int]] = [[] for _ in range(1_000)]
    with settled_memory():
        pass
    assert gc.get_freeze_count() <= settled
    assert len(new) == 1_000
