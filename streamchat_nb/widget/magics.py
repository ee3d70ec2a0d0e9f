"""``%chat`` and ``%%chat``: a cell's text is the question, its output the answer."""

from __future__ import annotations

import contextlib
import sys
from typing import TYPE_CHECKING, Any

from IPython.core.error import UsageError as LineUsageError
from IPython.core.magic import no_var_expand

from streamchat_nb.client.events import StateReplaced
from streamchat_nb.errors import ConnectError, StreamchatError, UsageError
from streamchat_nb.protocol.content import DataBlock, TextBlock
from streamchat_nb.tools.value_text import counted
from streamchat_nb.transcript.hidden import show_hidden
from streamchat_nb.transcript.python_code import python_blocks
from streamchat_nb.widget.cell_screens import NotebookScreen, TerminalScreen
from streamchat_nb.widget.chat import Chat, conversation_of, newest_chat
from streamchat_nb.widget.chat_line import (
    USAGE,
    parse_chat_line,
    shared_data,
    shared_words,
)
from streamchat_nb.widget.followed_turn import FollowedTurn
from streamchat_nb.widget.lent_tools import user_namespace
from streamchat_nb.widget.live_output import display_in_cell
from streamchat_nb.widget.question_lines import QuestionLine

if TYPE_CHECKING:
    from collections.abc import Sequence

    from IPython.core.interactiveshell import InteractiveShell

    from streamchat_nb.client.answer import Answer
    from streamchat_nb.client.sync_client import (
        SyncConversation,
        SyncConversationEvents,
    )
    from streamchat_nb.tools.data_digest import Digest
    from streamchat_nb.widget.cell_screens import Screen
    from streamchat_nb.widget.chat_line import ChatLine

__all__ = ["AnswerStopped", "ChatMagic", "ChatProblem", "load", "unload"]

_NAME = "chat"
_STOP_TIMEOUT_S = 5.0
_PATIENCE_S = 0.25


class ChatProblem(Exception):
    """Why a cell has no answer: one line in its output, without a traceback."""

    def _render_traceback_(self) -> list[str]:
        return [str(self)]


class AnswerStopped(KeyboardInterrupt):
    """The cell was interrupted; its answer was stopped, what there was is kept."""

    def _render_traceback_(self) -> list[str]:
        return ["Interrupted: the answer was stopped."]


class ChatMagic:
    """The magics of one IPython.

    Args:
        shell: That IPython.
    """

    def __init__(self, shell: InteractiveShell) -> None:
        self._shell: Any = shell  # its types say nothing
        self._own_chat: Chat | None = None  # keeps one that nobody else holds

    @no_var_expand  # braces in a question are words
    def chat(self, line: str, cell: str | None = None) -> None:
        """Ask the agent: ``%chat Who is Ada?``, or ``%%chat`` and the cell is asked.

        ``@name`` shares a digest of that variable. ``%chat`` alone shows the chat.
        It is the conversation of the chat that was made last, or a new one.

        Options::

            -c ID, --conversation ID  go on with another conversation, from here on
            -m NAME, --model NAME     use this model, from here on
            -a NAME, --agent NAME     use this agent, from here on
            -i NAME, --into NAME      put the answer into a variable
            --code                    put the answer's Python into the next cell
        """
        try:
            self._run(parse_chat_line(line), cell)
        except UsageError as error:
            raise LineUsageError(f"{error.message}\n{USAGE}") from None
        except StreamchatError as error:
            raise ChatProblem(error.message) from None

    def _run(self, wanted: ChatLine, cell: str | None) -> None:
        text = "\n\n".join(part for part in (wanted.text, (cell or "").strip()) if part)
        if cell is not None and not text:
            raise UsageError("There is no question in this cell.")
        chat, conversation = self._current(wanted.conversation)
        chosen = {"agent": wanted.agent, "model": wanted.model}
        if settings := {key: value for key, value in chosen.items() if value}:
            conversation.configure(**settings)
        if not text:
            self._show(chat, conversation)
            return
        digests = shared_data(text, user_namespace())
        answer, was_stopped = self._ask(chat, conversation, text, digests)
        if wanted.into is not None:
            self._shell.push({wanted.into: answer})
        if wanted.code and not was_stopped:
            self._offer_code(answer)
        if was_stopped:
            raise AnswerStopped

    def _current(self, wanted: str | None) -> tuple[Chat, SyncConversation]:
        """Return the chat to go on with, and its conversation.

        Raises:
            StreamchatError: There is no such conversation, or no server.
        """
        chat = newest_chat()
        if chat is not None and wanted in (None, chat.conversation):
            try:
                return chat, conversation_of(chat)
            except ConnectError as error:
                # It looked for a server when it was made; now there may be one.
                if error.code != "server_not_found":
                    raise
        chat = Chat(wanted)
        try:
            conversation = conversation_of(chat)
        except StreamchatError:
            chat.close()  # those before it are in its place again
            raise
        self._own_chat = chat
        return chat, conversation

    def _ask(
        self,
        chat: Chat,
        conversation: SyncConversation,
        text: str,
        digests: Sequence[Digest],
    ) -> tuple[Answer, bool]:
        """Ask and show the answer; returns it, and whether it was stopped."""
        data = [DataBlock(name=one.name, text=one.text) for one in digests]
        shared = [shared_words(one) for one in digests]
        is_notebook = _is_notebook(self._shell)
        events = conversation.events(timeout_s=_PATIENCE_S if is_notebook else None)
        turn = conversation.send([TextBlock(text=text), *data])
        followed = FollowedTurn(turn)
        screen: Screen
        if is_notebook:
            screen = NotebookScreen(followed, shared=shared, chat=chat)
        else:
            screen = TerminalScreen(followed, shared=shared, conversation=conversation)
        try:
            _follow(conversation, events, followed, screen)
        except KeyboardInterrupt:
            _stop(conversation, followed, screen)
            return conversation.answer(turn), True
        finally:
            screen.finish()
        return conversation.answer(turn), False

    def _offer_code(self, answer: Answer) -> None:
        blocks = python_blocks(answer.text)
        if blocks:
            self._shell.set_next_input("\n\n".join(blocks))
        else:
            sys.stdout.write("The answer has no Python in it.\n")

    def _show(self, chat: Chat, conversation: SyncConversation) -> None:
        """Show the chat; in a terminal say where it stands."""
        if _is_notebook(self._shell):
            display_in_cell(chat)
            return
        state = conversation.state
        title = show_hidden(state.title) or "no title yet"
        sys.stdout.write(
            f"Conversation {conversation.id}: {title}, "
            f"{counted(len(state.messages), 'message')}.\n"
        )


def load(shell: InteractiveShell) -> None:
    """Give an IPython the magics; a second time changes nothing."""
    own: Any = shell  # its types say nothing
    magic = ChatMagic(shell)
    own.register_magic_function(magic.chat, magic_kind="line_cell", magic_name=_NAME)
    transformers: list[Any] = own.input_transformer_manager.token_transformers
    if QuestionLine not in transformers:
        transformers.append(QuestionLine)


def unload(shell: InteractiveShell) -> None:
    """Take the magics away again."""
    own: Any = shell
    for kind in ("line", "cell"):
        own.magics_manager.magics[kind].pop(_NAME, None)
    transformers: list[Any] = own.input_transformer_manager.token_transformers
    if QuestionLine in transformers:
        transformers.remove(QuestionLine)


def _is_notebook(shell: Any) -> bool:  # noqa: ANN401 - IPython's
    return getattr(shell, "kernel", None) is not None


def _follow(
    conversation: SyncConversation,
    events: SyncConversationEvents,
    followed: FollowedTurn,
    screen: Screen,
) -> None:
    """Show what comes until the turn is over; functions of the notebook run here.

    Raises:
        StreamchatError: The connection has ended for good.
    """
    while not followed.is_over:
        try:
            item = next(events)
        except ConnectError as error:
            if error.code != "timeout":
                raise
            known = conversation.turn(followed.turn)
            if known is None or known.finished_ts is None:
                screen.rest()
                continue
            item = StateReplaced(conversation.state)
        if followed.take(item):
            screen.take(item)


def _stop(
    conversation: SyncConversation, followed: FollowedTurn, screen: Screen
) -> None:
    """End a turn and show what there is of it."""
    with contextlib.suppress(StreamchatError):
        conversation.cancel(followed.turn)
        conversation.finished(followed.turn, timeout_s=_STOP_TIMEOUT_S)
    with contextlib.suppress(StreamchatError):
        item = StateReplaced(conversation.state)
        followed.take(item)
        screen.take(item)
