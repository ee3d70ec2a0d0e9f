"""The four texts of ``frontend/bench/texts.ts``, the same to the letter."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["TEXTS", "BenchText"]

_SENTENCE = (
    "The table below shows **how** the `value` of each [item](https://example.com/a)"
    " grows over time, with *some* care. "
)


@dataclass(frozen=True, kw_only=True)
class BenchText:
    """A text to stream.

    Attributes:
        name: In words.
        text: Markdown.
        chunks: How many pieces it comes in, of one length but for the last.
        goal_ms: What all of it may cost on the main thread.
    """

    name: str
    text: str
    chunks: int
    goal_ms: float

    @property
    def pieces(self) -> list[str]:
        """The text, cut."""
        size = -(-len(self.text) // self.chunks)
        return [self.text[at : at + size] for at in range(0, len(self.text), size)]


def _section(number: int) -> str:
    points = "- first point about the matter\n- second point, with `code`\n"
    code = "    for i in range(x):\n        total += i * x\n    return total\n"
    head = "| name | count | note |\n|------|------:|------|\n"
    return "\n".join(
        [
            f"## Part {number}\n",
            f"{_SENTENCE * 3}\n",
            f"{points}  - nested point\n- third point\n",
            f"{_SENTENCE * 2}\n",
            f"```python\ndef part(x: int) -> int:\n    total = 0\n{code}```\n",
            f"{head}| Ada | 12 | **first** |\n| Grace | 7 | `x` |\n",
            f"> {_SENTENCE}\n",
        ]
    )


def _item(number: int) -> str:
    return f"- item **{number}** with `code` and words\n"


def _statement(number: int) -> str:
    return f"    total_{number} = compute(total_{number - 1}, rate=0.5)\n"


def _repeat_to(length: int, piece: Callable[[int], str]) -> str:
    text, number = "", 1
    while len(text) < length:
        text += piece(number)
        number += 1
    return text[:length]


TEXTS = (
    BenchText(
        name="20 kB document",
        chunks=589,
        goal_ms=150,
        text=_repeat_to(20_000, _section),
    ),
    BenchText(
        name="200 kB document",
        chunks=2986,
        goal_ms=2000,
        text=_repeat_to(200_000, _section),
    ),
    BenchText(
        name="20 kB list", chunks=589, goal_ms=300, text=_repeat_to(20_000, _item)
    ),
    BenchText(
        name="200 kB code block",
        chunks=2986,
        goal_ms=2000,
        text=f"```python\n{_repeat_to(200_000, _statement)}",
    ),
)
