"""All faults, in the order of the table."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.soak.outcome import Fault

__all__ = ["FAULTS"]

FAULTS: tuple[Fault, ...] = ()
