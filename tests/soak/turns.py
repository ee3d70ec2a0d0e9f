"""Conversations to write while something goes wrong, and readers who follow them."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from streamchat_nb.conversation.store import ConversationRecord
from streamchat_nb.protocol.content import Author, TextBlock
from streamchat_nb.protocol.events import (
    BlockDelta,
    BlockStarted,
    ConversationCreated,
    MessageCompleted,
    MessageCreated,
    ToolCompleted,
    ToolProgress,
    ToolRequested,
    TurnFinished,
    TurnStarted,
)

if TYPE_CHECKING:
    import random
    from collections.abc import Callable

    from streamchat_nb.conversation.log import ConversationLog, LogWriter
    from streamchat_nb.conversation.store import StoredEvent

__all__ = ["follow", "open_log", "play_turn"]

ADA = Author(id="ada", name="Ada", kind="user")
AGENT = Author(id="agent", name="Agent", kind="agent")


async def open_log(writer: LogWriter, conversation: str) -> ConversationLog:
    """Return a conversation's log, with no turn open; it is made when missing."""
    record = await writer.store.get(conversation)
    if record is None:
        new = ConversationRecord(
            id=conversation,
            log=conversation * 4,
            owner="ada",
            title="",
            created_ms=1,
            updated_ms=1,
        )
        return await writer.create(new, ConversationCreated())
    log = await writer.load(record)
    for turn in log.state.turns:
        if turn.finished_ts is None:
            await log.append(TurnFinished(turn=turn.turn, status="interrupted"))
    return log


async def follow(log: ConversationLog, saw: Callable[[str, StoredEvent], None]) -> None:
    """Show every event from the log's head on to ``saw``, until cancelled."""
    cursor = log.head
    news = asyncio.Event()
    unwatch = log.watch(news.set)
    try:
        while True:
            while events := await log.read(cursor):
                for event in events:
                    saw(log.id, event)
                cursor = events[-1].seq
            await news.wait()
            news.clear()
    finally:
        unwatch()


async def play_turn(log: ConversationLog, name: str, dice: random.Random) -> int:
    """Write one turn; return the ``seq`` of its end, once all of it is kept.

    Raises:
        StoreError: The user's message was refused; nothing else was written.
    """
    await log.append(
        MessageCreated(
            message=f"u{name}", role="user", author=ADA, content=[TextBlock(text="Hi")]
        ),
        TurnStarted(turn=name, message=f"u{name}", agent="agent"),
        durable=dice.random() < 0.1,
        rejectable=True,
    )
    for step in range(dice.randrange(1, 4)):
        await _answer(log, name, f"m{name}.{step}", dice)
    return await log.append(TurnFinished(turn=name, status="completed"), durable=True)


async def _answer(
    log: ConversationLog, turn: str, message: str, dice: random.Random
) -> None:
    log.append(
        MessageCreated(message=message, role="assistant", author=AGENT, turn=turn),
        BlockStarted(message=message, block="b0", kind="text", turn=turn),
    )
    text = ""
    for _ in range(dice.randrange(12)):
        text += (word := dice.choice(("word ", "über ", "🐍 ")))
        log.append_delta(
            BlockDelta(message=message, block="b0", kind="text", delta=word, turn=turn)
        )
        if dice.random() < 0.7:
            await log.flushed()
    log.append(
        MessageCompleted(message=message, content=[TextBlock(text=text)], turn=turn)
    )
    if dice.random() < 0.5:
        await _call(log, turn, message, dice)


async def _call(
    log: ConversationLog, turn: str, message: str, dice: random.Random
) -> None:
    call = f"t{message}"
    log.append(
        ToolRequested(
            message=message,
            block="b1",
            tool_call=call,
            name="look",
            label="Look",
            input={},
            turn=turn,
        )
    )
    for step in range(dice.randrange(5)):
        await log.append(ToolProgress(tool_call=call, fraction=step / 5, turn=turn))
    log.append(ToolCompleted(tool_call=call, status="ok", output="seen", turn=turn))
