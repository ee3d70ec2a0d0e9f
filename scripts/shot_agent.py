"""The agent that the pictures of the docs are taken of: it answers by fixed scenes.

What a scene leaves open stays open until somebody stops it.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from streamchat_nb import tool
from streamchat_nb.agent.function_agent import (
    Action,
    Status,
    Thinking,
    ToolEnd,
    ToolNews,
    ToolStart,
)
from streamchat_nb.errors import ModelError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from streamchat_nb.agent.answer_parts import AnswerPart
    from streamchat_nb.agent.function_agent import FunctionTurn

    Scene = Callable[[FunctionTurn], AsyncIterator[AnswerPart]]

__all__ = ["FIRST_TABLE", "SCENES", "guide", "send_report"]

OPEN_S = 600.0
WORD_S = 0.045

FIRST_TABLE = """\
Sales grew in **three of four regions**. The north-east did best; the west lost a \
little of what it had gained in spring.

| Region | Orders | Revenue | Change |
|---|---:|---:|---:|
| North-east | 1,284 | $ 92,410 | +14 % |
| South | 1,102 | $ 80,077 | +9 % |
| Midwest | 967 | $ 61,930 | +3 % |
| West | 1,045 | $ 74,218 | -2 % |

- The **average order** is $ 70.15, up from $ 66.80.
- [ ] Ask the west why returns doubled in May
- [x] Leave out orders that were cancelled
"""
_STREAMED = """\
A **moving average** smooths a series: each point becomes the mean of the last *n*.

```python
def moving_average(values: list[float], size: int) -> list[float]:
    total = sum(values[:size])
    means = [total / size]
    for old, new in zip(values, values[size:]):
        total += new - old
        means.append(total / size)
    return means
```

It goes through the list once, whatever the window"""
_LONG_CODE = '''\
One module does it: it reads the file in pieces, so that its size does not matter.

```python
"""Find the busiest hours of a log, however long it is."""

from __future__ import annotations

import sys
from collections import Counter
from datetime import datetime
from pathlib import Path
from typing import Iterator


def hours(path: Path) -> Iterator[datetime]:
    """Yield the hour of each line that begins with a time."""
    with path.open(encoding="utf-8", errors="replace") as lines:
        for line in lines:
            stamp, _, rest = line.partition(" ")
            try:
                time = datetime.fromisoformat(stamp)
            except ValueError:
                continue  # a line that belongs to the one above it
            if rest.strip():
                yield time.replace(minute=0, second=0, microsecond=0)


def busiest(path: Path, most: int = 5) -> list[tuple[datetime, int]]:
    """Return the hours with the most lines, the busiest first."""
    return Counter(hours(path)).most_common(most)


if __name__ == "__main__":
    for hour, count in busiest(Path(sys.argv[1])):
        print(f"{hour:%Y-%m-%d %H:00}  {count:>8,}")
```

Run it as `python busiest.py server.log`.
'''
_MATH = r"""
The **normal distribution** has the density

$$
f(x) = \frac{1}{\sigma\sqrt{2\pi}}
  e^{-\frac{1}{2}\left(\frac{x-\mu}{\sigma}\right)^2}
$$

where $\mu$ is the mean and $\sigma^2$ the variance. It has no antiderivative, but

$$
\int_{-\infty}^{\infty} e^{-x^2}\,dx = \sqrt{\pi}
\qquad\text{and}\qquad
\sum_{k=1}^{n} k = \frac{n(n+1)}{2}.
$$

About 68 % of the values lie within $\mu \pm \sigma$.
"""
_SORTED = """\
Use `sorted` with a key: it is stable, so equal names keep their order.

```python
people = sorted(people, key=lambda person: person.name.casefold())
```
"""
_ARABIC = """\
نمت المبيعات في **ثلاث من أربع مناطق**، وكان الشمال الشرقي هو الأفضل.

| المنطقة | الطلبات | الإيرادات |
|---|---:|---:|
| الشمال الشرقي | 1284 | 92410 |
| الجنوب | 1102 | 80077 |
| الغرب | 1045 | 74218 |

1. متوسط الطلب هو `70.15` دولارًا.
2. استُبعدت الطلبات الملغاة.
"""


@tool(risk="write", label="Sending the report…")
def send_report(to: str, subject: str, body: str) -> str:
    """Send the report by mail.

    Args:
        to: Who gets it.
        subject: The mail's subject.
        body: The mail's text.
    """
    return f"Sent to {to}: {subject} ({len(body)} characters)."


async def guide(turn: FunctionTurn) -> AsyncIterator[AnswerPart]:
    """Answers with what the docs show."""
    scene = SCENES.get(turn.text.strip(), _plain)
    async for part in scene(turn):
        yield part


async def _plain(_: FunctionTurn) -> AsyncIterator[AnswerPart]:
    yield _SORTED


async def _think(_: FunctionTurn) -> AsyncIterator[AnswerPart]:
    yield Thinking("The table has one row for each order. First I group it by region.")
    await asyncio.sleep(OPEN_S)


async def _stream(_: FunctionTurn) -> AsyncIterator[AnswerPart]:
    yield _STREAMED
    await asyncio.sleep(OPEN_S)


async def _use_tools(_: FunctionTurn) -> AsyncIterator[AnswerPart]:
    yield "I load the orders and the list of returns side by side.\n\n"
    yield ToolStart("orders", "load_orders", {"quarter": "Q2", "columns": ["region"]})
    yield ToolStart("returns", "load_returns", {"quarter": "Q2"})
    await asyncio.sleep(10 * WORD_S)
    yield ToolEnd("orders", "4,398 orders in 4 regions.")
    for page in (1, 2, 3):
        yield ToolNews("returns", f"page {page} of 5", page / 5)
    await asyncio.sleep(OPEN_S)


async def _ask_first(turn: FunctionTurn) -> AsyncIterator[AnswerPart]:
    yield "The report is ready. It goes to the whole team."
    await turn.call(
        "send_report",
        to="team@example.org",
        subject="Sales, second quarter",
        body="Sales grew in three of four regions.\nThe north-east did best: +14 %.",
    )


async def _fail(_: FunctionTurn) -> AsyncIterator[AnswerPart]:
    yield "Three of the four files are read. The last one is"
    await asyncio.sleep(WORD_S)
    raise ModelError(
        "The model's server is overloaded. Wait a moment, then ask again.",
        code="model_overloaded",
        retryable=True,
    )


async def _table(_: FunctionTurn) -> AsyncIterator[AnswerPart]:
    yield FIRST_TABLE
    yield Action(kind="button", label="By month", send="And by month?")
    yield Action(kind="link", label="Report", href="https://example.org/report")


async def _long_code(_: FunctionTurn) -> AsyncIterator[AnswerPart]:
    yield _LONG_CODE


async def _math(_: FunctionTurn) -> AsyncIterator[AnswerPart]:
    yield _MATH


async def _arabic(_: FunctionTurn) -> AsyncIterator[AnswerPart]:
    yield _ARABIC


async def _story(_: FunctionTurn) -> AsyncIterator[AnswerPart]:
    """What the recording shows: thoughts, two tools, and an answer word by word."""
    yield Thinking("Group the orders by region, then compare with the first quarter.")
    await asyncio.sleep(0.7)
    yield ToolStart("orders", "load_orders", {"quarter": "Q2"})
    yield ToolStart("returns", "load_returns", {"quarter": "Q2"})
    for page in range(1, 6):
        await asyncio.sleep(0.3)
        yield ToolNews("orders", f"page {page} of 5", page / 5)
        yield ToolNews("returns", f"page {page} of 8", page / 8)
    yield ToolEnd("orders", "4,398 orders in 4 regions.")
    for page in range(6, 9):
        await asyncio.sleep(0.2)
        yield ToolNews("returns", f"page {page} of 8", page / 8)
    yield ToolEnd("returns", "212 returns.")
    yield Status("Writing…", phase="responding")
    for word in FIRST_TABLE.split(" "):
        await asyncio.sleep(WORD_S)
        yield f"{word} "
    yield Action(kind="button", label="By month", send="And by month?")
    yield Action(kind="link", label="Report", href="https://example.org/report")


SCENES: dict[str, Scene] = {
    "Why did sales grow?": _think,
    "How do I smooth a series?": _stream,
    "Compare orders and returns of the second quarter.": _use_tools,
    "Send the report to the team.": _ask_first,
    "Read the four files.": _fail,
    "How did sales do by region?": _table,
    "Find the busiest hours of a log.": _long_code,
    "What is the normal distribution?": _math,
    "كيف كانت المبيعات حسب المنطقة؟": _arabic,
    "How were sales in the second quarter?": _story,
}
