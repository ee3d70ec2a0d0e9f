"""The branches of a conversation: a tree of its user's messages, one path of it shown.

A user's message follows another one, its ``parent``, or none (``""``). Messages with
one parent are versions of each other, for example a question that was asked again, or
in other words. An agent's messages belong to the user's message that their turn
answers. ``tip`` is the message at which the conversation is shown and continued.

``frontend/src/branches.ts`` follows the same rules, proved on the same recorded logs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from streamchat_nb.conversation.message_tree import newest_in_branch
from streamchat_nb.conversation.state import is_removed

if TYPE_CHECKING:
    from collections.abc import Collection

    from streamchat_nb.conversation.state import ConversationState, MessageState

__all__ = ["Branches", "shown_messages"]


def shown_messages(state: ConversationState) -> list[MessageState]:
    """Return the messages of the branch that is shown, in the order of the log."""
    if state.tip is None:  # of before there were branches, or a part of a state
        return [*state.messages]
    branches = Branches(state)
    return branches.messages_of(branches.shown)


class Branches:
    """The branches of a state as it is now; made anew when the state has changed.

    Making it and every answer of it cost no more than the messages and turns there are.

    Args:
        state: Of a ``Fold``; not changed.
    """

    def __init__(self, state: ConversationState) -> None:
        self._state = state
        self._parents: dict[str, str] = {}
        self._children: dict[str, list[str]] = {}
        for message in state.messages:
            if message.role == "user":
                parent = message.parent or ""
                self._parents[message.message] = parent
                self._children.setdefault(parent, []).append(message.message)
        self._waiting = {t.message for t in state.turns if t.status == "queued"}
        self._removed = {t.message for t in state.turns if is_removed(t)}

    @property
    def shown(self) -> list[str]:
        """The user's messages of the branch that is shown, from the first on.

        While the tip waits for its turn on another branch, what was shown before it was
        sent still is: the newest of what it would take the place of.
        """
        tip = self._state.tip or ""
        path = self.path_to(tip)
        if tip in self._waiting:
            unseen = self._waiting | self._removed
            before = newest_in_branch(self._parents, unseen, tip)
            if before and before not in path:
                return self.path_to(before)
        return path

    def path_to(self, message: str) -> list[str]:
        """Return a user's message after all those that it follows; empty for ``""``."""
        path: list[str] = []
        while message in self._parents:
            path.append(message)
            message = self._parents[message]
        return path[::-1]

    def siblings(self, message: str) -> list[str]:
        """Return the versions of a user's message in the order in which they were sent.

        It is among them. Others that wait for their turn, or were taken back while
        they did, are not.
        """
        return [
            other
            for other in self._children.get(self._parents.get(message, ""), [])
            if other == message or other not in self._waiting | self._removed
        ]

    def newest(self, message: str) -> str:
        """Return the newest of a user's message and all that follow it.

        One that was taken back counts as the message that it followed. ``""`` stands
        for the beginning of the conversation, and is returned where nothing is left.
        """
        return newest_in_branch(self._parents, self._removed, message)

    def line_to(self, message: str) -> list[str]:
        """Return what a user's message is answered with: its path, and what ran before.

        A message that was sent later and moved ahead of one that waited follows it in
        the tree, and is known to its answer all the same.
        """
        line = self.path_to(message)
        branch = {message}
        for other, parent in self._parents.items():
            if parent in branch:
                branch.add(other)
                line.append(other)
        return line

    def messages_of(self, path: Collection[str]) -> list[MessageState]:
        """Return the messages of a path and of its answers, in the order of the log.

        What an agent said without a turn is on every path.
        """
        shown: set[str | None] = {*path, None}
        asked = {turn.turn: turn.message for turn in self._state.turns}
        return [
            message
            for message in self._state.messages
            if _question_of(message, asked) in shown
        ]

    def left_line_at(self, message: str) -> str:
        """Return where a message's path last left the first line that was answered.

        For agents that remember a conversation by themselves: those messages that have
        the same answer here were answered one after the other.

        Returns:
            The nearest message up the path before which another version was answered;
            ``""`` where there is none.
        """
        begun = [t.message for t in self._state.turns if t.started_ts is not None]
        places = {other: place for place, other in enumerate(begun)}
        for one in reversed(self.path_to(message)):
            versions = self._children[self._parents[one]]
            own = places.get(one, len(places))
            if any(places.get(other, own) < own for other in versions):
                return one
        return ""


def _question_of(message: MessageState, asked: dict[str, str]) -> str | None:
    """Return the user's message that a message is or answers, if any."""
    return message.message if message.role == "user" else asked.get(message.turn or "")
