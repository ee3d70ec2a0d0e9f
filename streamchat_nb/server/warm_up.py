"""What a server does once it serves: import what its first answer would wait for."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from streamchat_nb.errors import StreamchatError
from streamchat_nb.server.settled_memory import settled_memory

if TYPE_CHECKING:
    from streamchat_nb.agent.agent import Agent

__all__ = ["until_calm", "warm_up"]

logger = logging.getLogger(__name__)

STEP_S = 0.02
LATE_S = 0.02
CALM_S = 2.0
"""In less, those who wait for a server that is back have been noticed."""
LONGEST_WAIT_S = 15.0
"""Thousands are back by then; who asks meanwhile has the agent made ready at once."""


async def warm_up(agent: Agent) -> None:
    """Get an agent ready to answer; let the collector pass over what there is then.

    Clients that come back after a restart go first. Who asks before this has begun
    begins it.
    """
    with settled_memory():
        await until_calm(calm_s=CALM_S, timeout_s=LONGEST_WAIT_S)
        try:
            await agent.warm()
        except StreamchatError as error:
            logger.warning("The agent cannot answer yet: %s", error.message)


async def until_calm(*, calm_s: float, timeout_s: float) -> None:
    """Wait until the event loop keeps up with what comes.

    Importing an SDK on a thread takes seconds, and most of the loop's time meanwhile.

    Args:
        calm_s: How long it has to keep up, in seconds.
        timeout_s: Longest wait, in seconds.
    """
    loop = asyncio.get_running_loop()
    deadline = loop.time() + timeout_s
    calm_since = loop.time()
    while (begun := loop.time()) < min(deadline, calm_since + calm_s):
        await asyncio.sleep(STEP_S)
        if loop.time() - begun >= STEP_S + LATE_S:
            calm_since = loop.time()
