"""Iterating over the text of an answer while it is written."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, Self

from streamchat_nb.client.answer import Answer, AnswerText
from streamchat_nb.client.events import StateReplaced
from streamchat_nb.errors import UsageError
from streamchat_nb.protocol.events import TurnFinished

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from streamchat_nb.client.events import ConversationEvents
    from streamchat_nb.protocol.events import Event, UnknownEvent

__all__ = ["AnswerStream"]


class Answered(Protocol):
    """What a stream needs of its conversation."""

    def events(self) -> ConversationEvents:
        """Iterate over the events from now on."""
        ...

    def answer(self, turn: str) -> Answer:
        """Return the answer of a finished turn."""
        ...


class AnswerStream:
    """An asynchronous iterator over the text of an answer, piece by piece.

    Made by ``ClientConversation.stream``. The pieces together are the text of all the
    turn's messages, with an empty line between two of them; ``answer`` has the final
    one and tells how the turn ended.

    Args:
        conversation: Where the message goes.
        send: Sends it; returns its turn.
    """

    def __init__(
        self, conversation: Answered, send: Callable[[], Awaitable[str]]
    ) -> None:
        self._conversation = conversation
        self._send = send
        self._events: ConversationEvents | None = None
        self._shown = AnswerText("")
        self._turn: str | None = None
        self._answer: Answer | None = None

    @property
    def turn(self) -> str | None:
        """Id of the turn; ``None`` before the first piece was asked for."""
        return self._turn

    @property
    def answer(self) -> Answer:
        """The whole answer.

        Raises:
            UsageError: The turn has not ended yet; iterate to the end first.
        """
        if self._answer is None:
            raise UsageError("The answer is there when all of it was iterated over.")
        return self._answer

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> str:
        """Return the next piece of text; never an empty one.

        Raises:
            StreamchatError: As ``ClientConversation.send`` and ``finished``.
        """
        if self._events is None:
            self._events = self._conversation.events()
            self._turn = await self._send()
            self._shown = AnswerText(self._turn)
        while self._answer is None:
            piece = self._take(await anext(self._events))
            if piece:
                return piece
        raise StopAsyncIteration

    def _take(self, item: Event | UnknownEvent | StateReplaced) -> str:
        if isinstance(item, StateReplaced):
            piece = self._shown.catch_up(item.state)
            known = [t for t in item.state.turns if t.turn == self._turn]
            is_over = any(turn.finished_ts is not None for turn in known)
        else:
            piece = self._shown.take(item)
            is_over = isinstance(item, TurnFinished) and item.turn == self._turn
        if is_over:
            self._answer = self._conversation.answer(str(self._turn))
        return piece
