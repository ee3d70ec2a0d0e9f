"""One message of the agent as it streams, in AG-UI's events."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ag_ui.core import (  # noqa: TID253 - imported late, with this module
    ReasoningEndEvent,
    ReasoningMessageContentEvent,
    ReasoningMessageEndEvent,
    ReasoningMessageStartEvent,
    ReasoningStartEvent,
    TextMessageContentEvent,
    TextMessageEndEvent,
    TextMessageStartEvent,
)

from streamchat_nb.server.agui_messages import Piece, PieceNames, pieces_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ag_ui.core import BaseEvent

    from streamchat_nb.protocol.content import ContentBlock
    from streamchat_nb.protocol.events import BlockKind
    from streamchat_nb.server.agui_messages import PieceKind

__all__ = ["MessageStream"]


class MessageStream:
    """Opens and closes the pieces of one message; each that is opened is closed.

    Args:
        message: Id of the message.

    Attributes:
        pieces: What was streamed so far.
    """

    def __init__(self, message: str) -> None:
        self.message = message
        self.pieces: list[Piece] = []
        self._names = PieceNames(message)
        self._open: Piece | None = None

    def begin_block(self, kind: BlockKind) -> list[BaseEvent]:
        """Note that a block begins; a text that follows a text goes on with it."""
        return [] if kind == "text" else self.close()

    def add(self, kind: BlockKind, delta: str) -> list[BaseEvent]:
        """Return the events of more text or thinking; of other kinds there are none."""
        if kind not in ("text", "thinking") or not delta:
            return []
        events: list[BaseEvent] = []
        if self._open is None or self._open.kind != kind:
            events = [*self.close(), *self._begin(kind)]
        if self._open is not None:
            self._open.text += delta
            events.append(_content(self._open, delta))
        return events

    def complete(self, content: Iterable[ContentBlock]) -> tuple[list[BaseEvent], bool]:
        """Bring what was streamed to the final content.

        Returns:
            The events, and whether a client that has read them all shows the content:
            what it has shown cannot be taken back by them.
        """
        final = pieces_of(self.message, content)
        fits = len(final) >= len(self.pieces)
        events: list[BaseEvent] = []
        for position, piece in enumerate(final):
            if position >= len(self.pieces):
                events += self.close() + self.add(piece.kind, piece.text)
                continue
            seen = self.pieces[position]
            same = seen.kind == piece.kind and piece.text.startswith(seen.text)
            rest = piece.text[len(seen.text) :] if same else ""
            if rest and seen is self._open:
                events += self.add(piece.kind, rest)
            elif rest or not same:
                fits = False
        return events + self.close(), fits

    def close(self) -> list[BaseEvent]:
        """Return the events that close what is open."""
        piece, self._open = self._open, None
        if piece is None:
            return []
        if piece.kind == "text":
            return [TextMessageEndEvent(message_id=piece.id)]
        return [
            ReasoningMessageEndEvent(message_id=piece.id),
            ReasoningEndEvent(message_id=piece.id),
        ]

    def reopen(self) -> list[BaseEvent]:
        """Return the events that open again what is open, for who has not seen it."""
        return [] if self._open is None else _opening(self._open)

    def _begin(self, kind: PieceKind) -> list[BaseEvent]:
        piece = self._open = Piece(id=self._names.next(kind), kind=kind)
        self.pieces.append(piece)
        return _opening(piece)


def _opening(piece: Piece) -> list[BaseEvent]:
    if piece.kind == "text":
        return [TextMessageStartEvent(message_id=piece.id, role="assistant")]
    return [
        ReasoningStartEvent(message_id=piece.id),
        ReasoningMessageStartEvent(message_id=piece.id),
    ]


def _content(piece: Piece, delta: str) -> BaseEvent:
    if piece.kind == "text":
        return TextMessageContentEvent(message_id=piece.id, delta=delta)
    return ReasoningMessageContentEvent(message_id=piece.id, delta=delta)
