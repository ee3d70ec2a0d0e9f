"""All faults, in the order of the table."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.soak import (
    clock_jumps,
    cuts,
    disk_full,
    duplicate_sends,
    server_kills,
    store_kills,
    store_locks,
)

if TYPE_CHECKING:
    from tests.soak.outcome import Fault

__all__ = ["FAULTS"]

FAULTS: tuple[Fault, ...] = (
    cuts.FAULT,
    server_kills.FAULT,
    duplicate_sends.FAULT,
    store_kills.FAULT,
    disk_full.FAULT,
    store_locks.FAULT,
    clock_jumps.FAULT,
)
