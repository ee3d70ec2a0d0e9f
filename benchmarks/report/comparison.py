"""Each axis: this product, its best peer, its goals. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from benchmarks.report.spread import Spread, spread_of, times_better
from benchmarks.rig.contenders import CONTENDERS, OURS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from benchmarks.report.record import Group
    from benchmarks.rig.measurement import Axis, Measurement

__all__ = ["LIMITS", "Comparison", "Standing", "compared", "titled"]

LIMITS = frozenset(one.name for one in CONTENDERS if one.is_limit)
"""Not peers: what the machine allows to whoever does none of a chat's work."""


@dataclass(frozen=True, kw_only=True)
class Standing:
    """One contender on one axis.

    Attributes:
        contender: Its name.
        spread: Of what was measured; of all of its measurements on this axis.
        ours_better: How many times better this product is; ``None`` for itself, and
            where there is no such number.
        note: What has to be known of it; may be empty.
    """

    contender: str
    spread: Spread
    ours_better: Spread | None
    note: str = ""


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """All contenders on one axis, the best first.

    Attributes:
        axis: What was measured.
        standings: One for each contender that was measured.
        failures: Why there is nothing of the others that were tried.
    """

    axis: Axis
    standings: list[Standing]
    failures: dict[str, str]

    @property
    def ours(self) -> Standing | None:
        """This product's."""
        own = (one for one in self.standings if one.contender == OURS)
        return next(own, None)

    @property
    def best_peer(self) -> Standing | None:
        """The best of those that do the same work: limits do not."""
        aside = LIMITS | {OURS}
        peers = (one for one in self.standings if one.contender not in aside)
        return next(peers, None)

    @property
    def is_ahead(self) -> bool | None:
        """Whether the median is better than the best peer's; ``None``: no peer."""
        peer, ours = self.best_peer, self.ours
        if peer is None or ours is None:
            return None
        if peer.ours_better is not None:
            return peer.ours_better.median > 1
        return self._is_better(ours.spread.median, peer.spread.median)

    def reaches(self, goal: float | None) -> bool | None:
        """Whether the median is better than a goal; ``None`` where there is none."""
        if goal is None or self.ours is None:
            return None
        return self._is_better(self.ours.spread.median, goal)

    @property
    def is_short(self) -> bool:
        """Whether a peer or a goal is not reached, and a reason is owed."""
        axis = self.axis
        marks = (self.reaches(axis.ahead), self.reaches(axis.moonshot), self.is_ahead)
        return False in marks or self.ours is None

    def _is_better(self, value: float, other: float) -> bool:
        return value < other if self.axis.less_is_better else value > other


def titled(axis: Axis) -> str:
    """Return the title of an axis as a line of its own begins: with a capital."""
    return axis.title[:1].upper() + axis.title[1:]


def compared(groups: Iterable[Group]) -> list[Comparison]:
    """Compare on all axes on which something was measured, in their order."""
    comparisons = [
        _compared(axis, [one for one in group.measurements if one.axis == axis.name])
        for group in groups
        for axis in group.axes
    ]
    return [one for one in comparisons if one.standings or one.failures]


def _compared(axis: Axis, measurements: list[Measurement]) -> Comparison:
    values: dict[str, list[float]] = {}
    notes: dict[str, str] = {}
    for one in measurements:
        values.setdefault(one.contender, []).extend(one.values)
        if note := one.detail.get("note"):
            notes[one.contender] = str(note)
    ours = values.get(OURS, [])
    standings = [
        Standing(
            contender=name,
            spread=spread_of(theirs),
            ours_better=None
            if name == OURS
            else times_better(ours, theirs, less_is_better=axis.less_is_better),
            note=notes.get(name, ""),
        )
        for name, theirs in values.items()
        if theirs
    ]
    standings.sort(key=lambda one: one.spread.median, reverse=not axis.less_is_better)
    failures = {
        one.contender: str(one.detail.get("failure", "nothing was measured"))
        for one in measurements
        if not values[one.contender]
    }
    return Comparison(axis=axis, standings=standings, failures=failures)
