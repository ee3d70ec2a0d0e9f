"""Scales and marks of a plot, as SVG that reads on light and on dark ground. Pure."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING
from xml.sax.saxutils import escape, quoteattr

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

__all__ = ["Scale", "document", "element", "linear_ticks", "log_ticks", "short", "text"]

_STYLE = """
text { font: 12px system-ui, sans-serif; fill: #1f2328 }
.title { font-size: 15px; font-weight: 600 }
.faint { fill: #59636e }
.rule { stroke: #d1d9e0; stroke-width: 1 }
.whisker { stroke: #1f2328; stroke-width: 1.5 }
.line { fill: none; stroke-width: 1.75; stroke-linejoin: round }
.ours { stroke-width: 3.5 }
.limit { stroke-dasharray: 6 4 }
.nothing { stroke-dasharray: 1.5 3 }
.value { paint-order: stroke; stroke: #fff; stroke-width: 4; fill: #59636e }
.even { stroke: #1f2328; stroke-width: 1.5 }
.goal { stroke: #1a7f37; stroke-width: 1.5; stroke-dasharray: 2 3 }
.moonshot { stroke: #8250df; stroke-width: 1.5; stroke-dasharray: 2 3 }
.c0 { --c: #0969da } .c1 { --c: #bc4c00 } .c2 { --c: #1a7f37 } .c3 { --c: #8250df }
.c4 { --c: #bf3989 } .c5 { --c: #9a6700 } .c6 { --c: #59636e } .c7 { --c: #1b7c83 }
.line { stroke: var(--c) } .bar, .key { fill: var(--c) }
@media (prefers-color-scheme: dark) {
  text { fill: #f0f6fc }
  .faint { fill: #9198a1 }
  .rule { stroke: #3d444d }
  .whisker { stroke: #f0f6fc }
  .value { fill: #9198a1; stroke: #0d1117 }
  .even { stroke: #f0f6fc }
  .goal { stroke: #3fb950 } .moonshot { stroke: #ab7df8 }
  .c0 { --c: #4493f8 } .c1 { --c: #f0883e } .c2 { --c: #3fb950 } .c3 { --c: #ab7df8 }
  .c4 { --c: #db61a2 } .c5 { --c: #d29922 } .c6 { --c: #9198a1 } .c7 { --c: #39c5cf }
}
"""
_FEWEST_DECADES = 1.2
_MOST_TICKS = 7


@dataclass(frozen=True, kw_only=True)
class Scale:
    """Where values lie on a line of pixels.

    Attributes:
        low: The value at ``start``.
        high: The value at ``end``; more than ``low``.
        start: A pixel.
        end: A pixel; may be before ``start``.
        is_log: By its logarithm; both values are above zero then.
    """

    low: float
    high: float
    start: float
    end: float
    is_log: bool = False

    def __call__(self, value: float) -> float:
        """Return the pixel of a value; of one outside, that of the nearest inside."""
        value = min(max(value, self.low), self.high)
        if self.is_log:
            part = math.log(value / self.low) / math.log(self.high / self.low)
        else:
            part = (value - self.low) / (self.high - self.low)
        return round(self.start + part * (self.end - self.start), 1)

    @property
    def ticks(self) -> list[float]:
        """Round values between ``low`` and ``high``."""
        ticks = log_ticks if self.is_log else linear_ticks
        return ticks(self.low, self.high)

    @staticmethod
    def around(
        values: Iterable[float], *, start: float, end: float, is_log: bool
    ) -> Scale:
        """Return a scale with room for values: from zero, or by their logarithm.

        A logarithm is of use, and is used, where they are above zero and far apart.
        """
        found = list(values)
        low, high = min(found), max(found)
        if is_log and low > 0 and math.log10(high / low) > _FEWEST_DECADES:
            return Scale(
                low=low / 1.15, high=high * 1.15, start=start, end=end, is_log=True
            )
        most = high * 1.05 if high > 0 else 1.0
        return Scale(low=min(0.0, low), high=most, start=start, end=end)


def linear_ticks(low: float, high: float) -> list[float]:
    """Return round values at equal distances, a handful."""
    rough = (high - low) / 5
    power = 10 ** math.floor(math.log10(rough))
    step = next(
        factor * power for factor in (1, 2, 5, 10) if factor * power >= rough * 0.999
    )
    first = math.ceil(low / step - 1e-9)
    last = math.floor(high / step + 1e-9)
    return [round(number * step, 12) for number in range(first, last + 1)]


def log_ticks(low: float, high: float) -> list[float]:
    """Return powers of ten, with their doubles and fives where there are few."""
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    for factors in ((1, 2, 5), (1, 3), (1,)):
        ticks = [factor * 10.0**power for power in powers for factor in factors]
        inside = [round(tick, 12) for tick in ticks if low <= tick <= high]
        if len(inside) <= _MOST_TICKS:
            return inside
    return inside[:: math.ceil(len(inside) / _MOST_TICKS)]


def short(value: float) -> str:
    """Return a number with three digits that count."""
    if value and abs(value) < 1:
        digits = 2 - math.floor(math.log10(abs(value)))
        return f"{value:.{digits}f}".rstrip("0")
    size = abs(value)
    for limit, decimals in ((9.995, 2), (99.95, 1)):
        if size < limit:
            return f"{value:.{decimals}f}".rstrip("0").rstrip(".")
    return f"{value:,.0f}"


def element(name: str, content: str = "", **attributes: object) -> str:
    """Return an element; ``_`` in the name of an attribute is a hyphen.

    Args:
        name: Of the element.
        content: Inside it, markup already.
        attributes: Its attributes; ``class_`` is ``class``.
    """
    written = "".join(
        f" {key.rstrip('_').replace('_', '-')}={quoteattr(str(value))}"
        for key, value in attributes.items()
    )
    return f"<{name}{written}>{content}</{name}>" if content else f"<{name}{written}/>"


def text(content: str, x: float, y: float, **attributes: object) -> str:
    """Return a line of text."""
    return element("text", escape(content), x=x, y=y, **attributes)


def document(
    marks: Sequence[str], *, title: str, description: str, width: int, height: int
) -> str:
    """Return a whole SVG file.

    Args:
        marks: Its elements.
        title: What it shows, for those who cannot see it.
        description: What there is to see, in words.
        width: In pixels.
        height: In pixels.
    """
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
        f'width="{width}" height="{height}" role="img" aria-labelledby="t d">'
    )
    inside = [
        element("title", escape(title), id="t"),
        element("desc", escape(description), id="d"),
        f"<style>{_STYLE}</style>",
        *marks,
    ]
    return "\n".join([head, *inside, "</svg>", ""])
