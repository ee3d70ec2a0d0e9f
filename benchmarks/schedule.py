"""In which order axes are measured, and about how long each takes. Pure.

A run of everything has 35 minutes, on a quiet machine of two cores. The seconds are of
all contenders, with what is installed in place; a test adds them up.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = [
    "COSTS",
    "MOST_S",
    "REPEATS",
    "Cost",
    "Progress",
    "expected_s",
    "in_order",
    "longest_s",
]

MOST_S = 35 * 60.0
"""What a run of everything may take."""
REPEATS = 3
"""Of each axis, unless more or fewer are asked for."""
PATIENCE = 3.0
LEAST_PATIENCE_S = 300.0


@dataclass(frozen=True, kw_only=True)
class Cost:
    """What a module of axes takes.

    Attributes:
        once_s: Seconds however often it is repeated: starts, warming up, what is
            measured only once.
        each_s: Seconds for each repeat.
    """

    once_s: float
    each_s: float

    def seconds(self, repeats: int) -> float:
        """Return what so many repeats take."""
        return self.once_s + repeats * self.each_s


COSTS = {
    "latency": Cost(once_s=35, each_s=78),
    "capacity": Cost(once_s=110, each_s=40),
    "fan_out": Cost(once_s=40, each_s=26),
    "wire_bytes": Cost(once_s=85, each_s=26),
    "disk_bytes": Cost(once_s=40, each_s=33),
    "connects": Cost(once_s=30, each_s=16),
    "idle_sockets": Cost(once_s=0, each_s=48),
    "reconnects": Cost(once_s=320, each_s=0),
    "start_up": Cost(once_s=15, each_s=17),
    "growth": Cost(once_s=105, each_s=0),
    "rendering": Cost(once_s=280, each_s=24),
    "parts": Cost(once_s=0, each_s=35),
}
"""By the names of the modules, in the order in which they are measured."""
FEW_MINUTES = 2
UNKNOWN = Cost(once_s=30, each_s=30)


def expected_s(names: Iterable[str], repeats: int) -> float:
    """Return about how many seconds modules of axes take."""
    return sum(COSTS.get(name, UNKNOWN).seconds(repeats) for name in names)


def longest_s(name: str, repeats: int) -> float:
    """Return after how many seconds a module of axes is given up."""
    return max(LEAST_PATIENCE_S, PATIENCE * expected_s([name], repeats))


def in_order(names: Iterable[str]) -> list[str]:
    """Return names in the order in which they are measured, unknown ones last."""
    order = list(COSTS)
    return sorted(
        names, key=lambda name: order.index(name) if name in COSTS else len(order)
    )


class Progress:
    """How far a run has come, in words.

    Args:
        names: What is measured, in this order.
        repeats: Of each.
    """

    def __init__(self, names: Iterable[str], repeats: int) -> None:
        self._left = list(names)
        self._count = len(self._left)
        self._repeats = repeats
        self._expected_s = self._taken_s = 0.0

    def begins(self, name: str) -> str:
        """Return what to say of a module that begins."""
        number = self._count - len(self._left) + 1
        return f"{name} … ({number} of {self._count}, about {self._time([name])})"

    def ended(self, name: str, seconds: float, outcome: str) -> str:
        """Return what to say of a module that has ended.

        Args:
            name: Of the module.
            seconds: That it took.
            outcome: In words.
        """
        self._left.remove(name)
        self._expected_s += expected_s([name], self._repeats)
        self._taken_s += seconds
        left = f"; about {self._time(self._left)} left" if self._left else ""
        return f"{name}: {outcome} in {seconds:.0f} s{left}"

    def _time(self, names: Iterable[str]) -> str:
        """Return how long modules take, as slow as it has been so far."""
        slowness = self._taken_s / self._expected_s if self._taken_s else 1.0
        seconds = slowness * expected_s(names, self._repeats)
        minutes = seconds / 60
        return f"{minutes:.0f} min" if minutes >= FEW_MINUTES else f"{seconds:.0f} s"
