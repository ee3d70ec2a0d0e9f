"""The faults of the store find bugs: each of these is planted, and found."""

from __future__ import annotations

import asyncio
import subprocess
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest
from typing_extensions import override

from streamchat_nb.conversation.sqlite import SqliteStore
from streamchat_nb.errors import StoreError
from streamchat_nb.protocol.codec import decode_event
from tests.soak import store_locks
from tests.soak.clock_jumps import jump_clocks
from tests.soak.disk_full import fill_disks
from tests.soak.store_kills import kill_writers
from tests.soak.store_locks import lock_databases

if TYPE_CHECKING:
    from collections.abc import Sequence

    from streamchat_nb.conversation.store import Append, StoredEvent


@pytest.mark.parametrize(
    ("bug", "words"),
    [
        ("early", "are lost"),
        ("greedy", "is missing and said what no other says"),
    ],
)
def test_kills_find_what_is_not_kept(bug: str, words: str) -> None:
    outcome = kill_writers(16, 1, bug)

    assert any(words in violation for violation in outcome.violations)


class DeafStore(SqliteStore):
    """Does not hear that the disk is full."""

    @override
    async def append(self, batch: Sequence[Append]) -> None:
        with suppress(StoreError):
            await super().append(batch)


class ForgetfulStore(SqliteStore):
    """Once refused, leaves out a part of a batch."""

    refused = False

    @override
    async def append(self, batch: Sequence[Append]) -> None:
        try:
            await super().append(batch[1:] if self.refused else batch)
        except StoreError:
            self.refused = True
            raise


@pytest.mark.parametrize("store_type", [DeafStore, ForgetfulStore])
def test_full_disks_find_acks_of_what_is_not_kept(
    store_type: type[SqliteStore], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tests.soak.bustle.END_S", 2.0)

    outcome = fill_disks(2, 1, store_type)

    assert outcome.violations


def test_disk_is_filled_without_the_right_to_mount(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise OSError

    monkeypatch.setattr(subprocess, "run", refuse)

    outcome = fill_disks(3, 1)

    assert (outcome.count, outcome.violations) == (3, [])
    assert outcome.figures["by"] == "PageLimit"


class BlockingStore(SqliteStore):
    """Sleeps on the event loop while it waits for the disk."""

    @override
    async def append(self, batch: Sequence[Append]) -> None:
        writing = asyncio.ensure_future(super().append(batch))
        while not writing.done():
            await asyncio.sleep(0.005)
            if not writing.done():
                time.sleep(0.2)  # noqa: ASYNC251 - the bug
        await writing


def test_locks_find_a_loop_that_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store_locks, "LONGEST_S", 1.0)

    outcome = lock_databases(2, 1, BlockingStore)

    assert any("the loop came round" in words for words in outcome.violations)


class ClockStore(SqliteStore):
    """Believes the clock rather than the numbers."""

    @override
    async def read(
        self, conversation: str, after: int, **limits: int
    ) -> list[StoredEvent]:
        events = await super().read(conversation, after, **limits)
        return sorted(events, key=lambda event: decode_event(event.data).ts)


def test_clock_jumps_find_an_order_by_time() -> None:
    outcome = jump_clocks(20, 1, ClockStore)

    assert any("in disorder" in violation for violation in outcome.violations)
