"""Texts of the offline demo: samples of Markdown, filler, and what ``/demo`` does."""

from __future__ import annotations

from typing import Final

__all__ = ["DEMOS", "SAMPLES", "filler"]

DEMOS: Final = {
    "error": "the endpoint reports an error in the middle of its answer",
    "cut": "the connection ends in the middle of the answer",
    "stall": "the answer stops coming although the connection stays",
    "slow": "an answer that takes its time; `/demo slow 0.5` sets seconds per word",
    "long": "a long answer; `/demo long 2000` sets the number of words",
    "refusal": "the model declines to answer",
    "badjson": "the model calls a tool with broken arguments, so it does not run",
}

_TABLE = """\
A table:

| engine | year | parts | digits |
|:--|--:|--:|--:|
| Difference Engine No. 1 | 1822 | 25,000 | 20 |
| Analytical Engine | 1837 | 50,000 | 40 |
| Difference Engine No. 2 | 1847 | 8,000 | 31 |

The columns are aligned left and right, as the dashes ask."""

_CODE = """\
A function, and how to call it:

```python
from fractions import Fraction


def bernoulli(count: int) -> list[Fraction]:
    \"\"\"Return the first Bernoulli numbers.\"\"\"
    row, numbers = [], []
    for m in range(count):
        row.append(Fraction(1, m + 1))
        for j in range(m, 0, -1):
            row[j - 1] = j * (row[j - 1] - row[j])
        numbers.append(row[0])
    return numbers
```

Then `bernoulli(9)[8]` is `Fraction(-1, 30)`."""

_MATH = """\
Inline, $e^{i\\pi} + 1 = 0$, and on its own line:

$$
\\sum_{k=1}^{n} k^2 = \\frac{n(n+1)(2n+1)}{6}
$$

Both stay readable where no math is set."""

_LINKS = """\
Links open in a new tab, after a click:

- [The Jupyter project](https://jupyter.org)
- [Ada Lovelace on Wikipedia](https://en.wikipedia.org/wiki/Ada_Lovelace)
- a mail address: [ada@example.com](mailto:ada@example.com)"""

_LISTS = """\
Lists, one in the other:

1. Read the card
   - check its holes
   - turn the barrel
2. Move the columns
3. Print

> A quotation, with **bold**, *italic* and `code`."""

_EVERYTHING = f"{_LISTS}\n\n{_TABLE}\n\n{_CODE}\n\n{_MATH}\n\n{_LINKS}"

SAMPLES: Final = {
    "tables": _TABLE,
    "code": _CODE,
    "math": _MATH,
    "maths": _MATH,
    "formulas": _MATH,
    "links": _LINKS,
    "lists": _LISTS,
    "markdown": _EVERYTHING,
    "everything": _EVERYTHING,
    "buttons": "Buttons come with the result of a tool, and I have none to search "
    "with here.",
}
"""Markdown by what a user asks to be shown."""

_SENTENCES = (
    "The engine weaves patterns of numbers as a loom weaves leaves and flowers.",
    "Every card is read once, in order, and its holes are the whole instruction.",
    "A wheel turns, a carry ripples to the left, and the sum stands in the store.",
    "Nothing is lost between two turns of the handle: the columns remember.",
    "What was asked is answered, what was not asked is left alone.",
)
_SENTENCES_IN_PARAGRAPH = 4


def filler(words: int) -> str:
    """Return that many words of plain sentences, in paragraphs."""
    paragraphs: list[str] = []
    sentence = 0
    while words > 0:
        paragraph: list[str] = []
        for _ in range(_SENTENCES_IN_PARAGRAPH):
            part = _SENTENCES[sentence % len(_SENTENCES)].split()[:words]
            paragraph += part
            words -= len(part)
            sentence += 1
        paragraphs.append(" ".join(paragraph))
    return "\n\n".join(paragraphs)
