"""A state in parts that are small enough to send, and the parts made whole again.

A part is a state with some of the messages, tool calls and turns. What is too large
for one part comes in pieces. Neighbours with the same id are one message, whose
blocks go one after the other; or one block, whose text is appended and is that of its
content too. All else is as the first piece says.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain, groupby
from typing import TYPE_CHECKING, TypeVar

from msgspec.structs import replace

from streamchat_nb.conversation.state import (
    BlockState,
    ConversationState,
    MessageState,
    ToolCallState,
    TurnState,
)
from streamchat_nb.protocol.codec import encode
from streamchat_nb.protocol.content import ContentBlock, TextBlock, ThinkingBlock

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

__all__ = ["SnapshotParts", "encode_parts", "join_parts"]

T = TypeVar("T")

PART_BYTES = 131_072
PIECE_CHARACTERS = 10_000
"""Most characters of a text in one piece: in a block and in its content, with up to
six bytes for each, they fit into a part."""


@dataclass(frozen=True)
class SnapshotParts:
    """A state at one ``seq``, encoded; ``parts`` in order make the whole."""

    seq: int
    parts: list[bytes]


def encode_parts(state: ConversationState) -> SnapshotParts:
    """Encode a state in parts of about 128 KiB.

    A part is larger only by what cannot be cut: a tool's input or output, a block
    that only its provider understands.
    """
    groups = list(
        _groups(
            chain(
                chain.from_iterable(map(_message_pieces, state.messages)),
                state.tool_calls,
                state.turns,
            )
        )
    )
    parts = [
        replace(
            ConversationState(conversation=state.conversation, seq=state.seq)
            if number
            else state,
            messages=[piece for piece in group if isinstance(piece, MessageState)],
            tool_calls=[piece for piece in group if isinstance(piece, ToolCallState)],
            turns=[piece for piece in group if isinstance(piece, TurnState)],
        )
        for number, group in enumerate(groups)
    ]
    return SnapshotParts(state.seq, [encode(part) for part in parts])


def join_parts(parts: Sequence[ConversationState]) -> ConversationState:
    """Return the state of which these are all parts, in order."""
    pieces = chain.from_iterable(part.messages for part in parts)
    return replace(
        parts[0],
        messages=[
            _joined_message(list(run))
            for _, run in groupby(pieces, key=lambda message: message.message)
        ],
        tool_calls=[call for part in parts for call in part.tool_calls],
        turns=[turn for part in parts for turn in part.turns],
    )


def _groups(items: Iterable[T]) -> Iterator[list[T]]:
    """Yield the items in groups of about a part's size; an empty one if none."""
    group: list[T] = []
    group_bytes = 0
    for item in items:
        item_bytes = len(encode(item))
        if group and group_bytes + item_bytes > PART_BYTES:
            yield group
            group, group_bytes = [], 0
        group.append(item)
        group_bytes += item_bytes
    yield group


def _message_pieces(message: MessageState) -> Iterator[MessageState]:
    if len(encode(message)) <= PART_BYTES:
        yield message
        return
    for blocks in _groups(chain.from_iterable(map(_block_pieces, message.blocks))):
        yield replace(message, blocks=blocks)


def _block_pieces(block: BlockState) -> Iterator[BlockState]:
    if len(encode(block)) <= PART_BYTES:
        yield block
        return
    text, size = block.text, PIECE_CHARACTERS
    first = text[:size]
    yield replace(block, text=first, content=_with_text(block.content, first))
    for start in range(size, len(text), size):
        piece = text[start : start + size]
        yield BlockState(block=block.block, kind=block.kind, text=piece)


def _joined_message(run: list[MessageState]) -> MessageState:
    pieces = chain.from_iterable(message.blocks for message in run)
    blocks = [
        _joined_block(list(same))
        for _, same in groupby(pieces, key=lambda block: block.block)
    ]
    return replace(run[0], blocks=blocks)


def _joined_block(run: list[BlockState]) -> BlockState:
    if len(run) == 1:
        return run[0]
    text = "".join(block.text for block in run)
    return replace(run[0], text=text, content=_with_text(run[0].content, text))


def _with_text(content: ContentBlock | None, text: str) -> ContentBlock | None:
    match content:
        case TextBlock():
            return replace(content, text=text)
        case ThinkingBlock():
            return replace(content, thinking=text)
        case _:
            return content
