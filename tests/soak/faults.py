"""All faults, in the order of the table."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.soak import (
    canaries,
    cancel_races,
    clock_jumps,
    cuts,
    disk_full,
    duplicate_sends,
    injection,
    kernel_restarts,
    late_joiners,
    misbehaving_tools,
    page_reloads,
    server_kills,
    stalled_readers,
    store_kills,
    store_locks,
    terminations,
)

if TYPE_CHECKING:
    from tests.soak.outcome import Fault

__all__ = ["FAULTS"]

FAULTS: tuple[Fault, ...] = (
    cuts.FAULT,
    server_kills.FAULT,
    duplicate_sends.FAULT,
    cancel_races.FAULT,
    late_joiners.FAULT,
    stalled_readers.FAULT,
    terminations.FAULT,
    store_kills.FAULT,
    disk_full.FAULT,
    store_locks.FAULT,
    clock_jumps.FAULT,
    page_reloads.FAULT,
    kernel_restarts.FAULT,
    misbehaving_tools.FAULT,
    injection.FAULT,
    canaries.FAULT,
)
