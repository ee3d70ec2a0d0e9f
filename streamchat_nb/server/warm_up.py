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
CALM_STEPS = 15
"""0.3 s: in less, thousands who wait for a server that is back have been noticed."""
LONGEST_WAIT_S = 15.0
"""Thousands are back by then; who asks meanwhile has the agent made ready at once."""


async def warm_up(agent: Agent) -> None:
    """Get an agent ready to answer; let the collector pass over what there is then.

    Clients that come back after a restart go first. Who asks before this has begun
    begins it.
    """
    with settled_memory():
        await until_calm(timeout_s=LONGEST_WAIT_S)
        try:
            await agent.warm()
        except StreamchatError as error:
            logger.warning("The agent cannot answer yet: %s", error.message)


async def until_calm(*, timeout_s: float) -> None:
    """Wait until the event loop keeps up with what comes.

    Importing an SDK on a thread takes seconds, and half of the loop's time meanwhile.

    Args:
        timeout_s: Longest wait, in seconds.
    """
    loop = asyncio.get_running_loop()
    deadline = loop.time() + timeout_s
    steps = 0
    while steps < CALM_STEPS and (begun := loop.time()) < deadline:
        await asyncio.sleep(STEP_S)
        steps = steps + 1 if loop.time() - begun < STEP_S + LATE_S else 0
