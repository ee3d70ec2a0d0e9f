"""An agent that streams a text with everything that moves a page, piece by piece."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from streamchat_nb.agent.function_agent import FunctionTurn

STEPS = [f'    total_{at} = compute("{at}", rate=0.5)  # step' for at in range(40)]
CODE = "\n".join(STEPS)
TEXT = f"""# A streamed answer

It begins with **words**, a formula $a^2 + b^2 = c^2$ and a claim[^1].

$$
\\frac{{1}}{{n}} \\sum_{{i=1}}^{{n}} x_i
$$

- [x] one thing
- [ ] another
  - nested

| name | count |
|------|------:|
| Ada  | 12 |
| Grace | 7 |

```python
{CODE}
```

```diff
-old line
+new line
```

{"A paragraph that is long enough for lines to wrap, several times over. " * 12}

## The end

[^1]: The source of it.
"""
PIECE = 32


async def streamed(turn: FunctionTurn) -> AsyncIterator[str]:
    """Stream the text, twice over when asked for more."""
    text = TEXT * 2 if turn.text == "more" else TEXT
    for at in range(0, len(text), PIECE):
        yield text[at : at + PIECE]
        await asyncio.sleep(0.01)
