"""An agent that streams a text of the benchmark, so many pieces a second."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

from benchmarks.rendering.texts import TEXTS

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from streamchat_nb.agent.function_agent import FunctionTurn

__all__ = ["RATE_HZ", "SHORT_ANSWER", "streamed"]

RATE_HZ = 60.0
SHORT_ANSWER = (
    "It grows with the **count**, as `total` says:\n\n- first point\n- second point\n"
)
"""What everything is answered by that is not to be streamed."""


async def streamed(turn: FunctionTurn) -> AsyncIterator[str]:
    """Stream the text of the benchmark that the message names; else answer shortly."""
    text = next((text for text in TEXTS if text.name == turn.text), None)
    if text is None:
        yield SHORT_ANSWER
        return
    async for piece in paced(text.pieces):
        yield piece


async def paced(pieces: Sequence[str]) -> AsyncIterator[str]:
    """Yield each piece when it is due: one that is late makes no other late."""
    began = time.monotonic()
    for number, piece in enumerate(pieces):
        await asyncio.sleep(max(0.0, began + number / RATE_HZ - time.monotonic()))
        yield piece
