"""Medians, and how far what was measured is spread. Pure."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import product
from statistics import median, quantiles
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Spread", "quantile_points", "spread_of", "times_better"]


@dataclass(frozen=True, kw_only=True)
class Spread:
    """What several repeats gave.

    Attributes:
        low: The least.
        median: The middle.
        high: The most.
        repeats: How many there were.
    """

    low: float
    median: float
    high: float
    repeats: int

    @property
    def width(self) -> float:
        """How many times the least the most is; infinite where that is nothing."""
        return self.high / self.low if self.low > 0 else math.inf


def spread_of(values: Sequence[float]) -> Spread:
    """Return the spread of at least one value."""
    return Spread(
        low=min(values), median=median(values), high=max(values), repeats=len(values)
    )


def times_better(
    ours: Sequence[float], theirs: Sequence[float], *, less_is_better: bool
) -> Spread | None:
    """Return how many times better we are; below 1 is worse.

    Repeats that were measured side by side are compared with each other, so that what
    slowed the machine down for both does not count.

    Args:
        ours: One value for each repeat.
        theirs: Theirs, from the same repeats; of another number: each is compared
            with each.
        less_is_better: Whether the smaller value is the better one.

    Returns:
        ``None`` where there is no such number: something is zero, or missing.
    """
    if not ours or not theirs or min(*ours, *theirs) <= 0:
        return None
    same = len(ours) == len(theirs)
    pairs = zip(ours, theirs, strict=True) if same else product(ours, theirs)
    ratios = [
        theirs_one / ours_one if less_is_better else ours_one / theirs_one
        for ours_one, theirs_one in pairs
    ]
    of_all = spread_of(ratios)
    return Spread(
        low=of_all.low,
        median=of_all.median,
        high=of_all.high,
        repeats=min(len(ours), len(theirs)),
    )


def quantile_points(samples: Sequence[float], count: int = 200) -> list[float]:
    """Return the least, the most and what lies evenly between: at most ``count + 1``.

    So few keep the shape of a distribution, whatever was measured.
    """
    if len(samples) <= count:
        return sorted(samples)
    between = quantiles(samples, n=count, method="inclusive")
    return [min(samples), *between, max(samples)]
