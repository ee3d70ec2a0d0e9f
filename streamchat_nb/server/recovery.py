"""Ending the turns that a dead server left open."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from streamchat_nb.agent.closing import open_ends
from streamchat_nb.protocol.events import TurnFinished

if TYPE_CHECKING:
    from streamchat_nb.conversation.log import ConversationLog

__all__ = ["interrupt_open_turns"]

INTERRUPT_WAIT_S = 1.0


async def interrupt_open_turns(log: ConversationLog) -> None:
    """End what was left open by a server that died: nobody runs it any more.

    A store that cannot write now does not keep anybody from reading: the ends wait.
    """
    state = log.state
    ends: set[asyncio.Future[int]] = set()
    for turn in state.turns:
        if turn.status in ("queued", "running"):
            opened = open_ends(state, turn.turn, status="interrupted")
            finished = TurnFinished(turn=turn.turn, status="interrupted")
            ends.add(log.append(*opened, finished, durable=True))
    if ends:
        await asyncio.wait(ends, timeout=INTERRUPT_WAIT_S)
