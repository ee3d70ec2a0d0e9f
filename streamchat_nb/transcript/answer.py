"""One answer of a conversation, as the output of the cell that asked for it."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import msgspec

from streamchat_nb.conversation.state import ConversationState
from streamchat_nb.transcript import html, markdown, text
from streamchat_nb.transcript.outline import Note, Speaker, outline
from streamchat_nb.transcript.selection import write_within
from streamchat_nb.transcript.words import LEFT_OUT, turn_note

if TYPE_CHECKING:
    from collections.abc import Sequence

    from streamchat_nb.conversation.state import TurnState
    from streamchat_nb.transcript.outline import Entry

__all__ = ["answer_entries", "answer_html", "answer_mimebundle"]

_HEADING_LEVEL = 3
_QUEUED = "Waiting for the answer before this one…"


def answer_entries(state: ConversationState, turn: str) -> list[Entry]:
    """Return what is shown of the answer that a turn gives, without who speaks.

    Of one that is not finished, the last entry says what is being done. How long a
    tool took is left out: the same answer looks the same whenever a cell runs.

    Args:
        state: The conversation, or as much of it as this turn; not changed.
        turn: Id of the turn.
    """
    own = ConversationState(
        messages=[
            message
            for message in state.messages
            if message.turn == turn and message.role == "assistant"
        ],
        tool_calls=[
            msgspec.structs.replace(call, duration_ms=None)
            for call in state.tool_calls
            if call.turn == turn
        ],
        turns=[one for one in state.turns if one.turn == turn],
    )
    entries: list[Entry] = [
        entry for entry in outline(own) if not isinstance(entry, Speaker)
    ]
    if own.turns and own.turns[0].finished_ts is None:
        unfinished = Note(words=turn_note(own.turns[0], answered=bool(entries)))
        entries = [entry for entry in entries if entry != unfinished]
        if words := _progress_words(own, own.turns[0]):
            entries.append(Note(words=words))
    return entries


def answer_html(entries: Sequence[Entry], *, limit_bytes: int = 1_000_000) -> str:
    """Return entries as one element of static HTML, within a size."""
    before, after = '<div style="max-width:56rem;color:inherit">\n', "\n</div>\n"
    pieces = write_within(
        [partial(html.write_entry, entry, below=_HEADING_LEVEL) for entry in entries],
        limit_bytes=limit_bytes - len(before) - len(after),
        left_out=f"<p><em>{LEFT_OUT}</em></p>",
    )
    return before + "\n".join(piece for piece in pieces if piece) + after


def answer_mimebundle(
    entries: Sequence[Entry], *, limit_bytes: int = 1_000_000
) -> dict[str, str]:
    """Return entries as the data of a notebook's output: text, markdown and HTML.

    Args:
        entries: What is shown.
        limit_bytes: Largest size of each; the middle of a longer one is left out, and
            a sentence says so.
    """
    plain = write_within(
        [partial(text.write_entry, entry) for entry in entries],
        limit_bytes=limit_bytes,
        left_out=f"({LEFT_OUT})",
    )
    marked = write_within(
        [
            partial(markdown.write_entry, entry, level=_HEADING_LEVEL)
            for entry in entries
        ],
        limit_bytes=limit_bytes,
        left_out=f"*{LEFT_OUT}*",
    )
    return {
        "text/plain": "\n\n".join(piece for piece in plain if piece),
        "text/markdown": "\n\n".join(piece for piece in marked if piece),
        "text/html": answer_html(entries, limit_bytes=limit_bytes),
    }


def _progress_words(own: ConversationState, turn: TurnState) -> str:
    if turn.status == "queued":
        return _QUEUED
    running = (call for call in own.tool_calls if call.status == "running")
    told = " ".join(call.progress_message for call in running if call.progress_message)
    if turn.phase == "responding":
        return told
    return f"{turn.label} {told}".strip()
