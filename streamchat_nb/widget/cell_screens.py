"""Where an answer is shown while a cell waits for it: its output, or a terminal."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, Protocol

from typing_extensions import override

from streamchat_nb.client.events import StateReplaced
from streamchat_nb.client.terminal_printer import TerminalPrinter
from streamchat_nb.errors import Conflict
from streamchat_nb.protocol.events import (
    BlockDelta,
    MessageDiscarded,
    ToolApprovalRequested,
    ToolApprovalResolved,
    ToolCompleted,
    ToolRequested,
)
from streamchat_nb.transcript.hidden import show_hidden
from streamchat_nb.transcript.outline import Note
from streamchat_nb.transcript.tool_texts import laid_out, tool_name
from streamchat_nb.widget.live_output import LiveOutput, display_in_cell

if TYPE_CHECKING:
    from collections.abc import Sequence

    from streamchat_nb.client.sync_client import SyncConversation
    from streamchat_nb.conversation.state import ToolCallState
    from streamchat_nb.protocol.events import Event, UnknownEvent
    from streamchat_nb.transcript.outline import Entry
    from streamchat_nb.widget.chat import Chat
    from streamchat_nb.widget.followed_turn import FollowedTurn

__all__ = ["NotebookScreen", "Screen", "TerminalScreen"]

_TOLD_AT_ONCE = (
    MessageDiscarded,
    StateReplaced,
    ToolApprovalRequested,
    ToolApprovalResolved,
    ToolCompleted,
    ToolRequested,
)
_NOTHING_SAID = Note(words="The answer is empty.")


class Screen(Protocol):
    """Shows one answer."""

    def take(self, item: Event | UnknownEvent | StateReplaced) -> None:
        """Show what came."""
        ...

    def rest(self) -> None:
        """Nothing came for a while."""
        ...

    def finish(self) -> None:
        """Show how it ended, and all there is."""
        ...


class NotebookScreen(Screen):
    """The output of a notebook's cell.

    Args:
        followed: The answer.
        shared: What was shared with the question, in words.
        chat: Where approvals are answered; shown below where no browser shows it.
    """

    def __init__(
        self, followed: FollowedTurn, *, shared: Sequence[str], chat: Chat
    ) -> None:
        self._followed = followed
        self._chat = chat
        self._chat_is_below = False
        self._output = LiveOutput([Note(words=words) for words in shared])

    @override
    def take(self, item: Event | UnknownEvent | StateReplaced) -> None:
        match item:
            case BlockDelta(kind="text", delta=delta):
                self._output.grow(len(delta))
            case _:
                self._output.grow(0)
        if isinstance(item, _TOLD_AT_ONCE) or self._output.is_due:
            self._show()

    @override
    def rest(self) -> None:
        if self._output.is_due:
            self._show()

    @override
    def finish(self) -> None:
        self._output.finish(self._followed.entries or [_NOTHING_SAID])

    def _show(self) -> None:
        entries: list[Entry] = self._followed.entries
        if waiting := self._followed.waiting_calls:
            self._show_chat()
            names = ", ".join(dict.fromkeys(tool_name(call) for call in waiting))
            place = "below" if self._chat_is_below else "of this conversation"
            words = f"Allow or refuse {names} in the chat {place}; this cell waits."
            entries.append(Note(words=words))
        self._output.show(entries)

    def _show_chat(self) -> None:
        """Show the chat below, if no browser has shown it yet."""
        chat: Any = self._chat
        if not self._chat_is_below and chat.status == "connecting":
            self._chat_is_below = True
            display_in_cell(chat)


class TerminalScreen(Screen):
    """The standard output, word by word; asks there for approvals.

    Args:
        followed: The answer.
        shared: What was shared with the question, in words.
        conversation: Takes the answers to approvals.
    """

    def __init__(
        self,
        followed: FollowedTurn,
        *,
        shared: Sequence[str],
        conversation: SyncConversation,
    ) -> None:
        self._followed = followed
        self._conversation = conversation
        self._asked: set[str] = set()
        is_terminal = sys.stdout.isatty()
        self._printer = TerminalPrinter(followed.turn, sys.stdout, color=is_terminal)
        for words in shared:
            _print(words)

    @override
    def take(self, item: Event | UnknownEvent | StateReplaced) -> None:
        if isinstance(item, StateReplaced):
            self._printer.catch_up(item.state)
        else:
            self._printer.show(item)
        if isinstance(item, (StateReplaced, ToolApprovalRequested)):
            for call in self._followed.waiting_calls:
                self._decide(call)

    @override
    def rest(self) -> None:
        pass

    @override
    def finish(self) -> None:
        pass  # all of it was printed as it came

    def _decide(self, call: ToolCallState) -> None:
        """Ask the person at the terminal, once; the first answer anywhere counts."""
        asked = call.approval
        if asked is None or asked.approval in self._asked:
            return
        self._asked.add(asked.approval)
        _print(f"{tool_name(call)} is to run with:\n{_indented(call)}")
        if not sys.stdin.isatty():
            place = f"the chat of conversation {self._conversation.id}"
            _print(f"Allow or refuse it in {place}; this waits.")
            return
        try:
            said = input(f"{show_hidden(asked.prompt)} [y/N] ")
        except EOFError:
            said = ""
        is_allowed = said.strip().lower() in {"y", "yes"}
        try:
            self._conversation.approve(
                asked.approval, "approved" if is_allowed else "denied"
            )
        except Conflict as error:
            _print(f"({error.message})")


def _indented(call: ToolCallState) -> str:
    code = call.input.get("code")
    is_code = isinstance(code, str) and len(call.input) == 1
    text = str(code) if is_code else laid_out(call.input)
    return "\n".join(f"    {line}" for line in text.split("\n"))


def _print(text: str) -> None:
    sys.stdout.write(f"{show_hidden(text)}\n")
    sys.stdout.flush()
