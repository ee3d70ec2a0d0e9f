"""What was measured: axes, and the values of contenders along them."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

__all__ = ["Axis", "Measurement"]


@dataclass(frozen=True, kw_only=True)
class Axis:
    """One thing that contenders are compared by.

    Attributes:
        name: Unique over all axes, in snake case: names it in files and options.
        title: The same for people, as a row of a table.
        unit: Of the values, for example ``ms``, ``tokens/s``, ``kB``.
        less_is_better: Whether the smaller value wins.
        ahead: The value that leaves the peers behind; ``None`` where there is none.
        moonshot: The value aimed at; ``None`` where there is none.
        quick_title: The title where a quick run measures something smaller, of which
            the goals say nothing; empty where it measures the same.
    """

    name: str
    title: str
    unit: str
    less_is_better: bool = True
    ahead: float | None = None
    moonshot: float | None = None
    quick_title: str = ""

    def in_quick_run(self) -> Axis:
        """Return the axis as a quick run measures it."""
        if not self.quick_title:
            return self
        return replace(self, title=self.quick_title, ahead=None, moonshot=None)


@dataclass(frozen=True, kw_only=True)
class Measurement:
    """What one contender did along one axis.

    Attributes:
        axis: Name of the axis.
        contender: Name of the contender.
        values: One for each repeat, in the axis's unit, in the order measured. Empty
            where it could not do what was asked at all; ``detail["failure"]`` says why.
        detail: What explains or draws the values: counts of errors, quantiles, texts.
        load_before: Cores that others kept busy on this machine just before the first
            repeat; 0.0 on a quiet one.
    """

    axis: str
    contender: str
    values: tuple[float, ...]
    detail: dict[str, float | str | list[float]] = field(
        default_factory=dict[str, float | str | list[float]]
    )
    load_before: float = 0.0
