"""The code of one layer alone, again and again, in this process.

By what is public and stays: a splitter, a reader, an agent, a log, a store. Each token
is a call of its own, as one packet for each token makes it.
"""

from __future__ import annotations

import asyncio
import gc
import tempfile
import time
from contextlib import aclosing
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from streamchat_nb.agent.accumulator import MessageAccumulator
from streamchat_nb.agent.agent import Turn, TurnLimits
from streamchat_nb.agent.anthropic_agent import AnthropicAgent
from streamchat_nb.agent.event_stream import EventSplitter
from streamchat_nb.agent.message_reader import MessageReader
from streamchat_nb.conversation.log import LogWriter
from streamchat_nb.conversation.memory import MemoryStore
from streamchat_nb.conversation.sqlite import SqliteStore
from streamchat_nb.conversation.state import Fold
from streamchat_nb.conversation.store import Append, ConversationRecord, StoredEvent
from streamchat_nb.protocol.codec import decode_event, encode
from streamchat_nb.protocol.content import Author
from streamchat_nb.protocol.events import BlockDelta, BlockStarted, MessageCreated
from streamchat_nb.testing.scripted_model import ScriptedModel, script
from streamchat_nb.tools.registry import ToolSet

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable

    from streamchat_nb.agent.agent import AgentEvent
    from streamchat_nb.conversation.store import Store

__all__ = ["hot_us"]

TOKENS = 2_000
"""Of one round."""
ROUNDS = 5
_RECORD = ConversationRecord(
    id="c", log="l", owner="o", title="", created_ms=1, updated_ms=1
)
_MESSAGE = MessageCreated(
    message="m1", role="assistant", author=Author(id="a", name="A", kind="agent")
)
_BLOCK = BlockStarted(message="m1", block="b0", kind="text")
_TOKEN = BlockDelta(message="m1", block="b0", kind="text", delta=" token")
_STREAM_BEGIN = (
    b"event: message_start\ndata: "
    b'{"type":"message_start","message":{"id":"msg_1","type":"message",'
    b'"role":"assistant","model":"m","content":[],"usage":{"input_tokens":25}}}\n\n'
    b"event: content_block_start\ndata: "
    b'{"type":"content_block_start","index":0,'
    b'"content_block":{"type":"text","text":""}}\n\n'
)
_STREAM_TOKEN = (
    b"event: content_block_delta\ndata: "
    b'{"type":"content_block_delta","index":0,'
    b'"delta":{"type":"text_delta","text":" token"}}\n\n'
)


def hot_us() -> dict[str, float]:
    """Return the CPU microseconds of a layer's code for a token; the best of rounds."""
    split_us = _best_us(_split)
    return {
        "split": split_us,
        "decode and accumulate": round(_best_us(_read) - split_us, 2),
        "agent": _best_us(_agent),
        "encode": _best_us(_encode),
        "fold": _best_us(_fold),
        "append to publish, without a store": _best_us(_log),
        "commit": _best_us(_commit),
    }


def _best_us(measure: Callable[[], float]) -> float:
    gc.collect()
    return round(min(measure() for _ in range(ROUNDS)) / TOKENS * 1e6, 2)


def _repeated_s(call: Callable[[], object]) -> float:
    began = time.process_time()
    for _ in range(TOKENS):
        call()
    return time.process_time() - began


def _split() -> float:
    splitter = EventSplitter()
    splitter.feed(_STREAM_BEGIN)
    return _repeated_s(lambda: splitter.feed(_STREAM_TOKEN))


def _read() -> float:
    reader = MessageReader(MessageAccumulator())
    reader.feed(_STREAM_BEGIN)
    return _repeated_s(lambda: reader.feed(_STREAM_TOKEN))


def _agent() -> float:
    """Without what it costs to begin and to end, which is the same for one token."""
    return _turn_s(TOKENS + 1) - _turn_s(1)


def _turn_s(tokens: int) -> float:
    agent = AnthropicAgent(ScriptedModel([script("token " * tokens)]))
    numbers = count(1)
    turn = Turn(
        conversation="c",
        turn="t",
        history=[{"role": "user", "content": "Go on."}],
        tools=ToolSet([]),
        limits=TurnLimits(),
        new_message_id=lambda: f"m{next(numbers)}",
    )

    async def run() -> float:
        began = time.process_time()
        events = cast("AsyncGenerator[AgentEvent]", agent.run(turn))
        async with aclosing(events):
            async for _ in events:
                pass
        return time.process_time() - began

    return asyncio.run(run())


def _encode() -> float:
    return _repeated_s(lambda: encode(_TOKEN))


def _fold() -> float:
    fold = Fold()
    events = iter(_numbered(TOKENS))
    for _ in range(2):
        fold.apply(next(events))
    return _repeated_s(lambda: fold.apply(next(events)))


def _numbered(tokens: int) -> list[Any]:
    """Return the events of an answer as a log numbers them."""
    events: list[Any] = [_MESSAGE, _BLOCK, *[_TOKEN] * tokens]
    encoded = (encode(event)[:-1] for event in events)
    return [
        decode_event(
            b'%s,"seq":%d,"prev":%d,"conversation":"c"}' % (data, seq, seq - 1)
        )
        for seq, data in enumerate(encoded, start=1)
    ]


def _log() -> float:
    """One commit for each token: nothing waits for company."""

    async def run() -> float:
        store = MemoryStore()
        await store.open()
        writer = LogWriter(store)
        writer.start()
        log = await writer.create(_RECORD, _MESSAGE, _BLOCK)
        began = time.process_time()
        for _ in range(TOKENS):
            log.append_delta(_TOKEN)
            await log.flushed()
        used_s = time.process_time() - began
        await writer.stop()
        await store.close()
        return used_s

    return asyncio.run(run())


def _commit() -> float:
    """As a log does: by the journal, or, while the disk is slow, by a transaction."""
    data = encode(_TOKEN).ljust(150)

    async def run(store: Store) -> float:
        await store.open()
        await store.create(_RECORD, [])
        began = time.process_time()
        for seq in range(1, TOKENS + 1):
            event = StoredEvent(seq, data)
            part = Append(conversation="c", events=[event], updated_ms=seq)
            if not store.append_now([part]):
                await store.append([part])
        used_s = time.process_time() - began
        await store.close()
        return used_s

    with tempfile.TemporaryDirectory() as folder:
        return asyncio.run(run(SqliteStore(Path(folder) / "store.sqlite3")))
