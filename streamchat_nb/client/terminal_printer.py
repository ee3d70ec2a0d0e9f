"""A turn as plain text, for terminals."""

from __future__ import annotations

from typing import TYPE_CHECKING, TextIO

from streamchat_nb.client.answer import AnswerText
from streamchat_nb.protocol.events import (
    MessageCompleted,
    MessageDiscarded,
    ToolCompleted,
    ToolProgress,
    ToolRequested,
    TurnFinished,
    TurnStarted,
    TurnStatus,
)

if TYPE_CHECKING:
    from streamchat_nb.conversation.state import ConversationState
    from streamchat_nb.protocol.content import ErrorBody
    from streamchat_nb.protocol.events import Event, UnknownEvent

__all__ = ["TerminalPrinter"]


class TerminalPrinter:
    """Writes a turn's events as plain text, as they come.

    Control characters in what models and tools say never reach the terminal.

    Args:
        turn: The turn; events of others are passed over.
        out: Where to write.
        color: Whether to dim status lines by ANSI codes.

    Attributes:
        ended: How the turn ended; ``None`` until then.
    """

    def __init__(self, turn: str, out: TextIO, *, color: bool) -> None:
        self.ended: str | None = None
        self._turn = turn
        self._text = AnswerText(turn)
        self._out = out
        self._color = color
        self._in_text = False
        self._tools: dict[str, str] = {}

    def show(self, event: Event | UnknownEvent) -> None:
        """Write one event."""
        if event.turn != self._turn:
            return
        self._write(self._text.take(event))
        match event:
            case TurnStarted(offline=True):
                self._line(f"({event.model}: no language model is running)")
            case TurnStatus(phase="thinking" | "retrying" | "waiting_approval"):
                self._line(event.label)
            case ToolRequested():
                self._tools[event.tool_call] = event.name
                self._line(event.label)
            case ToolProgress(message=str(message)):
                self._line(f"  {message}")
            case ToolCompleted():
                self._line(self._tool_end(event))
            case MessageCompleted():
                self._message_end(event)
            case MessageDiscarded():
                self._line("(the answer broke off and is started again)")
            case TurnFinished():
                self._turn_end(event.status, event.error)
            case _:
                pass
        self._out.flush()

    def catch_up(self, state: ConversationState) -> None:
        """Write what a state has of the turn that was not written yet."""
        self._write(self._text.catch_up(state))
        for turn in state.turns:
            if turn.turn == self._turn and turn.finished_ts is not None:
                self._turn_end(turn.status, turn.error)
        self._out.flush()

    def _tool_end(self, event: ToolCompleted) -> str:
        name = self._tools.get(event.tool_call, "tool")
        took = "" if event.duration_ms is None else f" in {event.duration_ms} ms"
        return f"{name}: {event.status}{took}"

    def _turn_end(self, status: str, error: ErrorBody | None) -> None:
        self._end_text()
        self.ended = status
        if error is not None:
            self._line(f"{status}: {error.message}")
        elif status != "completed":
            self._line(f"({status})")

    def _message_end(self, event: MessageCompleted) -> None:
        self._end_text()
        for action in event.actions or ():
            target = action.href if action.kind == "link" else action.send
            self._line(f"  [{action.label}] {target}")

    def _write(self, text: str) -> None:
        text = text if self._in_text else text.lstrip("\n")
        if text:
            self._in_text = True
            self._out.write(_printable(text))

    def _line(self, text: str) -> None:
        self._end_text()
        text = _printable(text).replace("\n", " ")
        self._out.write(f"\x1b[2m{text}\x1b[0m\n" if self._color else f"{text}\n")

    def _end_text(self) -> None:
        if self._in_text:
            self._out.write("\n")
            self._in_text = False


def _printable(text: str) -> str:
    """Return text without anything that could steer a terminal."""
    return "".join(
        character
        if character in "\n\t" or character.isprintable()
        else "\N{REPLACEMENT CHARACTER}"
        for character in text
    )
